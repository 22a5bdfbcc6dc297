/* EREPORT and EGETKEY. The table of rules is in emulator_test.c. */
#include "sgx/emulator/test_enclave.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "sgx/emulator/emu.h"

/* ENCLU leaf with RBX, RCX, RDX; its RAX and ZF in out. */
static unsigned leaf_vector; /* of the fault that the last call of leaf saw */

static int leaf(struct te *e, uint64_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx, struct te_exit *out)
{
    struct enclave_run run;
    uint64_t *operands = te_at(TE_DATA + DATA_LEAF);
    operands[0] = rbx, operands[1] = rcx, operands[2] = rdx;
    int result = te_call(e, TE_TCS2, ENCLU_EENTER, OP_LEAF, number, 0, out, &run);
    if (result == -EFAULT) { /* back to CSSA 0, for the next call */
        CHECK(te_gpr(TE_SSA2, 0)->rip == te_rip(te_leaf));
        leaf_vector = run.exception_vector;
        struct enclave_run again;
        te_gpr(TE_SSA2, 0)->rip += 3;
        CHECK(te_call(e, TE_TCS2, ENCLU_ERESUME, 0, 0, 0, NULL, &again) == 0);
    }
    return result;
}

#define A ((uint64_t)te_at(TE_DATA + DATA_A))
#define B ((uint64_t)te_at(TE_DATA + DATA_B))
#define C ((uint64_t)te_at(TE_DATA + DATA_C))

static void cmac(const uint8_t key[16], const void *data, size_t size, uint8_t mac[16])
{
    size_t mac_size;
    CHECK(EVP_Q_mac(NULL, "CMAC", NULL, "AES-128-CBC", NULL, key, 16, data, size, mac, 16, &mac_size) &&
          mac_size == 16);
}

static bool mac_opens(const struct sgx_report *r, const struct sgx_targetinfo *target)
{
    uint8_t key[16], mac[16];
    CHECK(emulator_report_key((const uint8_t *)target, r->keyid, key) == 0);
    cmac(key, &r->body, sizeof r->body, mac);
    return memcmp(mac, r->mac, 16) == 0;
}

static void report_is_for_its_target(void)
{
    struct te e;
    struct te_exit out;
    te_build(&e, 0);
    struct sgx_targetinfo *target = (void *)A, other;
    uint8_t *data = (void *)B;
    memset(target->mrenclave, 0x5a, 32);
    target->attributes = (struct sgx_attributes){SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT, 3};
    for (unsigned i = 0; i < 64; i++)
        data[i] = (uint8_t)(i * 3);
    CHECK(leaf(&e, ENCLU_EREPORT, A, B, C, &out) == 0 && out.rdi == ENCLU_EREPORT);
    struct sgx_report *r = (void *)C;
    CHECK(memcmp(r->body.reportdata, data, 64) == 0);
    CHECK(memcmp(r->body.mrenclave, emu.secs.mrenclave, 32) == 0);
    CHECK(memcmp(r->body.mrsigner, emu.secs.mrsigner, 32) == 0);
    CHECK(r->body.isvprodid == 7 && r->body.isvsvn == 5);
    CHECK(r->body.attributes.flags == (SGX_FLAGS_INIT | SGX_FLAGS_DEBUG | SGX_FLAGS_MODE64BIT));
    CHECK(r->body.attributes.xfrm == e.secs.attributes.xfrm);
    CHECK(mac_opens(r, target));
    other = *target, other.mrenclave[31] ^= 1;
    CHECK(!mac_opens(r, &other));
    other = *target, other.attributes.flags |= SGX_FLAGS_DEBUG;
    CHECK(!mac_opens(r, &other));
    other = *target, other.miscselect ^= 1;
    CHECK(!mac_opens(r, &other));
    r->body.reportdata[0] ^= 1;
    CHECK(!mac_opens(r, target));
}

