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

struct verifier_result *verifier__result_create(size_t extensions, size_t apps)
{
    struct verifier_result *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    for (int id = 0; id < CHECK_COUNT; id++) {
        size_t times = id == CHECK_EXTENSION ? extensions : id == CHECK_APP ? apps : 1;
        for (size_t i = 0; i == 0 || i < times; i++) {
            struct record *record = &r->records[r->count++];
            record->id = (enum check_id)id;
            record->outcome = VERIFIER_NOT_CHECKED;
            snprintf(record->reason, sizeof(record->reason), "not reached: what it builds on does not hold");
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

static bool must_pass(const struct verifier_result *r, enum check_id id)
{
    switch (checks[id].weight) {
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
            (r->records[i].outcome != VERIFIER_PASSED && must_pass(r, r->records[i].id)))
            return false;
    return r->count >= CHECK_COUNT;
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

static struct record *find(struct verifier_result *r, enum check_id id, size_t index)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->records[i].id == id)
            return &r->records[i + index];
    abort(); /* each has one: verifier__result_create */
}

static void set(struct verification *v, enum check_id id, size_t index, enum verifier_outcome outcome,
                const char *format, va_list arguments)
{
    struct record *record = find(v->result, id, index);
    record->outcome = outcome;
    vsnprintf(record->reason, sizeof(record->reason), format, arguments);
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

bool verifier__passed(const struct verification *v, enum check_id id)
{
    return find(v->result, id, 0)->outcome == VERIFIER_PASSED;
}
