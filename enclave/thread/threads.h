/*
 * Threads inside the enclave. Their stacks come from the measured layout, each behind a gap without pages, and not
 * from mmap, which has no such memory: pthread_create by itself fails.
 */
#ifndef ENCLAVE_OS_ENCLAVE_THREAD_THREADS_H
#define ENCLAVE_OS_ENCLAVE_THREAD_THREADS_H

#include <pthread.h>

#include "sgx/include/layout.h"

/* kind: ENCLAVE_STACK_THREAD or ENCLAVE_STACK_COMPILER. 0, or a negative errno; -ENOMEM: no such stack is free. The
 * stack stays the thread's for as long as the enclave lives. */
int thread_start(pthread_t *thread, enum enclave_stack_kind kind, void *(*body)(void *), void *argument);

/* To be called on a thread before it runs its first guest. wasmtime gives each such thread a stack for signals, mapped
 * with a guard, unless it has one. No signal ever arrives in here, so one that nothing ever runs on serves for all. */
void thread_runs_guests(void);

#endif
