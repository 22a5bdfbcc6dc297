/* EREPORT and EGETKEY. The table of rules is in main.c. */
#include "sgx/conformance/test_enclave.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sgx/emulator/internal.h"
#include "sgx/sign/sigstruct.h"

#define A te_at(TE_DATA + DATA_A)
#define B te_at(TE_DATA + DATA_B)
#define C te_at(TE_DATA + DATA_C)
#define OURS (SGX_FLAGS_INIT | SGX_FLAGS_DEBUG | SGX_FLAGS_MODE64BIT)

static void cmac(const uint8_t key[16], const void *data, size_t size, uint8_t mac[16])
{
    size_t mac_size;
    CHECK(EVP_Q_mac(NULL, "CMAC", NULL, "AES-128-CBC", NULL, key, 16, data, size, mac, 16, &mac_size) &&
          mac_size == 16);
}

/* The identity that this enclave has after EINIT. */
static void identity(const struct te *e, uint8_t mrenclave[32], uint8_t mrsigner[32])
{
    struct sgx_sigstruct s;
    te_sign(e, 0, 0, false, &s);
    memcpy(mrenclave, s.enclavehash, 32);
    sigstruct_mrsigner(&s, mrsigner);
}

static void report_for(struct te *e, const struct sgx_targetinfo *target, struct sgx_report *out)
{
    struct te_exit left;
    uint8_t data[64];
    for (unsigned i = 0; i < 64; i++)
        data[i] = (uint8_t)(i * 3);
    te_write(TE_DATA + DATA_A, target, sizeof *target);
    te_write(TE_DATA + DATA_B, data, sizeof data);
    CHECK(te_leaf_call(e, ENCLU_EREPORT, A, B, C, &left) == 0 && left.rdi == ENCLU_EREPORT);
    te_read(TE_DATA + DATA_C, out, sizeof *out);
}

static void report_content(void)
{
    struct te e;
    struct sgx_report r;
    struct sgx_targetinfo target = {.attributes = {SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT, 3}};
    uint8_t mrenclave[32], mrsigner[32];
    te_build(&e, 0);
    identity(&e, mrenclave, mrsigner);
    report_for(&e, &target, &r);
    for (unsigned i = 0; i < 64; i++)
        CHECK(r.body.reportdata[i] == (uint8_t)(i * 3));
    CHECK(memcmp(r.body.mrenclave, mrenclave, 32) == 0);
    CHECK(memcmp(r.body.mrsigner, mrsigner, 32) == 0);
    CHECK(r.body.isvprodid == 7 && r.body.isvsvn == 5 && r.body.miscselect == 0);
    CHECK(r.body.attributes.flags == OURS && r.body.attributes.xfrm == e.secs.attributes.xfrm);
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
    struct sgx_report r;
    te_build(&e, 0);
    struct sgx_targetinfo target = {.attributes = {SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT, 3}}, other;
    memset(target.mrenclave, 0x5a, 32);
    report_for(&e, &target, &r);
    CHECK(mac_opens(&r, &target));
    other = target, other.mrenclave[31] ^= 1;
    CHECK(!mac_opens(&r, &other));
    other = target, other.attributes.flags |= SGX_FLAGS_DEBUG;
    CHECK(!mac_opens(&r, &other));
    other = target, other.miscselect ^= 1;
    CHECK(!mac_opens(&r, &other));
    r.body.reportdata[0] ^= 1;
    CHECK(!mac_opens(&r, &target));
}

/* The leaf's answer; the key if it is SGX_SUCCESS. */
static uint64_t get_key(struct te *e, const struct sgx_keyrequest *request, uint8_t key[16])
{
    struct te_exit out;
    memset(key, 0xcc, 16);
    te_write(TE_DATA + DATA_A, request, sizeof *request);
    te_write(TE_DATA + DATA_B, key, 16);
    CHECK(te_leaf_call(e, ENCLU_EGETKEY, A, B, 0, &out) == 0);
    CHECK(out.rsi == (out.rdi != SGX_SUCCESS)); /* ZF says the same */
    te_read(TE_DATA + DATA_B, key, 16);
    return out.rdi;
}

