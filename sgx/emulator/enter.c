/*
 * Entering the emulated enclave with the contract of __vdso_sgx_enter_enclave, and what a thread needs for it:
 * a signal stack of its own, Syscall User Dispatch for ELRANGE, and no asynchronous signals.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sgx/emulator/internal.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif

#define SIGNAL_STACK_OFFSET SGX_PAGE_SIZE

_Thread_local struct emu_thread *emu_this_thread;

static struct emu_thread *map_thread(void)
{
    uint8_t *p = mmap(NULL, 2 * EMU_THREAD_SPAN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    uint8_t *aligned = (uint8_t *)(((uintptr_t)p + EMU_THREAD_SPAN - 1) & -(uintptr_t)EMU_THREAD_SPAN);
    if (aligned > p)
        munmap(p, (size_t)(aligned - p));
    munmap(aligned + EMU_THREAD_SPAN, (size_t)(p + EMU_THREAD_SPAN - aligned));
    return (struct emu_thread *)aligned;
}

static int block_asynchronous_signals(void)
{
    sigset_t set;
    sigfillset(&set);
    const int synchronous[] = {SIGSYS, SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGABRT};
    for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++)
        sigdelset(&set, synchronous[i]);
    return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int emu_prepare_thread(struct backend *b)
{
    (void)b;
    if (emu_this_thread)
        return 0;
    struct emu_thread *t = map_thread();
    if (!t)
        return -ENOMEM;
    stack_t stack = {.ss_sp = (uint8_t *)t + SIGNAL_STACK_OFFSET, .ss_size = EMU_THREAD_SPAN - SIGNAL_STACK_OFFSET};
    int result = sigaltstack(&stack, NULL) == 0 ? block_asynchronous_signals() : -errno;
    /* System calls from above ELRANGE's end go through: that is all host code. Those from inside are trapped. */
    uint64_t end = emu_elrange_base + emu_elrange_size;
    if (result == 0 && prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, end, (1ull << 47) - end, NULL) != 0)
        result = -errno;
    if (result < 0) {
        munmap(t, EMU_THREAD_SPAN);
        return result;
    }
    emu_this_thread = t;
    return 0;
}

static struct emu_tcs *find_tcs(uint64_t address)
{
    for (uint32_t i = 0; i < emu.tcs_count; i++)
        if (emu.tcs[i].address == address)
            return &emu.tcs[i];
    return NULL;
}

static struct sgx_gprsgx *ssa_gpr(uint64_t frame)
{
    return (void *)(frame + emu.secs.ssa_frame_size * SGX_PAGE_SIZE - sizeof(struct sgx_gprsgx));
}

static uint64_t frame_address(const struct emu_tcs *tcs, uint32_t index)
{
    return emu.secs.base + tcs->ossa + (uint64_t)index * emu.secs.ssa_frame_size * SGX_PAGE_SIZE;
}

/* The SSA frame must be regular, readable and writable; the fault if a page of it is not. */
static struct emu_fault frame_fault(const struct emu_tcs *tcs, uint32_t index)
{
    struct emu_fault fault = EMU_DONE;
    for (uint32_t i = 0; i < emu.secs.ssa_frame_size && !fault.vector; i++)
        fault = emu_operand(frame_address(tcs, index) + i * SGX_PAGE_SIZE, SGX_PAGE_SIZE, SGX_PAGE_SIZE, true);
    return fault;
}

/* What ERESUME's XRSTOR would refuse: SDM vol. 1, 13.8. */
static bool xsave_valid(const uint8_t *xsave)
{
    uint64_t header[8];
    uint32_t mxcsr;
    memcpy(header, xsave + 512, sizeof header);
    memcpy(&mxcsr, xsave + 24, 4);
    if ((header[0] & ~emu.secs.attributes.xfrm) || (mxcsr & ~0xffffu))
        return false;
    for (int i = 1; i < 8; i++)
        if (header[i])
            return false;
    return true;
}

/* What EENTER and ERESUME find before anything runs (SDM 3D, their operation sections): a TCS page that is not one,
 * or waits for EACCEPT, #PF; a TCS in use, or no frame left, or none to resume, #GP. Claims the TCS. */
