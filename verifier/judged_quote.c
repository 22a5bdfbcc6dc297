/*
 * A quote, whatever it came in: what it is, who vouches for it, and what it says.
 */
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
