/*
 * A policy file: JSON by docs/policy.schema.json, one member for each thing that can be expected. A member that is not
 * known is an error: what it would have asked for cannot be checked.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/internal.h"
#include "verifier/json.h"

#define POLICY_FORMAT "enclave-os-policy/1"

struct reader {
    struct verifier_policy *policy;
    const struct json *json;
    char *error;
    size_t error_size;
};

static int refuse(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct reader *r, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->error, r->error_size, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

/* What an expectation's setter said about where it stands. */
static int judge(struct reader *r, const char *where, int result)
{
    if (result == 0)
        return 0;
    if (result == -ENOMEM)
        refuse(r, "out of memory");
    else
        refuse(r, "%s: %s", where,
               result == -EEXIST  ? "something else is expected already"
               : result == -E2BIG ? "there are too many"
                                  : "it cannot be read");
    return result == -ENOMEM ? -ENOMEM : -EINVAL;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static int read_hex(struct reader *r, const char *where, uint32_t i, uint8_t *out, size_t size)
{
    return verifier__json_hex(r->json, i, out, size) ? 0 : refuse(r, "%s: expected %zu hex digits", where, 2 * size);
}

static int read_number(struct reader *r, const char *where, uint32_t i, uint64_t most, uint64_t *out)
{
    if (verifier__json_number(r->json, i, most, out))
        return 0;
    return refuse(r, "%s: expected a whole number from 0 to %llu", where, (unsigned long long)most);
}

static int read_flag(struct reader *r, const char *where, uint32_t i, bool *out)
{
    const struct json_value *v = &r->json->values[i];
    *out = v->type == JSON_BOOLEAN && r->json->text[v->start] == 't';
    return v->type == JSON_BOOLEAN ? 0 : refuse(r, "%s: expected true or false", where);
}

/* A string of any length, malloc'ed; NULL: refused. */
static char *read_text(struct reader *r, const char *where, uint32_t i)
{
    char *text = verifier__json_unescape(r->json, i);
    if (!text)
        refuse(r, "%s: expected a string of ASCII characters", where);
    return text;
}

/* SHA-256, or null for none. */
static int read_hash_or_none(struct reader *r, const char *where, uint32_t i, uint8_t out[32], bool *none)
{
    *none = r->json->values[i].type == JSON_NULL;
    return *none ? 0 : read_hex(r, where, i, out, 32);
}

static int expect_type(struct reader *r, const char *where, uint32_t i, enum json_type type)
{
    if (r->json->values[i].type == type)
        return 0;
    return refuse(r, "%s: expected an %s", where, type == JSON_ARRAY ? "array" : "object");
}

/* ---- objects --------------------------------------------------------------------------------------------------- */

/* A member that an object may have: what reads its value, with where it stands for errors. */
struct member {
    const char *name;
    int (*read)(struct reader *r, const char *where, uint32_t value, void *user);
};

static int read_member(struct reader *r, const struct member *members, const char *where, uint32_t name, void *user)
{
    char text[64], place[160];
    const struct json_value *v = &r->json->values[name];
    if (!verifier__json_text(r->json, name, text, sizeof text))
        return refuse(r, "%s%.*s: there is no such member", where,
                      v->end - v->start < 64 ? (int)(v->end - v->start) : 64, r->json->text + v->start);
    snprintf(place, sizeof place, "%.80s%s", where, text);
    for (const struct member *m = members; m->name; m++)
        if (strcmp(m->name, text) == 0)
            return m->read(r, place, name + 1, user);
    return refuse(r, "%s: there is no such member", place);
}

/* where is "" or ends with a point. */
static int read_object(struct reader *r, const struct member *members, const char *where, uint32_t object, void *user)
{
    const struct json *j = r->json;
    int result = 0;
    if (j->values[object].type != JSON_OBJECT)
        return refuse(r, "%s: expected an object", *where ? where : "the policy");
    uint32_t at = object + 1;
    for (uint32_t i = 0; result == 0 && i < j->values[object].count; i++) {
        result = read_member(r, members, where, at, user);
        at = j->values[at + 1].next;
    }
    return result;
}

/* ---- the program and its platform ------------------------------------------------------------------------------ */

static int take_format(struct reader *r, const char *where, uint32_t i, void *seen)
{
    char text[sizeof POLICY_FORMAT];
    if (!verifier__json_text(r->json, i, text, sizeof text) || strcmp(text, POLICY_FORMAT) != 0)
        return refuse(r, "%s: expected " POLICY_FORMAT, where);
    *(bool *)seen = true;
    return 0;
}

static int take_mrenclave(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    uint8_t hash[32];
    int result = expect_type(r, where, i, JSON_ARRAY);
    if (result == 0 && r->json->values[i].count == 0)
        return refuse(r, "%s: no measurement would do", where);
    for (uint32_t k = JSON_FIRST(i); result == 0 && k != JSON_END(r->json, i); k = JSON_NEXT(r->json, k)) {
        result = read_hex(r, where, k, hash, 32);
        if (result == 0)
            result = judge(r, where, verifier_policy_add_mrenclave(r->policy, hash));
    }
    return result;
}

static int take_mrsigner(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    uint8_t hash[32];
    int result = read_hex(r, where, i, hash, 32);
    if (result == 0)
        verifier_policy_set_mrsigner(r->policy, hash);
    return result;
}

static int take_prod_id(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    uint64_t number;
    int result = read_number(r, where, i, UINT16_MAX, &number);
    if (result == 0)
        verifier_policy_set_prod_id(r->policy, (uint16_t)number);
    return result;
}

static int take_min_svn(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    uint64_t number;
    int result = read_number(r, where, i, UINT16_MAX, &number);
    if (result == 0)
        verifier_policy_set_min_svn(r->policy, (uint16_t)number);
    return result;
}

/* A flag of the policy, by its setter. */
#define FLAG(name, set)                                                          \
    static int name(struct reader *r, const char *where, uint32_t i, void *user) \
    {                                                                            \
        (void)user;                                                              \
        bool flag;                                                               \
        int result = read_flag(r, where, i, &flag);                              \
        if (result == 0)                                                         \
            set(r->policy, flag);                                                \
        return result;                                                           \
    }
FLAG(take_allow_simulation, verifier_policy_allow_simulation)
FLAG(take_allow_debug, verifier_policy_allow_debug)
FLAG(take_only_apps, verifier_policy_only_apps)
FLAG(take_required, verifier_policy_require_collateral)

static int take_pem(struct reader *r, const char *where, uint32_t i,
                    int (*set)(struct verifier_policy *, const char *, size_t), const char *expected)
{
    char *pem = read_text(r, where, i);
    if (!pem)
        return -EINVAL;
    int result = set(r->policy, pem, strlen(pem));
    free(pem);
    return result == 0 ? 0 : refuse(r, "%s: expected %s in PEM, and nothing else", where, expected);
}

static int take_roots(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    return take_pem(r, where, i, verifier_policy_set_roots, "1 to 8 certificates");
}

static int take_issuer(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    return take_pem(r, where, i, verifier_policy_set_issuer, "one certificate");
}

static int take_accept_tcb(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    char text[64];
    int result = expect_type(r, where, i, JSON_ARRAY);
    for (uint32_t k = JSON_FIRST(i); result == 0 && k != JSON_END(r->json, i); k = JSON_NEXT(r->json, k))
        if (!verifier__json_text(r->json, k, text, sizeof text) ||
            verifier_policy_accept_tcb(r->policy, verifier_tcb_status_from_name(text)) != 0)
            result = refuse(r, "%s: one is not a status that can be accepted", where);
    return result;
}

static int take_min_evaluation_number(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    uint64_t number;
    int result = read_number(r, where, i, UINT32_MAX, &number);
    if (result == 0)
        verifier_policy_set_min_evaluation_number(r->policy, (uint32_t)number);
    return result;
}

static int take_collateral(struct reader *r, const char *where, uint32_t i, void *user)
{
    static const struct member members[] = {{"required", take_required},
                                            {"accept_tcb", take_accept_tcb},
                                            {"min_evaluation_number", take_min_evaluation_number},
                                            {0}};
    (void)where;
    return read_object(r, members, "collateral.", i, user);
}

static int take_max_lifetime(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    uint64_t seconds;
    int result = read_number(r, where, i, INT32_MAX, &seconds);
    if (result == 0)
        verifier_policy_set_max_lifetime(r->policy, (int64_t)seconds);
    return result;
}

static int take_extensions(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    const struct json *j = r->json;
    char oid[64];
    uint8_t value[EXTENSION_SIZE_MAX];
    int result = expect_type(r, where, i, JSON_OBJECT);
    uint32_t at = i + 1;
    for (uint32_t k = 0; result == 0 && k < j->values[i].count; k++, at = j->values[at + 1].next) {
        size_t size = (j->values[at + 1].end - j->values[at + 1].start) / 2;
        if (!verifier__json_text(j, at, oid, sizeof oid) || size > sizeof value ||
            !verifier__json_hex(j, at + 1, value, size))
            result = refuse(r, "%s: expected \"OID\": \"HEX\"", where);
        else
            result = judge(r, where, verifier_policy_expect_extension(r->policy, oid, value, size));
    }
    return result;
}

/* ---- whose ----------------------------------------------------------------------------------------------------- */

static int take_instance(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    uint8_t instance[32];
    int result = read_hex(r, where, i, instance, 32);
    return result ? result : judge(r, where, verifier_policy_expect_instance(r->policy, instance));
}

static int take_role(struct reader *r, const char *where, uint32_t i, void *user)
{
    static const char *const roles[] = {"admin", "deploy", "monitor"};
    struct verifier_administrator *one = user;
    char text[16];
    for (int k = 0; k < 3 && verifier__json_text(r->json, i, text, sizeof text); k++) {
        if (strcmp(text, roles[k]) == 0) {
            one->role = (enum verifier_role)k;
            return 0;
        }
    }
    return refuse(r, "%s: expected admin, deploy or monitor", where);
}

static int take_key(struct reader *r, const char *where, uint32_t i, void *user)
{
    return read_hex(r, where, i, ((struct verifier_administrator *)user)->key, 32);
}

struct administrators {
    struct verifier_administrator list[ADMINISTRATORS_MAX];
    size_t count;
    uint64_t threshold;
};

static int take_threshold(struct reader *r, const char *where, uint32_t i, void *user)
{
    return read_number(r, where, i, ADMINISTRATORS_MAX, &((struct administrators *)user)->threshold);
}

/* Members that an object must have, beside those that it may. */
static int must_have(struct reader *r, const char *where, uint32_t object, const char *const *names)
{
    const struct json *j = r->json;
    for (; *names; names++) {
        bool found = false;
        for (int type = JSON_NULL; type <= JSON_OBJECT; type++)
            found |= verifier__json_member(j, object, *names, (enum json_type)type) != 0;
        if (!found)
            return refuse(r, "%s%s is missing", where, *names);
    }
    return 0;
}

static int take_keys(struct reader *r, const char *where, uint32_t i, void *user)
{
    static const struct member members[] = {{"role", take_role}, {"key", take_key}, {0}};
    static const char *const needed[] = {"role", "key", NULL};
    struct administrators *a = user;
    int result = expect_type(r, where, i, JSON_ARRAY);
    for (uint32_t k = JSON_FIRST(i); result == 0 && k != JSON_END(r->json, i); k = JSON_NEXT(r->json, k)) {
        if (a->count == ADMINISTRATORS_MAX)
            return refuse(r, "%s: there are too many", where);
        result = read_object(r, members, "administrators.keys.", k, &a->list[a->count++]);
        if (result == 0)
            result = must_have(r, "administrators.keys.", k, needed);
    }
    return result;
}

static int take_administrators(struct reader *r, const char *where, uint32_t i, void *user)
{
    static const struct member members[] = {{"threshold", take_threshold}, {"keys", take_keys}, {0}};
    static const char *const needed[] = {"threshold", "keys", NULL};
    (void)user;
    struct administrators a = {0};
    int result = read_object(r, members, "administrators.", i, &a);
    if (result == 0)
        result = must_have(r, "administrators.", i, needed);
    return result ? result
                  : judge(r, where,
                          verifier_policy_expect_administrators(r->policy, (unsigned)a.threshold, a.list, a.count));
}

static int take_upgrade_rule(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    struct upgrade_rule rule;
    if (!verifier__read_upgrade_rule(r->json, i, &rule))
        return refuse(r, "%s: expected a rule as the leaf upgrade-rule has it", where);
    return judge(r, where, verifier__expect_upgrade_rule(r->policy, &rule));
}

static int take_predecessors(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    uint8_t hash[32];
    int result = expect_type(r, where, i, JSON_ARRAY);
    for (uint32_t k = JSON_FIRST(i); result == 0 && k != JSON_END(r->json, i); k = JSON_NEXT(r->json, k)) {
        result = read_hex(r, where, k, hash, 32);
        if (result == 0)
            result = judge(r, where, verifier_policy_add_predecessor(r->policy, hash));
    }
    return result;
}

static int take_min_generation(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    uint64_t number;
    int result = read_number(r, where, i, INT64_MAX, &number);
    if (result == 0)
        verifier_policy_set_min_generation(r->policy, number);
    return result;
}

/* ---- its history ----------------------------------------------------------------------------------------------- */

struct log_reader {
    char *key;
    bool has_size, has_root;
    uint64_t size, quorum, max_age;
    uint8_t root[32];
};

static int take_log_key(struct reader *r, const char *where, uint32_t i, void *user)
{
    struct log_reader *l = user;
    l->key = read_text(r, where, i);
    return l->key ? 0 : -EINVAL;
}

static int take_log_size(struct reader *r, const char *where, uint32_t i, void *user)
{
    struct log_reader *l = user;
    l->has_size = true;
    return read_number(r, where, i, INT64_MAX, &l->size);
}

static int take_log_root(struct reader *r, const char *where, uint32_t i, void *user)
{
    struct log_reader *l = user;
    l->has_root = true;
    return read_hex(r, where, i, l->root, 32);
}

static int take_witnesses(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    int result = expect_type(r, where, i, JSON_ARRAY);
    if (result == 0 && r->json->values[i].count == 0)
        return refuse(r, "%s: no witness would do", where);
    for (uint32_t k = JSON_FIRST(i); result == 0 && k != JSON_END(r->json, i); k = JSON_NEXT(r->json, k)) {
        char *key = read_text(r, where, k);
        result = key ? verifier_policy_add_witness(r->policy, key) : -EINVAL;
        if (key && result)
            result = result == -EEXIST ? refuse(r, "%s: one stands twice", where) : judge(r, where, result);
        free(key);
    }
    return result;
}

static int take_quorum(struct reader *r, const char *where, uint32_t i, void *user)
{
    struct log_reader *l = user;
    int result = read_number(r, where, i, WITNESSES_MAX, &l->quorum);
    return result == 0 && l->quorum == 0 ? refuse(r, "%s: expected 1 at least", where) : result;
}

static int take_max_age(struct reader *r, const char *where, uint32_t i, void *user)
{
    struct log_reader *l = user;
    int result = read_number(r, where, i, INT32_MAX, &l->max_age);
    return result == 0 && l->max_age == 0 ? refuse(r, "%s: expected 1 second at least", where) : result;
}

/* Members that mean nothing without others. */
static int judge_log(struct reader *r, const char *where, const struct log_reader *l)
{
    if (l->has_size != l->has_root || (l->has_size && !l->key))
        return refuse(r, "%s: size, root and key stand together, or key alone", where);
    if ((l->quorum || l->max_age) && r->policy->witness_count == 0)
        return refuse(r, "%s: quorum and max_age are of witnesses", where);
    if (l->quorum > r->policy->witness_count)
        return refuse(r, "%s.quorum: there are not so many witnesses", where);
    return 0;
}

static int take_log(struct reader *r, const char *where, uint32_t i, void *user)
{
    static const struct member members[] = {{"key", take_log_key},
                                            {"size", take_log_size},
                                            {"root", take_log_root},
                                            {"witnesses", take_witnesses},
                                            {"quorum", take_quorum},
                                            {"max_age", take_max_age},
                                            {0}};
    struct log_reader l = {0};
    (void)user;
    int result = read_object(r, members, "log.", i, &l);
    if (result == 0)
        result = judge_log(r, where, &l);
    if (result == 0 && l.key)
        result = judge(r, where, verifier_policy_expect_log(r->policy, l.key, l.size, l.has_root ? l.root : NULL));
    if (result == 0 && (l.quorum || l.max_age))
        verifier_policy_set_witness_quorum(r->policy, (unsigned)l.quorum, (int64_t)l.max_age);
    free(l.key);
    return result;
}

/* ---- what it runs ---------------------------------------------------------------------------------------------- */

static int take_limits(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    char *text = read_text(r, where, i);
    int result = text ? judge(r, where, verifier_policy_expect_limits(r->policy, text)) : -EINVAL;
    free(text);
    return result;
}

static int take_egress_ca(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    uint8_t hash[32];
    bool none;
    int result = read_hash_or_none(r, where, i, hash, &none);
    return result ? result : judge(r, where, verifier_policy_expect_egress_ca(r->policy, none ? NULL : hash));
}

/* An app's members refer to its name, which may stand behind them. */
struct app_reader {
    char name[NAME_SIZE_MAX + 1];
    bool has_publisher, has_min_version;
    uint8_t publisher[32];
    uint64_t min_version;
};

static int skip_name(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)r, (void)where, (void)i, (void)user; /* it was read first */
    return 0;
}

