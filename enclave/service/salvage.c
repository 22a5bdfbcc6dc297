/* See salvage.h. */
#include "enclave/service/salvage.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "common/json.h"
#include "enclave/kvstore/store.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generations.h"
#include "enclave/service/rule.h"
#include "enclave/service/system.h"
#include "enclave/thread/errand.h"
#include "enclave/thread/rpc_client.h"

/* ---- how many, by space ------------------------------------------------------------------------------------------ */

/* Fixed at boot: what start-up does not find to be lost never is. */
static struct losses {
    char space[APP_NAME_MAX + 1];
    const _Atomic uint64_t *count;
} * losses;
static size_t losses_count;

int salvage_boot(char *error, size_t error_size)
{
    size_t count = 0;
    loop_check(&enclave_system.owner->loop);
    free(losses); /* of a start before that was not completed */
    losses_count = 0;
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        count++;
    losses = calloc(count + 1, sizeof *losses);
    for (const struct deployed *d = deployed_first(); d && losses; d = d->next) {
        struct losses *l = &losses[losses_count];
        char name[KV_NAMESPACE_MAX + 1];
        snprintf(name, sizeof name, "app:%s", d->space);
        struct kv_namespace *ns = kv_namespace_open(enclave_system.store, name);
        l->count = ns ? store_lost_of(enclave_system.store, ns) : NULL;
        kv_namespace_close(ns);
        if (!l->count)
            break;
        snprintf(l->space, sizeof l->space, "%s", d->space);
        losses_count++;
    }
    if (losses && losses_count == count)
        return 0;
    snprintf(error, error_size, "salvage: out of memory");
    return -ENOMEM;
}

const _Atomic uint64_t *salvage_lost_of(const char *space)
{
    for (size_t i = 0; i < losses_count; i++)
        if (strcmp(losses[i].space, space) == 0)
            return losses[i].count;
    return NULL;
}

/* ---- which ------------------------------------------------------------------------------------------------------- */

struct lost {
    uint64_t version;
    enum record_damage how;
    const struct deployed *app; /* NULL: no app's that there is */
    bool can_be_given_up;
    bool nameless; /* its very name is damaged: ns is "app:SPACE", or all of the enclave's own */
    size_t key_size;
    char ns[KV_NAMESPACE_MAX + 1];
    uint8_t key[KV_KEY_MAX], id[STORAGE_KEY_SIZE];
};

struct lost_list {
    struct lost **of;
    size_t count, given_up;
    uint64_t nameless; /* nobody knows whose, so they are none of these */
    bool more, no_memory;
    uint8_t sha256[32]; /* of what can be given up */
};

static void list_free(struct lost_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->of[i]);
    free(list->of);
    *list = (struct lost_list){0};
}

/* Behind "app:", with its size; NULL: it is the enclave's own. */
static const char *space_in(const char *ns, size_t *size)
{
    if (strncmp(ns, "app:", 4) != 0)
        return NULL;
    *size = strcspn(ns + 4, ":");
    return ns + 4;
}

static const struct deployed *app_of_space(const char *space, size_t size)
{
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        if (strlen(d->space) == size && memcmp(d->space, space, size) == 0)
            return d;
    return NULL;
}

/* Those that stay do not keep those that can be given up from being listed: each kind has its own bound. */
static bool take(void *user, const struct store_lost *lost)
{
    struct lost_list *list = user;
    size_t space_size;
    list->nameless += !lost->ns;
    if (!lost->ns)
        return true;
    ENSURE(lost->ns_size <= KV_NAMESPACE_MAX && lost->key_size <= KV_KEY_MAX);
    struct lost *l = calloc(1, sizeof *l);
    list->no_memory = !l;
    if (!l)
        return false;
    memcpy(l->ns, lost->ns, lost->ns_size);
    l->nameless = !lost->key;
    if (lost->key)
        memcpy(l->key, lost->key, l->key_size = lost->key_size);
    memcpy(l->id, lost->id, sizeof l->id);
    l->version = lost->version;
    l->how = lost->how;
    const char *space = space_in(l->ns, &space_size);
    l->app = space ? app_of_space(space, space_size) : NULL;
    l->can_be_given_up = space && (!l->app || l->app->rule->kind == RULE_OPERATOR);
    if ((l->can_be_given_up ? list->given_up : list->count - list->given_up) == SALVAGE_MAX) {
        list->more = true;
        free(l);
        return true;
    }
    list->given_up += l->can_be_given_up;
    list->of[list->count++] = l;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct lost *x = *(struct lost *const *)a, *y = *(struct lost *const *)b;
    int order = strcmp(x->ns, y->ns);
    if (order == 0)
        order = memcmp(x->key, y->key, x->key_size < y->key_size ? x->key_size : y->key_size);
    if (order == 0)
        order = (x->key_size > y->key_size) - (x->key_size < y->key_size);
    return order ? order : memcmp(x->id, y->id, sizeof x->id);
}

