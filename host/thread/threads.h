/*
 * Starting threads that may enter the enclave.
 */
#ifndef ENCLAVE_OS_HOST_THREAD_THREADS_H
#define ENCLAVE_OS_HOST_THREAD_THREADS_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/* pthread_create with every asynchronous signal blocked: those go to the main thread's signalfd. The synchronous
 * ones stay open, since the emulator lives by them. 0 or a negative errno. */
static inline int thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    static const int synchronous[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
    sigset_t set, before;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof synchronous / sizeof synchronous[0]; i++)
        sigdelset(&set, synchronous[i]);
    pthread_sigmask(SIG_SETMASK, &set, &before);
    int result = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -result;
}

#endif
