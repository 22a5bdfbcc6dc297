/*
 * A quote, whatever it came in: what it is, who vouches for it, and what it says.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "verifier/internal.h"

static void read_claims(struct verification *v)
{
    struct verifier_claims *c = &v->result->claims;
    const uint8_t *body = v->quote.body;
    c->has_quote = true;
    memcpy(c->mrenclave, BODY_MRENCLAVE(body), 32);
    memcpy(c->mrsigner, BODY_MRSIGNER(body), 32);
    memcpy(c->report_data, BODY_REPORT_DATA(body), 64);
    c->isv_prod_id = bytes_u16(BODY_PROD_ID(body));
    c->isv_svn = bytes_u16(BODY_SVN(body));
    c->debug = bytes_u64(BODY_ATTRIBUTES(body)) & FLAG_DEBUG;
}

void verifier__check_quote(struct verification *v, const void *quote, size_t size)
{
    const char *wrong =
        quote ? verifier_quote_parse(quote, size, &v->quote) : "the certificate does not carry exactly one SGX quote";
    if (wrong) {
        verifier__fail(v, CHECK_QUOTE, "%s", wrong);
        return;
    }
    verifier__pass(v, CHECK_QUOTE, "a well-formed DCAP version 3 quote");
    read_claims(v);
    verifier__check_chain(v);
    verifier__check_quoting_enclave(v);
    verifier__check_collateral(v);
    verifier__check_binding(v);
    verifier__check_enclave(v);
    verifier__free_certificates(v->chain);
}

struct verification verifier__begin(const struct verifier_policy *policy, const struct verifier_collateral *collateral)
{
    return (struct verification){
        .policy = policy,
        .collateral = collateral,
        .result = verifier__result_create(policy),
        .now_s = policy->time_s ? policy->time_s : (int64_t)time(NULL),
        .live = policy->live,
    };
}

struct verifier_result *verifier__judge_quote(const struct verification *v, const void *quote, size_t size,
                                              const uint8_t report_data[64])
{
    struct verification alone = verifier__begin(v->policy, v->collateral);
    alone.now_s = v->now_s;
    alone.expected_report_data = report_data;
    if (alone.result)
        verifier__check_quote(&alone, quote, size);
    return alone.result;
}

/* ---- another one of the same enclave --------------------------------------------------------------------------- */

static bool has_failed(const struct verifier_result *result, const char *name)
{
    for (size_t i = 0; i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (check.outcome == VERIFIER_FAILED && strcmp(check.name, name) == 0)
            return true;
    }
    return false;
}

/* The first check that this quote fails, but the certificate's does not; false: none. */
static bool find_failure(const struct verification *v, const struct verifier_result *alone, struct verifier_check *out)
{
    for (size_t i = 0; i < verifier_result_count(alone); i++) {
        *out = verifier_result_check(alone, i);
        if (out->outcome == VERIFIER_FAILED && !has_failed(v->result, out->name))
            return true;
    }
    return false;
}

bool verifier__is_as_good(const struct verification *v, const void *quote, size_t size, const uint8_t report_data[64],
                          const char *unbound, char why[REASON_SIZE])
{
    struct verifier_check failure;
    const struct verifier_claims *claims = &v->result->claims;
    struct verifier_result *alone = verifier__judge_quote(v, quote, size, report_data);
    const struct verifier_claims *other = alone ? verifier_result_claims(alone) : NULL;
    why[0] = 0;
    if (!alone)
        snprintf(why, REASON_SIZE, "out of memory");
    else if (find_failure(v, alone, &failure))
        snprintf(why, REASON_SIZE, "%s: %s", failure.name,
                 strcmp(failure.name, verifier_check_name(CHECK_REPORT_DATA)) == 0 ? unbound : failure.reason);
    else if (!verifier__has_passed(alone, CHECK_REPORT_DATA))
        snprintf(why, REASON_SIZE, "its quote could not be judged");
    else if (memcmp(other->mrenclave, claims->mrenclave, 32) != 0 || other->isv_svn != claims->isv_svn ||
             memcmp(other->mrsigner, claims->mrsigner, 32) != 0 || other->isv_prod_id != claims->isv_prod_id ||
             other->debug != claims->debug)
        snprintf(why, REASON_SIZE, "it is another enclave's than the certificate's quote");
    verifier_result_destroy(alone);
    return !why[0];
}
