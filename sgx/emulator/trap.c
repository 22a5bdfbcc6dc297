/*
 * What happens inside ELRANGE arrives here as a signal: ENCLU (SIGILL, or SIGSEGV on a CPU that knows SGX), `syscall`
 * (SIGSYS by Syscall User Dispatch), and real faults. ENCLU leaves are emulated; everything else becomes an
 * asynchronous exit with a filled SSA frame, as the CPU does it (SDM 3D 36).
 *
 * Known difference: a trapped `syscall` has lost RCX and R11, which #UD on hardware preserves.
 */
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "sgx/emulator/internal.h"

#define XSAVE_LEGACY_SIZE 512u
#define XSAVE_HEADER_SIZE 64u
#define XSAVE_SW_RESERVED 464u /* the kernel's own words in the frame's legacy area */

static const uint8_t enclu[3] = {0x0f, 0x01, 0xd7}, cpuid[2] = {0x0f, 0xa2};

/* The frame's XSAVE area holds the enclave's registers: make it the initial state, keeping the kernel's own words. */
static void scrub_frame(uint8_t *xsave, uint32_t size)
{
    const uint16_t fcw = 0x37f;
    const uint32_t mxcsr = 0x1f80;
    memset(xsave, 0, XSAVE_SW_RESERVED);
    memset(xsave + XSAVE_LEGACY_SIZE, 0, size - XSAVE_LEGACY_SIZE);
    memcpy(xsave, &fcw, 2);
    memcpy(xsave + 24, &mxcsr, 4);
}

static void save_xsave(const uint8_t *from, uint32_t size, uint8_t *frame)
{
    uint64_t xstate_bv;
    memcpy(&xstate_bv, from + XSAVE_LEGACY_SIZE, 8);
    xstate_bv &= emu.secs.attributes.xfrm;
    uint32_t room = emu.secs.ssa_frame_size * SGX_PAGE_SIZE - sizeof(struct sgx_gprsgx) - sizeof(struct sgx_exinfo);
    memset(frame, 0, XSAVE_LEGACY_SIZE + XSAVE_HEADER_SIZE);
    memcpy(frame, from, size < room ? size : room);
    memset(frame + XSAVE_SW_RESERVED, 0, XSAVE_LEGACY_SIZE - XSAVE_SW_RESERVED);
    memset(frame + XSAVE_LEGACY_SIZE, 0, XSAVE_HEADER_SIZE);
    memcpy(frame + XSAVE_LEGACY_SIZE, &xstate_bv, 8);
}

static void save_gpr(const greg_t *g, const struct emu_thread *t, struct sgx_gprsgx *out)
{
    uint64_t ursp = out->ursp, urbp = out->urbp;
    *out = (struct sgx_gprsgx){
        .rax = g[REG_RAX],
        .rcx = g[REG_RCX],
        .rdx = g[REG_RDX],
        .rbx = g[REG_RBX],
        .rsp = g[REG_RSP],
        .rbp = g[REG_RBP],
        .rsi = g[REG_RSI],
        .rdi = g[REG_RDI],
        .r8 = g[REG_R8],
        .r9 = g[REG_R9],
        .r10 = g[REG_R10],
        .r11 = g[REG_R11],
        .r12 = g[REG_R12],
        .r13 = g[REG_R13],
        .r14 = g[REG_R14],
        .r15 = g[REG_R15],
        .rflags = g[REG_EFL],
        .rip = g[REG_RIP],
        .ursp = ursp,
        .urbp = urbp,
        .fsbase = t->enclave_fs,
        .gsbase = t->enclave_gs,
    };
}

/* The x86 vector of what stopped the enclave. */
static uint32_t vector_of(int signo, const greg_t *g)
{
    if (signo == SIGSYS)
        return VEC_UD;
    uint32_t trap = (uint32_t)g[REG_TRAPNO];
    if (trap == VEC_GP && emu_code_is((uint64_t)g[REG_RIP], cpuid, sizeof cpuid))
        return VEC_UD; /* CPUID is illegal inside; ARCH_SET_CPUID makes it #GP */
    return trap;
}

