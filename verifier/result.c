/*
 * The result: one record for each check, none of which starts out as passed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/internal.h"

static const struct {
    enum weight weight;
    const char *name, *meaning;
} checks[] = {
#define X(id, weight, name, meaning) {weight, name, meaning},
    CHECKS(X)
#undef X
};

const char *verifier_check_name(size_t index)
{
    return index < CHECK_COUNT ? checks[index].name : NULL;
}

const char *verifier_check_meaning(size_t index)
{
    return index < CHECK_COUNT ? checks[index].meaning : NULL;
}

/* How often a check stands in a result. */
static size_t times_of(const struct verifier_policy *p, int id)
{
    size_t times = id == CHECK_EXTENSION ? p->extension_count : id >= CHECK_APP ? p->app_count : 1;
    return times ? times : 1;
}

/* Whether the policy says what must hold in the index'th record of a check. */
static bool is_demanded(const struct verifier_policy *p, int id, size_t index)
{
    const struct expected_app *a = id >= CHECK_APP && index < p->app_count ? p->apps[index] : NULL;
    switch (id) {
    case CHECK_FRESHNESS:
        return p->min_evaluation_number > 0;
    case CHECK_FRESH:
        return p->require_fresh;
    case CHECK_MRENCLAVE:
        return p->mrenclave_count > 0;
    case CHECK_MRSIGNER:
        return p->has_mrsigner;
    case CHECK_PROD_ID:
        return p->has_prod_id;
    case CHECK_SVN:
        return p->has_min_svn;
    case CHECK_MANIFEST:
        return verifier_policy_needs_manifest(p);
    case CHECK_INSTANCE:
        return p->has_instance;
    case CHECK_GENERATION:
        return p->min_generation > 0;
    case CHECK_LOG_KEY:
        return p->has_log;
    case CHECK_LOG_HEAD:
    case CHECK_LOG_CHECKPOINT:
        return verifier_policy_needs_log(p);
    case CHECK_LOG_HISTORY:
        return p->head_count > 0;
    case CHECK_LOG_WITNESSES:
        return p->witness_count > 0;
    case CHECK_ADMINISTRATORS:
        return p->has_administrators;
    case CHECK_UPGRADE_RULE:
        return p->has_upgrade_rule;
    case CHECK_LINEAGE:
        return p->predecessor_count > 0;
    case CHECK_LIMITS:
        return p->has_limits;
    case CHECK_EGRESS_CA:
        return p->has_egress_ca;
    case CHECK_ONLY_APPS:
        return p->only_apps;
    case CHECK_EXTENSION:
        return index < p->extension_count;
    case CHECK_APP:
        return a && a->has_sha256;
    case CHECK_APP_PUBLISHER:
        return a && a->has_publisher;
    case CHECK_APP_IDENTITY:
        return a && a->has_id;
    case CHECK_APP_SETTINGS:
        return a && a->has_settings;
    case CHECK_APP_EGRESS:
        return a && a->has_egress;
    default:
        return false;
    }
}

struct verifier_result *verifier__result_create(const struct verifier_policy *p)
{
    size_t count = 0;
    for (int id = 0; id < CHECK_COUNT; id++)
        count += times_of(p, id);
    struct verifier_result *r = calloc(1, sizeof *r + count * sizeof r->records[0]);
    if (!r)
        return NULL;
    for (int id = 0; id < CHECK_COUNT; id++) {
        for (size_t i = 0; i < times_of(p, id); i++) {
            struct record *record = &r->records[r->count++];
            record->id = (enum check_id)id;
            record->outcome = VERIFIER_NOT_CHECKED;
            record->demanded = is_demanded(p, id, i);
            snprintf(record->reason, sizeof record->reason, "not reached: what it builds on does not hold");
        }
    }
    for (size_t i = 0; i < ADVISORIES_MAX; i++)
        r->advisory_list[i] = r->advisories[i];
    r->claims.advisories = r->advisory_list;
    return r;
}

