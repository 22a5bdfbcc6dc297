/* See rule.h. */
#include "enclave/service/rule.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/references.h"
#include "common/hex.h"
#include "enclave/service/publication.h"
#include "enclave/wasm/settings.h"

static const char *const kind_names[] = {"operator", "publisher", "frozen"};

struct reason {
    char *text;
    size_t size;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct reason r, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r.text, r.size, format, arguments);
    va_end(arguments);
    return error;
}

const char *rule_kind_name(enum rule_kind kind)
{
    return kind_names[kind];
}

/* ---- a rule as a value ------------------------------------------------------------------------------------------- */

static struct rule *make(enum rule_kind kind, const uint8_t id[RULE_ID_SIZE])
{
    struct rule *rule = calloc(1, sizeof *rule);
    if (!rule)
        return NULL;
    atomic_store(&rule->refs, 1);
    rule->kind = kind;
    memcpy(rule->id, id, RULE_ID_SIZE);
    return rule;
}

static void check(const struct rule *rule)
{
    ENSURE(atomic_load_explicit(&rule->refs, memory_order_relaxed) > 0);
    ENSURE((size_t)rule->kind < sizeof kind_names / sizeof *kind_names);
    ENSURE(rule->kind == RULE_PUBLISHER || (!rule->terms.egress && rule->terms.version == 0));
}

struct rule *rule_operator(const uint8_t id[RULE_ID_SIZE])
{
    return make(RULE_OPERATOR, id);
}

struct rule *rule_ref(struct rule *rule)
{
    references_take(&rule->refs);
    return rule;
}

void rule_unref(struct rule *rule)
{
    if (!rule || !references_give(&rule->refs))
        return;
    app_settings_unref(rule->terms.egress);
    free(rule);
}

bool rule_key_ok(const uint8_t *spki, size_t size)
{
    const uint8_t *at = spki;
    uint8_t *again = NULL;
    char group[32] = "";
    EVP_PKEY *key = size == RULE_KEY_SIZE ? d2i_PUBKEY(NULL, &at, (long)size) : NULL;
    bool ok = key && at == spki + size && EVP_PKEY_is_a(key, "EC") &&
              EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 && strcmp(group, "prime256v1") == 0 &&
              i2d_PUBKEY(key, &again) == (int)size && memcmp(again, spki, size) == 0;
    OPENSSL_free(again);
    EVP_PKEY_free(key);
    return ok;
}

/* ---- what a push asks for ---------------------------------------------------------------------------------------- */

int rule_wish_read(const char *query, struct rule_wish *out, char *why, size_t why_size)
{
    static const char of_publisher[] = "rule=publisher&key=";
    size_t start = sizeof of_publisher - 1;
    struct reason r = {why, why_size};
    *out = (struct rule_wish){.given = query != NULL};
    if (!query || strcmp(query, "rule=operator") == 0)
        return 0;
    if (strcmp(query, "rule=frozen") == 0) {
        out->kind = RULE_FROZEN;
        return 0;
    }
    if (strncmp(query, of_publisher, start) != 0)
        return refuse(r, -EINVAL, "the query is none of rule=operator, rule=frozen and rule=publisher&key=HEX");
    out->kind = RULE_PUBLISHER;
    if (!hex_read(query + start, strlen(query + start), out->publisher, RULE_KEY_SIZE) ||
        !rule_key_ok(out->publisher, RULE_KEY_SIZE))
        return refuse(r, -EINVAL, "key is no SubjectPublicKeyInfo of a P-256 key, in hexadecimal digits");
    return 0;
}

/* ---- judging ----------------------------------------------------------------------------------------------------- */

/* What any publication has to be, for this push: of this name and code, and for the app of this identity (NULL: for
 * none yet), by whom it has. */
static int read_for(const struct rule_push *push, const uint8_t *publisher, const uint8_t *id, struct publication *p,
                    struct reason r)
{
    if (!push->publication)
        return refuse(r, -EACCES, "this app's code changes only with a publication that its publisher signed");
    int error = publication_read(push->publication, push->publication_size, publisher, p, r.text, r.size);
    if (error < 0)
        return error;
    if (strcmp(p->name, push->name) != 0)
        error = refuse(r, -EACCES, "the publication is for an app called %s", p->name);
    else if (memcmp(p->sha256, push->sha256, sizeof p->sha256) != 0)
        error = refuse(r, -EACCES, "the publication is for other code (sha256)");
    else if (!id && p->has_id)
        error = refuse(r, -EACCES, "the publication is for an app that is not here: a first one has no app_id");
    else if (id && !p->has_id)
        error = refuse(r, -EACCES, "the publication is for a first push; for this app it has to name its app_id");
    else if (id && memcmp(p->id, id, RULE_ID_SIZE) != 0)
        error = refuse(r, -EACCES, "the publication is for another app or instance (app_id)");
    if (error < 0)
        publication_deinit(p);
    return error;
}