static void hash_one(EVP_MD_CTX *ctx, const struct lost *l)
{
    uint64_t sizes[3] = {strlen(l->ns), l->key_size, l->version};
    EVP_DigestUpdate(ctx, sizes, sizeof sizes);
    EVP_DigestUpdate(ctx, l->ns, strlen(l->ns));
    EVP_DigestUpdate(ctx, l->key, l->key_size);
    EVP_DigestUpdate(ctx, l->id, sizeof l->id);
}

/* All of it, sorted. 0 or -ENOMEM, and then there is nothing. */
static int list_make(struct lost_list *list)
{
    static const char format[] = "enclave-os-salvage/1";
    loop_check(&enclave_system.owner->loop);
    *list = (struct lost_list){.of = calloc(2 * SALVAGE_MAX, sizeof *list->of)};
    EVP_MD_CTX *ctx = list->of ? EVP_MD_CTX_new() : NULL;
    if (ctx)
        store_each_lost(enclave_system.store, take, list);
    if (ctx && list->count > 1)
        qsort(list->of, list->count, sizeof *list->of, compare);
    bool ok = ctx && !list->no_memory && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    if (ok) {
        EVP_DigestUpdate(ctx, format, sizeof format);
        for (size_t i = 0; i < list->count; i++)
            if (list->of[i]->can_be_given_up)
                hash_one(ctx, list->of[i]);
        ok = EVP_DigestFinal_ex(ctx, list->sha256, NULL) == 1;
    }
    EVP_MD_CTX_free(ctx);
    if (!ok)
        list_free(list);
    return ok ? 0 : -ENOMEM;
}

/* ---- as JSON ----------------------------------------------------------------------------------------------------- */

static uint64_t big_endian(const uint8_t *at, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | at[i];
    return number;
}

/* Names of records are what an app's code makes of its users' data. Administrators may see those of an app that they
 * could replace by another that shows them, and no others'. What rule bound an app that is gone nobody knows. */
static bool is_shown(const struct lost *l)
{
    return l->can_be_given_up && l->app;
}

/* For people: what is no letter is written in hexadecimal. Of files, what fs/fs.h says of their records. */
static json_t *key_json(const struct lost *l)
{
    if (!is_shown(l))
        return json_string(space_in(l->ns, &(size_t){0})
                               ? "(not shown: its app's rule binds administrators, or it is gone)"
                               : "(not shown: the enclave's own)");
    if (l->nameless)
        return json_string("(its very name is damaged: lists of this app's are errors)");
    char text[4 * KV_KEY_MAX + 1], *at = text;
    size_t ns = strlen(l->ns);
    bool of_files = ns > 3 && strcmp(l->ns + ns - 3, ":fs") == 0;
    if (of_files && l->key[0] == 'c' && l->key_size == 13)
        return json_sprintf("file %llu, part %llu of 64 KiB", (unsigned long long)big_endian(l->key + 1, 8),
                            (unsigned long long)big_endian(l->key + 9, 4));
    if (of_files && l->key[0] == 'i' && l->key_size == 9)
        return json_sprintf("file %llu, size and times", (unsigned long long)big_endian(l->key + 1, 8));
    for (size_t i = 0; i < l->key_size; i++)
        at += l->key[i] >= ' ' && l->key[i] < 127 && l->key[i] != '\\' ? sprintf(at, "%c", l->key[i])
                                                                       : sprintf(at, "\\x%02x", l->key[i]);
    return json_stringn(text, (size_t)(at - text));
}

