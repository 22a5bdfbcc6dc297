/*
 * The doors of what can be tried without an enclave: the loop, the crowd, the store and the file system.
 */
#include "tests/native/doors.h"

#include <errno.h>

#include "enclave/fs/internal.h"
#include "enclave/kvstore/internal.h"

#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/store.h"
#include "enclave/ratls/crowd.h"
#include "enclave/thread/worker.h"
#include "tests/native/host_memory.h"

static struct worker worker;
static struct loop_task task;
static struct loop_timer timer;
static struct crowd_limits limits;
static struct crowd crowd;
static struct crowd_member member;
static struct store *store;
static struct kv_namespace *names;
static struct fs_home *home;
static struct fs *files;

static void run_task(struct loop_task *t)
{
    (void)t;
}

static void run_timer(struct loop_timer *t)
{
    (void)t;
}

static bool visit(void *user, const uint8_t *key, size_t size)
{
    (void)user, (void)key, (void)size;
    return true;
}

static void do_post(void)
{
    loop_post(&worker.loop, &task);
}

static void do_timer_start(void)
{
    (void)!loop_timer_start(&worker.loop, &timer, 1);
}

static void do_timer_stop(void)
{
    loop_timer_stop(&worker.loop, &timer);
}

static void do_run(void)
{
    loop_run_once(&worker.loop, 1);
}

static void do_deadline(void)
{
    loop_next_deadline(&worker.loop);
}

static void do_join(void)
{
    struct crowd_member other;
    crowd_join(&crowd, &other, 1);
    if (getpid() > 0 && crowd.newest == &other)
        crowd_leave(&crowd, &other);
}

static void do_leave(void)
{
    crowd_leave(&crowd, &member);
}

static void do_progress(void)
{
    crowd_progress(&crowd, &member);
}

static void do_look(void)
{
    crowd_look(&crowd);
}

static void got(void *user, int error, const uint8_t *value, size_t size)
{
    (void)user, (void)error, (void)value, (void)size;
}

static void do_get(void)
{
    (void)!kv_get(&worker, names, "k", 1, got, NULL);
}

static void do_each(void)
{
    (void)!kv_each(names, visit, NULL);
}

static int keep(void *user, const uint8_t *value, size_t size, uint8_t **out, size_t *out_size)
{
    (void)user, (void)value, (void)size, (void)out, (void)out_size;
    return -ECANCELED;
}

static void existed(void *user, int error)
{
    (void)user, (void)error;
}

static void listed(void *user, int error, const struct kv_name *list, size_t count, uint64_t cursor)
{
    (void)user, (void)error, (void)list, (void)count, (void)cursor;
}

static void do_exists(void)
{
    (void)!kv_exists(&worker, names, "k", 1, existed, NULL);
}

static void do_list(void)
{
    (void)!kv_list(&worker, names, 0, listed, NULL);
}

static void do_commit(void)
{
    struct kv_op op = {KV_PUT, names, "k", 1, "v", 1};
    (void)!kv_commit(&worker, &op, 1, NULL, NULL);
}

static void do_update(void)
{
    (void)!kv_update(&worker, names, "k", 1, keep, NULL, NULL);
}

static void do_remove(void)
{
    struct kv_namespace *all = kv_namespace_open(store, "app:x");
    (void)!kv_namespace_remove(&worker, all, existed, NULL);
    kv_namespace_close(all);
}

static void do_begin(void)
{
    store_close(store);
    (void)!store_begin(store, (const uint8_t[32]){1}, (const uint8_t *)"m", 1);
}

static void do_outcome(void)
{
    struct root after = {0};
    (void)!outcome_send(store, &after, (const uint8_t *)"", 0, existed, NULL);
}

static void do_memory(void)
{
    kv_memory(names);
}

static void do_flush(void)
{
    store_flush(store);
}

static void do_close(void)
{
    store_close(store);
}

static void do_proceed(void)
{
    schedule_proceed(store);
}

static void do_finish(void)
{
    struct kv_op op = {KV_PUT, names, "k", 1, "v", 1};
    struct job *j = job_new(store, &worker, JOB_COMMIT, &op, 1, NULL);
    j->running = true;
    j->errand.asker = &worker.loop;
    j->errand.state = ERRAND_SENT;
    *store->jobs.end = j;
    store->jobs.end = &j->next;
    job_finish(j, -EIO);
}

static struct fs_op *stat_root(void)
{
    struct fs_op *op = fs_op_new(&worker, files, FS_STAT, NULL, NULL, 0, NULL, 0, 0);
    op->flags = FS_SELF;
    return op;
}

static void do_submit(void)
{
    fs_submit(stat_root());
}

static void do_fs_run(void)
{
    fs_run(stat_root());
}

static void do_wake(void)
{
    home->wake(files);
}

static void do_fs_flush(void)
{
    fs_flush(home);
}

static void do_fs_check(void)
{
    fs_check(files);
}

static void do_check(void)
{
    store_check(store);
}

static void do_remote(void)
{
    loop_post_remote(&worker.loop, &task);
}

static void do_taken(void)
{
    loop_take(&worker.loop);
    loop_run_once(&worker.loop, 1);
}

static const struct door doors[] = {
    {"loop_post", do_post, OWN},
    {"loop_timer_start", do_timer_start, OWN},
    {"loop_timer_stop", do_timer_stop, OWN},
    {"loop_run_once", do_run, OWN},
    {"loop_next_deadline", do_deadline, OWN},
    {"crowd_join", do_join, OWN},
    {"crowd_leave", do_leave, OWN},
    {"crowd_progress", do_progress, OWN},
    {"crowd_look", do_look, OWN},
    {"kv_get", do_get, OWN},
    {"kv_each", do_each, OWN},
    {"kv_exists", do_exists, OWN},
    {"kv_list", do_list, OWN},
    {"kv_commit", do_commit, OWN},
    {"kv_update", do_update, OWN},
    {"kv_namespace_remove", do_remove, OWN},
    {"store_begin", do_begin, OWN},
    {"outcome_send", do_outcome, OWN},
    {"kv_memory", do_memory, OWN},
    {"store_flush", do_flush, OWN},
    {"store_close", do_close, OWN},
    {"schedule_proceed", do_proceed, OWN},
    {"job_finish", do_finish, OWN},
    {"fs_submit", do_submit, OWN},
    {"fs_run", do_fs_run, OWN},
    {"wake", do_wake, OWN},
    {"fs_flush", do_fs_flush, OWN},
    {"fs_check", do_fs_check, OWN},
    {"store_check", do_check, OWN},
    {"loop_post_remote", do_remote, ANYBODY},
    {"loop_take, loop_run_once", do_taken, ANYBODY},
};

static void prepare(void)
{
    static const uint8_t master[32] = {1};
    char error[256];
    task.fn = run_task;
    timer.fn = run_timer;
    if (host_memory_worker(&worker) != 0 || !(store = store_new(&worker)) ||
        store_begin(store, master, (const uint8_t *)"m", 1) || store_create(store, NULL, 0, error, sizeof error))
        exit(2);
    names = kv_namespace_open(store, "app:x:kv:");
    home = fs_home_new(&worker, store);
    files = fs_of_app(home, "x");
    if (!files)
        exit(2);
    crowd_limits_init(&limits, 1 << 20, 100);
    crowd_init(&crowd, &limits, &worker.loop, NULL);
    if (!crowd_join(&crowd, &member, 1000))
        exit(2);
}

int main(void)
{
    return doors_try(doors, sizeof doors / sizeof *doors, prepare) > 0;
}