static void set_exitinfo(struct sgx_gprsgx *gpr, uint32_t vector, const greg_t *g)
{
    switch (vector) {
    case VEC_BP:
        gpr->exitinfo = EXITINFO_VALID | EXITINFO_TYPE_SOFTWARE | vector;
        break;
    case VEC_DE:
    case VEC_DB:
    case VEC_BR:
    case VEC_UD:
    case VEC_MF:
    case VEC_AC:
    case VEC_XM:
        gpr->exitinfo = EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | vector;
        break;
    case VEC_PF:
    case VEC_GP:
        if (!(emu.secs.miscselect & SGX_MISC_EXINFO))
            break;
        gpr->exitinfo = EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | vector;
        struct sgx_exinfo *exinfo = (struct sgx_exinfo *)gpr - 1;
        *exinfo =
            (struct sgx_exinfo){.maddr = vector == VEC_PF ? (uint64_t)g[REG_CR2] : 0, .errcd = (uint32_t)g[REG_ERR]};
        break;
    default:
        break; /* #DB and the like: not reported to the enclave */
    }
}

/* Synthetic state after an AEX (SDM 3D 36.3): RAX = ERESUME, RBX = TCS, RCX = AEP, RSP and RBP from the SSA frame,
 * the rest zero, and the AEP as next instruction. */
static void synthetic_state(greg_t *g, const struct emu_tcs *tcs, const struct sgx_gprsgx *gpr)
{
    const int scrubbed[] = {REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13,
                            REG_R14, REG_R15, REG_RDI, REG_RSI, REG_RDX};
    for (size_t i = 0; i < sizeof scrubbed / sizeof *scrubbed; i++)
        g[scrubbed[i]] = 0;
    g[REG_RAX] = ENCLU_ERESUME;
    g[REG_RBX] = (greg_t)tcs->address;
    g[REG_RCX] = (greg_t)emu_asm_aex_landing;
    g[REG_RSP] = (greg_t)gpr->ursp;
    g[REG_RBP] = (greg_t)gpr->urbp;
    g[REG_RIP] = (greg_t)emu_asm_aex_landing;
    g[REG_EFL] = 0x202;
}

static void asynchronous_exit(int signo, ucontext_t *context, struct emu_thread *t)
{
    greg_t *g = context->uc_mcontext.gregs;
    struct emu_tcs *tcs = t->tcs;
    uint8_t *xsave = (uint8_t *)context->uc_mcontext.fpregs;
    uint32_t xsave_size;
    memcpy(&xsave_size, xsave + XSAVE_SW_RESERVED + 16, 4); /* fpx_sw_bytes.xstate_size */

    uint32_t vector = vector_of(signo, g);
    if (signo == SIGSYS) {
        g[REG_RIP] -= 2; /* hardware's #UD is a fault: RIP stays at the instruction */
        __atomic_add_fetch(&emu_count.syscalls, 1, __ATOMIC_RELAXED);
    }
    uint8_t *frame =
        (uint8_t *)emu.secs.base + tcs->ossa + (uint64_t)tcs->cssa * emu.secs.ssa_frame_size * SGX_PAGE_SIZE;
    struct sgx_gprsgx *gpr = (void *)(frame + emu.secs.ssa_frame_size * SGX_PAGE_SIZE - sizeof *gpr);
    save_xsave(xsave, xsave_size, frame);
    save_gpr(g, t, gpr);
    set_exitinfo(gpr, vector, g);

    t->run->exception_vector = (uint16_t)vector;
    t->run->exception_error_code = (uint16_t)g[REG_ERR];
    t->run->exception_addr = vector == VEC_PF ? (uint64_t)g[REG_CR2] & ~0xfffull : 0;
    synthetic_state(g, tcs, gpr);
    scrub_frame(xsave, xsave_size);
    tcs->cssa++;
    __atomic_add_fetch(&emu_count.aex, 1, __ATOMIC_RELAXED);
    atomic_store_explicit(&tcs->active, 0, memory_order_release);
}

static struct emu_fault leaf_ereport(const greg_t *g)
{
    uint64_t target = (uint64_t)g[REG_RBX], data = (uint64_t)g[REG_RCX], out = (uint64_t)g[REG_RDX];
    struct emu_fault fault = emu_operand(target, 512, 512, false);
    if (!fault.vector)
        fault = emu_operand(data, 64, 128, false);
    if (!fault.vector)
        fault = emu_operand(out, 432, 512, true);
    if (fault.vector)
        return fault;
    struct sgx_report report;
    emu_ereport((const void *)target, (const void *)data, &report);
    memcpy((void *)out, &report, sizeof report);
    return EMU_DONE;
}

