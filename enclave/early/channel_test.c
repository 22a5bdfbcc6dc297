/*
 * Two workers claim what a host posts for either of them under one id, as fast as all can: nobody gets a description
 * that channel_post would have refused, or one that is another worker's. The enclave is the addresses [BASE, BASE +
 * RANGE). TAKES=n for more than the usual number of descriptions taken.
 */
#include "enclave/early/channel.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/ensure.h"

#define BASE UINT64_C(0x100000000)
#define RANGE UINT64_C(0x80000000)
#define ID 5u
#define SMALL PROTO_RING_MIN
#define FAR UINT64_C(0x40000000)

bool sgx_is_outside_enclave(const void *p, size_t size)
{
    uint64_t start = (uint64_t)p;
    return start != 0 && start + size >= start && (start + size <= BASE || start >= BASE + RANGE);
}

/* A small ring right below the enclave, or a large one far away: each is good, mixed they reach inside. */
static struct channel_desc describe(uint32_t worker, bool near)
{
    return (struct channel_desc){.kind = CHANNEL_CONNECTION,
                                 .worker = worker,
                                 .name = channel_name_make(ID, 1),
                                 .to_enclave = 0x10000,
                                 .to_enclave_data = 0x20000,
                                 .to_enclave_capacity = SMALL,
                                 .to_host = 0x30000,
                                 .to_host_data = near ? BASE - SMALL : FAR,
                                 .to_host_capacity = near ? SMALL : PROTO_RING_MAX};
}

static bool is_whole(const struct channel_desc *d, uint32_t worker)
{
    bool near = d->to_host_data == BASE - SMALL;
    struct channel_desc wanted = describe(worker, near);
    return d->worker == worker && d->to_host_data == wanted.to_host_data &&
           d->to_host_capacity == wanted.to_host_capacity;
}

static atomic_bool stop;

/* By turns: one for worker 0, who takes it and gives it back at once, then one for worker 1. */
static void *host_and_worker_0(void *wrong)
{
    struct channel_desc taken;
    for (unsigned turn = 0; !atomic_load(&stop); turn++) {
        struct channel_desc first = describe(0, turn % 2), second = describe(1, turn % 2 == 0);
        bool posted = channel_post(&first) == 0, got = false;
        for (int i = 0; i < (posted ? 1000 : 1) && !got; i++)
            got = channel_take(0, CHANNEL_CONNECTION, first.name, &taken);
        if (got) {
            atomic_fetch_add((_Atomic unsigned long *)wrong, !is_whole(&taken, 0));
            channel_free(ID);
        }
        channel_post(&second);
    }
    return NULL;
}

int main(void)
{
    const char *text = getenv("TAKES");
    unsigned long wanted = text ? strtoul(text, NULL, 0) : 50000, taken = 0;
    static _Atomic unsigned long wrong;
    struct channel_desc d;
    pthread_t thread;
    ENSURE(pthread_create(&thread, NULL, host_and_worker_0, (void *)&wrong) == 0);
    while (taken < wanted) {
        if (!channel_take(1, CHANNEL_CONNECTION, channel_name_make(ID, 1), &d))
            continue;
        taken++;
        atomic_fetch_add(&wrong, !is_whole(&d, 1));
        channel_free(ID);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    printf("%lu descriptions taken by worker 1, %lu wrong\n", taken, atomic_load(&wrong));
    return atomic_load(&wrong) != 0;
}
