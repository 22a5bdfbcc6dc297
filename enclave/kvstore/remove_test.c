/*
 * Removing all that an app has stored, over a host in memory: in bounded steps, between which others go on; nothing of
 * it is left, nothing of anybody else's is gone, and nothing comes to be there again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/store.h"
#include "tests/native/host_memory.h"

enum { MANY = 3000 };
static const char *const buckets[] = {"app:gone:kv:a", "app:gone:kv:b", "app:gone:fs", "app:gone"};
enum { BUCKETS = sizeof buckets / sizeof *buckets };
static const char *const neighbours[] = {"app:gon:kv:a", "app:gones:kv:a", "app:other:kv:gone", "system"};
enum { NEIGHBOURS = sizeof neighbours / sizeof *neighbours };

static const uint8_t master[32] = {5};
static struct worker worker;
static struct store *store;
static struct kv_namespace *all, *of_app[BUCKETS], *others[NEIGHBOURS];

struct result {
    bool done;
    int error;
};

static void on_done(void *user, int error)
{
    *(struct result *)user = (struct result){true, error};
}

static void turn(void)
{
    loop_run_once(&worker.loop, worker.loop.now_ns + 1);
}

static int finish(const struct result *r)
{
    for (int turns = 0; !r->done; turns++) {
        assert_true(turns < 10000);
        turn();
    }
    return r->error;
}

static void ask_to_put(struct kv_namespace *ns, int number, struct result *r)
{
    char key[16];
    snprintf(key, sizeof key, "k%d", number);
    struct kv_op op = {KV_PUT, ns, key, strlen(key), "value", 5};
    *r = (struct result){0};
    assert_int_equal(kv_commit(&worker, &op, 1, on_done, r), 0);
}

static int put(struct kv_namespace *ns, int number)
{
    struct result r;
    ask_to_put(ns, number, &r);
    return finish(&r);
}

static void ask_to_remove(struct result *r)
{
    *r = (struct result){0};
    assert_int_equal(kv_namespace_remove(&worker, all, on_done, r), 0);
}

static int remove_all(void)
{
    struct result r;
    ask_to_remove(&r);
    return finish(&r);
}

static void fill(int count)
{
    static struct result results[MANY];
    for (int i = 0; i < count; i++)
        ask_to_put(of_app[i % BUCKETS], i, &results[i]);
    for (int i = 0; i < count; i++)
        assert_int_equal(finish(&results[i]), 0);
}

static void reopen(void)
{
    char why[256];
    store_flush(store);
    turn();
    store_check(store);
    store_close(store);
    if (store_open(store, master, why, sizeof why) != 0)
        fail_msg("%s", why);
}

static int setup(void **state)
{
    char why[256];
    host_memory_worker(&worker);
    store = store_new(&worker);
    all = kv_namespace_open(store, "app:gone");
    for (int i = 0; i < BUCKETS; i++)
        of_app[i] = kv_namespace_open(store, buckets[i]);
    if (store_begin(store, master, (const uint8_t *)"sealed", 6) != 0 ||
        store_create(store, NULL, 0, why, sizeof why) != 0)
        return -1;
    for (int i = 0; i < NEIGHBOURS; i++) {
        others[i] = kv_namespace_open(store, neighbours[i]);
        if (put(others[i], i) != 0)
            return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    store_check(store);
    for (int i = 0; i < BUCKETS; i++)
        kv_namespace_close(of_app[i]);
    for (int i = 0; i < NEIGHBOURS; i++)
        kv_namespace_close(others[i]);
    kv_namespace_close(all);
    store_close(store);
    store_free(store);
    loop_deinit(&worker.loop);
    host_memory_reset();
    return 0;
}

static bool count_key(void *user, const uint8_t *key, size_t size)
{
    (*(size_t *)user)++;
    return true;
}

static size_t left(struct kv_namespace *ns)
{
    size_t count = 0;
    assert_int_equal(kv_each(ns, count_key, &count), 0);
    return count;
}

static void assert_gone(size_t others_have)
{
    for (int i = 0; i < BUCKETS; i++)
        assert_int_equal(left(of_app[i]), 0);
    assert_int_equal(store_record_count(store), others_have);
    assert_int_equal(host_memory.count, 2 * (others_have + 2)); /* with master key and root; each twice */
    assert_int_equal(budget_used(kv_memory(all)), 0);
}

