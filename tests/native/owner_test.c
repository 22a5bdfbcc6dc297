/*
 * What belongs to one thread stops whoever calls from another: each door in turn, in a process of its own, from a
 * second thread; and each lets its own thread in.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enclave/ratls/crowd.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/store.h"
#include "enclave/thread/worker.h"
#include "tests/native/host_memory.h"

static struct worker worker;
static struct loop_task task;
static struct loop_timer timer;
static struct crowd_limits limits;
static struct crowd crowd;
static struct crowd_member member;
static struct kv_namespace *names;

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

static void do_get(void)
{
    (void)!kv_get(&worker, names, "k", 1, NULL, NULL);
}

static void do_each(void)
{
    (void)!kv_each(names, visit, NULL);
}

static void do_flush(void)
{
    store_flush();
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

static const struct door {
    const char *name;
    void (*go)(void);
    bool anybody;
} doors[] = {
    {"loop_post", do_post, false},
    {"loop_timer_start", do_timer_start, false},
    {"loop_timer_stop", do_timer_stop, false},
    {"loop_run_once", do_run, false},
    {"loop_next_deadline", do_deadline, false},
    {"crowd_join", do_join, false},
    {"crowd_leave", do_leave, false},
    {"crowd_progress", do_progress, false},
    {"crowd_look", do_look, false},
    {"kv_get", do_get, false},
    {"kv_each", do_each, false},
    {"store_flush", do_flush, false},
    {"loop_post_remote", do_remote, true},
    {"loop_take, loop_run_once", do_taken, true},
};

static void prepare(void)
{
    static const uint8_t master[32] = {1};
    char error[256];
    task.fn = run_task;
    timer.fn = run_timer;
    if (host_memory_worker(&worker) != 0 || store_open(&worker, master, (const uint8_t *)"m", 1, error, sizeof error))
        exit(2);
    names = kv_namespace_open("app:x:kv:");
    crowd_limits_init(&limits, 1 << 20, 100);
    crowd_init(&crowd, &limits, &worker.loop, NULL);
    if (!crowd_join(&crowd, &member, 1000))
        exit(2);
}

static void *from_another(void *go)
{
    ((const struct door *)go)->go();
    return NULL;
}

/* The status of a process that prepares everything and goes through the door. */
static int try_door(const struct door *door, bool other)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        prepare();
        if (!other)
            door->go();
        else if (pthread_create(&thread, NULL, from_another, (void *)door) != 0 || pthread_join(thread, NULL) != 0)
            _exit(2);
        _exit(0);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

int main(void)
{
    int failures = 0;
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
        int own = try_door(&doors[i], false), other = try_door(&doors[i], true);
        bool stopped = WIFSIGNALED(other) && WTERMSIG(other) == SIGABRT;
        bool right = own == 0 && (doors[i].anybody ? other == 0 : stopped);
        printf("%s %s: own %d, another's %d\n", right ? "ok  " : "FAIL", doors[i].name, own, other);
        failures += !right;
    }
    return failures > 0;
}