/* The target's EGETKEY gives the key that opens the report. */
static void report_key_of_the_target(void)
{
    struct te e;
    struct te_exit out;
    te_build(&e, 0);
    struct sgx_targetinfo *target = (void *)A, self = {.attributes = emu.secs.attributes};
    memcpy(self.mrenclave, emu.secs.mrenclave, 32);
    *target = self;
    CHECK(leaf(&e, ENCLU_EREPORT, A, B, C, &out) == 0);
    struct sgx_report r = *(struct sgx_report *)C;
    CHECK(mac_opens(&r, &self));
    struct sgx_keyrequest *request = memset((void *)A, 0, 512);
    request->keyname = KEYNAME_REPORT;
    memcpy(request->keyid, r.keyid, 32);
    CHECK(leaf(&e, ENCLU_EGETKEY, A, B, 0, &out) == 0 && out.rdi == SGX_SUCCESS);
    uint8_t mac[16];
    cmac((const uint8_t *)B, &r.body, sizeof r.body, mac);
    CHECK(memcmp(mac, r.mac, 16) == 0);
}

static void operands_are_checked(void)
{
    struct te e;
    te_build(&e, 0);
    const uint64_t ro = (uint64_t)te_at(TE_READONLY), hole = (uint64_t)te_at(TE_HOLE), tcs = (uint64_t)te_at(TE_TCS);
    static _Alignas(512) uint8_t outside[512];
    const uint64_t out = (uint64_t)outside;
    const struct {
        uint64_t rbx, rcx, rdx;
        unsigned vector;
    } reports[] = {{A + 128, B, C, VEC_GP}, {A, B + 64, C, VEC_GP}, {A, B, C + 256, VEC_GP}, {out, B, C, VEC_GP},
                   {A, out, C, VEC_GP},     {A, B, out, VEC_GP},    {hole, B, C, VEC_PF},    {tcs, B, C, VEC_PF},
                   {A, B, ro, VEC_PF},      {A, hole, C, VEC_PF}};
    for (unsigned i = 0; i < sizeof reports / sizeof *reports; i++) {
        CHECK(leaf(&e, ENCLU_EREPORT, reports[i].rbx, reports[i].rcx, reports[i].rdx, NULL) == -EFAULT);
        CHECK(leaf_vector == reports[i].vector);
    }
    ((struct sgx_keyrequest *)A)->keyname = KEYNAME_SEAL;
    const struct {
        uint64_t rbx, rcx;
        unsigned vector;
    } keys[] = {{A + 256, B, VEC_GP}, {A, B + 8, VEC_GP}, {out, B, VEC_GP}, {A, out, VEC_GP},
                {hole, B, VEC_PF},    {A, ro, VEC_PF},    {A, tcs, VEC_PF}};
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
        CHECK(leaf(&e, ENCLU_EGETKEY, keys[i].rbx, keys[i].rcx, 0, NULL) == -EFAULT);
        CHECK(leaf_vector == keys[i].vector);
    }
}

static struct sgx_keyrequest seal_request(void)
{
    return (struct sgx_keyrequest){.keyname = KEYNAME_SEAL,
                                   .keypolicy = KEYPOLICY_MRENCLAVE,
                                   .isvsvn = 5,
                                   .attributemask = {0xFF0000000000000Bull, 0},
                                   .miscmask = 0xF0000000};
}

/* The leaf's answer; the key if it is SGX_SUCCESS. */
static uint64_t get_key(struct te *e, const struct sgx_keyrequest *request, uint8_t key[16])
{
    struct te_exit out;
    memcpy((void *)A, request, sizeof *request);
    memset((void *)B, 0xcc, 16);
    CHECK(leaf(e, ENCLU_EGETKEY, A, B, 0, &out) == 0);
    CHECK(out.rsi == (out.rdi != SGX_SUCCESS)); /* ZF says the same */
    memcpy(key, (void *)B, 16);
    return out.rdi;
}