static int adopt(const uint8_t id[RULE_ID_SIZE], const uint8_t *publisher, struct publication *p, struct rule **out,
                 struct reason r)
{
    struct rule *rule = make(RULE_PUBLISHER, id);
    if (!rule) {
        publication_deinit(p);
        return refuse(r, -ENOMEM, "out of memory");
    }
    memcpy(rule->publisher, publisher, RULE_KEY_SIZE);
    rule->terms = p->terms; /* and its egress */
    *out = rule;
    return 0;
}

int rule_first(const uint8_t id[RULE_ID_SIZE], const struct rule_push *push, struct rule **out, char *why,
               size_t why_size)
{
    struct reason r = {why, why_size};
    const struct rule_wish *wish = push->wish;
    ENSURE(id && push->name && push->sha256 && wish);
    *out = NULL;
    if (wish->kind == RULE_PUBLISHER) {
        struct publication p;
        int error = read_for(push, wish->publisher, NULL, &p, r);
        return error < 0 ? error : adopt(id, wish->publisher, &p, out, r);
    }
    if (push->publication)
        return refuse(r, -EINVAL, "there is a publication, but nothing says whose: rule=publisher&key=HEX does");
    *out = make(wish->kind, id);
    return *out ? 0 : refuse(r, -ENOMEM, "out of memory");
}

/* A wish for what there is anyway is none. */
static bool wishes_another(const struct rule *old, const struct rule_wish *wish)
{
    if (!wish->given)
        return false;
    return wish->kind != old->kind ||
           (old->kind == RULE_PUBLISHER && memcmp(wish->publisher, old->publisher, RULE_KEY_SIZE) != 0);
}

int rule_next(struct rule *old, const struct rule_push *push, struct rule **out, char *why, size_t why_size)
{
    struct reason r = {why, why_size};
    struct publication p;
    ENSURE(old && push->name && push->sha256 && push->wish);
    *out = NULL;
    if (wishes_another(old, push->wish))
        return refuse(r, -EACCES, "an app's rule is fixed by its first push, and this one's is another %s",
                      rule_kind_name(old->kind));
    if (old->kind == RULE_FROZEN)
        return refuse(r, -EACCES, "this app is frozen: its code never changes");
    if (old->kind == RULE_OPERATOR) {
        if (push->publication)
            return refuse(r, -EINVAL, "there is a publication, but this app is the operator's and has no publisher");
        *out = rule_ref(old);
        return 0;
    }
    int error = read_for(push, old->publisher, old->id, &p, r);
    if (error < 0)
        return error;
    if (p.terms.version <= old->terms.version) {
        publication_deinit(&p);
        return refuse(r, -EACCES, "the publication's version %llu is not above %llu, which is here",
                      (unsigned long long)p.terms.version, (unsigned long long)old->terms.version);
    }
    return adopt(old->id, old->publisher, &p, out, r);
}

/* Which of them are set at all. */
static unsigned what_is_set(const struct app_settings *s)
{
    return (s->arguments.count ? RULE_SETS_ARGUMENTS : 0u) | (s->config.count ? RULE_SETS_CONFIG : 0u) |
           (s->environment.count ? RULE_SETS_ENVIRONMENT : 0u) | (s->hostnames.count ? RULE_SETS_HOSTNAMES : 0u) |
           (s->request_peers ? RULE_SETS_PEERS : 0u) | (s->witnessed ? RULE_SETS_DURABLE : 0u);
}

int rule_fits(const struct rule *rule, const struct app_settings *settings, char *why, size_t why_size)
{
    struct reason r = {why, why_size};
    check(rule);
    if (rule->kind != RULE_PUBLISHER)
        return 0;
    unsigned too_many = what_is_set(settings) & ~rule->terms.sets;
    for (unsigned i = 0; i < RULE_SETS_COUNT; i++)
        if (too_many & 1u << i)
            return refuse(r, -EACCES, "this app's publisher does not leave %s to the administrator",
                          publication_set_names[i]);
    const struct egress_rule *beyond = app_settings_egress_beyond(settings, rule->terms.egress);
    if (beyond)
        return refuse(r, -EACCES, "this app's publisher does not let it connect to %.200s, port %u", beyond->host,
                      beyond->port);
    return 0;
}

