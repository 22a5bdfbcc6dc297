/*
 * Changes go one at a time, in order, and each is answered once: with a store, certificates and an owner's loop that
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
#include "enclave/service/attest.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/wasm/app.h"

struct system enclave_system;

struct trial {
    struct change change; /* first */
    char name;
    bool bad, hold; /* prepare fails; prepare waits for let_go */
};

static pthread_mutex_t steps_lock = PTHREAD_MUTEX_INITIALIZER;
static char steps[256]; /* what happened to whom, in order */
static size_t step_count;
static int commit_refused, commit_error, attest_refused, attest_error;
static bool no_generation, no_installation;
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
    assert_int_equal(count, 2); /* the change, and the generation's record */
    assert_memory_equal(ops[0].key, "key", 3);
    assert_memory_equal(ops[0].value, "value", 5);
    assert_memory_equal(ops[1].key, GENERATION_KEY, strlen(GENERATION_KEY));
    assert_int_equal(ops[1].value_size, GENERATION_RECORD_SIZE);
    note('c', user);
    return answer_later(commit_refused, commit_error, done, user);
}

static uint64_t number = 1; /* in force */
static struct app_table *const some_apps = (struct app_table *)&number;
static struct generation *next; /* the last that was made */
static int generations;         /* alive */
static int installations;

static void release_generation(struct http_site *site)
{
    free(generation_of(site));
    generations--;
}

struct generation *generation_make(uint64_t asked, struct app_table *apps, struct egress_trust *trust,
                                   struct administrators *administrators)
{
    assert_null(administrators);
    assert_int_equal(asked, number + 1);
    assert_ptr_equal(apps, some_apps);
    assert_null(trust);
    if (no_generation)
        return NULL;
    next = calloc(1, sizeof *next);
    assert_non_null(next);
    http_site_init(&next->site, asked, apps, release_generation);
    generations++;
    return next;
}

void generation_record(const struct generation *g, uint8_t record[GENERATION_RECORD_SIZE])
{
    memset(record, (int)g->site.number, GENERATION_RECORD_SIZE);
}

uint64_t generations_next(void)
{
    return number + 1;
}

void administrators_unref(struct administrators *a)
{
    assert_null(a);
}

void egress_trust_unref(struct egress_trust *t)
{
    assert_null(t);
}

static struct {
    attest_done done;
    void *user;
} attesting;

static void on_attested(void *user, int error)
{
    (void)user;
    attesting.done(attesting.user, error, error ? NULL : (SSL_CTX *)&number);
}

int attest(struct generation *g, attest_done done, void *user)
{
    assert_ptr_equal(g, next);
    note('s', user);
    attesting.done = done;
    attesting.user = user;
    return answer_later(attest_refused, attest_error, on_attested, user);
}

struct installation *installation_new(struct generation *g, SSL_CTX *tls)
{
    assert_ptr_equal(tls, &number);
    if (no_installation)
        return NULL;
    http_site_ref(&g->site);
    installations++;
    return (struct installation *)g;
}

void installation_free(struct installation *i)
{
    if (i) {
        installations--;
        http_site_unref(&((struct generation *)i)->site);
    }
}

static void (*installed)(void *user);

static void on_installed(void *user, int error)
{
    (void)error;
    number++;
    installation_free((struct installation *)next);
    installed(user);
}

static uint64_t cut_ns;

void installation_begin(struct installation *i, uint64_t ns, void (*done)(void *user), void *user)
{
    assert_ptr_equal(i, next);
    note('i', user);
    cut_ns = ns;
    installed = done;
    answer_later(0, 0, on_installed, user);
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
    const struct kv_op op = {KV_PUT, NULL, "key", 3, "value", 5};
    note('w', (struct trial *)change);
    change_propose(change, some_apps, NULL, NULL, &op, 1);
}

static void committed(struct change *change)
{
    note('k', (struct trial *)change);
}

static void undo(struct change *change)
{
    note('u', (struct trial *)change);
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

static const struct change_ops ops = {prepare, write_it, committed, undo, describe, release};

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
    commit_refused = commit_error = attest_refused = attest_error = 0;
    no_generation = no_installation = false;
    assert_int_equal(installations, 0);
    assert_int_equal(generations, 0);
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
    assert_true(strstr(steps, "ia") < strstr(steps, "pb")); /* b is not begun before a is in force */
    expect_steps('a', "pwsckir");
    expect_steps('b', "pwsckir");
    expect_answers("201{\"name\":\"a\",\"generation\":2};201{\"name\":\"b\",\"generation\":3};");
}