static const char *why_not(const struct lost *l)
{
    return l->can_be_given_up ? NULL
           : l->app           ? "the app's rule binds administrators: its code writes it anew, or the app is removed"
                              : "the enclave's own: of an app's code, push the app again";
}

static json_t *lost_json(const struct lost *l)
{
    size_t size = 0;
    const char *space = space_in(l->ns, &size);
    const char *store = !space ? l->ns : l->nameless ? "?" : space[size] ? space + size + 1 : "";
    size_t store_size = is_shown(l) ? strlen(store) : strcspn(store, ":"); /* not which of its stores */
    return json_pack("{s:s*,s:s%,s:o,s:s,s:b,s:s*}", "app", l->app ? l->app->name : NULL, "store", store, store_size,
                     "key", key_json(l), "how", damage_name(l->how), "can_be_given_up", l->can_be_given_up, "why",
                     why_not(l));
}

static void add_stopped(void *user, struct app *app)
{
    json_t *into = user;
    if (app_stopped(app))
        (void)json_array_append_new(
            into, json_pack("{s:s,s:s}", "app", app_name(app), "why", app_stopped(app))); /* its size is compared */
}

static void count_stopped(void *user, struct app *app)
{
    *(size_t *)user += app_stopped(app) != NULL;
}

/* NULL: no memory. */
static json_t *stopped_json(void)
{
    struct generation *now = generations_current();
    json_t *all = json_array();
    size_t count = 0;
    app_table_each(now->site.apps, add_stopped, all);
    app_table_each(now->site.apps, count_stopped, &count);
    http_site_unref(&now->site);
    if (json_array_size(all) == count)
        return all;
    json_decref(all);
    return NULL;
}

