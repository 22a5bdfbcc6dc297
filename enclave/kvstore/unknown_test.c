/*
 * A commit of which it is not known whether it was made, step by step: what is asked, when, and how often; that nothing
 * else is written meanwhile; and what is said in the end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/store.h"
#include "tests/native/host_memory.h"

static const uint8_t master[32] = {4};
static struct worker worker;
static struct store *store;
static struct kv_namespace *ns;
static unsigned commits, questions;
static enum host_fate fate_of_commit, fate_of_question;

static enum host_fate fate_of(uint32_t method)
{
    commits += method == RPC_KV_COMMIT;
    questions += method == RPC_KV_GET;
    return method == RPC_KV_COMMIT ? fate_of_commit : method == RPC_KV_GET ? fate_of_question : FATE_HONEST;
}

struct result {
    bool done;
    int error;
};

static void on_done(void *user, int error)
{
    struct result *r = user;
    assert_false(r->done);
    *r = (struct result){true, error};
}

static void ask(const char *key, const char *value, struct result *r)
{
    struct kv_op op = {KV_PUT, ns, key, strlen(key), value, strlen(value)};
    *r = (struct result){0};
    assert_int_equal(kv_commit(&worker, &op, 1, on_done, r), 0);
}

static int finish(const struct result *r)
{
    for (int turns = 0; !r->done; turns++) {
        assert_true(turns < 1000);
        worker_turn(&worker);
    }
    store_check(store);
    return r->error;
}

static int put(const char *key, const char *value)
{
    struct result r;
    ask(key, value, &r);
    return finish(&r);
}

/* As much of the loop as runs without time passing. */
static void run_ready(void)
{
    for (int i = 0; i < 20; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
}

static void assert_value(const char *key, const char *expected)
{
    uint8_t *value = NULL;
    size_t size;
    int error = kv_get_wait(&worker, ns, key, &value, &size);
    assert_int_equal(error, expected ? 0 : -ENOENT);
    if (expected) {
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(value, expected, size);
    }
    free(value);
}

static void reopen(void)
{
    char why[256];
    fate_of_commit = fate_of_question = FATE_HONEST;
    host_memory.answer = NULL;
    store_flush(store);
    run_ready();
    store_close(store);
    if (store_open(store, master, why, sizeof why) != 0)
        fail_msg("%s", why);
    store_check(store);
}

static int setup(void **state)
{
    char why[256];
    host_memory_worker(&worker);
    store = store_new(&worker);
    ns = kv_namespace_open(store, "app:a:kv:b");
    fate_of_commit = fate_of_question = FATE_HONEST;
    host_memory.fate = fate_of;
    if (store_begin(store, master, (const uint8_t *)"sealed", 6) != 0 ||
        store_create(store, NULL, 0, why, sizeof why) != 0 || put("a", "one") != 0)
        return -1;
    commits = questions = 0;
    return 0;
}

static int teardown(void **state)
{
    kv_namespace_close(ns);
    store_check(store);
    store_close(store);
    store_free(store);
    host_memory_reset();
    loop_deinit(&worker.loop);
    return 0;
}

/* ---- it is said to have failed ---------------------------------------------------------------------------------- */

/* One question, and both that went together are told the same. */
static void test_made_or_not(void **state)
{
    static const enum host_fate fates[] = {FATE_DONE_BUT_FAILS, FATE_FAILS};
    for (int i = 0; i < 2; i++) {
        struct result r[3];
        commits = questions = 0;
        fate_of_commit = FATE_ANSWER_DELAYED; /* while it is out, the next two gather */
        ask("x", "1", &r[0]);
        run_ready();
        fate_of_commit = fates[i];
        ask("y", i ? "3" : "2", &r[1]);
        ask("z", i ? "3" : "2", &r[2]);
        run_ready();
        assert_int_equal(commits, 1);
        assert_true(host_memory_release(false));
        assert_int_equal(finish(&r[0]), 0);
        for (int k = 1; k < 3; k++)
            assert_int_equal(finish(&r[k]), i ? -EIO : 0);
        assert_int_equal(commits, 2);
        assert_int_equal(questions, 1);
        fate_of_commit = FATE_HONEST;
        assert_value("y", "2");
        assert_value("z", "2");
    }
    assert_int_equal(put("a", "two"), 0);
    reopen();
    assert_value("a", "two");
    assert_value("y", "2");
}

/* A question that fails is asked again, after a while; nothing else is written meanwhile. */
static void test_asked_again(void **state)
{
    struct result first, second;
    fate_of_commit = FATE_DONE_BUT_FAILS;
    fate_of_question = FATE_FAILS;
    ask("a", "two", &first);
    ask("b", "one", &second);
    for (unsigned n = 1; n < OUTCOME_QUESTIONS_MAX; n++) {
        while (questions < n)
            worker_turn(&worker);
        run_ready();
        assert_int_equal(questions, n); /* not before time has passed */
        assert_int_equal(commits, 1);
        fate_of_question = n % 2 ? FATE_NOT_TAKEN : FATE_FAILS;
    }
    assert_false(first.done || second.done);
    fate_of_commit = fate_of_question = FATE_HONEST;
    assert_int_equal(finish(&first), 0);
    assert_int_equal(finish(&second), 0);
    assert_false(store_has_stopped(store));
    assert_value("a", "two");
}

/* ---- nobody can say --------------------------------------------------------------------------------------------- */

static int lie_error;
static const uint8_t *lie;
static size_t lie_size;

static bool answer_lie(uint32_t method, int *error, uint8_t **answer, size_t *size)
{
    if (method != RPC_KV_GET)
        return false;
    *error = lie_error;
    *answer = lie ? memcpy(malloc(lie_size), lie, lie_size) : NULL;
    *size = lie_size;
    return true;
}

static void assert_stopped(const char *because)
{
    struct result behind;
    ask("b", "behind", &behind); /* waits for the outcome, too */
    assert_int_equal(put("a", "two"), -ENOTRECOVERABLE);
    assert_int_equal(finish(&behind), -ENOTRECOVERABLE);
    host_memory.answer = NULL;
    assert_true(store_has_stopped(store));
    assert_non_null(strstr(host_memory.last_log, because));
    unsigned before = commits;
    fate_of_commit = FATE_HONEST;
    assert_int_equal(put("c", "later"), -ENOTRECOVERABLE);
    assert_int_equal(commits, before);
    assert_value("c", NULL); /* reading goes on */
    reopen();
    assert_false(store_has_stopped(store));
    assert_value("c", NULL);
    assert_int_equal(put("c", "later"), 0);
    assert_value("c", "later");
}

static void test_no_root_to_be_had(void **state)
{
    fate_of_commit = FATE_FAILS;
    fate_of_question = FATE_FAILS;
    struct result behind;
    ask("a", "two", &behind);
    assert_int_equal(finish(&behind), -ENOTRECOVERABLE);
    assert_int_equal(questions, OUTCOME_QUESTIONS_MAX);
    assert_true(store_has_stopped(store));
    fate_of_question = FATE_HONEST;
    assert_value("a", "one");
    reopen();
    assert_value("a", "one");
}

/* Neither the one before nor the one behind it: none, nonsense, and one from before the last. */
static void test_another_root(void **state)
{
    struct host_record *root = host_memory_find(STORE_ROOT_KEY, strlen(STORE_ROOT_KEY));
    size_t old_size = root->value_size;
    uint8_t *old = memcpy(malloc(old_size), root->value, old_size);
    assert_int_equal(put("a", "before"), 0);
    const struct {
        int error;
        const uint8_t *root;
        size_t size;
    } lies[] = {{-ENOENT, NULL, 0}, {0, (const uint8_t *)"nonsense", 8}, {0, old, old_size}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        fate_of_commit = FATE_DONE_BUT_FAILS;
        lie_error = lies[i].error;
        lie = lies[i].root;
        lie_size = lies[i].size;
        host_memory.answer = answer_lie;
        questions = 0;
        assert_stopped("neither the one before nor the one behind it");
        struct kv_op op = {.kind = KV_DELETE, .ns = ns, .key = "c", .key_size = 1};
        assert_int_equal(kv_commit_wait(&worker, &op, 1), 0);
    }
    free(old);
}

/* ---- nothing is said -------------------------------------------------------------------------------------------- */

/* It was made: the root says so; what the answer says when it comes after all counts no more. */
static void test_answer_lost(void **state)
{
    struct result first, second, third;
    fate_of_commit = FATE_ANSWER_LOST;
    ask("a", "two", &first);
    run_ready();
    fate_of_commit = FATE_ANSWER_DELAYED;
    ask("b", "one", &second);
    run_ready();
    assert_int_equal(commits, 1);
    assert_int_equal(questions, 0);
    assert_int_equal(finish(&first), 0);
    assert_int_equal(questions, 1);
    while (commits < 2)
        worker_turn(&worker);
    while (!second.done) /* it is asked for as well */
        worker_turn(&worker);
    assert_int_equal(second.error, 0);
    fate_of_commit = FATE_HONEST;
    ask("c", "one", &third);
    assert_true(host_memory_release(true)); /* the second's answer: that it failed */
    assert_int_equal(finish(&third), 0);
    run_ready();
    assert_value("b", "one");
    reopen();
    assert_value("a", "two");
    assert_value("b", "one");
    assert_value("c", "one");
}

/* It was not made: that may yet be done, so nobody can say, and nothing else is written, however long that takes. The
 * questions are few. */
static void test_nothing_for_long(void **state)
{
    for (int fails = 0; fails < 2; fails++) {
        struct result first, second;
        commits = questions = 0;
        fate_of_commit = FATE_DELAYED;
        ask("a", fails ? "three" : "two", &first);
        ask("b", "one", &second);
        uint64_t began = worker.loop.now_ns;
        while (worker.loop.now_ns < began + UINT64_C(86400) * 1000000000)
            worker_turn(&worker);
        assert_int_equal(commits, 1);
        assert_true(questions > 0 && questions < 86400 / 59);
        assert_false(first.done || second.done);
        fate_of_commit = FATE_HONEST;
        assert_true(host_memory_release(fails));
        assert_int_equal(finish(&first), fails ? -EIO : 0);
        assert_int_equal(finish(&second), 0);
        assert_value("a", "two");
    }
}

/* Neither commit nor question is answered: there is an end to the questions. */
static void test_a_host_that_is_silent(void **state)
{
    struct result first;
    fate_of_commit = FATE_DELAYED;
    fate_of_question = FATE_DELAYED;
    ask("a", "two", &first);
    for (int turns = 0; turns < 1000; turns++)
        worker_turn(&worker);
    assert_int_equal(questions, OUTCOME_QUESTIONS_MAX - 1); /* calls are out, with the commit's */
    assert_false(first.done);
    fate_of_question = FATE_HONEST;
    while (host_memory_release(false))
        ;
    assert_int_equal(finish(&first), 0);
    run_ready();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_made_or_not), TEST(test_asked_again),      TEST(test_no_root_to_be_had),     TEST(test_another_root),
        TEST(test_answer_lost), TEST(test_nothing_for_long), TEST(test_a_host_that_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
