/* See threads.h. */
#include "enclave/thread/threads.h"

#include <errno.h>
#include <signal.h>

#include "sgx/trusted/bridge.h"

int thread_start(pthread_t *thread, enum enclave_stack_kind kind, void *(*body)(void *), void *argument)
{
    size_t size = 1;
    void *stack = sgx_stack_take(kind, &size);
    if (!stack)
        return -ENOMEM;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    int result = pthread_attr_setstack(&attributes, stack, size);
    if (result == 0)
        result = pthread_create(thread, &attributes, body, argument);
    pthread_attr_destroy(&attributes);
    if (result != 0)
        sgx_stack_give(stack);
    return -result;
}

void thread_runs_guests(void)
{
    static char never_used[256u << 10]; /* as much as wasmtime wants */
    stack_t stack = {.ss_sp = never_used, .ss_size = sizeof never_used};
    sigaltstack(&stack, NULL);
}
