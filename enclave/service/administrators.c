/* See administrators.h. */
#include "enclave/service/administrators.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/references.h"
#include "common/hex.h"
#include "common/json.h"
#include "common/pem.h"

static const char *const role_names[] = {
    [ADMIN_ROLE_MONITOR] = "monitor", [ADMIN_ROLE_DEPLOY] = "deploy", [ADMIN_ROLE_ADMIN] = "admin"};

const char *admin_role_name(enum admin_role role)
{
    ENSURE((size_t)role < sizeof role_names / sizeof *role_names);
    return role_names[role];
}

/* A list that is being made. Of several complaints the first is told. */
struct making {
    struct administrators *list;
    char *why;
    bool failed;
};

static void refuse(struct making *m, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!m->failed)
        vsnprintf(m->why, ADMINISTRATORS_WHY_SIZE, format, arguments);
    va_end(arguments);
    m->failed = true;
}

static struct making begin(char why[ADMINISTRATORS_WHY_SIZE])
{
    struct making m = {calloc(1, sizeof *m.list), why, false};
    if (!m.list)
        refuse(&m, "out of memory");
    else
        atomic_store(&m.list->refs, 1);
    return m;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static bool is_p256(EVP_PKEY *key)
{
    char group[32] = "";
    return key && EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) &&
           strcmp(group, "prime256v1") == 0;
}

/* Brought to one form, so that one key has one thumbprint: the point uncompressed, the curve by its name. */
static bool read_key(const uint8_t *der, size_t size, uint8_t out[ADMINISTRATOR_KEY_SIZE])
{
    const uint8_t *at = der;
    EVP_PKEY *key = size > 0 && size <= 1024 ? d2i_PUBKEY(NULL, &at, (long)size) : NULL;
    uint8_t *canonical = NULL;
    int canonical_size = 0;
    if (is_p256(key) && at == der + size &&
        EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") == 1)
        canonical_size = i2d_PUBKEY(key, &canonical);
    if (canonical_size == (int)ADMINISTRATOR_KEY_SIZE)
        memcpy(out, canonical, ADMINISTRATOR_KEY_SIZE);
    OPENSSL_free(canonical);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return canonical_size == (int)ADMINISTRATOR_KEY_SIZE;
}

/* One block of that label and nothing else, without headers. */
static bool read_pem(const char *pem, size_t size, uint8_t out[ADMINISTRATOR_KEY_SIZE])
{
    char *label = NULL, *header = NULL;
    uint8_t *der = NULL;
    long der_size = 0;
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    bool ok = bio && PEM_read_bio(bio, &label, &header, &der, &der_size) == 1 && header[0] == 0 &&
              strcmp(label, PEM_STRING_PUBLIC) == 0 && read_key(der, (size_t)der_size, out);
    BIO_free(bio);
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    ERR_clear_error();
    return ok;
}

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct administrator *)a)->thumbprint, ((const struct administrator *)b)->thumbprint, 32);
}

static size_t count_admins(const struct administrators *a)
{
    size_t admins = 0;
    for (size_t i = 0; i < a->count; i++)
        admins += a->of[i].role == ADMIN_ROLE_ADMIN;
    return admins;
}

/* What must hold of every list, whoever made it. */
static void check(const struct administrators *a)
{
    ENSURE(atomic_load_explicit(&a->refs, memory_order_relaxed) > 0);
    ENSURE(a->count <= ADMINISTRATORS_MAX);
    ENSURE((a->threshold == 0) == (a->count == 0));
    ENSURE(a->threshold <= count_admins(a));
}

static char *dump(json_t *made)
{
    char *text = made ? json_dumps(made, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(made);
    return text;
}

/* The list, complete and named; NULL: it was refused. */
static struct administrators *finish(struct making *m)
{
    char *record = NULL;
    if (!m->failed) {
        qsort(m->list->of, m->list->count, sizeof *m->list->of, compare);
        check(m->list);
        record = administrators_record(m->list);
        if (!record)
            refuse(m, "out of memory");
    }
    if (m->failed) {
        free(m->list);
        return NULL;
    }
    SHA256((const uint8_t *)record, strlen(record), m->list->sha256);
    free(record);
    return m->list;
}

struct administrators *administrators_of_key(const uint8_t *key, size_t size, char why[ADMINISTRATORS_WHY_SIZE])
{
    struct making m = begin(why);
    if (!m.failed && size > 0) {
        struct administrator *one = &m.list->of[0];
        if (!read_key(key, size, one->key))
            refuse(&m, "the admin key is not a P-256 public key");
        SHA256(one->key, sizeof one->key, one->thumbprint);
        one->role = ADMIN_ROLE_ADMIN;
        m.list->count = m.list->threshold = 1;
    }
    return finish(&m);
}

/* ---- from JSON --------------------------------------------------------------------------------------------------- */

static void take_role(struct making *m, size_t number, const json_t *value, enum admin_role *role)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < sizeof role_names / sizeof *role_names; i++) {
        if (strcmp(text, role_names[i]) == 0) {
            *role = (enum admin_role)i;
            return;
        }
    }
    refuse(m, "administrators: number %zu: the role has to be \"admin\", \"deploy\" or \"monitor\"", number);
}

