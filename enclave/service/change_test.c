/*
 * Changes go one at a time, in order, and each is answered once: with a store, certificates and an owner's loop that
 * the test plays. The compiler's thread is a real one.
 */
#include "enclave/kvstore/store.h"
#include "enclave/service/change.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/container.h"
#include "common/testing/stops.h"
#include "enclave/early/ecall.h"
#include "enclave/service/attest.h"
#include "enclave/service/authority.h"
#include "enclave/service/chronicle.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/system.h"
#include "enclave/service/witnessing.h"
#include "enclave/thread/rpc_client.h"

struct system enclave_system = {.history = (struct history *)"log"};

static struct generation *next; /* the last that was made */

struct trial {
    struct change change; /* first */
    char name;
    bool bad, hold; /* prepare fails; prepare waits for let_go */
    bool bad_write; /* write fails */
};

static pthread_mutex_t steps_lock = PTHREAD_MUTEX_INITIALIZER;
static char steps[256]; /* what happened to whom, in order */
static size_t step_count;
static int commit_refused, commit_error, attest_refused, attest_error;
static bool no_generation, no_installation;
static atomic_bool held, let_go;
static char answers[1024];
static pthread_t thread;
static uint64_t log_size_now(void);

static void note(char what, const struct trial *t)
{
    pthread_mutex_lock(&steps_lock);
    steps[step_count++] = what;
    steps[step_count++] = t->name;
    steps[step_count] = 0;
    pthread_mutex_unlock(&steps_lock);
}

/* ---- what changes need ------------------------------------------------------------------------------------------- */

static struct run_args args;
static char logged[256];

void rpc_log(struct rpc_client *rpc, enum log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(logged, sizeof logged, format, arguments);
    va_end(arguments);
}

const struct run_args *ecall_run_args(void)
{
    return &args;
}

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

/* Witnesses: they cosign at once, or are not there. */
static bool are_witnesses;
static struct witness_wait *awaiting;
static struct loop_task cosigned_task;

static void on_cosigned(struct loop_task *task)
{
    (void)task;
    awaiting->fn(awaiting, 2);
}

bool witnessing_await(struct witness_wait *wait, uint64_t size)
{
    if (!are_witnesses)
        return false;
    assert_int_equal(size, log_size_now());
    awaiting = wait;
    cosigned_task.fn = on_cosigned;
    loop_post(&enclave_system.owner->loop, &cosigned_task);
    return true;
}

/* The history: whose turn it is, and what is in the log, made or only prepared. */
static struct history_turn *whose;
static const struct kv_op entry_op = {KV_PUT, NULL, "entry", 5, "{}", 2};
static struct history_append prepared = {.ops = &entry_op, .count = 1};
static uint64_t log_size = 7;
static bool is_prepared;

static uint64_t log_size_now(void)
{
    return log_size;
}

static int prepare_error;

static void on_turn(struct loop_task *task)
{
    whose->fn(whose);
}

void history_turn_take(struct history *h, struct history_turn *turn, void (*fn)(struct history_turn *turn))
{
    assert_null(whose);
    assert_null(turn->history);
    whose = turn;
    turn->history = h;
    turn->fn = fn;
    turn->task.fn = on_turn;
    loop_post(&enclave_system.owner->loop, &turn->task);
}

void history_turn_end(struct history_turn *turn)
{
    assert_ptr_equal(turn, whose);
    assert_false(is_prepared);
    turn->history = NULL;
    whose = NULL;
}

struct history_entry chronicle_entry_of(const struct generation *g, const struct change_subject *subject,
                                        const struct authors *authors)
{
    assert_ptr_equal(g, next);
    assert_string_equal(subject->what, "trial");
    assert_int_equal(authors->count, 1);
    return (struct history_entry){.kind = "generation"};
}

int history_prepare(struct history_turn *turn, const struct history_entry *entries, size_t count,
                    const struct history_append **out)
{
    assert_ptr_equal(turn, whose);
    assert_false(is_prepared);
    assert_int_equal(count, 1);
    is_prepared = prepare_error == 0;
    prepared.head.size = log_size + 1;
    *out = is_prepared ? &prepared : NULL;
    return prepare_error;
}

void history_made(struct history_turn *turn)
{
    assert_ptr_equal(turn, whose);
    assert_true(is_prepared);
    is_prepared = false;
    log_size++;
}

void history_abandon(struct history_turn *turn)
{
    assert_ptr_equal(turn, whose);
    assert_true(is_prepared);
    is_prepared = false;
}

json_t *chronicle_json(const struct history_head *head)
{
    return json_integer((json_int_t)head->size);
}

int kv_commit(struct worker *w, const struct kv_op *ops, size_t count, kv_done done, void *user)
{
    assert_ptr_equal(w, enclave_system.owner);
    assert_true(is_prepared);
    assert_int_equal(count, 3); /* the change, the generation's record, and its entry in the log */
    assert_memory_equal(ops[2].key, "entry", 5);
    assert_memory_equal(ops[0].key, "key", 3);
    assert_memory_equal(ops[0].value, "value", 5);
    assert_memory_equal(ops[1].key, GENERATION_KEY, strlen(GENERATION_KEY));
    assert_int_equal(ops[1].value_size, GENERATION_RECORD_SIZE);
    note('c', user);
    return answer_later(commit_refused, commit_error, done, user);
}

