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

#include "sgx/emulator/emu.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif

#define SIGNAL_STACK_OFFSET SGX_PAGE_SIZE

_Thread_local struct emu_thread *emu_this_thread;
struct emulator_counters emu_count;

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

/* EENTER and ERESUME fault with #GP outside the enclave; the vDSO reports it like this. */
static int general_protection(struct enclave_run *run, unsigned int function)
{
    run->function = function;
    run->exception_vector = VEC_GP;
    run->exception_error_code = 0;
    run->exception_addr = 0;
    return -EFAULT;
}

static uint64_t frame_address(const struct emu_tcs *tcs, uint32_t index)
{
    return emu.secs.base + tcs->ossa + (uint64_t)index * emu.secs.ssa_frame_size * SGX_PAGE_SIZE;
}

static bool frame_usable(const struct emu_tcs *tcs, uint32_t index)
{
    uint64_t frame = frame_address(tcs, index);
    for (uint32_t i = 0; i < emu.secs.ssa_frame_size; i++)
        if (!emu_page_allows(frame + i * SGX_PAGE_SIZE, SGX_PAGE_SIZE, true))
            return false;
    return true;
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

static int run_inside(struct emu_thread *t, struct emu_tcs *tcs, struct enclave_run *run, bool resume)
{
    t->tcs = tcs;
    t->run = run;
    if (emu.cpuid_faults)
        syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    int result = resume ? emu_asm_eresume(t) : emu_asm_eenter(t);
    if (emu.cpuid_faults)
        syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    return result;
}

int emu_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function, unsigned long r8,
              unsigned long r9, struct enclave_run *run)
{
    struct emu_thread *t = emu_this_thread;
    if (!t || !emu.initialised || (function != ENCLU_EENTER && function != ENCLU_ERESUME))
        return -EINVAL;
    for (;;) {
        bool resume = function == ENCLU_ERESUME;
        struct emu_tcs *tcs = find_tcs(run->tcs);
        if (!tcs || atomic_exchange(&tcs->active, 1))
            return general_protection(run, function);
        uint32_t index = resume ? tcs->cssa - 1 : tcs->cssa;
        if ((resume && tcs->cssa == 0) || index >= tcs->nssa || !frame_usable(tcs, index) ||
            (resume && !xsave_valid((void *)frame_address(tcs, index)))) {
            atomic_store(&tcs->active, 0);
            return general_protection(run, function);
        }
        struct sgx_gprsgx *gpr = ssa_gpr(frame_address(tcs, index));
        struct emu_enter enter = {.rax = tcs->cssa,
                                  .rbx = tcs->address,
                                  .rdi = rdi,
                                  .rsi = rsi,
                                  .rdx = rdx,
                                  .r8 = r8,
                                  .r9 = r9,
                                  .rip = emu.secs.base + tcs->oentry,
                                  .fs = emu.secs.base + tcs->ofsbase,
                                  .gs = emu.secs.base + tcs->ogsbase,
                                  .gprsgx = gpr,
                                  .xsave = (void *)frame_address(tcs, index),
                                  .xfrm = emu.secs.attributes.xfrm};
        if (resume) {
            tcs->cssa--;
            enter.fs = gpr->fsbase;
            enter.gs = gpr->gsbase;
            __atomic_add_fetch(&emu_count.eresume, 1, __ATOMIC_RELAXED);
        } else {
            __atomic_add_fetch(&emu_count.eenter, 1, __ATOMIC_RELAXED);
        }
        t->enter = &enter;
        run->function = function;
        if (run_inside(t, tcs, run, resume) != 0)
            return -EFAULT;
        run->function = ENCLU_EEXIT;
        if (!run->user_handler)
            return 0;
        int next =
            ((enclave_user_handler)run->user_handler)((long)t->exit_rdi, (long)t->exit_rsi, (long)t->exit_rdx,
                                                      (long)t->exit_rsp, (long)t->exit_r8, (long)t->exit_r9, run);
        if (next <= 0)
            return next;
        function = (unsigned int)next;
    }
}
