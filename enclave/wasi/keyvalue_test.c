/*
 * A guest's one storage call: it waits for a store that answers later; a store that answers inside the call, or twice,
 * stops.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/testing/stops.h"
#include "enclave/wasi/internal.h"

static struct worker worker;
static struct wasm_runtime runtime;
static struct app app;
static struct guest guest;
static struct resource *bucket;

/* How the store answers a get. */
static enum { LATER, INSIDE, REFUSED_AT_ONCE } answers;
static kv_get_done answer;
static void *asked;

int __wrap_kv_get(struct worker *w, struct kv_namespace *ns, const void *key, size_t size, kv_get_done done, void *user)
{
    answer = done;
    asked = user;
    if (answers == INSIDE)
        done(user, 0, (const uint8_t *)"v", 1);
    return answers == REFUSED_AT_ONCE ? -ENOMEM : 0;
}

static void nothing_released(struct guest *g, struct resource *r, bool last)
{
}

static void nothing_run(struct loop_task *task)
{
}

static int begin(void **state)
{
    static const struct host_world world = {.release = nothing_released};
    loop_init(&worker.loop, NULL);
    runtime.config.world = &world;
    budget_init(&app.memory, "app", NULL, 1 << 20);
    app.rt = &runtime;
    atomic_store(&app.refs, 1);
    memset(&guest, 0, sizeof guest);
    guest.app = &app;
    guest.worker = &worker;
    guest.reply = guest.reply_first;
    guest.reply_capacity = sizeof guest.reply_first / sizeof *guest.reply_first;
    guest.task.fn = nothing_run;
    bucket = resource_new(&guest, KIND_BUCKET);
    answers = LATER;
    return 0;
}

static int end(void **state)
{
    keyvalue_abandon(&guest);
    charged_free(guest.large);
    resource_put(&guest, bucket);
    assert_int_equal(budget_used(&app.memory), 0);
    assert_int_equal(atomic_load(&app.refs), 1);
    budget_deinit(&app.memory);
    while (loop_run_once(&worker.loop, 1))
        ;
    loop_deinit(&worker.loop);
    return 0;
}

/* bucket.get("k") */
static enum host_result get(void)
{
    const struct slot args[] = {{bucket->rep, KIND_BUCKET}, {(uintptr_t) "k", 1}};
    const struct host_func *func = &wasi_keyvalue[0].funcs[1];
    assert_string_equal(func->name, "[method]bucket.get");
    guest.reply_count = 0;
    guest.polling = true;
    enum host_result result = func->fn(&guest, args, 2);
    guest.polling = false;
    return result;
}

static void an_answer_is_waited_for(void **state)
{
    assert_int_equal(get(), HOST_WAIT);
    assert_int_equal(get(), HOST_WAIT); /* polled for another reason */
    answer(asked, 0, (const uint8_t *)"value", 5);
    assert_int_equal(get(), HOST_DONE);
    assert_int_equal(guest.reply_count, 3);
    assert_memory_equal(slot_text(&guest.reply[2]), "value", 5);
}

static void a_refusal_is_an_answer(void **state)
{
    answers = REFUSED_AT_ONCE;
    assert_int_equal(get(), HOST_WAIT);
    assert_int_equal(get(), HOST_DONE);
    assert_int_equal(guest.reply[0].word, 1);
}

static void a_call_outlives_its_guest(void **state)
{
    assert_int_equal(get(), HOST_WAIT);
    keyvalue_abandon(&guest);
    assert_int_equal(atomic_load(&app.refs), 2);
    answer(asked, 0, (const uint8_t *)"value", 5);
    assert_int_equal(atomic_load(&app.refs), 1);
}

static void answers_inside(void)
{
    answers = INSIDE;
    get();
}

static void answers_twice(void)
{
    get();
    answer(asked, -ENOENT, NULL, 0);
    answer(asked, -ENOENT, NULL, 0);
}

static void stores_have_rules(void **state)
{
    assert_true(stops(answers_inside, "!call->guest->polling"));
    assert_true(stops(answers_twice, "!call->done"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(a_refusal_is_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(a_call_outlives_its_guest, begin, end),
        cmocka_unit_test_setup_teardown(stores_have_rules, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
