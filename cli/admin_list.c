/* See admin_list.h. */
#include "cli/admin_list.h"

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/public_key.h"
#include "cli/report.h"
#include "common/hex.h"
#include "common/json.h"

#define PREFIX_LEAST 8u

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static json_t *entry_of(const char *pem, size_t size, const char *role)
{
    uint8_t hash[32];
    char hex[65];
    if (!public_key_thumbprint(pem, size, hash))
        return NULL;
    hex_text(hash, sizeof hash, hex);
    return json_pack("{s:s#,s:s,s:s}", "public_key", pem, (int)size, "role", role, "key", hex);
}

json_t *admin_list_entry(const char *path, const char *role)
{
    size_t size;
    char *pem = read_input(NULL, path, PUBLIC_KEY_FILE_MAX, &size);
    if (!pem)
        return NULL;
    bool secret = strstr(pem, "PRIVATE KEY-----") != NULL;
    json_t *entry = entry_of(pem, size, role);
    if (!entry)
        wrong("%s: not one P-256 public key in PEM%s", path,
              secret ? ": this is the secret half, which never leaves its owner; the other one is FILE.pub" : "");
    OPENSSL_cleanse(pem, size);
    free(pem);
    return entry;
}

/* A key's entry, with the thumbprint that we found rather than one that was said. */
static json_t *check_entry(const json_t *item)
{
    const char *pem = text_of(item, "public_key"), *said = text_of(item, "key");
    json_t *entry = entry_of(pem, strlen(pem), text_of(item, "role"));
    if (entry && *said && strcmp(said, text_of(entry, "key")) != 0) {
        json_decref(entry);
        entry = NULL;
    }
    return entry;
}

/* NULL: not a list. */
static json_t *check_list(const json_t *json)
{
    const json_t *array = json_object_get(json, "administrators"), *item;
    size_t i;
    json_t *checked = json_array();
    bool ok = checked && json_is_array(array) && json_is_integer(json_object_get(json, "threshold"));
    for (i = 0; ok && i < json_array_size(array); i++) {
        item = json_array_get(array, i);
        ok = json_array_append_new(checked, check_entry(item)) == 0;
    }
    json_t *list =
        ok ? json_pack("{s:O,s:O}", "threshold", json_object_get(json, "threshold"), "administrators", checked) : NULL;
    json_decref(checked);
    return list;
}

json_t *admin_list_read(const char *body, size_t size)
{
    json_t *json = json_read(body, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = check_list(json);
    if (list && json_object_set(list, "sha256", json_object_get(json, "sha256")) != 0) {
        json_decref(list);
        list = NULL;
    }
    json_decref(json);
    if (!list)
        complain("the server's list of administrators cannot be read");
    return list;
}

json_t *admin_list_of_order(const char *text, size_t size, const char **replaces)
{
    static char kept[65];
    json_t *json = json_read(text, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = check_list(json);
    const char *said = json_string_value(json_object_get(json, "replaces"));
    *replaces = NULL;
    if (said && strlen(said) < sizeof kept)
        *replaces = strcpy(kept, said);
    json_decref(json);
    if (!list)
        wrong("what is proposed is no list of administrators");
    return list;
}

bool admin_list_name(const char *name, char hex[65])
{
    size_t digits = strspn(name, "0123456789abcdef");
    if (name[digits] || digits < PREFIX_LEAST || digits > 64) {
        json_t *entry = admin_list_entry(name, "");
        snprintf(hex, 65, "%s", text_of(entry, "key"));
        json_decref(entry);
    } else {
        snprintf(hex, 65, "%s", name);
    }
    return *hex;
}

int admin_list_find(const json_t *list, const char *name)
{
    const json_t *array = json_object_get(list, "administrators");
    char hex[65];
    int found = -1, count = 0;
    if (!admin_list_name(name, hex))
        return -1;
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (strncmp(text_of(json_array_get(array, i), "key"), hex, strlen(hex)) == 0) {
            found = (int)i;
            count++;
        }
    }
    if (count == 1)
        return found;
    complain("%s: %s (enclavectl admin ls)", name,
             count ? "more than one administrator's key begins so" : "no administrator has this key");
    return -1;
}

void admin_list_print(const json_t *list)
{
    const json_t *array = json_object_get(list, "administrators");
    unsigned admins = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        admins += strcmp(text_of(item, "role"), "admin") == 0;
        printf("%-8s %s\n", text_of(item, "role"), text_of(item, "key"));
    }
    printf("a change of them takes %" JSON_INTEGER_FORMAT " of %u admins\n",
           json_integer_value(json_object_get(list, "threshold")), admins);
}

char *admin_list_order(const json_t *list)
{
    const json_t *array = json_object_get(list, "administrators");
    json_t *items = json_array();
    for (size_t i = 0; i < json_array_size(array) && items; i++) {
        const json_t *item = json_array_get(array, i);
        json_t *short_one = json_pack("{s:O,s:O}", "role", json_object_get(item, "role"), "public_key",
                                      json_object_get(item, "public_key"));
        if (json_array_append_new(items, short_one) != 0) {
            json_decref(items);
            items = NULL;
        }
    }
    json_t *order = json_pack("{s:O,s:o,s:O}", "threshold", json_object_get(list, "threshold"), "administrators", items,
                              "replaces", json_object_get(list, "sha256"));
    char *text = order ? json_dumps(order, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(order);
    return text;
}