static int take_sha256(struct reader *r, const char *where, uint32_t i, void *user)
{
    const struct app_reader *a = user;
    uint8_t hash[32];
    int result = read_hex(r, where, i, hash, 32);
    return result ? result : judge(r, where, verifier_policy_expect_code(r->policy, a->name, hash));
}

static int take_publisher(struct reader *r, const char *where, uint32_t i, void *user)
{
    struct app_reader *a = user;
    a->has_publisher = true;
    return read_hex(r, where, i, a->publisher, 32);
}

static int take_min_version(struct reader *r, const char *where, uint32_t i, void *user)
{
    struct app_reader *a = user;
    a->has_min_version = true;
    return read_number(r, where, i, INT64_MAX, &a->min_version);
}

static int take_id(struct reader *r, const char *where, uint32_t i, void *user)
{
    const struct app_reader *a = user;
    uint8_t id[16];
    int result = read_hex(r, where, i, id, sizeof id);
    return result ? result : judge(r, where, verifier_policy_expect_app_id(r->policy, a->name, id));
}

static int take_settings(struct reader *r, const char *where, uint32_t i, void *user)
{
    const struct app_reader *a = user;
    uint8_t hash[32];
    bool none;
    int result = read_hash_or_none(r, where, i, hash, &none);
    return result ? result : judge(r, where, verifier_policy_expect_settings(r->policy, a->name, none ? NULL : hash));
}

