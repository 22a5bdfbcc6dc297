/* An entry's JSON: docs/history.md. What is hashed, stored and read back is these bytes. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/history/internal.h"

#define FORMAT "enclave-os-entry/1"

static json_t *hex_value(const uint8_t hash[32])
{
    char text[65];
    hex_text(hash, 32, text);
    return json_string(text);
}

/* Takes value, which may be NULL: no memory. */
static void set(json_t *object, bool *ok, const char *name, json_t *value)
{
    *ok = json_object_set_new(object, name, value) == 0 && *ok;
}

static void set_hash(json_t *object, bool *ok, const char *name, const uint8_t *hash)
{
    if (hash)
        set(object, ok, name, hex_value(hash));
}

static json_t *keys(const struct history_entry *e, bool *ok)
{
    json_t *array = json_array();
    for (size_t i = 0; i < e->by_count; i++)
        *ok = json_array_append_new(array, hex_value(e->by[i])) == 0 && *ok;
    return array;
}

/* Cut where it is too long, between characters. */
static json_t *line(const char *what)
{
    size_t size = what ? strlen(what) : 0;
    if (size > HISTORY_WHAT_MAX)
        for (size = HISTORY_WHAT_MAX; size > 0 && ((unsigned char)what[size] & 0xc0) == 0x80;)
            size--;
    return json_stringn(what ? what : "", size);
}

static json_t *entry_value(const struct history_entry *e, uint64_t index, uint64_t time_s, uint64_t epoch)
{
    json_t *o = json_object();
    bool ok = o != NULL;
    set(o, &ok, "format", json_string(FORMAT));
    set(o, &ok, "index", json_integer((json_int_t)index));
    set(o, &ok, "time", json_integer((json_int_t)time_s));
    set(o, &ok, "kind", json_string(e->kind));
    set(o, &ok, "by", keys(e, &ok));
    set(o, &ok, "what", line(e->what));
    set(o, &ok, "generation", json_integer((json_int_t)e->generation));
    set_hash(o, &ok, "manifest_root", e->root);
    set(o, &ok, "epoch", json_integer((json_int_t)epoch));
    if (e->app)
        set(o, &ok, "app", json_string(e->app));
    set_hash(o, &ok, "sha256", e->sha256);
    set_hash(o, &ok, "nonce", e->nonce);
    set_hash(o, &ok, "measurement", e->measurement);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

int entry_json(const struct history_entry *e, uint64_t index, uint64_t time_s, uint64_t epoch, char **json,
               size_t *size)
{
    ENSURE(e->kind && e->root);
    ENSURE(e->by_count <= HISTORY_BY_MAX);
    ENSURE(e->by || e->by_count == 0);
    json_t *value = entry_value(e, index, time_s, epoch);
    *json = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    if (!*json)
        return -ENOMEM;
    *size = strlen(*json);
    if (*size <= HISTORY_ENTRY_MAX)
        return 0;
    free(*json);
    *json = NULL;
    return -E2BIG;
}
