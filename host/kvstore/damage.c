/*
 * What LMDB does with a damaged or shortened file: it reads through a map, so that a page that is not there is a
 * signal, and a page that is nonsense an assertion or a stray pointer. None of them can be answered with an error.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "host/kvstore/internal.h"

_Thread_local struct kvstore_watch *volatile kvstore_watched;

static _Noreturn void end(void)
{
    static const char line[] =
        "the store's file is cut short or damaged, or its disk cannot read it: restore a backup\n";
    ssize_t ignored = write(STDERR_FILENO, line, sizeof line - 1);
    (void)ignored;
    for (const struct kvstore_watch *watch = kvstore_watched; watch; watch = watch->outer)
        if (watch->part && unlink(watch->part) != 0 && errno == EISDIR)
            rmdir(watch->part);
    _exit(1);
}

/* A signal that is not of a store does what it would have done. */
static void on_signal(int signo)
{
    if (kvstore_watched)
        end();
    signal(signo, SIG_DFL);
}

/* Before main, so that the emulator, which takes these signals too, finds it as the one that the host's are for. */
__attribute__((constructor)) void kvstore_watch_signals(void)
{
    static const int signals[] = {SIGBUS, SIGSEGV};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK}, before;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigemptyset(&action.sa_mask);
        /* A sanitizer's report of other faults is worth more than the line. */
        if (sigaction(signals[i], NULL, &before) == 0 && (signals[i] == SIGBUS || before.sa_handler == SIG_DFL))
            sigaction(signals[i], &action, NULL);
    }
}

void kvstore_on_assert(MDB_env *env, const char *message)
{
    (void)env;
    (void)message;
    end();
}