static void test_all_and_nothing_else(void **state)
{
    fill(MANY);
    size_t commits = host_memory.commits;
    assert_int_equal(remove_all(), 0);
    assert_int_equal(host_memory.commits - commits, (MANY + KV_REMOVE_STEP - 1) / KV_REMOVE_STEP);
    assert_gone(NEIGHBOURS);
    for (int i = 0; i < NEIGHBOURS; i++)
        assert_int_equal(left(others[i]), 1);
    assert_int_equal(remove_all(), 0); /* of nothing */
    reopen();
    assert_gone(NEIGHBOURS);
    for (int i = 0; i < NEIGHBOURS; i++)
        assert_int_equal(left(others[i]), 1);
}

static int add_letter(void *user, const uint8_t *value, size_t size, uint8_t **out, size_t *out_size)
{
    *out = calloc(1, *out_size = size + 1);
    return 0;
}

/* What was asked for before is waited for; what is asked for after is refused, alone and in a batch with others'. */
static void test_nothing_comes_again(void **state)
{
    struct result before[3], removal, update = {0}, batch = {0};
    fill(3);
    ask_to_put(of_app[0], 100, &before[0]);
    ask_to_put(of_app[1], 101, &before[1]);
    assert_int_equal(kv_update(&worker, of_app[2], "u", 1, add_letter, on_done, &update), 0);
    ask_to_remove(&removal);
    ask_to_put(of_app[0], 100, &before[2]);
    assert_int_equal(finish(&removal), 0);
    assert_int_equal(finish(&before[0]), 0);
    assert_int_equal(finish(&before[1]), 0);
    assert_true(finish(&update) == 0 || update.error == -ESTALE);
    assert_int_equal(finish(&before[2]), -ESTALE);
    assert_gone(NEIGHBOURS);
    struct kv_op ops[] = {{KV_PUT, others[3], "mine", 4, "1", 1}, {KV_PUT, of_app[0], "its", 3, "1", 1}};
    assert_int_equal(kv_commit(&worker, ops, 2, on_done, &batch), 0);
    assert_int_equal(finish(&batch), -ESTALE);
    ops[1].kind = KV_DELETE;
    batch.done = false;
    assert_int_equal(kv_commit(&worker, ops, 2, on_done, &batch), 0);
    assert_int_equal(finish(&batch), 0);
    assert_gone(NEIGHBOURS + 1);
    reopen();
    assert_int_equal(put(of_app[0], 1), 0); /* it says nothing about who comes after */
}

static enum host_fate answered_late(uint32_t method)
{
    return FATE_ANSWER_DELAYED;
}

/* Nothing is there yet, and the first record is on its way. */
static void test_the_first_is_on_its_way(void **state)
{
    struct result write, removal;
    host_memory.fate = answered_late;
    ask_to_put(of_app[0], 1, &write);
    ask_to_remove(&removal);
    for (int turns = 0; turns < 20; turns++)
        turn();
    host_memory.fate = NULL;
    assert_false(write.done || removal.done);
    assert_true(host_memory_release(false));
    assert_int_equal(finish(&removal), 0);
    assert_int_equal(finish(&write), 0);
    assert_gone(NEIGHBOURS);
}

/* Another app's write, asked for when the removal has begun, has its answer long before it ends. */
static void test_others_go_on(void **state)
{
    struct result removal, write;
    fill(MANY);
    ask_to_remove(&removal);
    while (store_record_count(store) == MANY + NEIGHBOURS)
        turn();
    for (int i = 10; i < 13; i++) {
        ask_to_put(others[2], i, &write);
        assert_int_equal(finish(&write), 0);
    }
    assert_false(removal.done);
    assert_true(store_record_count(store) > MANY / 2);
    assert_int_equal(finish(&removal), 0);
    assert_gone(NEIGHBOURS + 3);
}