static json_t *list_json(const struct lost_list *list)
{
    char sha256[65];
    json_t *all = json_array();
    hex_text(list->sha256, 32, sha256);
    for (size_t i = 0; i < list->count; i++)
        if (json_array_append_new(all, lost_json(list->of[i])) < 0) {
            json_decref(all);
            return NULL;
        }
    return json_pack("{s:o,s:b,s:I,s:I,s:s*,s:o,s:I}", "lost", all, "more", list->more, "nameless",
                     (json_int_t)list->nameless, "give_up", (json_int_t)list->given_up, "list",
                     list->given_up ? sha256 : NULL, "stopped", stopped_json(), "mended",
                     (json_int_t)store_mended_count(enclave_system.store));
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

struct question {
    struct errand errand; /* first */
    salvage_listed done;
    void *user;
    json_t *answer;
};

static void deliver(struct loop_task *task)
{
    struct question *q = CONTAINER_OF(task, struct question, errand.task);
    errand_end(&q->errand);
    q->done(q->user, q->answer);
    free(q);
}

static void answer(struct loop_task *task)
{
    struct question *q = CONTAINER_OF(task, struct question, errand.task);
    struct lost_list list;
    ENSURE(!q->answer);
    if (list_make(&list) == 0) {
        q->answer = list_json(&list);
        list_free(&list);
    }
    errand_return(&q->errand, &enclave_system.owner->loop, deliver);
}

int salvage_list(struct worker *w, salvage_listed done, void *user)
{
    struct question *q = calloc(1, sizeof *q);
    ENSURE(done);
    loop_check(&w->loop);
    if (!q)
        return -ENOMEM;
    q->done = done;
    q->user = user;
    errand_send(&q->errand, &w->loop, &enclave_system.owner->loop, answer);
    return 0;
}

/* ---- the change -------------------------------------------------------------------------------------------------- */

struct salvage_change {
    struct change change; /* first */
    uint8_t list_sha256[32];
    struct lost_list list;
    struct kv_namespace **spaces; /* one for each record that is given up, or NULL: that of the one before */
    size_t given_up;
};

/* Whose it is, where it is all one app's. */
static void name_app(struct salvage_change *c)
{
    const struct deployed *only = NULL;
    bool one = true;
    ENSURE(c->given_up > 0);
    ENSURE(c->given_up <= c->list.count);
    for (size_t i = 0; i < c->list.count; i++) {
        const struct lost *l = c->list.of[i];
        if (!l->can_be_given_up)
            continue;
        one = one && l->app && (!only || only == l->app);
        only = l->app;
    }
    struct change_subject *subject = &c->change.subject;
    snprintf(subject->what, sizeof subject->what, "salvage: %zu lost records given up", c->given_up);
    if (!one || !only)
        return;
    snprintf(subject->app, sizeof subject->app, "%s", only->name);
    memcpy(subject->sha256, only->sha256, sizeof subject->sha256);
}

/* A deletion of each. 0 or -ENOMEM. */
static int make_ops(struct salvage_change *c, struct kv_op *ops)
{
    struct kv_namespace *ns = NULL;
    const struct lost *before = NULL;
    size_t count = 0;
    for (size_t i = 0; i < c->list.count; i++) {
        const struct lost *l = c->list.of[i];
        if (!l->can_be_given_up)
            continue;
        if (!before || strcmp(before->ns, l->ns) != 0)
            ns = c->spaces[count] = kv_namespace_open(enclave_system.store, l->ns);
        if (!ns)
            return -ENOMEM;
        ops[count++] = (struct kv_op){KV_GIVE_UP, ns, l->id, sizeof l->id, NULL, 0};
        before = l;
    }
    ENSURE(count == c->given_up);
    return 0;
}

static void salvage_write(struct change *change)
{
    struct salvage_change *c = CONTAINER_OF(change, struct salvage_change, change);
    loop_check(&enclave_system.owner->loop);
    ENSURE(!c->list.of && !c->spaces);
    int error = list_make(&c->list);
    c->given_up = c->list.given_up;
    if (error == 0 && c->given_up == 0) {
        change_fail(change, 409, "nothing is lost that could be given up: nothing was changed");
        return;
    }
    if (error == 0 && memcmp(c->list.sha256, c->list_sha256, 32) != 0) {
        change_fail(change, 409, "what is lost is not what that list has: look again (enclavectl salvage ls)");
        return;
    }
    struct kv_op *ops = error == 0 ? calloc(c->given_up, sizeof *ops) : NULL;
    c->spaces = ops ? calloc(c->given_up, sizeof *c->spaces) : NULL;
    if (c->spaces && make_ops(c, ops) == 0) {
        name_app(c);
        change_propose(change, ops, c->given_up);
    } else {
        change_fail(change, 503, "out of memory: nothing was changed");
    }
    free(ops);
}

static void salvage_committed(struct change *change)
{
    const struct salvage_change *c = CONTAINER_OF(change, const struct salvage_change, change);
    rpc_log(enclave_system.owner->rpc, LOG_WARN, "%zu lost records are given up", c->given_up);
}

static json_t *salvage_describe(const struct change *change)
{
    return json_pack("{s:I}", "given_up",
                     (json_int_t)CONTAINER_OF(change, const struct salvage_change, change)->given_up);
}

static void salvage_release(struct change *change)
{
    struct salvage_change *c = CONTAINER_OF(change, struct salvage_change, change);
    for (size_t i = 0; c->spaces && i < c->given_up; i++)
        kv_namespace_close(c->spaces[i]);
    free(c->spaces);
    list_free(&c->list);
    free(c);
}

static int read_order(const void *json, size_t size, uint8_t list_sha256[32], char why[SALVAGE_WHY_SIZE])
{
    json_t *order = json_read(json, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(order, "list");
    bool ok = json_object_size(order) == 1 && json_is_string(list) &&
              hex_read(json_string_value(list), json_string_length(list), list_sha256, 32);
    json_decref(order);
    snprintf(why, SALVAGE_WHY_SIZE, "not {\"list\": the 64 hex digits that the list of what is lost shows}");
    return ok ? 0 : -EINVAL;
}

int salvage_give_up(const struct change_asker *asker, const void *json, size_t size, char why[SALVAGE_WHY_SIZE])
{
    static const struct change_ops ops = {.write = salvage_write,
                                          .committed = salvage_committed,
                                          .describe = salvage_describe,
                                          .release = salvage_release};
    uint8_t list_sha256[32];
    loop_check(&asker->worker->loop);
    int error = read_order(json, size, list_sha256, why);
    if (error < 0)
        return error;
    struct salvage_change *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    memcpy(c->list_sha256, list_sha256, sizeof list_sha256);
    c->change.ops = &ops;
    c->change.success = 200;
    c->change.subject = (struct change_subject){.what = "salvage", .kind = "salvage"};
    change_ask(&c->change, asker);
    return 0;
}
