/*
 * What is lost, as it is listed, and what of it can be given up: of operators' apps and of apps that are gone, never of
 * an app whose rule binds administrators, nor of the enclave's own; and only by the very list that was shown.
 */
#include "enclave/service/salvage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"
#include "enclave/kvstore/store.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/rule.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

struct system enclave_system;

/* ---- the store, which says what is lost -------------------------------------------------------------------------- */

struct kv_namespace {
    char name[KV_NAMESPACE_MAX + 1];
};

static struct store_lost lost[1300];
static uint8_t ids[1300][STORAGE_KEY_SIZE];
static size_t lost_count;
static _Atomic uint64_t of_one_app;

static void lose(const char *ns, const char *key, size_t key_size, enum record_damage how)
{
    uint8_t *id = ids[lost_count]; /* as a text, for comparing */
    memset(id, 0, STORAGE_KEY_SIZE);
    memcpy(id, key ? key : "nameless", key ? key_size : 8);
    lost[lost_count++] =
        (struct store_lost){(const uint8_t *)ns, (const uint8_t *)key, strlen(ns), key_size, 7, how, id};
}

void store_each_lost(struct store *s, store_lost_visit visit, void *user)
{
    (void)s;
    for (size_t i = 0; i < lost_count; i++)
        if (!visit(user, &lost[i]))
            return;
}

const _Atomic uint64_t *store_lost_of(struct store *s, const struct kv_namespace *app)
{
    (void)s;
    assert_memory_equal(app->name, "app:", 4);
    return &of_one_app;
}

const char *damage_name(enum record_damage damage)
{
    static const char *const names[] = {"whole", "changed", "missing", "older"};
    return names[damage];
}

uint64_t store_mended_count(const struct store *s)
{
    (void)s;
    return 3;
}

struct kv_namespace *kv_namespace_open(struct store *s, const char *name)
{
    (void)s;
    struct kv_namespace *ns = calloc(1, sizeof *ns);
    strcpy(ns->name, name);
    return ns;
}

void kv_namespace_close(struct kv_namespace *ns)
{
    free(ns);
}

/* ---- what else it asks ------------------------------------------------------------------------------------------- */

static struct generation generation;

struct generation *generations_current(void)
{
    return &generation;
}

void http_site_unref(struct http_site *site)
{
    (void)site;
}

void app_table_each(const struct app_table *table, void (*visit)(void *user, struct app *app), void *user)
{
    (void)table, (void)visit, (void)user;
}

const char *app_name(const struct app *app)
{
    (void)app;
    return "";
}

const char *app_stopped(const struct app *app)
{
    (void)app;
    return NULL;
}

void rpc_log(struct rpc_client *c, enum log_level level, const char *format, ...)
{
    (void)c, (void)level, (void)format;
}

/* ---- changes, of which one is made ------------------------------------------------------------------------------- */

static struct change *asked;
static int status; /* 0: it was proposed */
static char proposed[10][KV_NAMESPACE_MAX + KV_KEY_MAX + 2];
static size_t proposed_count;

void change_ask(struct change *c, const struct change_asker *asker)
{
    (void)asker;
    asked = c;
}

void change_propose(struct change *c, const struct kv_op *ops, size_t count)
{
    (void)c;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ops[i].kind, KV_GIVE_UP);
        assert_int_equal(ops[i].key_size, STORAGE_KEY_SIZE);
        snprintf(proposed[i], sizeof proposed[i], "%s %.32s", ops[i].ns->name, (const char *)ops[i].key);
    }
    proposed_count = count;
    status = 0;
}

void change_fail(struct change *c, int how, const char *format, ...)
{
    (void)c, (void)format;
    status = how;
}

bool change_is_preparing(void)
{
    return true;
}

int system_get(const char *key, uint8_t **value, size_t *size)
{
    (void)key, (void)value, (void)size;
    return -ENOENT;
}

int kv_commit_wait(struct worker *w, const struct kv_op *ops, size_t count)
{
    (void)w, (void)ops, (void)count;
    return -EIO;
}