static void connections_before_have_their_time(void **state)
{
    (void)state;
    struct trial *t = trial('a');
    ask(t);
    until_answered();
    assert_true(cut_ns > 1);
    t = trial('b');
    t->change.cut_now = true;
    ask(t);
    until_answered();
    assert_int_equal(cut_ns, 1 + 1000000000); /* as soon as it is answered */
    expect_answers("201{\"name\":\"a\",\"generation\":4};201{\"name\":\"b\",\"generation\":5};");
}

static void what_fails_changes_nothing(void **state)
{
    (void)state;
#define NO_MEMORY "503{\"error\":\"no memory is left for it: nothing was changed\"};"
#define NO_CERTIFICATE \
    "503{\"error\":\"there is no certificate for it (error %d, and the host's log says why): nothing was changed\"};"
#define REFUSED "503{\"error\":\"the store refused the change (error %d): nothing was changed\"};"
    char said[256];
    struct trial *bad = trial('x');
    bad->bad = true;
    ask(bad);
    expect('x', "pr", "422{\"error\":\"x is bad\"};");
    no_generation = true;
    ask(trial('a'));
    expect('a', "pwur", NO_MEMORY);
    attest_refused = -ENOMEM;
    ask(trial('b'));
    expect('b', "pwsur", NO_MEMORY);
    attest_error = -EIO;
    snprintf(said, sizeof said, NO_CERTIFICATE, EIO);
    ask(trial('c'));
    expect('c', "pwsur", said);
    no_installation = true;
    snprintf(said, sizeof said, NO_CERTIFICATE, ENOMEM);
    ask(trial('d'));
    expect('d', "pwsur", said);
    commit_refused = -ENOMEM;
    snprintf(said, sizeof said, REFUSED, ENOMEM);
    ask(trial('y'));
    expect('y', "pwscr", said);
    commit_error = -ENOTRECOVERABLE; /* nobody knows */
    ask(trial('u'));
    expect('u', "pwscr",
           "503{\"error\":\"the store takes no more changes: whether it has this one shows at the next start\"};");
    commit_error = -ENOSPC;
    snprintf(said, sizeof said, REFUSED, ENOSPC);
    ask(trial('z'));
    expect('z', "pwscr", said);
}

static struct trial *broken;

static void ask_twice(void)
{
    broken->change.step = CHANGE_WAITS;
    change_ask(&broken->change, enclave_system.owner, on_done, &open_answers);
}

static void propose_unwritten(void)
{
    const struct kv_op op = {KV_PUT, NULL, "key", 3, "value", 5};
    change_propose(&broken->change, some_apps, NULL, NULL, &op, 1);
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

static bool revoked; /* who asks */

static bool may_begin(const void *user, char *why, size_t why_size)
{
    assert_ptr_equal(user, &open_answers);
    snprintf(why, why_size, "revoked");
    return !revoked;
}

/* Whoever was revoked while the change waited or was prepared writes nothing any more. */
static void revoked_askers_change_nothing(void **state)
{
    (void)state;
    change_judge_by(may_begin);
    ask(trial('a'));
    until_answered();
    expect_steps('a', "pwsckir");
    answers[0] = steps[step_count = 0] = 0;
    revoked = true;
    ask(trial('b'));
    expect('b', "pr", "403{\"error\":\"revoked\"};");
    struct trial *bad = trial('x');
    bad->bad = true;
    ask(bad);
    expect('x', "pr", "422{\"error\":\"x is bad\"};");
    revoked = false;
    ask(trial('c'));
    until_answered();
    expect_steps('c', "pwsckir");
    answers[0] = steps[step_count = 0] = 0;
}

static void steps_are_kept(void **state)
{
    (void)state;
    broken = trial('!');
    assert_true(stops(ask_twice, "c->step == from"));
    assert_true(stops(propose_unwritten, "c->step == from"));
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
        cmocka_unit_test(connections_before_have_their_time),
        cmocka_unit_test(what_fails_changes_nothing),
        cmocka_unit_test(revoked_askers_change_nothing),
        cmocka_unit_test(steps_are_kept),
        cmocka_unit_test(stopping_drops_what_has_not_begun),
    };
    enclave_system.owner = &enclave_system.workers[0];
    if (loop_init(&enclave_system.owner->loop, NULL) != 0 || pthread_create(&thread, NULL, change_thread, NULL) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