int rule_allows(const struct rule *rule, const struct app_settings *settings, char *why, size_t why_size)
{
    if (rule->kind == RULE_FROZEN)
        return refuse((struct reason){why, why_size}, -EACCES, "this app is frozen: its settings never change");
    return rule_fits(rule, settings, why, why_size);
}

int rule_trusts(const struct rule *rule, const uint8_t *bundle_sha256, char *why, size_t why_size)
{
    if (!rule->terms.fixes_egress_ca || !bundle_sha256 || memcmp(rule->terms.egress_ca, bundle_sha256, 32) == 0)
        return 0;
    return refuse((struct reason){why, why_size}, -EACCES,
                  "the publisher of an app lets it believe another bundle of CAs alone (egress-ca)");
}

static uint32_t lower(uint32_t of_server, uint32_t fixed)
{
    return fixed && fixed < of_server ? fixed : of_server;
}

uint32_t rule_memory_mib(const struct rule *rule, uint32_t of_server)
{
    return lower(of_server, rule->terms.memory_mib);
}

uint32_t rule_timeout_ms(const struct rule *rule, uint32_t of_server)
{
    return lower(of_server, rule->terms.timeout_ms);
}

/* ---- as text ----------------------------------------------------------------------------------------------------- */

#define TEXT_BASE 512u /* more than all lines take but for egress */

struct text {
    char *start;
    size_t size, capacity;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(t->start + t->size, t->capacity - t->size, format, arguments);
    va_end(arguments);
    ENSURE(size >= 0 && (size_t)size < t->capacity - t->size);
    t->size += (size_t)size;
}

static void append_terms(struct text *out, const struct rule *rule, const char *egress)
{
    const struct rule_terms *t = &rule->terms;
    ENSURE(rule->kind == RULE_PUBLISHER);
    ENSURE((egress != NULL) == (t->egress != NULL));
    uint8_t hash[32];
    char key[65];
    SHA256(rule->publisher, RULE_KEY_SIZE, hash);
    hex_text(hash, sizeof hash, key);
    append(out, "key=%s\nversion=%llu\n", key, (unsigned long long)t->version);
    if (egress)
        append(out, "egress=%s\n", egress);
    if (t->fixes_egress_ca) {
        hex_text(t->egress_ca, sizeof t->egress_ca, key);
        append(out, "egress-ca=%s\n", key);
    }
    if (t->memory_mib)
        append(out, "memory-mib=%u\n", t->memory_mib);
    if (t->timeout_ms)
        append(out, "timeout-ms=%u\n", t->timeout_ms);
    const char *before = "settings=";
    for (unsigned i = 0; i < RULE_SETS_COUNT; i++)
        if (t->sets & 1u << i) {
            append(out, "%s%s", before, publication_set_names[i]);
            before = ",";
        }
    if (t->sets)
        append(out, "\n");
}

char *rule_text(const struct rule *rule)
{
    char id[2 * RULE_ID_SIZE + 1];
    check(rule);
    char *egress = rule->terms.egress ? app_settings_egress_text(rule->terms.egress) : NULL;
    struct text out = {.capacity = TEXT_BASE + (egress ? strlen(egress) : 0)};
    if (!rule->terms.egress || egress)
        out.start = malloc(out.capacity);
    if (out.start) {
        hex_text(rule->id, RULE_ID_SIZE, id);
        append(&out, "id=%s\nrule=%s\n", id, kind_names[rule->kind]);
        if (rule->kind == RULE_PUBLISHER)
            append_terms(&out, rule, egress);
    }
    free(egress);
    return out.start;
}

struct lines {
    const char *at, *end;
};

/* The value of the next line if it has this name. */
static bool take(struct lines *in, const char *name, const char **value, size_t *size)
{
    size_t name_size = strlen(name);
    const char *end = in->at < in->end ? memchr(in->at, '\n', (size_t)(in->end - in->at)) : NULL;
    if (!end || (size_t)(end - in->at) < name_size || memcmp(in->at, name, name_size) != 0)
        return false;
    *value = in->at + name_size;
    *size = (size_t)(end - *value);
    in->at = end + 1;
    return true;
}

