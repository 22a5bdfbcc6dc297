/* Building and entering the tests' tiny enclave; see test_enclave.h. */
#include "sgx/conformance/test_enclave.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sgx/emulator/emulator.h"
#include "sgx/loader/sgx_device.h"
#include "sgx/sign/measure.h"
#include "sgx/sign/sigstruct.h"

EVP_PKEY *te_signing_key, *te_other_key;
const char *te_machine_dir;
bool te_on_hardware;
uint64_t te_base, te_fault_address;

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

static void gs_page(struct te *e, unsigned index, uint64_t offset, uint64_t ssa)
{
    memcpy(page(e, index, offset, SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_W)->content + GS_SSA, &ssa, 8);
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
    gs_page(e, n++, TE_GS, TE_SSA);
    tcs_page(e, n++, TE_TCS2, (struct sgx_tcs){.ossa = TE_SSA2, .nssa = 2, .ofsbase = TE_GS2, .ogsbase = TE_GS2});
    for (unsigned i = 0; i < 2; i++)
        page(e, n++, TE_SSA2 + i * SGX_PAGE_SIZE, rw)->measured = false;
    gs_page(e, n++, TE_GS2, TE_SSA2);
    page(e, n++, TE_READONLY, r);
    page(e, n++, TE_EDGE, rx)->content[SGX_PAGE_SIZE - 1] = 0xf4; /* HLT */
    page(e, n++, TE_WIDE_IN, rw);
    page(e, n++, TE_WIDE_OUT, rw);
    CHECK(n == TE_PAGES);
}

void te_open(struct te *e)
{
    memset(e, 0, sizeof *e);
    lay_out(e);
    int result = te_on_hardware ? sgx_device_open(&sgx_kernel_real, &e->backend, e->error, sizeof e->error)
                                : emulator_open(te_machine_dir, &e->backend, e->error, sizeof e->error);
    if (result != 0)
        fprintf(stderr, "%s\n", e->error);
    CHECK(result == 0);
    e->prod_id = 7;
    e->isv_svn = 5;
    e->key = te_signing_key;
    e->secs.size = TE_SIZE;
    e->secs.ssa_frame_size = 1;
    e->secs.attributes.flags = SGX_FLAGS_MODE64BIT | SGX_FLAGS_DEBUG;
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
    e->secs.miscselect = miscselect & e->backend->miscselect;
    CHECK(e->backend->ops->create(e->backend, &e->secs, 0, e->error, sizeof e->error) == 0);
    te_base = e->secs.base;
    for (unsigned i = 0; i < TE_PAGES; i++)
        CHECK(add(e, &e->pages[i]) == 0);
    CHECK(e->backend->ops->allow_growth(e->backend, TE_GROWTH, TE_GROWTH_PAGES * SGX_PAGE_SIZE, e->error,
                                        sizeof e->error) == 0);
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
    struct image_config config = {.misc_select = misc_select,
                                  .misc_mask = misc_mask,
                                  .prod_id = e->prod_id,
                                  .isv_svn = e->isv_svn,
                                  .disable_debug = 1};
    CHECK(sigstruct_make(&config, mrenclave, 0x20260101, production, e->key, out) == 0);
    out->attributes.flags |= e->sign_flags;
    CHECK(sigstruct_sign(out, e->key) == 0);
}

void te_finish(struct te *e, uint32_t miscselect)
{
    struct sgx_sigstruct s;
    te_add_all(e, miscselect);
    te_sign(e, 0, 0, false, &s);
    int result = e->backend->ops->init(e->backend, &s, e->error, sizeof e->error);
    if (result != 0)
        fprintf(stderr, "%s\n", e->error);
    CHECK(result == 0);
    CHECK(e->backend->ops->prepare_thread(e->backend) == 0);
}

void te_build(struct te *e, uint32_t miscselect)
{
    te_open(e);
    te_finish(e, miscselect);
}