/* No change here writes beside the store. */
int store_commit_beside(struct store *s, const struct kv_op *ops, size_t count, const struct raw_op *beside,
                        size_t beside_count, kv_done done, void *user)
{
    (void)s, (void)ops, (void)count, (void)beside, (void)beside_count, (void)done, (void)user;
    fail();
    return -ENOSYS;
}

static uint64_t number = 1; /* in force */
static struct app_table *const some_apps = (struct app_table *)&number;
static int generations; /* alive */
static int installations;

static void release_generation(struct http_site *site)
{
    free(generation_of(site));
    generations--;
}

static struct generation in_force;

struct generation *generations_current(void)
{
    http_site_ref(&in_force.site);
    return &in_force;
}

static bool no_draft;
static int drafts; /* that nobody has released */

int generation_parts_of(const struct generation *g, struct generation_parts *out)
{
    assert_ptr_equal(g, &in_force);
    assert_null(out->apps);
    if (no_draft)
        return -ENOMEM;
    out->apps = some_apps;
    drafts++;
    return 0;
}

void generation_parts_release(struct generation_parts *parts)
{
    drafts -= parts->apps != NULL;
    memset(parts, 0, sizeof *parts);
}

struct generation *generation_make(uint64_t asked, struct generation_parts *parts)
{
    assert_int_equal(asked, number + 1);
    assert_ptr_equal(parts->apps, some_apps);
    generation_parts_release(parts);
    if (no_generation)
        return NULL;
    next = calloc(1, sizeof *next);
    assert_non_null(next);
    http_site_init(&next->site, asked, some_apps, release_generation);
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

static struct {
    attest_done done;
    void *user;
} attesting;

static void on_attested(void *user, int error)
{
    (void)user;
    attesting.done(attesting.user, error, error ? NULL : (SSL_CTX *)&number);
}

int attest(struct generation *g, const struct history_head *head, attest_done done, void *user)
{
    assert_int_equal(head->size, log_size + 1);
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
    struct trial *t = CONTAINER_OF(change, struct trial, change);
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
    note('w', CONTAINER_OF(change, struct trial, change));
    assert_ptr_equal(change->draft.apps, some_apps);
    if (CONTAINER_OF(change, struct trial, change)->bad_write)
        change_fail(change, 409, "it is another");
    else
        change_propose(change, &op, 1);
}

static uint64_t clock_ns = 1, committed_ns;

static void committed(struct change *change)
{
    committed_ns = enclave_system.owner->loop.now_ns;
    note('k', CONTAINER_OF(change, struct trial, change));
}

static void undo(struct change *change)
{
    note('u', CONTAINER_OF(change, struct trial, change));
}

static json_t *describe(const struct change *change)
{
    return json_pack("{s:s#}", "name", &CONTAINER_OF(change, const struct trial, change)->name, 1);
}

static void release(struct change *change)
{
    note('r', CONTAINER_OF(change, struct trial, change));
    free(change);
}

static int waits_left; /* how often it is still to be waited for */

static bool waits(const struct change *change)
{
    note('?', CONTAINER_OF(change, const struct trial, change));
    return waits_left-- > 0;
}

static void over(struct change *change)
{
    note('o', CONTAINER_OF(change, struct trial, change));
}

static const struct change_ops ops = {.prepare = prepare,
                                      .write = write_it,
                                      .committed = committed,
                                      .undo = undo,
                                      .waits = waits,
                                      .over = over,
                                      .describe = describe,
                                      .release = release};

static void on_done(void *user, int status, json_t *body)
{
    size_t at = strlen(answers);
    char *json = json_dumps(body, JSON_COMPACT);
    snprintf(answers + at, sizeof answers - at, "%d%s;", status, json);
    free(json);
    json_decref(body);
    --*(int *)user;
}

static struct trial *trial(char name)
{
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->change.ops = &ops;
    t->change.success = 201;
    t->change.subject = (struct change_subject){.what = "trial"};
    t->name = name;
    return t;
}

static int open_answers;

static const struct authors authors = {.count = 1};
static bool in_a_hurry, exclusively;

static void ask(struct trial *t)
{
    const struct change_asker asker = {.worker = enclave_system.owner,
                                       .done = on_done,
                                       .user = &open_answers,
                                       .authors = &authors,
                                       .now = in_a_hurry,
                                       .exclusive = exclusively};
    open_answers++;
    change_ask(&t->change, &asker);
}

static void until_answered(void)
{
    while (open_answers > 0)
        if (!loop_run_once(&enclave_system.owner->loop, clock_ns++))
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
    no_generation = no_installation = no_draft = false;
    assert_int_equal(drafts, 0);
    assert_int_equal(installations, 0);
    assert_int_equal(generations, 0);
    assert_null(whose);
    assert_false(is_prepared);
    prepare_error = 0;
    log_size = 7;
}

static void expect(char name, const char *happened, const char *said)
{
    until_answered();
    expect_steps(name, happened);
    assert_int_equal(log_size, 7); /* and nothing stands in the log */
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
    expect_steps('a', "pwsckior");
    expect_steps('b', "pwsckior");
    expect_answers("201{\"name\":\"a\",\"generation\":2,\"log\":8};201{\"name\":\"b\",\"generation\":3,\"log\":9};");
}

static void connections_before_have_their_time(void **state)
{
    (void)state;
    ask(trial('a'));
    until_answered();
    assert_int_equal(cut_ns, committed_ns + CHANGE_DRAIN_MS * UINT64_C(1000000));
    args.drain_timeout_ms = 5;
    ask(trial('c'));
    until_answered();
    assert_int_equal(cut_ns, committed_ns + 5000000);
    args.drain_timeout_ms = 0;
    in_a_hurry = true;
    ask(trial('b'));
    until_answered();
    in_a_hurry = false;
    assert_int_equal(cut_ns, SITE_CUT_AT_ONCE);
    expect_answers("201{\"name\":\"a\",\"generation\":4,\"log\":8};201{\"name\":\"c\",\"generation\":5,\"log\":9};"
                   "201{\"name\":\"b\",\"generation\":6,\"log\":10};");
}

/* An exclusive change is over when what was before has ended, or its time is. */
static void exclusive_changes_wait(void **state)
{
    (void)state;
    exclusively = true;
    waits_left = 2;
    ask(trial('a'));
    while (waits_left > 0) /* pass the time between two looks */
        if (!loop_run_once(&enclave_system.owner->loop, clock_ns += 10000000))
            sched_yield();
    clock_ns += 10000000;
    until_answered();
    expect_steps('a', "pwscki???or");
    expect_answers("201{\"name\":\"a\",\"generation\":7,\"log\":8};");
    waits_left = INT_MAX;
    ask(trial('b'));
    while (waits_left == INT_MAX)
        if (!loop_run_once(&enclave_system.owner->loop, clock_ns))
            sched_yield();
    clock_ns += (CHANGE_DRAIN_MS + 60000) * UINT64_C(1000000); /* those that were cut have a while, too */
    until_answered();
    expect_steps('b', "pwscki??or");
    expect_answers("201{\"name\":\"b\",\"generation\":8,\"log\":8};");
    assert_non_null(strstr(logged, "trial: something of before has not ended"));
    waits_left = 0;
    exclusively = false;
}

static void answers_wait_for_witnesses(void **state)
{
    (void)state;
    are_witnesses = true;
    ask(trial('a'));
    until_answered();
    expect_answers("201{\"name\":\"a\",\"generation\":9,\"log\":8,\"witnessed\":2};");
    are_witnesses = false;
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
    struct trial *conflict = trial('w');
    conflict->bad_write = true;
    ask(conflict);
    expect('w', "pwr", "409{\"error\":\"it is another\"};");
    no_draft = true;
    ask(trial('v'));
    expect('v', "pr", NO_MEMORY);
    no_generation = true;
    ask(trial('a'));
    expect('a', "pwur", NO_MEMORY);
    prepare_error = -ENOMEM;
    ask(trial('e'));
    expect('e', "pwur", NO_MEMORY);
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
    change_ask(&broken->change, &broken->change.asker);
}

static void propose_unwritten(void)
{
    const struct kv_op op = {KV_PUT, NULL, "key", 3, "value", 5};
    change_propose(&broken->change, &op, 1);
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

static bool may_begin(const struct authors *who, char *why, size_t why_size)
{
    assert_ptr_equal(who, &authors);
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
    expect_steps('a', "pwsckior");
    answers[0] = steps[step_count = 0] = 0;
    log_size = 7;
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
    expect_steps('c', "pwsckior");
    answers[0] = steps[step_count = 0] = 0;
}

static void steps_are_kept(void **state)
{
    (void)state;
    broken = trial('!');
    broken->change.asker =
        (struct change_asker){.worker = enclave_system.owner, .done = on_done, .user = &open_answers};
    assert_true(stops(ask_twice, "asker->authors"));
    broken->change.asker.authors = &authors;
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
        cmocka_unit_test(exclusive_changes_wait),
        cmocka_unit_test(answers_wait_for_witnesses),
        cmocka_unit_test(what_fails_changes_nothing),
        cmocka_unit_test(revoked_askers_change_nothing),
        cmocka_unit_test(steps_are_kept),
        cmocka_unit_test(stopping_drops_what_has_not_begun),
    };
    enclave_system.owner = &enclave_system.workers[0];
    http_site_init(&in_force.site, number, some_apps, NULL);
    if (loop_init(&enclave_system.owner->loop, NULL) != 0 || pthread_create(&thread, NULL, change_thread, NULL) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