static int take_egress(struct reader *r, const char *where, uint32_t i, void *user)
{
    const struct app_reader *a = user;
    const struct json *j = r->json;
    char list[EGRESS_SIZE_MAX + 1] = "", entry[512];
    size_t used = 0;
    int result = expect_type(r, where, i, JSON_ARRAY);
    for (uint32_t k = JSON_FIRST(i); result == 0 && k != JSON_END(j, i); k = JSON_NEXT(j, k)) {
        if (!verifier__json_text(j, k, entry, sizeof entry) || !*entry || strchr(entry, ','))
            result = refuse(r, "%s: expected \"HOST\" or \"HOST:PORT\"", where);
        else if (used + strlen(entry) + 1 > EGRESS_SIZE_MAX)
            result = refuse(r, "%s: there are too many", where);
        else
            used += (size_t)sprintf(list + used, "%s%s", used ? "," : "", entry);
    }
    return result ? result : judge(r, where, verifier_policy_expect_egress(r->policy, a->name, list));
}

static int take_app(struct reader *r, const char *where, uint32_t i)
{
    static const struct member members[] = {{"name", skip_name},
                                            {"sha256", take_sha256},
                                            {"publisher", take_publisher},
                                            {"min_version", take_min_version},
                                            {"id", take_id},
                                            {"settings", take_settings},
                                            {"egress", take_egress},
                                            {0}};
    struct app_reader a = {0};
    int error;
    uint32_t name = r->json->values[i].type == JSON_OBJECT ? verifier__json_member(r->json, i, "name", JSON_STRING) : 0;
    if (!name || !verifier__json_text(r->json, name, a.name, sizeof a.name) || !*a.name)
        return refuse(r, "%s: each needs a name, of 1 to %u characters", where, NAME_SIZE_MAX);
    struct expected_app *expected = verifier__expect(r->policy, a.name, &error);
    if (!expected)
        return judge(r, where, error);
    if (expected->listed)
        return refuse(r, "%s: %s stands twice", where, a.name);
    expected->listed = true;
    int result = read_object(r, members, "apps.", i, &a);
    if (result == 0 && a.has_min_version && !a.has_publisher)
        return refuse(r, "apps.min_version: it needs a publisher");
    if (result == 0 && a.has_publisher)
        result = judge(r, where, verifier_policy_expect_publisher(r->policy, a.name, a.publisher, a.min_version));
    return result;
}

