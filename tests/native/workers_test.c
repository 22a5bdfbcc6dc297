/*
 * The store and a file system asked by several workers at once, each on its own thread, with removals, a quota that
 * refuses and commits that fail: each worker finds what it was told is there, what all change together adds up, and
 * the thread sanitizer sees no race. A seed repeats what each of them asks, though not when: SEED, STEPS.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ensure.h"
#include "enclave/fs/fs.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/store.h"
#include "tests/native/host_memory.h"

#define WORKERS 3
#define KEYS 6
#define LARGE 40000u /* three of them are more than an app may keep */
#define DISK (2 * LARGE + 20000u)

/* What a worker does, and what it knows of its own keys and file. */
struct side {
    struct worker *worker;
    unsigned index, seed;
    struct kv_namespace *own, *shared;
    size_t values[KEYS]; /* sizes; 0: none */
    uint64_t added;      /* to the counter that all share */
    uint64_t refused, failed;
    char file[48]; /* what was written last and acknowledged; "": not known */
    pthread_t thread;
};

static struct worker workers[WORKERS];
static struct store *store;
static struct side sides[WORKERS];
static struct fs *fs;
static _Atomic unsigned under_way = WORKERS;
static unsigned long steps = 300;

/* ---- operations, waited for ------------------------------------------------------------------------------------ */

static void turn(struct side *s)
{
    if (!loop_run_once(&s->worker->loop, s->worker->loop.now_ns + 1))
        sched_yield();
}

struct result {
    bool done;
    int error;
    size_t size;
    uint8_t first;
};

static void on_value(void *user, int error, const uint8_t *value, size_t size)
{
    *(struct result *)user = (struct result){true, error, size, size ? value[0] : 0};
}

static void on_done(void *user, int error)
{
    *(struct result *)user = (struct result){.done = true, .error = error};
}

static void on_list(void *user, int error, const struct kv_name *names, size_t count, uint64_t cursor)
{
    *(struct result *)user = (struct result){true, error, count, 0};
}

static struct result wait_for(struct side *s, int asked, struct result *r)
{
    ENSURE(asked == 0);
    while (!r->done)
        turn(s);
    return *r;
}

/* 0 if it was done; what may hinder it is counted. */
static int outcome(struct side *s, struct result r)
{
    ENSURE(r.error == 0 || r.error == -ENOSPC || r.error == -EIO);
    s->refused += r.error == -ENOSPC;
    s->failed += r.error == -EIO;
    return r.error;
}

static void put(struct side *s, int k)
{
    static const uint8_t value[LARGE] = {'v'};
    char key[8];
    struct result r = {0};
    size_t size = rand_r(&s->seed) % 3 ? 1 + (size_t)k : LARGE;
    struct kv_op op = {KV_PUT, s->own, key, (size_t)snprintf(key, sizeof key, "k%d", k), value, size};
    if (outcome(s, wait_for(s, kv_commit(s->worker, &op, 1, on_done, &r), &r)) == 0)
        s->values[k] = size;
}

static void drop(struct side *s, int k)
{
    char key[8];
    struct result r = {0};
    struct kv_op op = {.kind = KV_DELETE, .ns = s->own, .key = key};
    op.key_size = (size_t)snprintf(key, sizeof key, "k%d", k);
    if (outcome(s, wait_for(s, kv_commit(s->worker, &op, 1, on_done, &r), &r)) == 0)
        s->values[k] = 0;
}

static void look(struct side *s, int k)
{
    char key[8];
    struct result r = {0};
    size_t size = (size_t)snprintf(key, sizeof key, "k%d", k);
    r = wait_for(s, kv_get(s->worker, s->own, key, size, on_value, &r), &r);
    ENSURE(s->values[k] ? r.error == 0 && r.size == s->values[k] && r.first == 'v' : r.error == -ENOENT);
}

