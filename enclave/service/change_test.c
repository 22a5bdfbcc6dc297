/*
 * Changes go one at a time, in order, and each is answered once: with a store, a certificate and an owner's loop that
 * the test plays. The compiler's thread is a real one.
 */
#include "enclave/service/change.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/testing/stops.h"
#include "enclave/service/identity.h"
#include "enclave/service/system.h"

struct system enclave_system;

struct trial {
    struct change change; /* first */
    char name;
    bool bad, hold; /* prepare fails; prepare waits for let_go */
};

static pthread_mutex_t steps_lock = PTHREAD_MUTEX_INITIALIZER;
static char steps[256]; /* what happened to whom, in order */
static size_t step_count;
static int commit_refused, commit_error, show_refused, show_error;
static atomic_bool held, let_go;
static char answers[1024];
static pthread_t thread;

static void note(char what, const struct trial *t)
{
    pthread_mutex_lock(&steps_lock);
    steps[step_count++] = what;
    steps[step_count++] = t->name;
    steps[step_count] = 0;
    pthread_mutex_unlock(&steps_lock);
}

/* ---- what changes need ------------------------------------------------------------------------------------------- */

static struct {
    struct loop_task task;
    void (*done)(void *user, int error);
    void *user;
    int error;
} later;

static void on_later(struct loop_task *task)
{
    (void)task;
    later.done(later.user, later.error);
}

static int answer_later(int refused, int error, void (*done)(void *user, int error), void *user)
{
    if (refused)
        return refused;
    later.task.fn = on_later;
    later.done = done;
    later.user = user;
    later.error = error;
    loop_post(&enclave_system.owner->loop, &later.task);
    return 0;
}

int kv_commit(struct worker *w, const struct kv_op *ops, size_t count, kv_done done, void *user)
{
    assert_ptr_equal(w, enclave_system.owner);
    assert_int_equal(count, 1);
    note('c', user);
    return answer_later(commit_refused, commit_error, done, user);
}

int identity_refresh(void (*done)(void *user, int error), void *user)
{
    note('s', user);
    return answer_later(show_refused, show_error, done, user);
}

/* ---- a change ---------------------------------------------------------------------------------------------------- */

static void prepare(struct change *change)
{
    struct trial *t = (struct trial *)change;
    note('p', t);
    atomic_store(&held, t->hold);
    while (t->hold && !atomic_load(&let_go))
        sched_yield();
    if (t->bad)
        change_fail(change, 422, "%c is bad", t->name);
}

static void write_it(struct change *change)
{
    static const struct kv_op op;
    note('w', (struct trial *)change);
    change_commit(change, &op, 1);
}

static void install(struct change *change)
{
    note('i', (struct trial *)change);
}

static json_t *describe(const struct change *change)
{
    return json_pack("{s:s#}", "name", &((const struct trial *)change)->name, 1);
}

static void release(struct change *change)
{
    note('r', (struct trial *)change);
    free(change);
}

static const struct change_ops ops = {prepare, write_it, install, describe, release};

static void on_done(void *user, int status, const char *json)
{
    size_t at = strlen(answers);
    snprintf(answers + at, sizeof answers - at, "%d%s;", status, json);
    --*(int *)user;
}

static struct trial *trial(char name)
{
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->change.ops = &ops;
    t->change.success = 201;
    t->name = name;
    return t;
}

static int open_answers;

static void ask(struct trial *t)
{
    open_answers++;
    change_ask(&t->change, enclave_system.owner, on_done, &open_answers);
}

static void until_answered(void)
{
    while (open_answers > 0)
        if (!loop_run_once(&enclave_system.owner->loop, 1))
            sched_yield();
}

/* What happened to the change of that name; the next one's preparation and this one's answer may cross. */
static void expect_steps(char name, const char *expected)
{
    char found[64];
    size_t size = 0;
    for (size_t i = 0; i < step_count; i += 2)
        if (steps[i + 1] == name)
            found[size++] = steps[i];
    found[size] = 0;
    assert_string_equal(found, expected);
}

