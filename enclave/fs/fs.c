/*
 * How operations travel: from the caller's worker to the home worker, where they run until they need not wait any
 * more, and back. And the file systems that there are.
 */
#include "enclave/fs/fs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/references.h"
#include "enclave/fs/internal.h"

static void deliver(struct loop_task *task)
{
    struct fs_op *op = CONTAINER_OF(task, struct fs_op, errand.task);
    errand_end(&op->errand);
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
        node_put(op->fs, op->node);
    if (op->to)
        node_put(op->fs, op->to);
}

/* false: it waits. */
static bool advance(struct fs_op *op)
{
    ENSURE(!op->next);
    ENSURE(op->errand.state == ERRAND_SENT);
    int error = fs_run(op);
    if (error == -EAGAIN)
        return false;
    op->error = error;
    put_nodes(op);
    journal_send(op->fs);
    errand_return(&op->errand, &op->fs->home->worker->loop, deliver);
    return true;
}

static void wait(struct fs_op *op)
{
    struct fs *fs = op->fs;
    ENSURE(!op->next);
    *fs->waiting_end = op;
    fs->waiting_end = &op->next;
}

/* ---- the end of a file system ------------------------------------------------------------------------------------ */

static void fs_free(struct fs *fs)
{
    ENSURE(!fs->waiting && !fs->flight && fs->fetches == 0);
    cache_forget(fs, NULL, 0);
    ENSURE(fs->cached_count == 0 && fs->dirty_count == 0);
    journal_deinit(fs);
    tree_deinit(fs);
    kv_namespace_close(fs->ns);
    free(fs);
}

/* Out of the list, where nobody finds it any more. False: somebody uses it, or has just given it up, and the task that
 * says so is on its way here. */
static bool leave_list(struct fs *fs)
{
    struct fs_home *home = fs->home;
    ENSURE(!fs->flight && fs->fetches == 0);
    pthread_mutex_lock(&home->lock);
    bool unused = atomic_load(&fs->refs) == 0 && !atomic_load(&fs->unused.queued);
    struct fs **at = &home->all;
    while (unused && *at != fs) {
        ENSURE(*at); /* it is in the list */
        at = &(*at)->next;
    }
    if (unused)
        *at = fs->next;
    pthread_mutex_unlock(&home->lock);
    return unused;
}

/* Nobody uses it any more: its app was removed. What is not written yet is, if that can be; then it goes. */
static void retire(struct fs *fs)
{
    fs_enter(fs);
    if (atomic_load(&fs->refs) > 0 || fs->flight || fs->fetches > 0)
        return;
    if (!fs->error && cache_flush(fs, NULL))
        journal_send(fs);
    if (!fs->flight && leave_list(fs)) /* else its answer leads here again */
        fs_free(fs);
}

static void on_unused(struct loop_task *task)
{
    retire(CONTAINER_OF(task, struct fs, unused));
}

void fs_unref(struct fs *fs)
{
    if (!fs)
        return;
    struct fs_home *home = fs->home;
    unsigned refs = atomic_load(&fs->refs);
    ENSURE(home && refs > 0);
    while (refs > 1)
        if (atomic_compare_exchange_weak(&fs->refs, &refs, refs - 1))
            return;
    /* The last one, as it seems: under the lock, or what is posted here could be freed by who comes in between. */
    pthread_mutex_lock(&home->lock);
    ENSURE(fs->unused.fn == on_unused);
    if (references_give(&fs->refs))
        loop_post_remote(&home->worker->loop, &fs->unused);
    pthread_mutex_unlock(&home->lock);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

/* Something that operations may have waited for has come. */
static void wake(struct fs *fs)
{
    fs_enter(fs);
    struct fs_op *op = fs->waiting;
    fs->waiting = NULL;
    fs->waiting_end = &fs->waiting;
    while (op) {
        struct fs_op *next = op->next;
        op->next = NULL;
        if (!advance(op))
            wait(op);
        op = next;
    }
    retire(fs);
}

static void arrive(struct loop_task *task)
{
    struct fs_op *op = CONTAINER_OF(task, struct fs_op, errand.task);
    hold_nodes(op);
    if (!advance(op))
        wait(op);
}

void fs_submit(struct fs_op *op)
{
    ENSURE(op);
    ENSURE(op->fs && op->origin);
    errand_send(&op->errand, &op->origin->loop, &op->fs->home->worker->loop, arrive);
}

struct fs_op *fs_op_new(struct worker *origin, struct fs *fs, enum fs_call call, struct fs_node *node, const char *path,
                        size_t path_size, const char *to_path, size_t to_path_size, size_t bytes)
{
    ENSURE(origin && fs);
    ENSURE((path || path_size == 0) && (to_path || to_path_size == 0));
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
    references_take(&fs->refs);
    char *at = (char *)op->buffer + bytes;
    op->path = path_size ? memcpy(at, path, path_size) : at;
    op->to_path = to_path_size ? memcpy(at + path_size, to_path, to_path_size) : at;
    return op;
}

void fs_op_free(struct fs_op *op)
{
    if (!op)
        return;
    fs_unref(op->fs);
    free(op);
}

struct fs_home *fs_home_new(struct worker *worker, struct store *store)
{
    ENSURE(worker);
    loop_check(&worker->loop);
    struct fs_home *home = calloc(1, sizeof *home);
    if (!home)
        return NULL;
    home->worker = worker;
    home->store = store;
    home->wake = wake;
    pthread_mutex_init(&home->lock, NULL);
    return home;
}

bool fs_flush(struct fs_home *home)
{
    ENSURE(home);
    loop_check(&home->worker->loop);
    bool busy = false;
    pthread_mutex_lock(&home->lock);
    for (struct fs *fs = home->all; fs; fs = fs->next) {
        if (!fs->error && cache_flush(fs, NULL))
            journal_send(fs);
        busy |= fs->flight != NULL;
    }
    pthread_mutex_unlock(&home->lock);
    return busy;
}

/* Under the lock. */
static struct fs *fs_new(struct fs_home *home, const char *app)
{
    char name[KV_NAMESPACE_MAX];
    ENSURE(!home->all || home->all->home == home);
    ENSURE(pthread_mutex_trylock(&home->lock) == EBUSY);
    struct fs *fs = strlen(app) < sizeof fs->app ? calloc(1, sizeof *fs) : NULL;
    if (!fs)
        return NULL;
    strcpy(fs->app, app);
    snprintf(name, sizeof name, "app:%s:fs", app);
    fs->home = home;
    fs->unused.fn = on_unused;
    fs->ns = kv_namespace_open(home->store, name);
    if (!fs->ns) {
        free(fs);
        return NULL;
    }
    fs->root = (struct fs_node){.directory = true, .known = true};
    fs->waiting_end = &fs->waiting;
    journal_init(fs);
    fs->next = home->all;
    return home->all = fs;
}

struct fs *fs_of_app(struct fs_home *home, const char *app)
{
    ENSURE(app);
    if (!home)
        return NULL;
    pthread_mutex_lock(&home->lock);
    struct fs *fs = home->all;
    while (fs && strcmp(fs->app, app) != 0)
        fs = fs->next;
    if (!fs)
        fs = fs_new(home, app);
    ENSURE(!fs || fs->home == home);
    if (fs)
        atomic_fetch_add(&fs->refs, 1); /* maybe from 0: it is here, and stays */
    pthread_mutex_unlock(&home->lock);
    return fs;
}