static void take_key(struct making *m, size_t number, const json_t *value, struct administrator *one)
{
    const char *pem = json_string_value(value);
    char why[PEM_WHY_SIZE] = "not one PUBLIC KEY";
    if (!pem)
        refuse(m, "administrators: number %zu: public_key has to be a text, in PEM", number);
    else if (pem_judge(pem, json_string_length(value), PEM_STRING_PUBLIC, why) != 1)
        refuse(m, "administrators: number %zu: public_key: %.100s", number, why);
    else if (!read_pem(pem, json_string_length(value), one->key))
        refuse(m, "administrators: number %zu: public_key: not a P-256 public key", number);
    SHA256(one->key, sizeof one->key, one->thumbprint);
}

static void take_one(struct making *m, size_t number, const json_t *item)
{
    struct administrator one = {0};
    if (!json_is_object(item)) {
        refuse(m, "administrators: number %zu is no object", number);
        return;
    }
    take_role(m, number, json_object_get(item, "role"), &one.role);
    take_key(m, number, json_object_get(item, "public_key"), &one);
    if (json_object_size(item) != 2)
        refuse(m, "administrators: number %zu: its members have to be role and public_key", number);
    for (size_t i = 0; i < m->list->count; i++)
        if (memcmp(m->list->of[i].thumbprint, one.thumbprint, 32) == 0)
            refuse(m, "administrators: number %zu: the key of number %zu again; one key has one role", number, i + 1);
    if (!m->failed)
        m->list->of[m->list->count++] = one;
}

static void take_list(struct making *m, const json_t *array)
{
    size_t index;
    json_t *item;
    if (!json_is_array(array)) {
        refuse(m, "administrators has to be an array");
        return;
    }
    if (json_array_size(array) > ADMINISTRATORS_MAX)
        refuse(m, "there may be %u administrators, not %zu", ADMINISTRATORS_MAX, json_array_size(array));
    json_array_foreach(array, index, item)
    {
        if (m->failed)
            return;
        take_one(m, index + 1, item);
    }
}

static void take_threshold(struct making *m, const json_t *value)
{
    json_int_t threshold = json_integer_value(value);
    size_t admins = count_admins(m->list);
    if (!json_is_integer(value))
        refuse(m, "threshold has to be a whole number");
    else if (admins == 0)
        refuse(m, "no administrator has the role admin: nobody could change anything any more");
    else if (threshold < 1 || (size_t)threshold > admins)
        refuse(m, "the threshold has to be from 1 to %zu, the number of admins, not %lld", admins,
               (long long)threshold);
    else
        m->list->threshold = (uint32_t)threshold;
}

static json_t *read_object(struct making *m, const char *json, size_t size)
{
    json_error_t where;
    if (size > ADMINISTRATORS_JSON_MAX) {
        refuse(m, "more than %u bytes", ADMINISTRATORS_JSON_MAX);
        return NULL;
    }
    json_t *object = json_read(json, size, JSON_REJECT_DUPLICATES, &where);
    if (!object)
        refuse(m, "not JSON: line %d: %.100s", where.line, where.text);
    else if (!json_is_object(object))
        refuse(m, "not a JSON object");
    return object;
}

struct administrators *administrators_load(const char *json, size_t size, char why[ADMINISTRATORS_WHY_SIZE])
{
    struct making m = begin(why);
    json_t *object = m.failed ? NULL : read_object(&m, json, size);
    const json_t *array = json_object_get(object, "administrators"), *threshold = json_object_get(object, "threshold");
    bool nobody = json_is_array(array) && json_array_size(array) == 0 && json_is_integer(threshold) &&
                  json_integer_value(threshold) == 0;
    if (!m.failed && json_object_size(object) != 2)
        refuse(&m, "the members have to be threshold and administrators");
    if (!m.failed && !nobody)
        take_list(&m, array);
    if (!m.failed && !nobody)
        take_threshold(&m, threshold);
    json_decref(object);
    return finish(&m);
}

static void take_condition(struct making *m, const json_t *value, bool *conditional, uint8_t replaces[32])
{
    *conditional = value != NULL;
    if (value &&
        (!json_is_string(value) || !hex_read(json_string_value(value), json_string_length(value), replaces, 32)))
        refuse(m, "replaces has to be the SHA-256 of a list, 64 hex digits");
}