/* A report to itself is opened by the REPORT key, one to somebody else is not. */
static void report_key_of_the_target(void)
{
    struct te e;
    struct sgx_report r;
    struct sgx_targetinfo self = {0};
    uint8_t mrsigner[32], key[16], mac[16];
    te_build(&e, 0);
    self.attributes = (struct sgx_attributes){OURS, e.secs.attributes.xfrm};
    identity(&e, self.mrenclave, mrsigner);
    for (unsigned other = 0; other < 2; other++) {
        self.mrenclave[0] ^= (uint8_t)other;
        report_for(&e, &self, &r);
        struct sgx_keyrequest request = {.keyname = KEYNAME_REPORT};
        memcpy(request.keyid, r.keyid, 32);
        CHECK(get_key(&e, &request, key) == SGX_SUCCESS);
        cmac(key, &r.body, sizeof r.body, mac);
        CHECK((memcmp(mac, r.mac, 16) == 0) == !other);
    }
}

static void operands_are_checked(void)
{
    struct te e;
    te_build(&e, 0);
    const uint64_t ro = te_at(TE_READONLY), hole = te_at(TE_HOLE), tcs = te_at(TE_TCS);
    static _Alignas(512) uint8_t outside[512];
    const uint64_t out = (uint64_t)outside;
    const struct {
        uint64_t rbx, rcx, rdx;
        unsigned vector;
    } reports[] = {{A + 128, B, C, VEC_GP}, {A, B + 64, C, VEC_GP}, {A, B, C + 256, VEC_GP}, {out, B, C, VEC_GP},
                   {A, out, C, VEC_GP},     {A, B, out, VEC_GP},    {hole, B, C, VEC_PF},    {tcs, B, C, VEC_PF},
                   {A, B, ro, VEC_PF},      {A, hole, C, VEC_PF}};
    for (unsigned i = 0; i < sizeof reports / sizeof *reports; i++)
        CHECK(te_leaf_call(&e, ENCLU_EREPORT, reports[i].rbx, reports[i].rcx, reports[i].rdx, NULL) ==
              reports[i].vector);
    const struct sgx_keyrequest request = {.keyname = KEYNAME_SEAL};
    te_write(TE_DATA + DATA_A, &request, sizeof request);
    const struct {
        uint64_t rbx, rcx;
        unsigned vector;
    } keys[] = {{A + 256, B, VEC_GP}, {A, B + 8, VEC_GP}, {out, B, VEC_GP}, {A, out, VEC_GP},
                {hole, B, VEC_PF},    {A, ro, VEC_PF},    {A, tcs, VEC_PF}};
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
        CHECK(te_leaf_call(&e, ENCLU_EGETKEY, keys[i].rbx, keys[i].rcx, 0, NULL) == keys[i].vector);
        CHECK(keys[i].vector != VEC_PF ||
              te_fault_address == ((keys[i].rbx == A ? keys[i].rcx : keys[i].rbx) & ~0xfffull));
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

static void key_depends_on_each_input(void)
{
    struct te e;
    te_build(&e, 0);
    uint8_t keys[12][16], again[16];
    struct sgx_keyrequest r[12];
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof r / sizeof *r; i++)
        r[i] = seal_request();
    n++; /* the first as it is */
    r[n++].keyid[31] = 1;
    r[n++].keyid[0] = 1;
    r[n++].keypolicy = KEYPOLICY_MRSIGNER;
    r[n++].keypolicy = KEYPOLICY_MRENCLAVE | KEYPOLICY_MRSIGNER;
    r[n++].isvsvn = 4;
    r[n++].isvsvn = 0;
    r[n++].attributemask.flags |= SGX_FLAGS_MODE64BIT;
    r[n++].attributemask.flags &= ~(1ull << 63); /* a bit that is 0 in SECS: the mask itself counts */
    r[n++].attributemask.xfrm = 3;
    r[n++].miscmask = 0x70000000;
    if (!te_on_hardware)
        r[n++].cpusvn[0] = 1; /* a CPU's own number may be lower */
    for (unsigned i = 0; i < n; i++) {
        CHECK(get_key(&e, &r[i], keys[i]) == SGX_SUCCESS);
        for (unsigned other = 0; other < i; other++)
            CHECK(memcmp(keys[i], keys[other], 16) != 0);
    }
    CHECK(get_key(&e, &r[0], again) == SGX_SUCCESS && memcmp(again, keys[0], 16) == 0);
}