static int take_apps(struct reader *r, const char *where, uint32_t i, void *user)
{
    (void)user;
    int result = expect_type(r, where, i, JSON_ARRAY);
    for (uint32_t k = JSON_FIRST(i); result == 0 && k != JSON_END(r->json, i); k = JSON_NEXT(r->json, k))
        result = take_app(r, where, k);
    return result;
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

int verifier_policy_read(struct verifier_policy *policy, const char *text, size_t size, char *error, size_t error_size)
{
    static const struct member members[] = {{"format", take_format},
                                            {"mrenclave", take_mrenclave},
                                            {"mrsigner", take_mrsigner},
                                            {"prod_id", take_prod_id},
                                            {"min_svn", take_min_svn},
                                            {"allow_simulation", take_allow_simulation},
                                            {"allow_debug", take_allow_debug},
                                            {"roots", take_roots},
                                            {"collateral", take_collateral},
                                            {"max_lifetime", take_max_lifetime},
                                            {"extensions", take_extensions},
                                            {"issuer", take_issuer},
                                            {"instance", take_instance},
                                            {"administrators", take_administrators},
                                            {"upgrade_rule", take_upgrade_rule},
                                            {"predecessors", take_predecessors},
                                            {"min_generation", take_min_generation},
                                            {"log", take_log},
                                            {"limits", take_limits},
                                            {"egress_ca", take_egress_ca},
                                            {"apps", take_apps},
                                            {"only_apps", take_only_apps},
                                            {0}};
    struct json json;
    struct reader r = {.policy = policy, .json = &json, .error = error, .error_size = error_size};
    const char *wrong = verifier__json_parse(&json, text, size);
    if (wrong)
        return refuse(&r, "no JSON as it should be: %s", wrong);
    for (size_t i = 0; i < policy->app_count; i++)
        policy->apps[i]->listed = false;
    bool has_format = false;
    int result = read_object(&r, members, "", 0, &has_format);
    if (result == 0 && !has_format)
        result = refuse(&r, "format is missing: expected \"" POLICY_FORMAT "\"");
    verifier__json_free(&json);
    return result;
}