void verifier_result_destroy(struct verifier_result *r)
{
    free(r);
}

static bool must_pass(const struct verifier_result *r, const struct record *record)
{
    if (record->demanded)
        return true;
    switch (checks[record->id].weight) {
    case ALWAYS:
        return true;
    case OF_CERTIFICATE:
        return r->of_certificate;
    case OF_COLLATERAL:
        return r->has_collateral;
    default:
        return false;
    }
}

bool verifier_result_ok(const struct verifier_result *r)
{
    if (!r)
        return false;
    for (size_t i = 0; i < r->count; i++)
        if (r->records[i].outcome == VERIFIER_FAILED ||
            (r->records[i].outcome != VERIFIER_PASSED && must_pass(r, &r->records[i])))
            return false;
    return r->count >= CHECK_COUNT;
}

enum verifier_verdict verifier_result_verdict(const struct verifier_result *r)
{
    if (!verifier_result_ok(r))
        return VERIFIER_REFUSED;
    /* A certificate under the CA comes from who has its key. Everything else is what some program says of itself. */
    bool program = verifier__has_passed(r, CHECK_MRENCLAVE) || verifier__has_passed(r, CHECK_MRSIGNER);
    bool whose =
        verifier__has_passed(r, CHECK_INSTANCE) || r->administrators_name_instance || r->extension_names_instance;
    return verifier__has_passed(r, CHECK_ISSUER) || (program && whose) ? VERIFIER_VERIFIED : VERIFIER_GENUINE;
}

const char *verifier_verdict_name(enum verifier_verdict verdict)
{
    return verdict == VERIFIER_VERIFIED ? "verified" : verdict == VERIFIER_GENUINE ? "genuine" : "refused";
}

size_t verifier_result_count(const struct verifier_result *r)
{
    return r->count;
}

struct verifier_check verifier_result_check(const struct verifier_result *r, size_t index)
{
    if (index >= r->count)
        return (struct verifier_check){"", VERIFIER_NOT_CHECKED, ""};
    const struct record *record = &r->records[index];
    return (struct verifier_check){checks[record->id].name, record->outcome, record->reason};
}

const struct verifier_claims *verifier_result_claims(const struct verifier_result *r)
{
    return &r->claims;
}

/* ---- recording ------------------------------------------------------------------------------------------------- */

static size_t find(const struct verifier_result *r, enum check_id id)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->records[i].id == id)
            return i;
    abort(); /* each has one: verifier__result_create */
}

static void set(struct verification *v, enum check_id id, size_t index, enum verifier_outcome outcome,
                const char *format, va_list arguments)
{
    struct record *record = &v->result->records[find(v->result, id) + index];
    record->outcome = outcome;
    vsnprintf(record->reason, sizeof record->reason, format, arguments);
    for (char *c = record->reason; *c; c++) /* a peer's words stand in it: nothing that a terminal obeys */
        if (*c < ' ' || *c > '~')
            *c = '?';
}

#define RECORD(name, outcome)                                                    \
    void name(struct verification *v, enum check_id id, const char *format, ...) \
    {                                                                            \
        va_list arguments;                                                       \
        va_start(arguments, format);                                             \
        set(v, id, 0, outcome, format, arguments);                               \
        va_end(arguments);                                                       \
    }
RECORD(verifier__pass, VERIFIER_PASSED)
RECORD(verifier__fail, VERIFIER_FAILED)
RECORD(verifier__skip, VERIFIER_NOT_CHECKED)

void verifier__set(struct verification *v, enum check_id id, size_t index, enum verifier_outcome outcome,
                   const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(v, id, index, outcome, format, arguments);
    va_end(arguments);
}

bool verifier__has_passed(const struct verifier_result *r, enum check_id id)
{
    return r->records[find(r, id)].outcome == VERIFIER_PASSED;
}

bool verifier__passed(const struct verification *v, enum check_id id)
{
    return verifier__has_passed(v->result, id);
}
