/*
 * A verification from beginning to end: the certificate, the quote in it, who vouches for the quote, and what it says.
 */
#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

#include "verifier/internal.h"

#define OID_QUOTE "1.2.840.113741.1.13.1.0"

/* A certificate without a quote: whether it says what it says by the numbers of version 2. */
static bool is_v2(const struct verification *v)
{
    uint8_t root[32], generation[8];
    return verifier__read_extension(v, OID_V2_MERKLE_ROOT, root, sizeof root) &&
           !verifier__read_extension(v, OID_GENERATION, generation, sizeof generation);
}

/* All of a certificate, from which v was begun. */
static struct verifier_result *judge(struct verification v, X509 *certificate)
{
    if (!v.result)
        return NULL;
    v.leaf = certificate;
    v.result->of_certificate = true;
    int count = 0;
    ASN1_OBJECT *oid = OBJ_txt2obj(OID_QUOTE, 1);
    const ASN1_OCTET_STRING *value = oid ? verifier__extension(certificate, oid, &count) : NULL;
    ASN1_OBJECT_free(oid);
    verifier__read_dice(&v);
    v.dice_is_quote = oid && count == 0 && v.has_dice && !v.dice_wrong;
    v.is_v2 = oid && count == 0 && !v.has_dice && is_v2(&v);
    verifier__check_certificate(&v);
    if (v.dice_is_quote)
        verifier__check_quote(&v, v.dice.quote, v.dice.quote_size);
    else if (v.is_v2)
        verifier__check_only_fresh(&v);
    else
        verifier__check_quote(&v, value ? ASN1_STRING_get0_data(value) : NULL,
                              value ? (size_t)ASN1_STRING_length(value) : 0);
    verifier__check_dice(&v);
    verifier__check_fresh(&v);
    verifier__check_configuration(&v);
    ERR_clear_error(); /* reasons are in the result */
    return v.result;
}

struct verifier_result *verifier__verify_certificate(const struct verifier_policy *policy,
                                                     const struct verifier_collateral *collateral, X509 *certificate,
                                                     bool live)
{
    struct verification v = verifier__begin(policy, collateral);
    v.live = live;
    return judge(v, certificate);
}

struct verifier_result *verifier_verify_certificate(const struct verifier_policy *policy,
                                                    const struct verifier_collateral *collateral, X509 *certificate)
{
    return verifier__verify_certificate(policy, collateral, certificate, policy->live);
}

struct verifier_result *verifier_verify(const struct verifier_policy *policy,
                                        const struct verifier_collateral *collateral,
                                        const struct verifier_evidence *evidence)
{
    const uint8_t *at = evidence->certificate;
    size_t size = evidence->certificate_size;
    X509 *certificate = size <= VERIFIER_DOCUMENT_SIZE_MAX ? d2i_X509(NULL, &at, (long)size) : NULL;
    struct verification v = verifier__begin(policy, collateral);
    v.manifest_text = evidence->manifest;
    v.manifest_size = evidence->manifest_size;
    v.log = evidence->log;
    v.fresh = evidence->fresh;
    if (certificate && at == (const uint8_t *)evidence->certificate + size) {
        judge(v, certificate);
    } else if (v.result) {
        v.result->of_certificate = true;
        verifier__fail(&v, CHECK_CERTIFICATE, "not one certificate in DER");
    }
    X509_free(certificate);
    ERR_clear_error();
    return v.result;
}

struct verifier_result *verifier_verify_certificate_der(const struct verifier_policy *policy,
                                                        const struct verifier_collateral *collateral, const void *der,
                                                        size_t size)
{
    return verifier_verify(policy, collateral,
                           &(struct verifier_evidence){.certificate = der, .certificate_size = size});
}

/* All of a quote alone, from which v was begun. */
static struct verifier_result *judge_quote(struct verification v, const void *quote, size_t size)
{
    if (!v.result)
        return NULL;
    verifier__check_certificate(&v);
    verifier__check_quote(&v, quote ? quote : "", quote ? size : 0);
    verifier__check_dice(&v);
    verifier__check_configuration(&v);
    ERR_clear_error();
    return v.result;
}

struct verifier_result *verifier_verify_quote(const struct verifier_policy *policy,
                                              const struct verifier_collateral *collateral, const void *quote,
                                              size_t size, const uint8_t *report_data)
{
    struct verification v = verifier__begin(policy, collateral);
    v.expected_report_data = report_data;
    return judge_quote(v, quote, size);
}

struct verifier_result *verifier_verify_successor(const struct verifier_policy *policy,
                                                  const struct verifier_collateral *collateral, const void *quote,
                                                  size_t size, const uint8_t report_data[64],
                                                  const struct verifier_claims *now)
{
    /* What is left of it says which program may have the instance, and who vouches for that; borrowed from policy. */
    struct verifier_policy program = {.allow_simulation = policy->allow_simulation,
                                      .allow_debug = policy->allow_debug,
                                      .require_collateral = policy->require_collateral,
                                      .roots = policy->roots,
                                      .mrenclaves = policy->mrenclaves,
                                      .mrenclave_count = policy->mrenclave_count,
                                      .has_mrsigner = policy->has_mrsigner,
                                      .has_prod_id = policy->has_prod_id,
                                      .has_min_svn = policy->has_min_svn,
                                      .prod_id = policy->prod_id,
                                      .min_svn = policy->min_svn,
                                      .accepted_tcb = policy->accepted_tcb,
                                      .time_s = policy->time_s,
                                      .min_evaluation_number = policy->min_evaluation_number,
                                      .predecessors = policy->predecessors,
                                      .predecessor_count = policy->predecessor_count};
    memcpy(program.mrsigner, policy->mrsigner, sizeof program.mrsigner);
    struct verification v = verifier__begin(&program, collateral);
    v.expected_report_data = report_data;
    v.predecessor = now->mrenclave;
    return judge_quote(v, quote, size);
}
