/*
 * Exceptions inside the enclave. What the CPU forbids but libraries do (`syscall`, CPUID, RDTSC on SGX1) is emulated;
 * anything else is a bug or an attack, and the end of the enclave.
 *
 * Runs at CSSA 1 on its own small stack. Nothing the host says is used: the SSA frame was written by the CPU.
 */
#include "sgx/trusted/internal.h"

#define RED_ZONE 128u

static char *append(char *at, const char *text)
{
    while (*text)
        *at++ = *text++;
    *at = 0;
    return at;
}

static char *append_hex(char *at, uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[value >> shift & 15];
    *at = 0;
    return at;
}

/* Put the interrupted registers on the interrupted stack, and continue in the trampoline instead. The emulation then
 * runs as ordinary code that may be interrupted, and may leave the enclave. */
static bool redirect_syscall(struct sgx_gprsgx *gpr)
{
    uint64_t frame = (gpr->rsp - RED_ZONE - sizeof *gpr) & ~63ull;
    if (!sgx_is_inside_enclave((void *)(frame - XSAVE_SPACE), XSAVE_SPACE + sizeof *gpr))
        return false;
    struct sgx_gprsgx *copy = (struct sgx_gprsgx *)frame;
    *copy = *gpr;
    copy->rip = gpr->rip + 2;
    gpr->rsp = frame;
    gpr->rip = (uint64_t)rt_syscall_trampoline;
    return true;
}

static bool emulate_cpuid(struct sgx_gprsgx *gpr)
{
    uint32_t out[4];
    if (!rt_cpuid((uint32_t)gpr->rax, (uint32_t)gpr->rcx, out))
        return false;
    gpr->rax = out[0];
    gpr->rbx = out[1];
    gpr->rcx = out[2];
    gpr->rdx = out[3];
    gpr->rip += 2;
    return true;
}

/* Coarse, from the host's clock: only relative times within the enclave may rest on it. */
static bool emulate_rdtsc(struct sgx_gprsgx *gpr, uint64_t length)
{
    uint64_t now = rt_monotonic_ns();
    gpr->rax = now & 0xffffffff;
    gpr->rdx = now >> 32;
    if (length == 3)
        gpr->rcx = 0; /* RDTSCP: TSC_AUX */
    gpr->rip += length;
    return true;
}

static bool emulate(struct sgx_gprsgx *gpr)
{
    const uint8_t *code = (const uint8_t *)gpr->rip;
    if (!sgx_is_inside_enclave(code, 3))
        return false;
    if (code[0] != 0x0f)
        return false;
    if (code[1] == 0x05)
        return redirect_syscall(gpr);
    if (code[1] == 0xa2)
        return emulate_cpuid(gpr);
    if (code[1] == 0x31)
        return emulate_rdtsc(gpr, 2);
    if (code[1] == 0x01 && code[2] == 0xf9)
        return emulate_rdtsc(gpr, 3);
    return false;
}

static const char *last_words(const struct sgx_gprsgx *gpr)
{
    char text[160], *at = append(text, "exception ");
    at = append_hex(at, EXITINFO_VECTOR(gpr->exitinfo));
    at = append(at, " at image offset ");
    at = append_hex(at, gpr->rip - sgx_base());
    at = append(at, ", stack ");
    at = append_hex(at, gpr->rsp - sgx_base());
    const struct sgx_exinfo *exinfo = (const struct sgx_exinfo *)gpr - 1;
    uint32_t vector = EXITINFO_VECTOR(gpr->exitinfo);
    if (vector == VEC_PF || vector == VEC_GP) {
        at = append(at, ", address ");
        append_hex(at, exinfo->maddr);
    }
    return rt_console_to_untrusted(text);
}

/* Dead: the host may resume the interrupted frame all the same, and what faulted may no longer fault. */
static int64_t lead_out(struct sgx_gprsgx *gpr, const char *text)
{
    gpr->rip = (uint64_t)rt_leave_dead;
    return text ? (int64_t)text : 1;
}

__attribute__((used)) int64_t rt_exception(uint8_t *ssa_frame)
{
    struct sgx_gprsgx *gpr = (struct sgx_gprsgx *)(ssa_frame + GPR_OFFSET);
    uint32_t info = gpr->exitinfo;
    gpr->exitinfo &= ~EXITINFO_VALID; /* once: the host may enter here as often as it likes */
    if (rt_is_dead())
        return lead_out(gpr, 0);
    if (!(info & EXITINFO_VALID)) {
        /* An interrupt, or a fault of a kind that this CPU does not report (#PF, #GP without EXINFO). Nothing to do
         * here: if it was a fault it comes again, and the host cannot get past it. */
        return 0;
    }
    if (EXITINFO_VECTOR(info) == VEC_UD && emulate(gpr))
        return 0;
    rt_set_dead();
    return lead_out(gpr, last_words(gpr));
}