struct administrators *administrators_parse(const char *json, size_t size, bool *conditional, uint8_t replaces[32],
                                            char why[ADMINISTRATORS_WHY_SIZE])
{
    struct making m = begin(why);
    json_t *object = m.failed ? NULL : read_object(&m, json, size);
    const char *name;
    json_t *value;
    *conditional = false;
    json_object_foreach(object, name, value)
    {
        if (strcmp(name, "threshold") != 0 && strcmp(name, "administrators") != 0 && strcmp(name, "replaces") != 0)
            refuse(&m, "%.64s: there is no such member; there are threshold, administrators and replaces", name);
    }
    if (!m.failed)
        take_list(&m, json_object_get(object, "administrators"));
    if (!m.failed)
        take_threshold(&m, json_object_get(object, "threshold"));
    if (!m.failed)
        take_condition(&m, json_object_get(object, "replaces"), conditional, replaces);
    json_decref(object);
    return finish(&m);
}

/* ---- a list's life and use --------------------------------------------------------------------------------------- */

struct administrators *administrators_ref(struct administrators *a)
{
    references_take(&a->refs);
    return a;
}

void administrators_unref(struct administrators *a)
{
    if (a && references_give(&a->refs))
        free(a);
}

const struct administrator *administrators_find(const struct administrators *a, const uint8_t thumbprint[32])
{
    check(a);
    for (size_t i = 0; i < a->count; i++)
        if (memcmp(a->of[i].thumbprint, thumbprint, 32) == 0)
            return &a->of[i];
    return NULL;
}

size_t administrators_admins(const struct administrators *a, const uint8_t (*thumbprints)[32], size_t count)
{
    size_t admins = 0;
    for (size_t i = 0; i < count; i++) {
        const struct administrator *one = administrators_find(a, thumbprints[i]);
        admins += one && one->role == ADMIN_ROLE_ADMIN;
    }
    return admins;
}

const struct administrator *administrators_signer(const struct administrators *a, const char *token, size_t size,
                                                  int64_t now_s, struct jwt_claims *claims, int *error)
{
    struct jwt_key keys[ADMINISTRATORS_MAX];
    check(a);
    for (size_t i = 0; i < a->count; i++)
        keys[i] = (struct jwt_key){a->of[i].key, sizeof a->of[i].key};
    int signer = jwt_verify(token, size, keys, a->count, now_s, claims);
    *error = signer < 0 ? signer : 0;
    return signer < 0 ? NULL : &a->of[signer];
}

int administrators_leaves(const struct administrators *a,
                          int (*add)(void *user, const char *label, const void *value, size_t size), void *user)
{
    int result = 0;
    char text[32];
    check(a);
    for (size_t i = 0; i < a->count && result == 0; i++) {
        const struct administrator *one = &a->of[i];
        char label[6 + 64 + 1] = "admin:";
        uint8_t value[16 + ADMINISTRATOR_KEY_SIZE];
        size_t role_size = strlen(admin_role_name(one->role)) + 1; /* with its NUL */
        hex_text(one->thumbprint, 32, label + 6);
        memcpy(value, admin_role_name(one->role), role_size);
        memcpy(value + role_size, one->key, sizeof one->key);
        result = add(user, label, value, role_size + sizeof one->key);
    }
    int size = snprintf(text, sizeof text, "threshold=%u", a->threshold);
    return result == 0 ? add(user, "administrators", text, (size_t)size) : result;
}

/* ---- to JSON ----------------------------------------------------------------------------------------------------- */

/* NULL: no memory. */
static json_t *pem_json(const uint8_t key[ADMINISTRATOR_KEY_SIZE])
{
    char *text = NULL;
    json_t *made = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && PEM_write_bio(bio, PEM_STRING_PUBLIC, "", key, (long)ADMINISTRATOR_KEY_SIZE) > 0) {
        long size = BIO_get_mem_data(bio, &text);
        made = json_stringn(text, (size_t)size);
    }
    BIO_free(bio);
    return made;
}

static json_t *list_json(const struct administrators *a, bool with_thumbprints)
{
    json_t *array = json_array();
    check(a);
    for (size_t i = 0; i < a->count && array; i++) {
        const struct administrator *one = &a->of[i];
        char key[65];
        hex_text(one->thumbprint, 32, key);
        json_t *item = json_pack("{s:s,s:o}", "role", admin_role_name(one->role), "public_key", pem_json(one->key));
        bool ok = item && (!with_thumbprints || json_object_set_new(item, "key", json_string(key)) == 0);
        if (!ok)
            json_decref(item);
        if (!ok || json_array_append_new(array, item) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return json_pack("{s:I,s:o}", "threshold", (json_int_t)a->threshold, "administrators", array);
}

char *administrators_record(const struct administrators *a)
{
    return dump(list_json(a, false));
}

json_t *administrators_json(const struct administrators *a)
{
    char sha256[65];
    hex_text(a->sha256, 32, sha256);
    json_t *made = list_json(a, true);
    if (made && json_object_set_new(made, "sha256", json_string(sha256)) != 0) {
        json_decref(made);
        made = NULL;
    }
    return made;
}