static void key_depends_on_each_input(void)
{
    struct te e;
    te_build(&e, 0);
    uint8_t keys[8][16], again[16];
    struct sgx_keyrequest r[8];
    unsigned n = 0;
    for (unsigned i = 0; i < 8; i++)
        r[i] = seal_request();
    n++; /* the first as it is */
    r[n++].keyid[31] = 1;
    r[n++].keypolicy = KEYPOLICY_MRSIGNER;
    r[n++].keypolicy = KEYPOLICY_MRENCLAVE | KEYPOLICY_MRSIGNER;
    r[n++].isvsvn = 4;
    r[n++].attributemask.flags |= SGX_FLAGS_MODE64BIT;
    r[n++].attributemask.xfrm = 3;
    r[n++].cpusvn[0] = 1;
    for (unsigned i = 0; i < n; i++) {
        CHECK(get_key(&e, &r[i], keys[i]) == SGX_SUCCESS);
        for (unsigned other = 0; other < i; other++)
            CHECK(memcmp(keys[i], keys[other], 16) != 0);
    }
    CHECK(get_key(&e, &r[0], again) == SGX_SUCCESS && memcmp(again, keys[0], 16) == 0);
}

/* A debug enclave never gets the production enclave's key, whatever mask it asks for. */
static void key_of_debug_differs(void)
{
    struct te e;
    uint8_t debug[16], production[16];
    te_build(&e, 0);
    struct sgx_keyrequest r = seal_request();
    r.attributemask = (struct sgx_attributes){0};
    CHECK(get_key(&e, &r, debug) == SGX_SUCCESS);
    emu.secs.attributes.flags &= ~SGX_FLAGS_DEBUG; /* as no emulated enclave ever is */
    CHECK(get_key(&e, &r, production) == SGX_SUCCESS);
    CHECK(memcmp(debug, production, 16) != 0);
}

static void key_refusals(void)
{
    struct te e;
    uint8_t key[16];
    te_build(&e, 0);
    struct sgx_keyrequest r = seal_request();
    r.isvsvn = 6;
    CHECK(get_key(&e, &r, key) == SGX_INVALID_ISVSVN && key[0] == 0xcc && key[15] == 0xcc); /* nothing written */
    r = seal_request(), r.cpusvn[15] = 0xff;
    CHECK(get_key(&e, &r, key) == SGX_INVALID_CPUSVN && key[0] == 0xcc);
    r = seal_request(), r.keyname = KEYNAME_PROVISION;
    CHECK(get_key(&e, &r, key) == SGX_INVALID_ATTRIBUTE);
    r.keyname = KEYNAME_PROVISION_SEAL;
    CHECK(get_key(&e, &r, key) == SGX_INVALID_ATTRIBUTE);
    r.keyname = KEYNAME_EINITTOKEN;
    CHECK(get_key(&e, &r, key) == SGX_INVALID_ATTRIBUTE);
    r.keyname = 5;
    CHECK(get_key(&e, &r, key) == SGX_INVALID_KEYNAME);
    r.keyname = 0x104;
    CHECK(get_key(&e, &r, key) == SGX_INVALID_KEYNAME);
}

/* Reserved bits of KEYREQUEST, and policies that need ATTRIBUTES.KSS, fault. */
static void key_reserved_bits(void)
{
    struct te e;
    te_build(&e, 0);
    struct sgx_keyrequest *r = (void *)A;
    for (unsigned bit = 2; bit < 16; bit++) {
        *r = seal_request();
        r->keypolicy |= (uint16_t)(1u << bit);
        CHECK(leaf(&e, ENCLU_EGETKEY, A, B, 0, NULL) == -EFAULT);
    }
    *r = seal_request(), r->reserved1 = 1;
    CHECK(leaf(&e, ENCLU_EGETKEY, A, B, 0, NULL) == -EFAULT);
    *r = seal_request(), r->reserved2[433] = 1;
    CHECK(leaf(&e, ENCLU_EGETKEY, A, B, 0, NULL) == -EFAULT);
}

const struct te_case te_key_cases[] = {
    {"report_is_for_its_target", report_is_for_its_target},
    {"report_key_of_the_target", report_key_of_the_target},
    {"operands_are_checked", operands_are_checked},
    {"key_depends_on_each_input", key_depends_on_each_input},
    {"key_of_debug_differs", key_of_debug_differs},
    {"key_refusals", key_refusals},
    {"key_reserved_bits", key_reserved_bits},
    {NULL, NULL},
};