static void list(struct side *s)
{
    size_t expected = 0;
    struct result r = {0};
    for (int k = 0; k < KEYS; k++)
        expected += s->values[k] > 0;
    r = wait_for(s, kv_list(s->worker, s->own, 0, on_list, &r), &r);
    ENSURE(r.error == 0 && r.size == expected);
    ENSURE(store_damaged_count(store) == 0 && store_record_count(store) < 1000); /* as /metrics asks, on any worker */
}

/* On the owner's thread. */
static int add_one(void *user, const uint8_t *value, size_t size, uint8_t **out, size_t *out_size)
{
    uint64_t count = 0;
    if (size == sizeof count)
        memcpy(&count, value, sizeof count);
    count++;
    *out = malloc(*out_size = sizeof count);
    memcpy(*out, &count, sizeof count);
    return 0;
}

static void add(struct side *s)
{
    struct result r = {0};
    if (outcome(s, wait_for(s, kv_update(s->worker, s->shared, "n", 1, add_one, on_done, &r), &r)) == 0)
        s->added++;
}

/* ---- and of files ------------------------------------------------------------------------------------------------ */

static void on_file(struct fs_op *op)
{
    *(bool *)op->user = true;
}

static struct fs_op *ask(struct side *s, struct fs_op *op)
{
    bool done = false;
    ENSURE(op);
    op->done = on_file;
    op->user = &done;
    fs_submit(op);
    while (!done)
        turn(s);
    return op;
}

static struct fs_node *open_own(struct side *s, uint32_t flags)
{
    char path[8];
    size_t size = (size_t)snprintf(path, sizeof path, "f%u", s->index);
    struct fs_op *op = fs_op_new(s->worker, fs, FS_OPEN, NULL, path, size, NULL, 0, 0);
    op->flags = flags;
    struct fs_node *node = ask(s, op)->opened;
    fs_op_free(op);
    return node;
}

static void release(struct side *s, struct fs_node *node)
{
    fs_op_free(ask(s, fs_op_new(s->worker, fs, FS_RELEASE, node, NULL, 0, NULL, 0, 0)));
}

static void write_file(struct side *s, unsigned long step)
{
    struct fs_node *node = open_own(s, FS_OPEN_CREATE | FS_OPEN_WRITE);
    char text[sizeof s->file];
    if (!node)
        return; /* refused: what it held is there still */
    struct fs_op *op = fs_op_new(s->worker, fs, FS_WRITE, node, NULL, 0, NULL, 0, sizeof text);
    snprintf(text, sizeof text, "worker %u, step %010u", s->index % 10, (unsigned)step);
    memcpy(op->buffer, text, op->size = sizeof text);
    op->flags = FS_WHOLE | (step % 2 ? FS_DURABLE : 0);
    ask(s, op);
    s->failed += op->error < 0;
    strcpy(s->file, op->error == 0 ? text : "");
    fs_op_free(op);
    release(s, node);
}

static void read_file(struct side *s)
{
    struct fs_node *node = open_own(s, 0);
    if (!node)
        return;
    struct fs_op *op = fs_op_new(s->worker, fs, FS_READ, node, NULL, 0, NULL, 0, sizeof s->file);
    op->size = sizeof s->file;
    ask(s, op);
    ENSURE(op->error < 0 || !s->file[0] || memcmp(op->buffer, s->file, strlen(s->file) + 1) == 0);
    fs_op_free(op);
    op = fs_op_new(s->worker, fs, FS_LIST, NULL, NULL, 0, NULL, 0, 600);
    fs_op_free(ask(s, op));
    release(s, node);
}

static void remove_file(struct side *s)
{
    char path[8];
    size_t size = (size_t)snprintf(path, sizeof path, "f%u", s->index);
    fs_op_free(ask(s, fs_op_new(s->worker, fs, FS_UNLINK, NULL, path, size, NULL, 0, 0)));
    s->file[0] = 0;
}

/* ---- the workers ------------------------------------------------------------------------------------------------- */

