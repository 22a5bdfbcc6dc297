/*
 * What becomes of commits, over a host that loses answers, refuses, says that it failed what it did, or says nothing
 * for long; and that is killed. Whatever it does: what was acknowledged is there, what was refused is not, no batch is
 * there by halves; and of what nobody could know, the store says so and writes nothing behind it.
 *
 * Schedules are random. Each begins with a first boot. Before and behind everything that the host does, what it would
 * find after a kill is kept, with what was promised until then; one of these is what the next boot finds, and each of
 * them has to open. In some the host lies about the root, too, which it cannot be kept from; then a store may be
 * refused at the next boot, and a write that was refused may be there; but nothing else is given for what was written.
 * SEED= runs one of them, STEPS= so many.
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

enum { PAIRS = 5, BOOTS = 4, OPS = 12, MAYBE = 64, IMAGES = 600 };

static const uint8_t master[32] = {8};
static struct worker worker;
static struct store *store;
static struct kv_namespace *ns;
static bool is_booting, is_asking; /* a boot is under way; a commit is, whose outcome is not known */

/* Each pair of keys is always written together, with one number; 0: it is not there. */
struct promises {
    bool created;                           /* the store itself */
    int acknowledged[PAIRS];                /* the last */
    int maybe[PAIRS][MAYBE], maybes[PAIRS]; /* asked for, and neither acknowledged nor refused */
};
static struct promises promised;

static struct {
    struct host_image *image;
    struct promises promised;
} images[IMAGES];
static size_t image_count;

static struct {
    unsigned long lies, detected, made, made_after_all, refused, unknown, never_left, images, boots, failed_boots;
} seen;

static unsigned random_state;

static unsigned dice(unsigned sides)
{
    random_state = random_state * 1103515245u + 12345u;
    return (random_state >> 16) % sides;
}

/* ---- the host -------------------------------------------------------------------------------------------------- */

static enum host_fate last_of_commit;
static unsigned good; /* of ten calls, so many have an honest fate */
static bool lies;     /* about the root, behind a commit that is said to have failed, or whose answer is out */
static bool mute;     /* the root cannot be read behind a commit that is said to have failed */

static enum host_fate fate_of(uint32_t method)
{
    enum host_fate fate = dice(10) < good ? FATE_HONEST : (enum host_fate)dice(FATES);
    if (method == RPC_KV_COMMIT)
        last_of_commit = fate;
    else if (is_asking && mute && (last_of_commit == FATE_FAILS || last_of_commit == FATE_DONE_BUT_FAILS))
        fate = dice(2) ? FATE_FAILS : FATE_NOT_TAKEN;
    else if (is_booting && !is_asking) /* what is waited for has no silence to be asked in */
        fate = fate == FATE_ANSWER_LOST || fate == FATE_DELAYED ? FATE_FAILS : fate;
    return fate;
}

/* A root that was one once, none, or nonsense. */
static bool lie(uint32_t method, int *error, uint8_t **answer, size_t *size)
{
    if (!lies || !is_asking || method != RPC_KV_GET || dice(3) > 0)
        return false;
    seen.lies++;
    size_t which = dice((unsigned)image_count + 2);
    const struct host_record *root =
        which < image_count ? host_image_find(images[which].image, STORE_ROOT_KEY, 4) : NULL;
    *error = root || which == image_count ? 0 : -ENOENT;
    *size = root ? root->value_size : 20;
    *answer = calloc(1, *size);
    if (root)
        memcpy(*answer, root->value, *size);
    return true;
}

static void keep_image(uint32_t method)
{
    if (method != RPC_KV_COMMIT && dice(4) > 0) /* the others change nothing */
        return;
    if (image_count == IMAGES)
        return;
    images[image_count].promised = promised;
    images[image_count++].image = host_memory_keep();
}

static void on_idle(void)
{
    if (dice(3) == 0)
        host_memory_release(dice(4) == 0);
}

/* ---- what is promised ------------------------------------------------------------------------------------------ */

struct write {
    bool done;
    int number, error;
    bool is_of[PAIRS];
    enum host_fate fate;
};

static void drop_maybe(int pair, int number)
{
    int *list = promised.maybe[pair], *count = &promised.maybes[pair];
    for (int i = 0; i < *count; i++)
        if (list[i] == number) {
            memmove(&list[i], &list[i + 1], (size_t)(--*count - i) * sizeof *list);
            return;
        }
}

static void on_written(void *user, int error)
{
    struct write *w = user;
    assert_false(w->done);
    w->done = true;
    w->error = error;
    assert_true(error == 0 || error == -EIO || error == -ENOMEM || error == -ENOTRECOVERABLE);
    assert_true(error != -ENOTRECOVERABLE || store_has_stopped(store));
    for (int i = 0; i < PAIRS; i++) {
        if (!w->is_of[i])
            continue;
        if (error == 0)
            promised.acknowledged[i] = w->number;
        if (error == 0 || error == -ENOMEM || (error == -EIO && !lies))
            drop_maybe(i, w->number);
    }
    seen.made += error == 0;
    seen.made_after_all += error == 0 && last_of_commit != FATE_HONEST && last_of_commit != FATE_ANSWER_DELAYED &&
                           last_of_commit != FATE_DELAYED;
    seen.refused += error == -EIO;
    seen.never_left += error == -ENOMEM;
    seen.unknown += error == -ENOTRECOVERABLE;
}

