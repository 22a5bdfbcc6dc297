/*
 * How operations travel: from the caller's worker to the home worker, where they run until they need not wait any
 * more, and back. And the file systems there are.
 */
#include "enclave/fs/fs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "enclave/fs/internal.h"

struct worker *fs_home;
static struct store *fs_store;
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fs *all;

uint64_t fs_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void deliver(struct loop_task *task)
{
    struct fs_op *op = (struct fs_op *)task;
    if (op->done)
        op->done(op);
    else
        fs_op_free(op);
}

/* An operation keeps its nodes for as long as it is here: the guest that holds them may end while it waits. */
static void hold_nodes(struct fs_op *op)
{
    if (op->call != FS_RELEASE && op->node)
        op->node->refs++;
    if (op->to)
        op->to->refs++;
}

static void put_nodes(struct fs_op *op)
{
    if (op->call != FS_RELEASE && op->node)
        fs_node_put(op->fs, op->node);
    if (op->to)
        fs_node_put(op->fs, op->to);
}

/* false: it waits. */
static bool advance(struct fs_op *op)
{
    int status = fs_run(op);
    if (status == -EAGAIN)
        return false;
    op->status = status;
    put_nodes(op);
    journal_send(op->fs);
    op->task.fn = deliver;
    if (op->origin == fs_home)
        loop_post(&fs_home->loop, &op->task);
    else
        loop_post_remote(&op->origin->loop, &op->task);
    return true;
}

static void wait(struct fs_op *op)
{
    struct fs *fs = op->fs;
    op->next = NULL;
    *fs->waiting_end = op;
    fs->waiting_end = &op->next;
}

void fs_wake(struct fs *fs)
{
    loop_check(&fs_home->loop);
    struct fs_op *op = fs->waiting;
    fs->waiting = NULL;
    fs->waiting_end = &fs->waiting;
    while (op) {
        struct fs_op *next = op->next;
        if (!advance(op))
            wait(op);
        op = next;
    }
}

static void arrive(struct loop_task *task)
{
    struct fs_op *op = (struct fs_op *)task;
    hold_nodes(op);
    if (!advance(op))
        wait(op);
}

void fs_submit(struct fs_op *op)
{
    loop_check(&op->origin->loop);
    op->task.fn = arrive;
    if (op->origin == fs_home)
        loop_post(&fs_home->loop, &op->task);
    else
        loop_post_remote(&fs_home->loop, &op->task);
}

struct fs_op *fs_op_new(struct worker *origin, struct fs *fs, enum fs_call call, struct fs_node *node, const char *path,
                        size_t path_size, const char *to_path, size_t to_path_size, size_t bytes)
{
    size_t size = path_size + to_path_size + bytes;
    struct fs_op *op = malloc(sizeof *op + size);
    if (!op)
        return NULL;
    *op = (struct fs_op){.origin = origin,
                         .fs = fs,
                         .call = call,
                         .node = node,
                         .buffer_size = bytes,
                         .path_size = path_size,
                         .to_path_size = to_path_size};
    char *at = (char *)op->buffer + bytes;
    op->path = path_size ? memcpy(at, path, path_size) : at;
    op->to_path = to_path_size ? memcpy(at + path_size, to_path, to_path_size) : at;
    return op;
}

void fs_op_free(struct fs_op *op)
{
    free(op);
}

void fs_init(struct worker *home, struct store *store)
{
    fs_store = store;
    fs_home = home;
}

bool fs_flush(void)
{
    loop_check(&fs_home->loop);
    bool busy = false;
    pthread_mutex_lock(&all_lock);
    for (struct fs *fs = all; fs; fs = fs->next) {
        if (!fs->error && cache_flush(fs, NULL))
            journal_send(fs);
        busy |= fs->flight != NULL;
    }
    pthread_mutex_unlock(&all_lock);
    return busy;
}

struct fs *fs_of_app(const char *app)
{
    char name[KV_NAMESPACE_MAX];
    pthread_mutex_lock(&all_lock);
    struct fs *fs = all;
    while (fs && strcmp(fs->app, app) != 0)
        fs = fs->next;
    if (!fs && fs_home && strlen(app) < sizeof fs->app && (fs = calloc(1, sizeof *fs))) {
        strcpy(fs->app, app);
        snprintf(name, sizeof name, "app:%s:fs", app);
        fs->ns = kv_namespace_open(fs_store, name);
        fs->root = (struct fs_node){.directory = true, .known = true};
        fs->waiting_end = &fs->waiting;
        fs->pending_end = &fs->pending;
        fs->next = all;
        if (fs->ns) {
            all = fs;
        } else {
            free(fs);
            fs = NULL;
        }
    }
    pthread_mutex_unlock(&all_lock);
    return fs;
}
