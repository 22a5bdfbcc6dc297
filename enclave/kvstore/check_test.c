/*
 * store_check and the assertions of errands stop at what they are there for: each invariant broken by hand, in a
 * process of its own. And the store as it is passes.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/testing/stops.h"
#include "enclave/kvstore/internal.h"
#include "tests/native/host_memory.h"

static struct worker worker;
static struct store *store;
static struct kv_namespace *ns;
static struct job job;

static void on_done(void *user, int error)
{
    *(bool *)user = error == 0;
}

static int setup(void **state)
{
    static const uint8_t master[32] = {3};
    char why[256];
    bool done = false;
    host_memory_worker(&worker);
    store = store_new(&worker);
    ns = kv_namespace_open(store, "app:a:kv:b");
    struct kv_op ops[] = {{KV_PUT, ns, "a", 1, "one", 3}, {KV_PUT, ns, "b", 1, "two", 3}};
    if (store_begin(store, master, (const uint8_t *)"sealed", 6) != 0 ||
        store_create(store, NULL, 0, why, sizeof why) != 0 || kv_commit(&worker, ops, 2, on_done, &done) != 0)
        return -1;
    for (int turns = 0; turns < 100 && !done; turns++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    return done ? 0 : -1;
}

static int teardown(void **state)
{
    kv_namespace_close(ns);
    store_close(store);
    store_free(store);
    loop_deinit(&worker.loop);
    host_memory_reset();
    return 0;
}

static struct index_entry *entry(void)
{
    struct index_entry *e = store->index.entries;
    while (!e->version)
        e++;
    return e;
}

/* ---- what may be broken ------------------------------------------------------------------------------------------ */

static void nothing(void)
{
    store_check(store);
}

static void count(void)
{
    store->index.count++;
    store_check(store);
}

static void place(void)
{
    entry()->storage_key[9] ^= 1; /* it would be found still, by its first bytes, but as another's */
    store_check(store);
}

static void tag(void)
{
    entry()->tag[0] ^= 1;
    store_check(store);
}

static void version(void)
{
    entry()->version = store->root.epoch + 1;
    store_check(store);
}

static void size(void)
{
    entry()->size++;
    store_check(store);
}

static void damage(void)
{
    store->damaged++;
    store_check(store);
}

static void root(void)
{
    store->root.digest[31] ^= 1;
    store_check(store);
}

static void queue(void)
{
    store->commits.end = &job.queue_next;
    store_check(store);
}

static void stray_job(void)
{
    job = (struct job){.store = store, .running = true};
    store->jobs.first = &job;
    store->jobs.end = &job.next;
    store_check(store);
}

static void finished_twice(void)
{
    job = (struct job){.store = store, .running = true, .errand = {.state = ERRAND_SENT, .asker = &worker.loop}};
    job_finish(&job, 0);
}

static void nothing_done(struct loop_task *task)
{
    (void)task;
}

static void sent_twice(void)
{
    errand_send(&job.errand, &worker.loop, &worker.loop, nothing_done);
    errand_send(&job.errand, &worker.loop, &worker.loop, nothing_done);
}

static void answered_inside(void)
{
    errand_send(&job.errand, &worker.loop, &worker.loop, nothing_done);
    job.errand.task.queued = false;
    errand_return(&job.errand, &worker.loop, nothing_done);
    errand_end(&job.errand); /* no turn of the loop lies between */
}

static void closed(void)
{
    store_close(store);
    (void)!kv_exists(&worker, ns, "a", 1, on_done, NULL);
}

static void no_callback(void)
{
    (void)!kv_exists(&worker, ns, "a", 1, NULL, NULL);
}

static const struct {
    const char *name;
    void (*breaks)(void);
} cases[] = {{"count", count},
             {"place", place},
             {"tag", tag},
             {"version", version},
             {"size", size},
             {"damage", damage},
             {"root", root},
             {"queue", queue},
             {"stray job", stray_job},
             {"finished twice", finished_twice},
             {"sent twice", sent_twice},
             {"answered inside", answered_inside},
             {"closed", closed},
             {"no callback", no_callback}};

static void test_each_is_noticed(void **state)
{
    assert_false(stops(nothing, BROKEN));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!stops(cases[i].breaks, BROKEN))
            fail_msg("%s: goes on", cases[i].name);
}

int main(void)
{
    signal(SIGABRT, SIG_DFL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_is_noticed)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