static void name_key(char key[2], int pair, int half)
{
    key[0] = (char)('0' + pair);
    key[1] = (char)('a' + half);
}

static size_t make_ops(struct write *w, struct kv_op ops[2 * PAIRS])
{
    static char keys[PAIRS][2][2];
    size_t count = 0;
    for (int i = 0; i < PAIRS; i++)
        for (int half = 0; half < 2 && w->is_of[i]; half++) {
            name_key(keys[i][half], i, half);
            bool put = w->number % 4 > 0;
            ops[count++] = (struct kv_op){put ? KV_PUT : KV_DELETE,  ns, keys[i][half], 2, put ? &w->number : NULL,
                                          put ? sizeof w->number : 0};
        }
    return count;
}

static void promise(struct write *w)
{
    static int numbers;
    *w = (struct write){.number = ++numbers};
    for (int i = 0; i < PAIRS; i++)
        w->is_of[i] = dice(3) == 0;
    w->is_of[dice(PAIRS)] = true;
    for (int i = 0; i < PAIRS; i++)
        if (w->is_of[i]) {
            assert_true(promised.maybes[i] < MAYBE);
            promised.maybe[i][promised.maybes[i]++] = w->number;
        }
}

static void ask(struct write *w)
{
    struct kv_op ops[2 * PAIRS];
    promise(w);
    bool stopped = store_has_stopped(store);
    assert_int_equal(kv_commit(&worker, ops, make_ops(w, ops), on_written, w), 0);
    for (int i = 0; i < PAIRS && stopped; i++) /* what comes behind is not written, for sure */
        if (w->is_of[i])
            drop_maybe(i, w->number);
}

/* ---- what is there --------------------------------------------------------------------------------------------- */

struct value {
    bool done;
    int error;
    int number;
};

static void on_value(void *user, int error, const uint8_t *value, size_t size)
{
    struct value *v = user;
    v->done = true;
    v->error = error;
    assert_true(error == 0 || error == -ENOENT || (lies && error == -EBADMSG));
    assert_int_equal(size, error == 0 ? sizeof v->number : 0);
    if (error == 0)
        memcpy(&v->number, value, size);
}

/* UNREADABLE: a host that has lied has other records than the store thinks, and that is noticed. */
enum { UNREADABLE = -1 };
static int number_of(int pair)
{
    struct value halves[2] = {{0}};
    for (int half = 0; half < 2; half++) {
        char key[2];
        name_key(key, pair, half);
        assert_int_equal(kv_get(&worker, ns, key, 2, on_value, &halves[half]), 0);
        while (!halves[half].done)
            worker_turn(&worker);
    }
    if (halves[0].error == -EBADMSG || halves[1].error == -EBADMSG)
        return UNREADABLE;
    assert_int_equal(halves[0].number, halves[1].number); /* a batch is whole */
    return halves[0].number;
}

/* A number that deletes leaves nothing. */
static int left_by(int number)
{
    return number % 4 > 0 ? number : 0;
}

static void check_values(void)
{
    for (int i = 0; i < PAIRS; i++) {
        int found = number_of(i);
        bool expected = found == UNREADABLE || found == left_by(promised.acknowledged[i]);
        for (int k = 0; k < promised.maybes[i]; k++)
            expected |= found == left_by(promised.maybe[i][k]);
        if (!expected)
            fail_msg("pair %d is %d, and %d was acknowledged", i, found, promised.acknowledged[i]);
    }
}

/* What might have been is, or is not, from here on. */
static void settle_promises(void)
{
    for (int i = 0; i < PAIRS; i++) {
        int found = number_of(i);
        promised.acknowledged[i] = found;
        promised.maybes[i] = 0;
    }
}

/* ---- boots ----------------------------------------------------------------------------------------------------- */

static void new_process(void)
{
    loop_deinit(&worker.loop);
    host_memory_worker(&worker);
    store = store_new(&worker);
    ns = kv_namespace_open(store, "app:a:kv:b");
}

static void end_process(void)
{
    store_check(store);
    kv_namespace_close(ns);
    store_close(store);
    store_free(store);
}