/* 0: it is none; what is not written as append does, comparing finds. */
static uint64_t number(const char *value, size_t size)
{
    uint64_t n = 0;
    for (size_t i = 0; i < size && n <= RULE_VERSION_MAX; i++)
        n = value[i] >= '0' && value[i] <= '9' ? n * 10 + (uint64_t)(value[i] - '0') : RULE_VERSION_MAX + 1;
    return n <= RULE_VERSION_MAX ? n : 0;
}

/* "a:443,b:8443" as settings; NULL: it is none, or no memory. */
static struct app_settings *egress_of(const char *value, size_t size)
{
    static const uint8_t no_salt[SETTINGS_SALT_SIZE];
    char why[64];
    json_t *array = json_array();
    for (const char *at = value, *end = value + size; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        json_array_append_new(array, json_stringn(at, (size_t)(stop - at)));
        at = stop + 1;
    }
    json_t *object = json_pack("{s:o}", "egress", array);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    struct app_settings *settings = text ? app_settings_parse(text, strlen(text), no_salt, why, sizeof why) : NULL;
    free(text);
    return settings;
}

static unsigned sets_of(const char *value, size_t size)
{
    unsigned sets = 0;
    for (unsigned i = 0; i < RULE_SETS_COUNT; i++)
        if (memmem(value, size, publication_set_names[i], strlen(publication_set_names[i])))
            sets |= 1u << i;
    return sets;
}

/* As far as there are lines of these names; what they do not give, comparing finds. */
static void take_terms(struct lines *in, struct rule *rule)
{
    const char *value;
    size_t size;
    ENSURE(in->at <= in->end);
    ENSURE(rule->kind == RULE_PUBLISHER && !rule->terms.egress);
    if (take(in, "key=", &value, &size) && take(in, "version=", &value, &size))
        rule->terms.version = number(value, size);
    if (take(in, "egress=", &value, &size))
        rule->terms.egress = egress_of(value, size);
    if (take(in, "egress-ca=", &value, &size))
        rule->terms.fixes_egress_ca = hex_read(value, size, rule->terms.egress_ca, sizeof rule->terms.egress_ca);
    if (take(in, "memory-mib=", &value, &size))
        rule->terms.memory_mib = (uint32_t)number(value, size);
    if (take(in, "timeout-ms=", &value, &size))
        rule->terms.timeout_ms = (uint32_t)number(value, size);
    if (take(in, "settings=", &value, &size))
        rule->terms.sets = sets_of(value, size);
}

static bool kind_of(const char *value, size_t size, enum rule_kind *kind)
{
    for (unsigned i = 0; i < sizeof kind_names / sizeof *kind_names; i++)
        if (strlen(kind_names[i]) == size && memcmp(kind_names[i], value, size) == 0) {
            *kind = (enum rule_kind)i;
            return true;
        }
    return false;
}

struct rule *rule_parse(const char *text, size_t size, const uint8_t *publisher)
{
    struct lines in = {text, text + size};
    const char *value;
    size_t value_size;
    enum rule_kind kind;
    uint8_t id[RULE_ID_SIZE];
    if (!take(&in, "id=", &value, &value_size) || !hex_read(value, value_size, id, sizeof id) ||
        !take(&in, "rule=", &value, &value_size) || !kind_of(value, value_size, &kind) ||
        (kind == RULE_PUBLISHER) != (publisher != NULL))
        return NULL;
    struct rule *rule = make(kind, id);
    if (rule && kind == RULE_PUBLISHER) {
        memcpy(rule->publisher, publisher, RULE_KEY_SIZE);
        take_terms(&in, rule);
    }
    /* One text for one rule: whatever was not understood, or stands twice or in another order, makes a difference. */
    char *again = rule ? rule_text(rule) : NULL;
    bool same = again && strlen(again) == size && memcmp(again, text, size) == 0;
    if (same && kind == RULE_PUBLISHER)
        same = rule->terms.version > 0 && rule->terms.memory_mib <= RULE_MEMORY_MIB_MAX &&
               rule->terms.timeout_ms <= RULE_TIMEOUT_MS_MAX;
    free(again);
    if (!same) {
        rule_unref(rule);
        return NULL;
    }
    check(rule);
    return rule;
}