static void expect_answers(const char *said)
{
    assert_string_equal(answers, said);
    steps[step_count = 0] = answers[0] = 0;
    commit_refused = commit_error = show_refused = show_error = 0;
}

static void expect(char name, const char *happened, const char *said)
{
    until_answered();
    expect_steps(name, happened);
    expect_answers(said);
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static void changes_go_in_order(void **state)
{
    (void)state;
    ask(trial('a'));
    ask(trial('b'));
    until_answered();
    assert_true(strstr(steps, "sa") < strstr(steps, "pb")); /* b is not begun before a is shown */
    expect_steps('a', "pwcisr");
    expect_steps('b', "pwcisr");
    expect_answers("201{\"name\":\"a\"};201{\"name\":\"b\"};");
}

static void what_fails_changes_nothing(void **state)
{
    (void)state;
    struct trial *bad = trial('x');
    bad->bad = true;
    ask(bad);
    expect('x', "pr", "422{\"error\":\"x is bad\"};");
    commit_refused = -ENOMEM;
    ask(trial('y'));
    expect('y', "pwcr", "503{\"error\":\"the store refused the change (error 12)\"};");
    commit_error = -ENOSPC;
    ask(trial('z'));
    expect('z', "pwcr", "503{\"error\":\"the store refused the change (error 28)\"};");
}

static void what_is_in_force_says_so(void **state)
{
    (void)state;
    show_refused = -ENOMEM;
    ask(trial('a'));
    expect('a', "pwcisr", "503{\"error\":\"in force, but no new certificate could be made (error 12)\"};");
    show_error = -EIO;
    ask(trial('a'));
    expect('a', "pwcisr", "503{\"error\":\"in force, but no new certificate could be made (error 5)\"};");
}

static struct trial *broken;

static void ask_twice(void)
{
    broken->change.step = CHANGE_WAITS;
    change_ask(&broken->change, enclave_system.owner, on_done, &open_answers);
}

static void commit_unwritten(void)
{
    static const struct kv_op op;
    change_commit(&broken->change, &op, 1);
}

static void fail_twice(void)
{
    broken->change.step = CHANGE_PREPARES;
    change_fail(&broken->change, 503, "once");
    change_fail(&broken->change, 503, "twice");
}

static void fail_too_late(void)
{
    broken->change.step = CHANGE_COMMITS;
    change_fail(&broken->change, 503, "it is on its way");
}

static void steps_are_kept(void **state)
{
    (void)state;
    broken = trial('!');
    assert_true(stops(ask_twice, "c->step == from"));
    assert_true(stops(commit_unwritten, "c->step == from"));
    assert_true(stops(fail_twice, "c->status == 0"));
    assert_true(stops(fail_too_late, "c->step == CHANGE_PREPARES || c->step == CHANGE_WRITES"));
    free(broken);
}

/* The last: there is no way back from it. */
static void stopping_drops_what_has_not_begun(void **state)
{
    (void)state;
    struct trial *first = trial('a');
    first->hold = true;
    ask(first);
    ask(trial('b'));
    while (!atomic_load(&held))
        sched_yield();
    assert_true(change_is_preparing());
    assert_int_equal(changes_waiting(), 1);
    change_stop();
    assert_true(change_is_stopping());
    ask(trial('c'));
#define SAID "503{\"error\":\"the server is stopping: nothing was changed\"};"
    until_answered();
    expect_steps('a', "p"); /* it is left to the thread */
    expect_steps('b', "r");
    expect_steps('c', "r");
    expect_answers(SAID SAID SAID);
    atomic_store(&let_go, true);
    pthread_join(thread, NULL);
    assert_false(change_is_preparing());
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_go_in_order),
        cmocka_unit_test(what_fails_changes_nothing),
        cmocka_unit_test(what_is_in_force_says_so),
        cmocka_unit_test(steps_are_kept),
        cmocka_unit_test(stopping_drops_what_has_not_begun),
    };
    enclave_system.owner = &enclave_system.workers[0];
    if (loop_init(&enclave_system.owner->loop, NULL) != 0 || pthread_create(&thread, NULL, change_thread, NULL) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