/* While others' records come and go at random, the table grows, and its entries move. */
static void test_while_the_index_moves(void **state)
{
    const char *text = getenv("SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 0) : 20261127;
    print_message("SEED=%u\n", seed);
    srand(seed);
    static bool has[2000];
    static char keys[2000][8];
    struct result removal, writes[64];
    size_t count = 0;
    fill(MANY);
    ask_to_remove(&removal);
    memset(has, 0, sizeof has);
    while (!removal.done) {
        for (int i = 0; i < 64; i++) {
            int k = rand() % 2000;
            snprintf(keys[k], sizeof keys[k], "x%d", k);
            has[k] = rand() % 3 > 0;
            struct kv_op op = {has[k] ? KV_PUT : KV_DELETE, others[0], keys[k], strlen(keys[k]), "y", 1};
            writes[i] = (struct result){0};
            assert_int_equal(kv_commit(&worker, &op, 1, on_done, &writes[i]), 0);
        }
        for (int i = 0; i < 64; i++)
            assert_int_equal(finish(&writes[i]), 0);
    }
    assert_int_equal(removal.error, 0);
    for (int k = 0; k < 2000; k++)
        count += has[k];
    assert_gone(NEIGHBOURS + count);
}

/* Whatever ends it in between, it is gone on with: a host that fails, a shutdown, a restart. */
static void test_ended_in_between(void **state)
{
    struct result removal;
    fill(MANY);
    ask_to_remove(&removal);
    while (store_record_count(store) == MANY + NEIGHBOURS)
        turn();
    host_memory.commit_status = -ENOSPC;
    assert_int_equal(finish(&removal), -ENOSPC);
    host_memory.commit_status = 0;
    assert_int_equal(put(of_app[0], 1), -ESTALE);
    size_t before = store_record_count(store);
    assert_true(before > NEIGHBOURS);
    ask_to_remove(&removal);
    while (store_record_count(store) == before)
        turn();
    reopen();
    assert_int_equal(finish(&removal), -ECANCELED);
    assert_true(store_record_count(store) < before && store_record_count(store) > NEIGHBOURS);
    assert_int_equal(remove_all(), 0);
    assert_gone(NEIGHBOURS);
}

static void drop_twins(void)
{
    for (size_t i = 0; i < host_memory.count;)
        if (host_memory.records[i].key_size == TWIN_KEY_SIZE)
            host_memory_delete(host_memory.records[i].key, TWIN_KEY_SIZE);
        else
            i++;
}

/* A damaged value goes with the rest; a record of which not even the name is known may be one of them. */
static void test_damaged(void **state)
{
    fill(2);
    struct host_record *damaged = NULL;
    drop_twins();
    for (size_t i = 0; i < host_memory.count; i++)
        if (host_memory.records[i].key_size == 32)
            host_memory.records[i].value[host_memory.records[i].value_size - 17] ^= 1; /* its value */
    reopen();
    assert_int_equal(store_damaged_count(store), NEIGHBOURS + 2);
    assert_int_equal(remove_all(), 0);
    assert_int_equal(store_damaged_count(store), NEIGHBOURS);
    assert_int_equal(store_record_count(store), NEIGHBOURS);
    assert_int_equal(host_memory.count, NEIGHBOURS + 2 * 2); /* of what is lost there is nothing to be kept twice */
    assert_int_equal(budget_used(kv_memory(all)), 0);
    for (size_t i = 0; i < host_memory.count; i++)
        if (host_memory.records[i].key_size == 32)
            damaged = &host_memory.records[i];
    damaged->value[RECORD_HEADER_SIZE] ^= 1; /* its name */
    reopen();
    assert_int_equal(put(of_app[0], 1), 0);
    size_t before = store_record_count(store);
    assert_int_equal(remove_all(), -EBADMSG);
    assert_int_equal(store_record_count(store), before - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_all_and_nothing_else),
                                       TEST(test_nothing_comes_again),
                                       TEST(test_the_first_is_on_its_way),
                                       TEST(test_others_go_on),
                                       TEST(test_while_the_index_moves),
                                       TEST(test_ended_in_between),
                                       TEST(test_damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
