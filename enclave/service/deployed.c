/* See deployed.h. */
#include "enclave/service/deployed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/json.h"
#include "enclave/service/system.h"

static struct deployed *list;

bool deployed_name_ok(const char *name, size_t size)
{
    static const char *const reserved[] = {"healthz",  "readyz",     "status", "metrics", "data", "attestation-servers",
                                           "shutdown", ".well-known"};
    if (size == 0 || size > APP_NAME_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (i == 0 || (c != '-' && c != '_')))
            return false;
    }
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strlen(reserved[i]) == size && !memcmp(reserved[i], name, size))
            return false;
    return true;
}

static int unhex(const char *text, uint8_t *out, size_t size)
{
    if (!text || strlen(text) != 2 * size)
        return -EBADMSG;
    for (size_t i = 0; i < size; i++)
        if (sscanf(text + 2 * i, "%2hhx", &out[i]) != 1)
            return -EBADMSG;
    return 0;
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

void deployed_free(struct deployed *d)
{
    if (d)
        app_settings_unref(d->settings);
    free(d);
}

void deployed_put(struct deployed *d)
{
    loop_check(&enclave_system.owner->loop);
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

size_t deployed_chunks(const struct deployed *d)
{
    return (d->size + DEPLOYED_CHUNK - 1) / DEPLOYED_CHUNK;
}

void deployed_chunk_key(const struct deployed *d, size_t index, char out[64])
{
    snprintf(out, 64, "artefact/%s/%zu", d->artefact, index);
}

/* ---- as JSON ------------------------------------------------------------------------------------------------ */

static json_t *entry_json(const struct deployed *d)
{
    char sha[65], salt[2 * SETTINGS_SALT_SIZE + 1];
    hex_text(d->sha256, 32, sha);
    json_t *entry = json_pack("{s:s,s:s,s:s,s:I}", "name", d->name, "sha256", sha, "artefact", d->artefact, "size",
                              (json_int_t)d->size);
    if (entry && !app_settings_empty(d->settings)) {
        hex_text(d->settings->salt, sizeof d->settings->salt, salt);
        json_object_set_new(entry, "salt", json_string(salt));
        json_object_set_new(entry, "settings", json_string(d->settings->json));
    }
    return entry;
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

static int parse_entry(const json_t *item, struct deployed **out)
{
    const char *name = json_string_value(json_object_get(item, "name"));
    const char *artefact = json_string_value(json_object_get(item, "artefact"));
    json_int_t size = json_integer_value(json_object_get(item, "size"));
    struct deployed *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    d->settings = parse_settings(item);
    if (!d->settings || !name || !deployed_name_ok(name, strlen(name)) || !artefact || strlen(artefact) != 32 ||
        size <= 0 || unhex(json_string_value(json_object_get(item, "sha256")), d->sha256, 32) < 0) {
        deployed_free(d);
        return -EBADMSG;
    }
    strcpy(d->name, name);
    strcpy(d->artefact, artefact);
    d->size = (size_t)size;
    *out = d;
    return 0;
}

int deployed_load(void)
{
    loop_check(&enclave_system.owner->loop);
    uint8_t *text;
    size_t size;
    int result = system_get("apps", &text, &size);
    if (result == -ENOENT)
        return 0;
    if (result < 0)
        return result;
    json_t *array = json_read((const char *)text, size, 0, NULL);
    free(text);
    size_t index;
    json_t *item;
    json_array_foreach(array, index, item)
    {
        struct deployed *d = NULL;
        result = result == 0 ? parse_entry(item, &d) : result;
        if (d)
            deployed_put(d);
    }
    json_decref(array);
    return array ? result : -EBADMSG;
}

char *deployed_text(const char *without, const struct deployed *with)
{
    loop_check(&enclave_system.owner->loop);
    json_t *array = json_array();
    for (const struct deployed *d = list; d; d = d->next)
        if (strcmp(d->name, without) != 0)
            json_array_append_new(array, entry_json(d));
    if (with)
        json_array_append_new(array, entry_json(with));
    char *text = json_dumps(array, JSON_COMPACT);
    json_decref(array);
    return text;
}
