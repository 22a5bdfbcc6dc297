/*
 * Figures for docs/benchmarks.md: the ring's bandwidth beside memcpy's, one message's round trip between two
 * spinning threads, and the cost of a small message when both ends run on one thread.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/queue.h"

#define CAPACITY 32768u
#define CHUNK 16384u
#define TOTAL (4ull << 30)
#define TRIPS 200000u

struct ring {
    struct ring_shared shared;
    _Alignas(64) uint8_t data[CAPACITY];
    struct queue_producer p;
    struct queue_consumer c;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct ring *make_ring(void)
{
    struct ring *r = aligned_alloc(64, sizeof *r);
    memset(r, 0, sizeof *r);
    queue_producer_init(&r->p, &r->shared, r->data, CAPACITY);
    queue_consumer_init(&r->c, &r->shared, r->data, CAPACITY);
    return r;
}

/* One thread writes and reads by turns: two copies for each byte, so it is compared with two memcpys. */
static void bench_bandwidth(size_t skew)
{
    struct ring *r = make_ring();
    uint8_t *from = aligned_alloc(64, 2 * CHUNK), *to = aligned_alloc(64, 2 * CHUNK);
    memset(from, 1, 2 * CHUNK);
    memset(to, 2, 2 * CHUNK);
    double start = now();
    for (uint64_t done = 0; done < TOTAL; done += CHUNK) {
        queue_producer_write(&r->p, from + skew, CHUNK);
        queue_producer_publish(&r->p);
        queue_consumer_read(&r->c, to + skew, CHUNK);
        queue_consumer_release(&r->c);
    }
    double ring = now() - start;
    start = now();
    for (uint64_t done = 0; done < TOTAL; done += CHUNK) {
        memcpy(r->data + (done & (CAPACITY - 1)), from + skew, CHUNK);
        __asm__ volatile("" ::: "memory");
        memcpy(to + skew, r->data + (done & (CAPACITY - 1)), CHUNK);
        __asm__ volatile("" ::: "memory");
    }
    double copy = now() - start;
    printf("ring, 16 KiB messages, private buffers at +%zu: %.1f GB/s through; two memcpys: %.1f GB/s (ratio %.2f)\n",
           skew, (double)TOTAL / ring * 1e-9, (double)TOTAL / copy * 1e-9, copy / ring);
    free(from);
    free(to);
    free(r);
}

static void bench_small(size_t size)
{
    struct ring *r = make_ring();
    uint8_t buffer[1024] = {0};
    const unsigned rounds = 5000000;
    double start = now();
    for (unsigned i = 0; i < rounds; i++) {
        queue_producer_write(&r->p, buffer, size);
        queue_producer_publish(&r->p);
        queue_consumer_read(&r->c, buffer, size);
        queue_consumer_release(&r->c);
    }
    printf("ring, %4zu byte messages, one thread: %.1f ns each\n", size, (now() - start) / rounds * 1e9);
    free(r);
}

static struct ring *there, *back;

static void *echo(void *argument)
{
    for (unsigned i = 0; i < TRIPS; i++) {
        uint64_t v;
        while (queue_consumer_read(&there->c, &v, sizeof v) == 0)
            __builtin_ia32_pause();
        queue_consumer_release(&there->c);
        queue_producer_write(&back->p, &v, sizeof v);
        queue_producer_publish(&back->p);
    }
    return NULL;
}

static void bench_round_trip(void)
{
    pthread_t thread;
    there = make_ring();
    back = make_ring();
    pthread_create(&thread, NULL, echo, NULL);
    double start = now();
    for (uint64_t i = 0; i < TRIPS; i++) {
        uint64_t v = i;
        queue_producer_write(&there->p, &v, sizeof v);
        queue_producer_publish(&there->p);
        while (queue_consumer_read(&back->c, &v, sizeof v) == 0)
            __builtin_ia32_pause();
        queue_consumer_release(&back->c);
    }
    printf("ring, round trip between two spinning threads: %.0f ns\n", (now() - start) / TRIPS * 1e9);
    pthread_join(thread, NULL);
    free(there);
    free(back);
}

int main(void)
{
    bench_bandwidth(0);
    bench_bandwidth(3);
    bench_small(16);
    bench_small(100);
    bench_small(1000);
    bench_round_trip();
    return 0;
}
