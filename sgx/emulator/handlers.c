/* The process's signal handlers, through which everything that happens inside ELRANGE arrives. */
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sgx/emulator/internal.h"

int emu_install_handlers(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER, .sa_sigaction = emu_asm_signal};
    sigfillset(&action.sa_mask);
    const int signals[] = {SIGSYS, SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old;
        if (sigaction(signals[i], &action, &old) != 0)
            return -errno;
        if (old.sa_sigaction != emu_asm_signal)
            emu_signal_keep(signals[i], &old);
    }
    emu.cpuid_faults =
        syscall(SYS_arch_prctl, ARCH_GET_CPUID, 0) == 1 && syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1) == 0;
    return 0;
}