/* ---- entering -------------------------------------------------------------------------------------------------- */

static int note(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct enclave_run *run)
{
    if (run->function == ENCLU_EEXIT)
        *(struct te_exit *)run->user_data =
            (struct te_exit){(uint64_t)rdi, (uint64_t)rsi, (uint64_t)rdx, (uint64_t)r8, (uint64_t)r9};
    return 0;
}

int te_call(struct te *e, uint64_t tcs, unsigned function, uint64_t rdi, uint64_t rsi, uint64_t rdx,
            struct te_exit *out, struct enclave_run *run)
{
    static _Thread_local struct te_exit ignored;
    *run = (struct enclave_run){
        .tcs = te_at(tcs), .user_handler = (uint64_t)note, .user_data = (uint64_t)(out ? out : &ignored)};
    int result = e->backend->ops->enter(rdi, rsi, rdx, function, 0, 0, run);
    return result == 0 && run->function != ENCLU_EEXIT ? -EFAULT : result;
}

unsigned te_leaf_call(struct te *e, uint64_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx, struct te_exit *out)
{
    struct enclave_run run, again;
    const uint64_t operands[3] = {rbx, rcx, rdx};
    te_write(TE_DATA + DATA_LEAF, operands, sizeof operands);
    int result = te_call(e, TE_TCS2, ENCLU_EENTER, OP_LEAF, number, 0, out, &run);
    if (result == 0)
        return 0;
    CHECK(result == -EFAULT && te_gpr(TE_SSA2, 0).rip == te_rip(te_leaf));
    te_fault_address = run.exception_addr;
    te_step_over(TE_SSA2, 0, 3); /* back to CSSA 0, for the next call */
    CHECK(te_call(e, TE_TCS2, ENCLU_ERESUME, 0, 0, 0, NULL, &again) == 0);
    return run.exception_vector;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* The kernel reads and writes a debug enclave's pages through here, 8 aligned bytes at a time. */
static int memory_file(void)
{
    static int fd = -1;
    if (fd < 0)
        fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

void te_read(uint64_t offset, void *out, size_t size)
{
    if (te_on_hardware)
        CHECK(pread(memory_file(), out, size, (off_t)te_at(offset)) == (ssize_t)size);
    else
        memcpy(out, (const void *)te_at(offset), size);
}

void te_write(uint64_t offset, const void *data, size_t size)
{
    if (te_on_hardware)
        CHECK(pwrite(memory_file(), data, size, (off_t)te_at(offset)) == (ssize_t)size);
    else
        memcpy((void *)te_at(offset), data, size);
}

uint64_t te_word(uint64_t offset)
{
    uint64_t word;
    te_read(offset, &word, sizeof word);
    return word;
}

static uint64_t gpr_offset(uint64_t ssa, unsigned frame)
{
    return ssa + (frame + 1) * SGX_PAGE_SIZE - sizeof(struct sgx_gprsgx);
}

struct sgx_gprsgx te_gpr(uint64_t ssa, unsigned frame)
{
    struct sgx_gprsgx gpr;
    te_read(gpr_offset(ssa, frame), &gpr, sizeof gpr);
    return gpr;
}

void te_set_gpr(uint64_t ssa, unsigned frame, const struct sgx_gprsgx *gpr)
{
    te_write(gpr_offset(ssa, frame), gpr, sizeof *gpr);
}

struct sgx_exinfo te_exinfo(uint64_t ssa, unsigned frame)
{
    struct sgx_exinfo exinfo;
    te_read(gpr_offset(ssa, frame) - sizeof exinfo, &exinfo, sizeof exinfo);
    return exinfo;
}

void te_step_over(uint64_t ssa, unsigned frame, unsigned bytes)
{
    struct sgx_gprsgx gpr = te_gpr(ssa, frame);
    gpr.rip += bytes;
    te_set_gpr(ssa, frame, &gpr);
}
