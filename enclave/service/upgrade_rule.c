/* See upgrade_rule.h. */
#include "enclave/service/upgrade_rule.h"

#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "common/json.h"
#include "common/references.h"

static const char *const kind_names[] = {
    [UPGRADE_NONE] = "none", [UPGRADE_MEASUREMENTS] = "measurements", [UPGRADE_SIGNER] = "signer"};

const char *upgrade_kind_name(enum upgrade_kind kind)
{
    ENSURE((size_t)kind < sizeof kind_names / sizeof *kind_names);
    return kind_names[kind];
}

/* What must hold of every rule, whoever made it. */
static void check(const struct upgrade_rule *r)
{
    ENSURE(atomic_load_explicit(&((struct upgrade_rule *)r)->references, memory_order_relaxed) > 0);
    ENSURE((size_t)r->kind < sizeof kind_names / sizeof *kind_names);
    ENSURE(r->count <= (r->kind == UPGRADE_MEASUREMENTS ? UPGRADE_MEASUREMENTS_MAX : 0));
    ENSURE(r->kind != UPGRADE_NONE || !r->publishers);
}

bool upgrade_rule_names(const struct upgrade_rule *r, const uint8_t mrenclave[32])
{
    for (size_t i = 0; i < r->count; i++)
        if (memcmp(r->measurements[i], mrenclave, 32) == 0)
            return true;
    return false;
}

bool upgrade_rule_may_become(const struct upgrade_rule *now, const struct upgrade_rule *next,
                             char why[UPGRADE_WHY_SIZE])
{
    check(now);
    check(next);
    if (now->kind == UPGRADE_NONE) {
        snprintf(why, UPGRADE_WHY_SIZE, "the upgrade rule is none, and nothing changes that");
        return false;
    }
    if (now->publishers && !next->publishers && next->kind != UPGRADE_NONE) {
        snprintf(why, UPGRADE_WHY_SIZE, "that publishers have to agree is not taken back (publishers)");
        return false;
    }
    return true;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

/* A rule that is being made. Of several complaints the first is told. */
struct making {
    struct upgrade_rule *rule;
    char *why;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void refuse(struct making *m, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!m->failed)
        vsnprintf(m->why, UPGRADE_WHY_SIZE, format, arguments);
    va_end(arguments);
    m->failed = true;
}

static struct making begin(char why[UPGRADE_WHY_SIZE])
{
    struct making m = {calloc(1, sizeof *m.rule), why, false};
    if (!m.rule)
        refuse(&m, "out of memory");
    else
        atomic_store(&m.rule->references, 1);
    return m;
}

/* Complete and named; NULL: it was refused. */
static struct upgrade_rule *finish(struct making *m)
{
    char *record = m->failed ? NULL : upgrade_rule_record(m->rule);
    if (!record) {
        refuse(m, "out of memory");
        free(m->rule);
        return NULL;
    }
    SHA256((const uint8_t *)record, strlen(record), m->rule->sha256);
    free(record);
    check(m->rule);
    return m->rule;
}

struct upgrade_rule *upgrade_rule_first(enum upgrade_kind kind, const struct upgrade_candidate *self,
                                        char why[UPGRADE_WHY_SIZE])
{
    struct making m = begin(why);
    ENSURE(self);
    if (m.failed)
        return NULL;
    m.rule->kind = kind;
    if (kind == UPGRADE_SIGNER) {
        memcpy(m.rule->mrsigner, self->mrsigner, sizeof m.rule->mrsigner);
        m.rule->product = self->product;
        m.rule->svn = self->svn;
    }
    return finish(&m);
}

/* ---- from JSON --------------------------------------------------------------------------------------------------- */

static bool take_hash(const json_t *value, uint8_t out[32])
{
    return json_is_string(value) && hex_read(json_string_value(value), json_string_length(value), out, 32);
}

static void take_measurement(struct making *m, size_t number, const json_t *value)
{
    struct upgrade_rule *r = m->rule;
    uint8_t measurement[32];
    if (!take_hash(value, measurement))
        refuse(m, "measurements: number %zu is no MRENCLAVE, 64 hex digits", number);
    else if (r->count == UPGRADE_MEASUREMENTS_MAX)
        refuse(m, "measurements: there are more than %u", UPGRADE_MEASUREMENTS_MAX);
    else if (upgrade_rule_names(r, measurement))
        refuse(m, "measurements: number %zu is there already", number);
    else
        memcpy(r->measurements[r->count++], measurement, 32);
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static void take_measurements(struct making *m, const json_t *list)
{
    if (!json_is_array(list))
        refuse(m, "the rule measurements has a list \"measurements\"");
    for (size_t i = 0; !m->failed && i < json_array_size(list); i++)
        take_measurement(m, i + 1, json_array_get(list, i));
    if (!m->failed)
        qsort(m->rule->measurements, m->rule->count, sizeof *m->rule->measurements, compare);
}

static void take_number(struct making *m, const json_t *object, const char *name, uint16_t *out)
{
    const json_t *value = json_object_get(object, name);
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || number > UINT16_MAX)
        refuse(m, "the rule signer has \"%s\", a whole number from 0 to %u", name, UINT16_MAX);
    else
        *out = (uint16_t)number;
}

static void take_signer(struct making *m, const json_t *object)
{
    if (!take_hash(json_object_get(object, "mrsigner"), m->rule->mrsigner))
        refuse(m, "the rule signer has \"mrsigner\", 64 hex digits");
    take_number(m, object, "product", &m->rule->product);
    take_number(m, object, "svn", &m->rule->svn);
}

static void take_kind(struct making *m, const json_t *value)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < sizeof kind_names / sizeof *kind_names; i++)
        if (strcmp(text, kind_names[i]) == 0) {
            m->rule->kind = (enum upgrade_kind)i;
            return;
        }
    refuse(m, "\"rule\" has to be \"none\", \"measurements\" or \"signer\"");
}