static void step(struct side *s, unsigned long number)
{
    int k = rand_r(&s->seed) % KEYS;
    if (s->index == 0) /* the host is the owner's thread's to change */
        host_memory.commit_status = rand_r(&s->seed) % 8 ? 0 : -EIO;
    switch (rand_r(&s->seed) % 9) {
    case 0:
    case 1:
        put(s, k);
        break;
    case 2:
        drop(s, k);
        break;
    case 3:
        list(s);
        break;
    case 4:
        add(s);
        break;
    case 5:
        write_file(s, number);
        break;
    case 6:
        read_file(s);
        break;
    case 7:
        remove_file(s);
        break;
    default:
        look(s, k);
    }
}

static void *work(void *user)
{
    struct side *s = user;
    loop_take(&s->worker->loop); /* main made it */
    for (unsigned long i = 0; i < steps; i++)
        step(s, i);
    atomic_fetch_sub(&under_way, 1);
    while (s->index == 0 && atomic_load(&under_way) > 0) /* the others need the owner */
        turn(s);
    return NULL;
}

static uint64_t counter;

static void on_counter(void *user, int error, const uint8_t *value, size_t size)
{
    if (error == 0 && size == sizeof counter)
        memcpy(&counter, value, size);
    *(bool *)user = true;
}

/* The whole is what each was told; once more after the store was opened anew. */
static void check_sums(void)
{
    uint64_t added = 0;
    bool done = false;
    for (int i = 0; i < WORKERS; i++) {
        added += sides[i].added;
        printf("worker %d: added %lu, %lu refused, %lu failed\n", i, (unsigned long)sides[i].added,
               (unsigned long)sides[i].refused, (unsigned long)sides[i].failed);
    }
    ENSURE(kv_get(&workers[0], sides[0].shared, "n", 1, on_counter, &done) == 0);
    while (!done)
        turn(&sides[0]);
    ENSURE(counter == added);
    for (int k = 0; k < KEYS; k++)
        for (int i = 0; i < WORKERS; i++) {
            struct side as_owner = sides[i];
            as_owner.worker = &workers[0];
            look(&as_owner, k);
        }
}

int main(void)
{
    static const uint8_t master[32] = {7};
    const char *seed_text = getenv("SEED"), *steps_text = getenv("STEPS");
    unsigned seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 0) : (unsigned)getpid();
    steps = steps_text ? strtoul(steps_text, NULL, 0) : steps;
    printf("SEED=%u STEPS=%lu\n", seed, steps);
    char error[256], name[32];
    ENSURE(host_memory_worker(&workers[0]) == 0);
    store = store_new(&workers[0]);
    ENSURE(store);
    ENSURE(store_begin(store, master, (const uint8_t *)"sealed", 6) == 0);
    ENSURE(store_create(store, NULL, 0, error, sizeof error) == 0);
    store_limit_disk(store, DISK);
    fs = fs_of_app(fs_home_new(&workers[0], store), "files");
    for (unsigned i = 0; i < WORKERS; i++) {
        ENSURE(i == 0 || loop_init(&workers[i].loop, NULL) == 0);
        snprintf(name, sizeof name, "app:%u:kv:x", i / 2); /* two share what an app may keep */
        sides[i] = (struct side){.worker = &workers[i], .index = i, .seed = seed + i};
        snprintf(name + strlen(name), sizeof name - strlen(name), "%u", i);
        sides[i].own = kv_namespace_open(store, name);
        sides[i].shared = kv_namespace_open(store, "app:all:kv:x");
        ENSURE(sides[i].own && sides[i].shared);
    }
    for (int i = 0; i < WORKERS; i++)
        ENSURE(pthread_create(&sides[i].thread, NULL, work, &sides[i]) == 0);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(sides[i].thread, NULL);
    loop_take(&workers[0].loop);
    host_memory.commit_status = 0;
    check_sums();
    store_flush(store);
    store_check(store);
    store_close(store);
    ENSURE(store_open(store, master, error, sizeof error) == 0);
    check_sums();
    uint64_t refused = 0, failed = 0;
    for (int i = 0; i < WORKERS; i++) {
        refused += sides[i].refused;
        failed += sides[i].failed;
    }
    ENSURE(refused > 0 && failed > 0); /* or it tried too little */
    return 0;
}