/* ---- the keys of different enclaves of one machine ------------------------------------------------------------- */

struct variant {
    uint16_t isv_svn, prod_id;
    bool other_code, other_signer, little_xfrm, exinfo;
};
static const struct variant plain = {5, 7, false, false, false, false};

/* Build that enclave in a process of its own and ask it for a key. */
static uint64_t key_of(const struct variant *v, const struct sgx_keyrequest *request, uint8_t key[16])
{
    int pipes[2], status;
    uint64_t answer[3];
    CHECK(pipe(pipes) == 0);
    pid_t child = fork();
    if (child == 0) {
        struct te e;
        te_open(&e);
        e.isv_svn = v->isv_svn;
        e.prod_id = v->prod_id;
        e.key = v->other_signer ? te_other_key : te_signing_key;
        e.pages[1].content[100] = v->other_code;
        if (v->little_xfrm)
            e.secs.attributes.xfrm = SGX_XFRM_LEGACY;
        te_finish(&e, v->exinfo);
        answer[0] = get_key(&e, request, (uint8_t *)&answer[1]);
        CHECK(write(pipes[1], answer, sizeof answer) == sizeof answer);
        exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    CHECK(read(pipes[0], answer, sizeof answer) == sizeof answer);
    close(pipes[0]);
    close(pipes[1]);
    memcpy(key, &answer[1], 16);
    return answer[0];
}

static bool same_key(const struct variant *a, const struct variant *b, const struct sgx_keyrequest *request)
{
    uint8_t one[16], two[16];
    CHECK(key_of(a, request, one) == SGX_SUCCESS && key_of(b, request, two) == SGX_SUCCESS);
    return memcmp(one, two, 16) == 0;
}

static void policies_bind(void)
{
    struct sgx_keyrequest r = seal_request();
    struct variant v;
    CHECK(same_key(&plain, &plain, &r)); /* it is the machine's, and stays */
    v = plain, v.other_code = true;
    CHECK(!same_key(&plain, &v, &r));
    r.keypolicy = KEYPOLICY_MRSIGNER;
    CHECK(same_key(&plain, &v, &r)); /* the same signer's other enclave */
    v = plain, v.other_signer = true;
    CHECK(!same_key(&plain, &v, &r));
    r.keypolicy = KEYPOLICY_MRENCLAVE;
    CHECK(same_key(&plain, &v, &r)); /* MRENCLAVE does not know the signer */
    r.keypolicy = KEYPOLICY_MRENCLAVE | KEYPOLICY_MRSIGNER;
    CHECK(!same_key(&plain, &v, &r));
    r.keypolicy = KEYPOLICY_MRSIGNER;
    v = plain, v.prod_id = 8;
    CHECK(!same_key(&plain, &v, &r)); /* another product of the same signer */
    r.keypolicy = 0;
    v = plain, v.other_code = v.other_signer = true;
    CHECK(same_key(&plain, &v, &r)); /* bound to nothing but product and version */
}

/* A newer version opens what the older one sealed, not the reverse. */
static void versions_are_ordered(void)
{
    struct sgx_keyrequest r = seal_request();
    struct variant newer = plain;
    uint8_t key[16];
    r.keypolicy = KEYPOLICY_MRSIGNER;
    newer.isv_svn = 6;
    CHECK(same_key(&plain, &newer, &r)); /* both ask for version 5's */
    r.isvsvn = 6;
    CHECK(key_of(&newer, &r, key) == SGX_SUCCESS);
    CHECK(key_of(&plain, &r, key) == SGX_INVALID_ISVSVN && key[0] == 0xcc && key[15] == 0xcc);
}

/* What the masks leave out may differ; what they let in may not. */
static void masks_bind(void)
{
    struct sgx_keyrequest r = seal_request();
    struct variant v = plain;
    v.little_xfrm = true;
    r.attributemask.xfrm = 0;
    CHECK(same_key(&plain, &v, &r));
    r.attributemask.xfrm = ~0ull;
    struct te e;
    te_open(&e);
    CHECK(e.backend->xfrm == SGX_XFRM_LEGACY || !same_key(&plain, &v, &r));
    r = seal_request();
    v = plain, v.exinfo = true;
    r.miscmask = 0;
    CHECK(same_key(&plain, &v, &r));
    r.miscmask = ~0u;
    CHECK(!(e.backend->miscselect & SGX_MISC_EXINFO) || !same_key(&plain, &v, &r));
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

/* With ATTRIBUTES.PROVISION_KEY: keys of machine and signer that are not the sealing keys. */
static void provisioning_keys(void)
{
    struct te e;
    uint8_t seal[16], provision[16], provision_seal[16], other[16];
    if (te_on_hardware && access("/dev/sgx_provision", R_OK) != 0)
        exit(TE_SKIPPED);
    te_open(&e);
    e.secs.attributes.flags |= SGX_FLAGS_PROVISION_KEY;
    e.sign_flags = SGX_FLAGS_PROVISION_KEY;
    te_finish(&e, 0);
    struct sgx_keyrequest r = seal_request();
    r.keypolicy = KEYPOLICY_MRSIGNER;
    CHECK(get_key(&e, &r, seal) == SGX_SUCCESS);
    r.keyname = KEYNAME_PROVISION;
    CHECK(get_key(&e, &r, provision) == SGX_SUCCESS);
    r.keyname = KEYNAME_PROVISION_SEAL;
    CHECK(get_key(&e, &r, provision_seal) == SGX_SUCCESS);
    CHECK(memcmp(seal, provision, 16) && memcmp(provision, provision_seal, 16) && memcmp(seal, provision_seal, 16));
    r.keyname = KEYNAME_PROVISION, r.keyid[0] = 9; /* KEYID is no input of these */
    CHECK(get_key(&e, &r, other) == SGX_SUCCESS && memcmp(provision, other, 16) == 0);
    r.keyname = KEYNAME_PROVISION_SEAL;
    CHECK(get_key(&e, &r, other) == SGX_SUCCESS && memcmp(provision_seal, other, 16) == 0);
    r.keyname = KEYNAME_PROVISION;
    r.isvsvn = 4;
    CHECK(get_key(&e, &r, other) == SGX_SUCCESS && memcmp(provision, other, 16) != 0);
    r.isvsvn = 6;
    CHECK(get_key(&e, &r, other) == SGX_INVALID_ISVSVN);
}

/* Reserved bits of KEYREQUEST, and policies that need ATTRIBUTES.KSS, fault. */
static void key_reserved_bits(void)
{
    struct te e;
    te_build(&e, 0);
    struct sgx_keyrequest r;
    for (unsigned bit = 2; bit < 16; bit++) {
        r = seal_request();
        r.keypolicy |= (uint16_t)(1u << bit);
        te_write(TE_DATA + DATA_A, &r, sizeof r);
        CHECK(te_leaf_call(&e, ENCLU_EGETKEY, A, B, 0, NULL) == VEC_GP);
    }
    r = seal_request(), r.reserved1 = 1;
    te_write(TE_DATA + DATA_A, &r, sizeof r);
    CHECK(te_leaf_call(&e, ENCLU_EGETKEY, A, B, 0, NULL) == VEC_GP);
    r = seal_request(), r.reserved2[433] = 1;
    te_write(TE_DATA + DATA_A, &r, sizeof r);
    CHECK(te_leaf_call(&e, ENCLU_EGETKEY, A, B, 0, NULL) == VEC_GP);
}

const struct te_case te_key_cases[] = {
    {"report_content", report_content, false},
    {"report_is_for_its_target", report_is_for_its_target, true}, /* needs the CPU's own key */
    {"report_key_of_the_target", report_key_of_the_target, false},
    {"operands_are_checked", operands_are_checked, false},
    {"key_depends_on_each_input", key_depends_on_each_input, false},
    {"policies_bind", policies_bind, false},
    {"versions_are_ordered", versions_are_ordered, false},
    {"masks_bind", masks_bind, false},
    {"key_of_debug_differs", key_of_debug_differs, true}, /* a production enclave cannot be looked into */
    {"key_refusals", key_refusals, false},
    {"provisioning_keys", provisioning_keys, false},
    {"key_reserved_bits", key_reserved_bits, false},
    {NULL, NULL, false},
};