static void take_publishers(struct making *m, const json_t *value)
{
    if (value && !json_is_boolean(value))
        refuse(m, "\"publishers\" has to be true or false");
    else if (json_is_true(value) && m->rule->kind == UPGRADE_NONE)
        refuse(m, "\"publishers\" goes with measurements and signer: under none nobody is asked");
    m->rule->publishers = json_is_true(value);
}

/* No member that says nothing. */
static void judge_members(struct making *m, const json_t *object)
{
    static const size_t own[] = {[UPGRADE_NONE] = 1, [UPGRADE_MEASUREMENTS] = 2, [UPGRADE_SIGNER] = 4};
    size_t expected = own[m->rule->kind] + (json_object_get(object, "publishers") != NULL) +
                      (json_object_get(object, "replaces") != NULL);
    if (json_object_size(object) != expected)
        refuse(m, "there is a member that does not belong to the rule %s", kind_names[m->rule->kind]);
}

static void take_rule(struct making *m, const json_t *object)
{
    take_kind(m, json_object_get(object, "rule"));
    if (!m->failed && m->rule->kind == UPGRADE_MEASUREMENTS)
        take_measurements(m, json_object_get(object, "measurements"));
    if (!m->failed && m->rule->kind == UPGRADE_SIGNER)
        take_signer(m, object);
    if (!m->failed)
        take_publishers(m, json_object_get(object, "publishers"));
    if (!m->failed)
        judge_members(m, object);
}

struct upgrade_rule *upgrade_rule_read(const char *json, size_t size, bool *conditional, uint8_t replaces[32],
                                       char why[UPGRADE_WHY_SIZE])
{
    struct making m = begin(why);
    json_error_t where = {0};
    *conditional = false;
    if (size > UPGRADE_RULE_JSON_MAX)
        refuse(&m, "more than %u bytes", UPGRADE_RULE_JSON_MAX);
    json_t *object = m.failed ? NULL : json_read(json, size, JSON_REJECT_DUPLICATES, &where);
    if (!object)
        refuse(&m, "not JSON: line %d: %.100s", where.line, where.text);
    else if (!json_is_object(object))
        refuse(&m, "not a JSON object");
    else
        take_rule(&m, object);
    const json_t *before = json_object_get(object, "replaces");
    *conditional = before != NULL;
    if (before && !take_hash(before, replaces))
        refuse(&m, "replaces has to be the SHA-256 of a rule, 64 hex digits");
    json_decref(object);
    return finish(&m);
}

/* ---- as JSON ----------------------------------------------------------------------------------------------------- */

static json_t *hex_json(const uint8_t hash[32])
{
    char text[65];
    hex_text(hash, 32, text);
    return json_string(text);
}

static json_t *measurements_json(const struct upgrade_rule *r)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < r->count; i++)
        if (json_array_append_new(list, hex_json(r->measurements[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *rule_json(const struct upgrade_rule *r)
{
    check(r);
    json_t *publishers = r->publishers ? json_true() : NULL; /* left out where it is false */
    if (r->kind == UPGRADE_NONE)
        return json_pack("{s:s}", "rule", "none");
    if (r->kind == UPGRADE_MEASUREMENTS)
        return json_pack("{s:s,s:o,s:o*}", "rule", "measurements", "measurements", measurements_json(r), "publishers",
                         publishers);
    return json_pack("{s:s,s:o,s:i,s:i,s:o*}", "rule", "signer", "mrsigner", hex_json(r->mrsigner), "product",
                     r->product, "svn", r->svn, "publishers", publishers);
}

char *upgrade_rule_record(const struct upgrade_rule *r)
{
    json_t *made = rule_json(r);
    char *text = made ? json_dumps(made, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(made);
    return text;
}

json_t *upgrade_rule_json(const struct upgrade_rule *r)
{
    json_t *made = rule_json(r);
    if (made && json_object_set_new(made, "sha256", hex_json(r->sha256)) != 0) {
        json_decref(made);
        made = NULL;
    }
    return made;
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

struct upgrade_rule *upgrade_rule_ref(struct upgrade_rule *r)
{
    if (r)
        references_take(&r->references);
    return r;
}

void upgrade_rule_unref(struct upgrade_rule *r)
{
    if (r && references_give(&r->references))
        free(r);
}