static int create(void)
{
    char why[512];
    struct kv_op ops[2 * PAIRS];
    struct write first;
    assert_false(promised.created);
    promise(&first);
    int error = store_begin(store, master, (const uint8_t *)"sealed", 6);
    is_asking = true;
    if (error == 0)
        error = store_create(store, ops, make_ops(&first, ops), why, sizeof why);
    is_asking = false;
    if (error == -ENOTRECOVERABLE)
        return error; /* it may be there */
    promised.created = error == 0;
    for (int i = 0; i < PAIRS && !(lies && error < 0); i++)
        if (first.is_of[i]) {
            drop_maybe(i, first.number);
            promised.acknowledged[i] = error == 0 ? first.number : 0;
        }
    return error;
}

/* As at a boot: what is there is opened; where there is nothing a store is made. */
static int boot(void)
{
    char why[512];
    uint8_t *blob = NULL;
    size_t size;
    seen.boots++;
    is_booting = true;
    int error = store_read_master(store, false, &blob, &size);
    free(blob);
    if (error == -ENOENT && store_is_empty(store) == 1)
        error = create();
    else if (error == 0) {
        error = store_open(store, master, why, sizeof why);
        if (error == -EBADMSG && !lies)
            fail_msg("%s", why);
        promised.created = true;
    }
    is_booting = false;
    seen.failed_boots += error < 0;
    seen.detected += error == -EBADMSG;
    return error;
}

static void use(void)
{
    static struct write writes[OPS];
    is_asking = true;
    for (int i = 0; i < OPS; i++) {
        ask(&writes[i]);
        for (unsigned turns = dice(4); turns > 0; turns--)
            worker_turn(&worker);
        if (dice(4) == 0)
            on_idle();
    }
    for (int i = 0; i < OPS; i++)
        for (int turns = 0; !writes[i].done; turns++) {
            assert_true(turns < 100000);
            worker_turn(&worker);
        }
    is_asking = false;
    if (!store_has_stopped(store)) {
        host_memory.fate = NULL;
        for (int i = 0; i < PAIRS; i++)
            assert_true(lies || promised.maybes[i] == 0);
        check_values();
        host_memory.fate = fate_of;
    }
}

/* An honest host's boot over what a killed one left. */
static void check_image(struct host_image *image)
{
    host_memory_restore(image);
    new_process();
    host_memory.fate = NULL;
    host_memory.seen = NULL;
    host_memory.answer = NULL;
    seen.images++;
    bool created = promised.created;
    int error = boot();
    if (error != 0 && !(lies && error == -EBADMSG))
        fail_msg("a store does not open: error %d", -error);
    assert_true(promised.created || !created);
    if (error == 0)
        check_values();
    store_flush(store);
    end_process();
}

/* All that it could have found is looked at; one of them is what it does find. */
static void kill_host(void)
{
    size_t chosen = dice((unsigned)image_count + 1);
    struct host_image *next = host_memory_keep();
    struct promises then = promised;
    if (chosen < image_count) {
        host_memory_drop(next);
        host_memory_restore(images[chosen].image);
        next = host_memory_keep();
        images[chosen].image = host_memory_keep();
        then = images[chosen].promised;
    }
    for (size_t i = 0; i < image_count; i++) {
        promised = images[i].promised;
        check_image(images[i].image);
    }
    image_count = 0;
    host_memory_reset();
    host_memory_restore(next);
    promised = then;
}

static void run_schedule(unsigned seed)
{
    random_state = seed;
    host_memory_reset();
    promised = (struct promises){0};
    lies = dice(4) == 0;
    for (int n = 0; n < BOOTS; n++) {
        new_process();
        good = 4 + dice(6);
        mute = dice(6) == 0;
        host_memory.fate = fate_of;
        host_memory.seen = keep_image;
        host_memory.answer = lie;
        host_memory.idle = on_idle;
        int error = boot();
        if (error == 0) {
            host_memory.fate = NULL;
            check_values();
            settle_promises();
            host_memory.fate = fate_of;
            use();
        }
        store_flush(store);
        end_process();
        kill_host();
    }
    loop_deinit(&worker.loop);
    host_memory_reset();
}

static void test_schedules(void **state)
{
    const char *seed = getenv("SEED"), *steps = getenv("STEPS");
    unsigned first = seed ? (unsigned)strtoul(seed, NULL, 0) : 1;
    unsigned count = steps ? (unsigned)strtoul(steps, NULL, 0) : seed ? 1 : 400;
    for (unsigned i = 0; i < count; i++) {
        if (seed || i % 100 == 0)
            print_message("SEED=%u\n", first + i);
        run_schedule(first + i);
    }
    print_message(
        "%lu made, %lu of them though it was said otherwise or nothing; %lu refused, %lu never left, %lu unknown; "
        "%lu boots, %lu failed, over %lu images; %lu lies, for which %lu boots were refused\n",
        seen.made, seen.made_after_all, seen.refused, seen.never_left, seen.unknown, seen.boots, seen.failed_boots,
        seen.images, seen.lies, seen.detected);
    if (!seed) /* or it tried too little */
        assert_true(seen.made && seen.made_after_all && seen.refused && seen.never_left && seen.unknown && seen.lies &&
                    seen.detected && seen.failed_boots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_schedules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
