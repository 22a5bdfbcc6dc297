/*
 * A verification from beginning to end: the certificate, the quote in it, who vouches for the quote, and what it says.
 */
#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "verifier/internal.h"

#define OID_QUOTE "1.2.840.113741.1.13.1.0"

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

static void check_quote(struct verification *v, const void *quote, size_t size)
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

static struct verification begin(const struct verifier_policy *policy, const struct verifier_collateral *collateral)
{
    return (struct verification){
        .policy = policy,
        .collateral = collateral,
        .result = verifier__result_create(policy),
        .now_s = policy->time_s ? policy->time_s : (int64_t)time(NULL),
        .live = policy->live,
    };
}

/* All of a certificate, from which v was begun. */
static struct verifier_result *judge(struct verification v, X509 *certificate)
{
    if (!v.result)
        return NULL;
    v.leaf = certificate;
    v.result->of_certificate = true;
    int count;
    ASN1_OBJECT *oid = OBJ_txt2obj(OID_QUOTE, 1);
    const ASN1_OCTET_STRING *value = oid ? verifier__extension(certificate, oid, &count) : NULL;
    ASN1_OBJECT_free(oid);
    verifier__check_certificate(&v);
    check_quote(&v, value ? ASN1_STRING_get0_data(value) : NULL, value ? (size_t)ASN1_STRING_length(value) : 0);
    verifier__check_configuration(&v);
    ERR_clear_error(); /* reasons are in the result */
    return v.result;
}

struct verifier_result *verifier__verify_certificate(const struct verifier_policy *policy,
                                                     const struct verifier_collateral *collateral, X509 *certificate,
                                                     bool live)
{
    struct verification v = begin(policy, collateral);
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
    struct verification v = begin(policy, collateral);
    v.manifest_text = evidence->manifest;
    v.manifest_size = evidence->manifest_size;
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

struct verifier_result *verifier_verify_quote(const struct verifier_policy *policy,
                                              const struct verifier_collateral *collateral, const void *quote,
                                              size_t size, const uint8_t *report_data)
{
    struct verification v = begin(policy, collateral);
    if (!v.result)
        return NULL;
    v.expected_report_data = report_data;
    verifier__check_certificate(&v);
    check_quote(&v, quote ? quote : "", quote ? size : 0);
    verifier__check_configuration(&v);
    ERR_clear_error();
    return v.result;
}
