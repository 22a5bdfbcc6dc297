/* See deployed.h. */
#include "enclave/service/deployed.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "common/json.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/service/change.h"
#include "enclave/service/rule.h"
#include "enclave/service/system.h"
#include "sgx/trusted/bridge.h"

static struct deployed *list;

bool deployed_name_ok(const char *name, size_t size)
{
    static const char *const reserved[] = {"healthz",  "readyz",     "status", "metrics", "data", "attestation-servers",
                                           "shutdown", ".well-known"};
    if (!app_name_ok(name, size))
        return false;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strlen(reserved[i]) == size && !memcmp(reserved[i], name, size))
            return false;
    return true;
}

/* One that can be listed. */
static void check(const struct deployed *d)
{
    ENSURE(d->name[0] && d->space[0]);
    ENSURE(d->rule && d->settings);
    ENSURE(d->size > 0 || d->wasm[0]);
    ENSURE(!d->size == !d->artefact[0]);
}

static int unhex(const char *text, uint8_t *out, size_t size)
{
    return text && hex_read(text, strlen(text), out, size) ? 0 : -EBADMSG;
}

const struct deployed *deployed_first(void)
{
    loop_check(&enclave_system.owner->loop);
    return list;
}

static struct deployed **place(const char *name)
{
    struct deployed **at = &list;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

const struct deployed *deployed_find(const char *name)
{
    loop_check(&enclave_system.owner->loop);
    return *place(name);
}

const struct deployed *deployed_find_preparing(const char *name)
{
    ENSURE(change_is_preparing()); /* so nothing else changes the list */
    return *place(name);
}

void deployed_free(struct deployed *d)
{
    if (!d)
        return;
    app_settings_unref(d->settings);
    rule_unref(d->rule);
    free(d);
}

struct deployed *deployed_new(const char *name)
{
    struct deployed *d = calloc(1, sizeof *d);
    if (d)
        snprintf(d->name, sizeof d->name, "%s", name);
    return d;
}

struct deployed *deployed_copy(const struct deployed *d)
{
    struct deployed *copy = malloc(sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *d;
    copy->next = NULL;
    rule_ref(copy->rule);
    app_settings_ref(copy->settings);
    return copy;
}

void deployed_found(struct deployed *d, struct rule *rule)
{
    static_assert(2 * RULE_ID_SIZE <= APP_NAME_MAX, "an identity's digits fit");
    ENSURE(!d->rule && !d->space[0]);
    d->rule = rule;
    hex_text(rule->id, RULE_ID_SIZE, d->space);
}

void deployed_put(struct deployed *d)
{
    loop_check(&enclave_system.owner->loop);
    check(d);
    deployed_remove(d->name);
    d->next = list;
    list = d;
}

void deployed_remove(const char *name)
{
    loop_check(&enclave_system.owner->loop);
    struct deployed **at = place(name), *old = *at;
    if (old)
        *at = old->next;
    deployed_free(old);
}

void deployed_tried(const char *name)
{
    loop_check(&enclave_system.owner->loop);
    struct deployed *d = *place(name);
    if (d)
        d->tries++;
}

static size_t chunks_of(size_t size)
{
    return (size + DEPLOYED_CHUNK - 1) / DEPLOYED_CHUNK;
}

size_t deployed_chunks(const struct deployed *d)
{
    return chunks_of(d->size);
}

size_t deployed_records(const struct deployed *d)
{
    return chunks_of(d->size) + (d->wasm[0] ? chunks_of(d->wasm_size) : 0);
}

#define ARTEFACT_PREFIX "artefact/"
#define WASM_PREFIX "wasm/"
#define RANDOM_NAME_SIZE 32u

void deployed_chunk_key(const struct deployed *d, size_t index, char out[DEPLOYED_KEY_SIZE])
{
    size_t compiled = deployed_chunks(d);
    ENSURE(index < deployed_records(d));
    if (index < compiled)
        snprintf(out, DEPLOYED_KEY_SIZE, ARTEFACT_PREFIX "%s/%zu", d->artefact, index);
    else
        snprintf(out, DEPLOYED_KEY_SIZE, WASM_PREFIX "%s/%zu", d->wasm, index - compiled);
}

const char *deployed_name_in_key(const void *key, size_t size)
{
    static const char *const prefixes[] = {ARTEFACT_PREFIX, WASM_PREFIX};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t prefix = strlen(prefixes[i]);
        if (size >= prefix + RANDOM_NAME_SIZE && memcmp(key, prefixes[i], prefix) == 0)
            return (const char *)key + prefix;
    }
    return NULL;
}

void deployed_rule(struct deployed *d, struct rule *rule)
{
    ENSURE(d->rule && memcmp(d->rule->id, rule->id, RULE_ID_SIZE) == 0);
    rule_unref(d->rule);
    d->rule = rule;
}

/* ---- as JSON ------------------------------------------------------------------------------------------------ */

/* NULL: no memory. */
static json_t *entry_json(const struct deployed *d)
{
    char sha[65], engine[2 * WASM_ENGINE_ID_SIZE + 1], salt[2 * SETTINGS_SALT_SIZE + 1], key[2 * RULE_KEY_SIZE + 1];
    char *rule = rule_text(d->rule);
    bool published = d->rule->kind == RULE_PUBLISHER;
    check(d);
    hex_text(d->sha256, 32, sha);
    hex_text(d->engine, sizeof d->engine, engine);
    if (published)
        hex_text(d->rule->publisher, RULE_KEY_SIZE, key);
    json_t *entry = json_pack("{s:s,s:s,s:s,s:s,s:s*,s:s,s:I,s:s}", "name", d->name, "space", d->space, "rule", rule,
                              "sha256", sha, "publisher", published ? key : NULL, "artefact", d->artefact, "size",
                              (json_int_t)d->size, "image", engine);
    free(rule);
    if (entry && d->wasm[0] &&
        (json_object_set_new(entry, "wasm", json_string(d->wasm)) < 0 ||
         json_object_set_new(entry, "wasm_size", json_integer((json_int_t)d->wasm_size)) < 0)) {
        json_decref(entry);
        return NULL;
    }
    if (!entry || app_settings_empty(d->settings))
        return entry;
    hex_text(d->settings->salt, sizeof d->settings->salt, salt);
    if (json_object_set_new(entry, "salt", json_string(salt)) == 0 &&
        json_object_set_new(entry, "settings", json_string(d->settings->json)) == 0)
        return entry;
    json_decref(entry);
    return NULL;
}

static struct app_settings *parse_settings(const json_t *item)
{
    uint8_t salt[SETTINGS_SALT_SIZE] = {0};
    char error[64];
    const char *text = json_string_value(json_object_get(item, "settings"));
    if (text && unhex(json_string_value(json_object_get(item, "salt")), salt, sizeof salt) < 0)
        return NULL;
    return app_settings_parse(text ? text : "{}", text ? strlen(text) : 2, salt, error, sizeof error);
}

/* Who it is, and who may change it. Of a list from before there were rules: as the operator's, with its name's data. */
static int parse_rule(const json_t *item, struct deployed *d, bool *older)
{
    uint8_t key[RULE_KEY_SIZE], id[RULE_ID_SIZE];
    const json_t *rule = json_object_get(item, "rule"), *publisher = json_object_get(item, "publisher");
    const char *space = json_string_value(json_object_get(item, "space"));
    ENSURE(d->name[0]);
    ENSURE(!d->rule && !d->space[0]);
    if (!rule && !publisher && !space) {
        *older = true;
        sgx_random(id, sizeof id);
        strcpy(d->space, d->name);
        d->rule = rule_operator(id);
        return d->rule ? 0 : -ENOMEM;
    }
    if (!rule || !space || !deployed_name_ok(space, strlen(space)) ||
        (publisher && unhex(json_string_value(publisher), key, sizeof key) < 0))
        return -EBADMSG;
    strcpy(d->space, space);
    d->rule = rule_parse(json_string_value(rule), json_string_length(rule), publisher ? key : NULL);
    return d->rule ? 0 : -EBADMSG;
}

/* What the artefact was made by and of. The member's name is from when that was an image's measurement, which is no
 * engine's fingerprint: such code is made again. A list that is older still does not say: then only this image could
 * open it, and nothing was kept that it was made of. */
static bool parse_origin(const json_t *item, struct deployed *d)
{
    const char *engine = json_string_value(json_object_get(item, "image"));
    const char *wasm = json_string_value(json_object_get(item, "wasm"));
    json_int_t size = json_integer_value(json_object_get(item, "wasm_size"));
    ENSURE(!d->wasm[0] && d->wasm_size == 0);
    ENSURE(d->name[0] == 0); /* it is being made */
    memcpy(d->engine, wasm_engine_id, sizeof d->engine);
    if (engine && unhex(engine, d->engine, sizeof d->engine) < 0)
        return false;
    if (!wasm)
        return true;
    if (strlen(wasm) != RANDOM_NAME_SIZE || size <= 0)
        return false;
    strcpy(d->wasm, wasm);
    d->wasm_size = (size_t)size;
    return true;
}

static int parse_entry(const json_t *item, struct deployed **out, bool *older)
{
    const char *name = json_string_value(json_object_get(item, "name"));
    const char *artefact = json_string_value(json_object_get(item, "artefact"));
    json_int_t size = json_integer_value(json_object_get(item, "size"));
    struct deployed *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    d->settings = parse_settings(item);
    if (!d->settings || !name || !deployed_name_ok(name, strlen(name)) || !artefact ||
        strlen(artefact) != (size == 0 ? 0 : RANDOM_NAME_SIZE) || size < 0 ||
        unhex(json_string_value(json_object_get(item, "sha256")), d->sha256, 32) < 0 || !parse_origin(item, d)) {
        deployed_free(d);
        return -EBADMSG;
    }
    strcpy(d->name, name);
    strcpy(d->artefact, artefact);
    d->size = (size_t)size;
    int error = d->size > 0 || d->wasm[0] ? parse_rule(item, d, older) : -EBADMSG;
    if (error < 0) {
        deployed_free(d);
        return error;
    }
    check(d);
    *out = d;
    return 0;
}

/* The identities that were made just now are to stay. */
static int write_again(void)
{
    char *text = deployed_text("", NULL);
    if (!text)
        return -ENOMEM;
    const struct kv_op op = {KV_PUT, enclave_system.settings, "apps", 4, text, strlen(text)};
    int error = kv_commit_wait(enclave_system.owner, &op, 1);
    OPENSSL_clear_free(text, strlen(text)); /* settings may be secrets */
    return error;
}

int deployed_load(void)
{
    loop_check(&enclave_system.owner->loop);
    uint8_t *text;
    size_t size;
    bool older = false;
    int result = system_get("apps", &text, &size);
    if (result == -ENOENT)
        return 0;
    if (result < 0)
        return result;
    json_t *array = json_read((const char *)text, size, 0, NULL);
    free(text);
    size_t index;
    json_t *item;
    result = json_is_array(array) ? 0 : -EBADMSG;
    json_array_foreach(array, index, item)
    {
        struct deployed *d = NULL;
        result = result == 0 ? parse_entry(item, &d, &older) : result;
        if (d)
            deployed_put(d);
    }
    json_decref(array);
    if (result == 0 && older)
        result = write_again();
    return result;
}

char *deployed_text(const char *without, const struct deployed *with)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(without);
    json_t *array = json_array();
    bool whole = array; /* a list that lacks an app would lose it */
    for (const struct deployed *d = list; d && whole; d = d->next)
        if (strcmp(d->name, without) != 0)
            whole = json_array_append_new(array, entry_json(d)) == 0;
    if (with && whole)
        whole = json_array_append_new(array, entry_json(with)) == 0;
    char *text = whole ? json_dumps(array, JSON_COMPACT) : NULL;
    json_decref(array);
    return text;
}