static struct emu_fault claim(uint64_t address, bool resume, struct emu_tcs **out, uint32_t *frame)
{
    if (address % SGX_PAGE_SIZE)
        return EMU_GP;
    struct emu_tcs *tcs = find_tcs(address);
    struct emu_fault not_a_tcs = {.vector = VEC_PF, .address = address, .error_code = PF_USER};
    if (address - emu.secs.base < emu.secs.size && emu.pages[(address - emu.secs.base) / SGX_PAGE_SIZE].valid)
        not_a_tcs.error_code |= PF_PRESENT | PF_SGX;
    if (!tcs || emu.pages[(address - emu.secs.base) / SGX_PAGE_SIZE].modified)
        return not_a_tcs;
    if (atomic_exchange(&tcs->active, 1))
        return EMU_GP;
    *frame = resume ? tcs->cssa - 1 : tcs->cssa;
    struct emu_fault fault = (resume && tcs->cssa == 0) || *frame >= tcs->nssa ? EMU_GP : frame_fault(tcs, *frame);
    if (!fault.vector && resume && !xsave_valid((void *)frame_address(tcs, *frame)))
        fault = EMU_GP;
    if (fault.vector)
        atomic_store(&tcs->active, 0);
    *out = tcs;
    return fault;
}

static void run_inside(struct emu_thread *t, struct emu_tcs *tcs, struct enclave_run *run, bool resume)
{
    t->tcs = tcs;
    t->run = run;
    if (emu.cpuid_faults)
        syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    int result = resume ? emu_asm_eresume(t) : emu_asm_eenter(t);
    if (emu.cpuid_faults)
        syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    run->function = result == 0 ? ENCLU_EEXIT : ENCLU_ERESUME; /* after an AEX RAX is ERESUME */
}

/* What the vDSO's exception fix-up reports; a page fault's address has lost its low bits when the enclave ran. */
static void report_fault(struct enclave_run *run, unsigned int function, struct emu_fault fault)
{
    run->function = function;
    run->exception_vector = (uint16_t)fault.vector;
    run->exception_error_code = (uint16_t)fault.error_code;
    run->exception_addr = fault.address;
}

static void enter_once(struct emu_thread *t, struct enclave_run *run, unsigned int function, struct emu_enter *enter)
{
    bool resume = function == ENCLU_ERESUME;
    struct emu_tcs *tcs;
    uint32_t frame;
    struct emu_fault fault = claim(run->tcs, resume, &tcs, &frame);
    if (fault.vector) {
        report_fault(run, function, fault);
        return;
    }
    struct sgx_gprsgx *gpr = ssa_gpr(frame_address(tcs, frame));
    enter->rax = tcs->cssa;
    enter->rbx = tcs->address;
    enter->rip = emu.secs.base + tcs->oentry;
    enter->fs = resume ? gpr->fsbase : emu.secs.base + tcs->ofsbase;
    enter->gs = resume ? gpr->gsbase : emu.secs.base + tcs->ogsbase;
    enter->gprsgx = gpr;
    enter->xsave = (void *)frame_address(tcs, frame);
    enter->xfrm = emu.secs.attributes.xfrm;
    if (resume)
        tcs->cssa--;
    __atomic_add_fetch(resume ? &emu_count.eresume : &emu_count.eenter, 1, __ATOMIC_RELAXED);
    t->enter = enter;
    run_inside(t, tcs, run, resume);
}

static int call_handler(const struct emu_thread *t, struct enclave_run *run)
{
    enclave_user_handler handler = (enclave_user_handler)run->user_handler;
    if (!handler)
        return 0;
    if (run->function != ENCLU_EEXIT)
        return handler(run->exception_vector, run->exception_error_code, (long)run->exception_addr, (long)t->host_rsp,
                       0, 0, run);
    return handler((long)t->exit_rdi, (long)t->exit_rsi, (long)t->exit_rdx, (long)t->exit_rsp, (long)t->exit_r8,
                   (long)t->exit_r9, run);
}

static bool reserved_zero(const struct enclave_run *run)
{
    uint64_t words[sizeof run->reserved / 8], any = 0;
    memcpy(words, run->reserved, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        any |= words[i];
    return any == 0;
}

int emu_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function, unsigned long r8,
              unsigned long r9, struct enclave_run *run)
{
    struct emu_thread *t = emu_this_thread;
    struct emu_enter enter = {.rdi = rdi, .rsi = rsi, .rdx = rdx, .r8 = r8, .r9 = r9};
    for (;;) {
        if (!t || !emu.initialised || (function != ENCLU_EENTER && function != ENCLU_ERESUME) || !reserved_zero(run))
            return -EINVAL;
        enter_once(t, run, function, &enter);
        int next = call_handler(t, run);
        if (next <= 0)
            return next;
        function = (unsigned int)next;
    }
}
