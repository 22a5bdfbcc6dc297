/* Building and entering the tests' tiny enclave; see test_enclave.h. */
#include "sgx/emulator/test_enclave.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "sgx/sign/measure.h"
#include "sgx/sign/sigstruct.h"

EVP_PKEY *te_signing_key;
const char *te_machine_dir;

static struct te_page *page(struct te *e, unsigned index, uint64_t offset, uint64_t flags)
{
    e->pages[index] = (struct te_page){.offset = offset, .secinfo_flags = flags, .measured = true};
    return &e->pages[index];
}

static void tcs_page(struct te *e, unsigned index, uint64_t offset, struct sgx_tcs tcs)
{
    tcs.fslimit = tcs.gslimit = 0xfff;
    memcpy(page(e, index, offset, SECINFO_TYPE(PT_TCS))->content, &tcs, sizeof tcs);
}

static void lay_out(struct te *e)
{
    const uint64_t r = SECINFO_TYPE(PT_REG) | SECINFO_R, rw = r | SECINFO_W, rx = r | SECINFO_X;
    unsigned n = 0;
    memcpy(page(e, n++, TE_CODE, rx)->content, te_code, (size_t)(te_code_end - te_code));
    page(e, n++, TE_DATA, rw);
    tcs_page(e, n++, TE_TCS, (struct sgx_tcs){.ossa = TE_SSA, .nssa = 3, .ofsbase = TE_FS, .ogsbase = TE_GS});
    for (unsigned i = 0; i < 3; i++)
        page(e, n++, TE_SSA + i * SGX_PAGE_SIZE, rw)->measured = false;
    page(e, n++, TE_FS, rw);
    *(uint64_t *)(page(e, n++, TE_GS, rw)->content + GS_SSA) = (uint64_t)te_at(TE_SSA);
    tcs_page(e, n++, TE_TCS2, (struct sgx_tcs){.ossa = TE_SSA2, .nssa = 2, .ofsbase = TE_GS2, .ogsbase = TE_GS2});
    for (unsigned i = 0; i < 2; i++)
        page(e, n++, TE_SSA2 + i * SGX_PAGE_SIZE, rw)->measured = false;
    *(uint64_t *)(page(e, n++, TE_GS2, rw)->content + GS_SSA) = (uint64_t)te_at(TE_SSA2);
    page(e, n++, TE_READONLY, r);
    page(e, n++, TE_EDGE, rx)->content[SGX_PAGE_SIZE - 1] = 0xf4; /* HLT */
    CHECK(n == TE_PAGES);
}

void te_open(struct te *e)
{
    memset(e, 0, sizeof *e);
    lay_out(e);
    CHECK(emulator_open(te_machine_dir, &e->backend, e->error, sizeof e->error) == 0);
    e->secs.size = TE_SIZE;
    e->secs.ssa_frame_size = 1;
    e->secs.attributes.flags = SGX_FLAGS_MODE64BIT;
    e->secs.attributes.xfrm = e->backend->xfrm;
}

static int add(struct te *e, const struct te_page *p)
{
    struct sgx_secinfo secinfo = {.flags = p->secinfo_flags};
    return e->backend->ops->add_pages(e->backend, p->offset, SGX_PAGE_SIZE, p->content, &secinfo, p->measured, e->error,
                                      sizeof e->error);
}

void te_add_all(struct te *e, uint32_t miscselect)
{
    e->secs.miscselect = miscselect;
    CHECK(e->backend->ops->create(e->backend, &e->secs, e->error, sizeof e->error) == 0);
    for (unsigned i = 0; i < TE_PAGES; i++)
        CHECK(add(e, &e->pages[i]) == 0);
}

void te_sign(const struct te *e, uint32_t misc_select, uint32_t misc_mask, bool production, struct sgx_sigstruct *out)
{
    uint8_t mrenclave[32];
    struct measure *m = measure_ecreate(1, TE_SIZE);
    for (unsigned i = 0; i < TE_PAGES; i++) {
        struct sgx_secinfo secinfo = {.flags = e->pages[i].secinfo_flags};
        measure_eadd(m, e->pages[i].offset, &secinfo);
        for (unsigned at = 0; e->pages[i].measured && at < SGX_PAGE_SIZE; at += 256)
            measure_eextend(m, e->pages[i].offset + at, e->pages[i].content + at);
    }
    measure_final(m, mrenclave);
    struct image_config config = {
        .misc_select = misc_select, .misc_mask = misc_mask, .prod_id = 7, .isv_svn = 5, .disable_debug = 1};
    CHECK(sigstruct_make(&config, mrenclave, 0x20260101, production, te_signing_key, out) == 0);
}

void te_build(struct te *e, uint32_t miscselect)
{
    struct sgx_sigstruct s;
    te_open(e);
    te_add_all(e, miscselect);
    te_sign(e, 0, 0, false, &s);
    CHECK(e->backend->ops->init(e->backend, &s, e->error, sizeof e->error) == 0);
    CHECK(e->backend->ops->prepare_thread(e->backend) == 0);
}

static int note(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct enclave_run *run)
{
    if (run->function != ENCLU_EEXIT)
        return 0;
    *(struct te_exit *)run->user_data =
        (struct te_exit){(uint64_t)rdi, (uint64_t)rsi, (uint64_t)rdx, (uint64_t)r8, (uint64_t)r9};
    return 0;
}

int te_call(struct te *e, uint64_t tcs, unsigned function, uint64_t rdi, uint64_t rsi, uint64_t rdx,
            struct te_exit *out, struct enclave_run *run)
{
    static _Thread_local struct te_exit ignored;
    *run = (struct enclave_run){
        .tcs = (uint64_t)te_at(tcs), .user_handler = (uint64_t)note, .user_data = (uint64_t)(out ? out : &ignored)};
    int result = e->backend->ops->enter(rdi, rsi, rdx, function, 0, 0, run);
    return result == 0 && run->function != ENCLU_EEXIT ? -EFAULT : result;
}