static struct emu_fault leaf_egetkey(const greg_t *g, uint64_t *rax)
{
    uint64_t request = (uint64_t)g[REG_RBX], out = (uint64_t)g[REG_RCX];
    struct emu_fault fault = emu_operand(request, 512, 512, false);
    if (!fault.vector)
        fault = emu_operand(out, 16, 16, true);
    if (fault.vector)
        return fault;
    if (!emu_keyrequest_valid((const void *)request))
        return EMU_GP;
    *rax = emu_egetkey((const void *)request, (uint8_t *)out);
    return EMU_DONE;
}

/* EEXIT: to RBX outside, everything else as the enclave left it. */
static bool leaf_eexit(greg_t *g, struct emu_thread *t)
{
    uint64_t target = (uint64_t)g[REG_RBX];
    if (target - emu_elrange_base < emu_elrange_size)
        return false;
    g[REG_RIP] = (greg_t)target;
    g[REG_RCX] = (greg_t)emu_asm_aex_landing;
    __atomic_add_fetch(&emu_count.eexit, 1, __ATOMIC_RELAXED);
    atomic_store_explicit(&t->tcs->active, 0, memory_order_release);
    return true;
}

/* Leaves that return a code in RAX set ZF if it is not SGX_SUCCESS, and clear the other status flags. */
static void set_result(greg_t *g, uint64_t rax)
{
    const greg_t flags = 0x8d5, zf = 0x40; /* CF, PF, AF, ZF, SF, OF */
    g[REG_EFL] = (g[REG_EFL] & ~flags) | (rax ? zf : 0);
    g[REG_RAX] = (greg_t)rax;
}

/* The leaf in RAX, but for EEXIT. */
static struct emu_fault leaf_inside(greg_t *g)
{
    uint64_t rbx = (uint64_t)g[REG_RBX], rcx = (uint64_t)g[REG_RCX], rdx = (uint64_t)g[REG_RDX], rax = 0;
    struct emu_fault fault;
    switch ((uint32_t)g[REG_RAX]) {
    case ENCLU_EREPORT:
        return leaf_ereport(g);
    case ENCLU_EMODPE:
        return emu_emodpe(rbx, rcx);
    case ENCLU_EGETKEY:
        fault = leaf_egetkey(g, &rax);
        break;
    case ENCLU_EACCEPT:
        fault = emu_eaccept(rbx, rcx, &rax);
        break;
    case ENCLU_EACCEPTCOPY:
        fault = emu_eacceptcopy(rbx, rcx, rdx, &rax);
        break;
    default:
        return EMU_GP; /* EENTER and ERESUME too: not from inside */
    }
    if (!fault.vector)
        set_result(g, rax);
    return fault;
}

/* Returns 1 when the enclave goes on, 0 when the thread is outside afterwards. */
__attribute__((used)) int emu_signal_in_enclave(int signo, siginfo_t *info, ucontext_t *context, struct emu_thread *t)
{
    (void)info;
    greg_t *g = context->uc_mcontext.gregs;
    if ((signo == SIGILL || signo == SIGSEGV) && emu_code_is((uint64_t)g[REG_RIP], enclu, sizeof enclu)) {
        struct emu_fault fault = EMU_GP;
        if ((uint32_t)g[REG_RAX] != ENCLU_EEXIT)
            fault = leaf_inside(g);
        else if (leaf_eexit(g, t))
            return 0;
        if (!fault.vector) {
            g[REG_RIP] += 3;
            return 1;
        }
        g[REG_TRAPNO] = fault.vector;
        g[REG_ERR] = fault.error_code;
        g[REG_CR2] = (greg_t)fault.address;
        signo = SIGSEGV;
    }
    asynchronous_exit(signo, context, t);
    return 0;
}

static struct sigaction before[NSIG]; /* whose a fault in the host's own code is */

void emu_signal_keep(int signo, const struct sigaction *old)
{
    before[signo] = *old;
}

/* A fault in the host's own code: nothing of ours, so let it do what it would have done. */
__attribute__((used)) void emu_signal_in_host(int signo)
{
    sigaction(signo, &before[signo], NULL);
}