void sgx_random(void *out, size_t size)
{
    memset(out, 9, size);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void deploy(const char *name, const char *rule)
{
    char why[64];
    static const uint8_t salt[SETTINGS_SALT_SIZE];
    struct deployed *d = deployed_new(name);
    strcpy(d->artefact, "33333333333333333333333333333333");
    d->size = 5;
    d->settings = app_settings_parse("{}", 2, salt, why, sizeof why);
    deployed_found(d, rule_parse(rule, strlen(rule), NULL));
    deployed_put(d);
}

#define OURS "01000000000000000000000000000000"
#define ICE "02000000000000000000000000000000"

static int begin(void **state)
{
    (void)state;
    char why[100];
    enclave_system.owner = &enclave_system.workers[0];
    assert_int_equal(loop_init(&enclave_system.owner->loop, NULL), 0);
    deploy("ours", "id=" OURS "\nrule=operator\n");
    deploy("ice", "id=" ICE "\nrule=frozen\n");
    return salvage_boot(why, sizeof why);
}

static void on_listed(void *user, json_t *list)
{
    assert_non_null(list);
    *(json_t **)user = list;
}

static json_t *list_now(void)
{
    json_t *list = NULL;
    assert_int_equal(salvage_list(enclave_system.owner, on_listed, &list), 0);
    assert_null(list); /* not inside the call */
    for (int turns = 0; !list && turns < 10; turns++)
        loop_run_once(&enclave_system.owner->loop, 1);
    return list;
}

/* The status of giving up the list of this name; 0: it was proposed. */
static int give_up(const char *list)
{
    char body[200], why[SALVAGE_WHY_SIZE];
    const struct change_asker asker = {.worker = enclave_system.owner};
    snprintf(body, sizeof body, "{\"list\":\"%s\"}", list);
    assert_int_equal(salvage_give_up(&asker, body, strlen(body), why), 0);
    status = -1;
    proposed_count = 0;
    asked->ops->write(asked);
    assert_string_equal(asked->subject.kind, "salvage");
    return status;
}

static void made(void)
{
    asked->ops->release(asked);
    asked = NULL;
}

static void nothing_is_lost(void **state)
{
    (void)state;
    lost_count = 0;
    json_t *list = list_now();
    assert_int_equal(json_array_size(json_object_get(list, "lost")), 0);
    assert_null(json_object_get(list, "list"));
    assert_int_equal(json_integer_value(json_object_get(list, "mended")), 3);
    json_decref(list);
    char zeros[65] = "";
    memset(zeros, '0', 64);
    assert_int_equal(give_up(zeros), 409);
    made();
    assert_ptr_equal(salvage_lost_of(OURS), &of_one_app);
    assert_null(salvage_lost_of("03000000000000000000000000000000"));
}

static void only_what_no_rule_keeps(void **state)
{
    (void)state;
    lost_count = 0;
    lose("app:" ICE ":kv:letters", "spent/token", 11, DAMAGE_MISSING);
    lose("app:" OURS ":kv:default", "b", 1, DAMAGE_CHANGED);
    lose("app:" OURS ":fs", "c\0\0\0\0\0\0\0\7\0\0\0\2", 13, DAMAGE_OLDER);
    lose("system", "artefact/x/0", 12, DAMAGE_CHANGED);
    lose("app:" OURS ":kv:default", "a\n", 2, DAMAGE_CHANGED);
    lose("app:gone:kv:default", "alice", 5, DAMAGE_CHANGED);
    json_t *list = list_now();
    const json_t *all = json_object_get(list, "lost");
    assert_int_equal(json_array_size(all), 6);
    assert_int_equal(json_integer_value(json_object_get(list, "give_up")), 4);
    size_t index, can = 0;
    json_t *item;
    json_array_foreach(all, index, item)
    {
        const char *app = json_string_value(json_object_get(item, "app"));
        bool given_up = json_is_true(json_object_get(item, "can_be_given_up"));
        assert_int_equal(given_up, json_object_get(item, "why") == NULL);
        assert_true(!app || strcmp(app, "ice") != 0 || !given_up);
        can += given_up;
    }
    assert_int_equal(can, 4);
    char *text = json_dumps(list, JSON_COMPACT);
    assert_non_null(strstr(text, "\"key\":\"file 7, part 2 of 64 KiB\",\"how\":\"older\""));
    assert_non_null(strstr(text, "\"key\":\"a\\\\x0a\",\"how\":\"changed\""));
    assert_non_null(strstr(text, "\"store\":\"kv\",\"key\":\"(not shown: its app's rule binds administrators, or it is "
                                 "gone)\",\"how\":\"missing\""));
    assert_null(strstr(text, "spent")); /* a name that the frozen app's code made */
    assert_null(strstr(text, "letters"));
    assert_null(strstr(text, "alice"));
    assert_null(strstr(text, "artefact"));
    free(text);

    char shown[65];
    strcpy(shown, json_string_value(json_object_get(list, "list")));
    json_decref(list);
    assert_int_equal(give_up(shown), 0);
    assert_int_equal(proposed_count, 4);
    for (size_t i = 0; i < proposed_count; i++)
        if (strstr(proposed[i], ICE) || strstr(proposed[i], "system"))
            fail_msg("%s", proposed[i]);
    assert_string_equal(asked->subject.what, "salvage: 4 lost records given up");
    assert_string_equal(asked->subject.app, ""); /* of more than one */
    made();
    lost[1].version++; /* it was written anew, and is lost again */
    assert_int_equal(give_up(shown), 409);
    made();
    lost[1].version--;
    lost_count--; /* one fewer */
    assert_int_equal(give_up(shown), 409);
    made();
}

static void of_one_app_alone(void **state)
{
    (void)state;
    lost_count = 0;
    lose("app:" OURS ":kv:default", "b", 1, DAMAGE_CHANGED);
    lose("app:" ICE ":kv:default", "b", 1, DAMAGE_CHANGED);
    json_t *list = list_now();
    assert_int_equal(give_up(json_string_value(json_object_get(list, "list"))), 0);
    assert_string_equal(asked->subject.app, "ours");
    assert_string_equal(proposed[0], "app:" OURS ":kv:default b");
    json_decref(list);
    made();
}

static void more_than_are_listed(void **state)
{
    (void)state;
    static char keys[1200][8];
    lost_count = 0;
    for (int i = 0; i < 1200; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        lose("app:" OURS ":kv:default", keys[i], strlen(keys[i]), DAMAGE_CHANGED);
    }
    json_t *list = list_now();
    assert_int_equal(json_array_size(json_object_get(list, "lost")), SALVAGE_MAX);
    assert_true(json_is_true(json_object_get(list, "more")));
    json_decref(list);
}

/* Those that stay, however many, do not hide those that can be given up. */
static void many_that_stay(void **state)
{
    (void)state;
    static char keys[1200][8];
    lost_count = 0;
    for (int i = 0; i < 1200; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        lose("app:" ICE ":kv:default", keys[i], strlen(keys[i]), DAMAGE_CHANGED);
    }
    lose("app:" OURS ":kv:default", "b", 1, DAMAGE_CHANGED);
    json_t *list = list_now();
    assert_int_equal(json_array_size(json_object_get(list, "lost")), SALVAGE_MAX + 1);
    assert_int_equal(json_integer_value(json_object_get(list, "give_up")), 1);
    assert_true(json_is_true(json_object_get(list, "more")));
    assert_int_equal(give_up(json_string_value(json_object_get(list, "list"))), 0);
    assert_string_equal(proposed[0], "app:" OURS ":kv:default b");
    json_decref(list);
    made();
}

static void nobody_knows_whose(void **state)
{
    (void)state;
    lost_count = 0;
    lost[lost_count++] = (struct store_lost){.version = 7, .how = DAMAGE_CHANGED};
    json_t *list = list_now();
    assert_int_equal(json_array_size(json_object_get(list, "lost")), 0);
    assert_int_equal(json_integer_value(json_object_get(list, "nameless")), 1);
    assert_null(json_object_get(list, "list"));
    json_decref(list);
}

/* Of which the name is damaged, and the app is known: by its rule, as any other. */
static void without_a_name(void **state)
{
    (void)state;
    lost_count = 0;
    lose("app:" OURS, NULL, 0, DAMAGE_CHANGED);
    lose("app:" ICE, NULL, 0, DAMAGE_CHANGED);
    lose("system", NULL, 0, DAMAGE_CHANGED);
    json_t *list = list_now();
    assert_int_equal(json_array_size(json_object_get(list, "lost")), 3);
    assert_int_equal(json_integer_value(json_object_get(list, "nameless")), 0);
    assert_int_equal(json_integer_value(json_object_get(list, "give_up")), 1);
    assert_int_equal(give_up(json_string_value(json_object_get(list, "list"))), 0);
    assert_int_equal(proposed_count, 1);
    assert_string_equal(proposed[0], "app:" OURS " nameless");
    json_decref(list);
    made();
}

static void orders_that_are_none(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "{}",
                                      "[]",
                                      "{\"list\":7}",
                                      "{\"list\":\"00\"}",
                                      "{\"list\":\"0000000000000000000000000000000000000000000000000000000000000000\","
                                      "\"more\":1}"};
    const struct change_asker asker = {.worker = enclave_system.owner};
    char why[SALVAGE_WHY_SIZE];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(salvage_give_up(&asker, bad[i], strlen(bad[i]), why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost),  cmocka_unit_test(only_what_no_rule_keeps),
                                       cmocka_unit_test(of_one_app_alone), cmocka_unit_test(more_than_are_listed),
                                       cmocka_unit_test(many_that_stay),   cmocka_unit_test(nobody_knows_whose),
                                       cmocka_unit_test(without_a_name),   cmocka_unit_test(orders_that_are_none)};
    return cmocka_run_group_tests(tests, begin, NULL);
}
