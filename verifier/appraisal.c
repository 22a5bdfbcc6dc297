/*
 * What the collateral says: signed by whom, valid when, about which platform, who is revoked, and at which TCB level
 * the platform and its quoting enclave are. Rules: Intel's "DCAP ECDSA Quote Verification" (sections on TCB levels).
 */
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "verifier/crl.h"
#include "verifier/documents.h"

struct appraisal {
    struct verification *v;
    struct tcb_info tcb_info;
    struct qe_identity identity;
    bool has_tcb_info, has_identity;
    STACK_OF(X509) * tcb_chain, *qe_chain; /* signer, root */
    X509_CRL *root_crl, *pck_crl;
};

static void stale_after(struct verification *v, int64_t until_s)
{
    int64_t *first = &v->result->claims.collateral_until_s;
    if (until_s > 0 && (*first == 0 || until_s < *first))
        *first = until_s;
}

/* ---- TCB info and QE identity: signature and time -------------------------------------------------------------- */

/* The signer of a document, as the first of two in its chain, issued by the very root of the quote. */
static const char *signer_problem(const struct verification *v, STACK_OF(X509) * chain)
{
    if (!chain || sk_X509_num(chain) != 2)
        return "its chain is not exactly a signer and a root";
    X509 *signer = sk_X509_value(chain, 0);
    const char *problem = verifier__signed_by(signer, v->root);
    if (problem)
        return problem;
    if (X509_check_ca(signer) != 0 || !(X509_get_key_usage(signer) & KU_DIGITAL_SIGNATURE))
        return "its signer's certificate is not one that only signs data";
    return NULL;
}

static void check_document(struct verification *v, const struct signed_document *d, STACK_OF(X509) * chain,
                           enum check_id id, enum check_id time_id)
{
    char text[64];
    const char *problem = signer_problem(v, chain);
    X509 *signer = problem ? NULL : sk_X509_value(chain, 0);
    if (!problem && !verifier__signature_holds(X509_get0_pubkey(signer), d->signature, d->signed_text, d->signed_size))
        problem = "it is not signed by its signer's key";
    if (problem)
        verifier__fail(v, id, "%s", problem);
    else
        verifier__pass(v, id, "signed under the root");
    stale_after(v, d->next_update_s);
    if (verifier__time_problem(d->issued_s, d->next_update_s, v->now_s, text, sizeof text)) {
        verifier__fail(v, time_id, "the document %s", text);
    } else if (signer &&
               verifier__time_problem(verifier__asn1_time(X509_get0_notBefore(signer)),
                                      verifier__asn1_time(X509_get0_notAfter(signer)), v->now_s, text, sizeof text)) {
        verifier__fail(v, time_id, "the signer's certificate %s", text);
    } else {
        char until[24];
        verifier__format_time(d->next_update_s, until);
        verifier__pass(v, time_id, "valid until %s", until);
    }
}

static STACK_OF(X509) * read_chain(const struct verification *v, enum verifier_document document)
{
    size_t size;
    const void *pem = verifier_collateral_get(v->collateral, document, &size);
    return verifier__read_certificates(pem, size, CERTIFICATES_MAX);
}

static void check_documents(struct appraisal *a)
{
    struct verification *v = a->v;
    size_t size;
    const void *text = verifier_collateral_get(v->collateral, VERIFIER_TCB_INFO, &size);
    const char *wrong = verifier__read_tcb_info(&a->tcb_info, text, size);
    a->has_tcb_info = !wrong;
    a->tcb_chain = read_chain(v, VERIFIER_TCB_INFO_CHAIN);
    if (wrong)
        verifier__fail(v, CHECK_TCB_INFO, "malformed: %s", wrong);
    else
        check_document(v, &a->tcb_info.document, a->tcb_chain, CHECK_TCB_INFO, CHECK_TCB_INFO_TIME);

    text = verifier_collateral_get(v->collateral, VERIFIER_QE_IDENTITY, &size);
    wrong = verifier__read_qe_identity(&a->identity, text, size);
    a->has_identity = !wrong;
    a->qe_chain = read_chain(v, VERIFIER_QE_IDENTITY_CHAIN);
    if (wrong)
        verifier__fail(v, CHECK_QE_DOCUMENT, "malformed: %s", wrong);
    else
        check_document(v, &a->identity.document, a->qe_chain, CHECK_QE_DOCUMENT, CHECK_QE_DOCUMENT_TIME);
}

/* ---- revocation ------------------------------------------------------------------------------------------------ */

static X509_CRL *check_crl(struct verification *v, enum verifier_document document, X509 *issuer, enum check_id id,
                           enum check_id time_id)
{
    size_t size;
    char text[64], until[24];
    const void *data = verifier_collateral_get(v->collateral, document, &size);
    X509_CRL *crl = verifier__read_crl(data, size);
    const char *problem = crl ? verifier__crl_problem(crl, issuer) : "it is neither DER, hexadecimal nor PEM";
    if (problem)
        verifier__fail(v, id, "%s", problem);
    else
        verifier__pass(v, id, "signed by its issuer");
    if (!crl || !X509_CRL_get0_nextUpdate(crl))
        return crl;
    int64_t until_s = verifier__asn1_time(X509_CRL_get0_nextUpdate(crl));
    stale_after(v, until_s);
    verifier__format_time(until_s, until);
    if (verifier__time_problem(verifier__asn1_time(X509_CRL_get0_lastUpdate(crl)), until_s, v->now_s, text,
                               sizeof text))
        verifier__fail(v, time_id, "the list %s", text);
    else
        verifier__pass(v, time_id, "valid until %s", until);
    return crl;
}

static void check_revocation(struct appraisal *a)
{
    struct verification *v = a->v;
    a->root_crl = check_crl(v, VERIFIER_ROOT_CRL, v->root, CHECK_ROOT_CRL, CHECK_ROOT_CRL_TIME);
    a->pck_crl = check_crl(v, VERIFIER_PCK_CRL, v->pck_ca, CHECK_PCK_CRL, CHECK_PCK_CRL_TIME);
    if (!verifier__passed(v, CHECK_ROOT_CRL))
        return;
    if (verifier__passed(v, CHECK_PCK_CRL)) {
        if (verifier__is_revoked(a->root_crl, v->root))
            verifier__fail(v, CHECK_PCK_REVOCATION, "the root's certificate is revoked");
        else if (verifier__is_revoked(a->root_crl, v->pck_ca))
            verifier__fail(v, CHECK_PCK_REVOCATION, "the PCK CA's certificate is revoked");
        else if (verifier__is_revoked(a->pck_crl, v->pck))
            verifier__fail(v, CHECK_PCK_REVOCATION,
                           "the PCK certificate is revoked: this platform is not to be trusted");
        else
            verifier__pass(v, CHECK_PCK_REVOCATION, "none of the three is in a list");
    }
    if (!verifier__passed(v, CHECK_TCB_INFO) || !verifier__passed(v, CHECK_QE_DOCUMENT))
        return;
    if (verifier__is_revoked(a->root_crl, sk_X509_value(a->tcb_chain, 0)))
        verifier__fail(v, CHECK_SIGNER_REVOCATION, "the signer of the TCB info is revoked");
    else if (verifier__is_revoked(a->root_crl, sk_X509_value(a->qe_chain, 0)))
        verifier__fail(v, CHECK_SIGNER_REVOCATION, "the signer of the QE identity is revoked");
    else
        verifier__pass(v, CHECK_SIGNER_REVOCATION, "neither is in the root's list");
}

/* ---- the quoting enclave's identity ---------------------------------------------------------------------------- */

static bool equal_masked(const uint8_t *actual, const uint8_t *expected, const uint8_t *mask, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((actual[i] & mask[i]) != (expected[i] & mask[i]))
            return false;
    return true;
}

static void check_identity(struct verification *v, const struct qe_identity *q)
{
    const uint8_t *body = v->quote.qe_body;
    if (memcmp(BODY_MRSIGNER(body), q->mrsigner, 32) != 0)
        verifier__fail(v, CHECK_QE_IDENTITY, "its MRSIGNER is not the one in the QE identity");
    else if (bytes_u16(BODY_PROD_ID(body)) != q->prod_id)
        verifier__fail(v, CHECK_QE_IDENTITY, "its ISVPRODID is not the one in the QE identity");
    else if (!equal_masked(BODY_MISCSELECT(body), q->miscselect, q->miscselect_mask, 4))
        verifier__fail(v, CHECK_QE_IDENTITY, "its MISCSELECT is not the one in the QE identity");
    else if (!equal_masked(BODY_ATTRIBUTES(body), q->attributes, q->attributes_mask, 16))
        verifier__fail(v, CHECK_QE_IDENTITY, "its ATTRIBUTES are not those in the QE identity");
    else
        verifier__pass(v, CHECK_QE_IDENTITY, "as the QE identity says");
}

/* On hardware a PCK certifies whatever enclave has the provisioning attribute, which a machine's owner can give to one
 * of his own: that it is Intel's must be checked also when there is no collateral. */
static void check_known_identity(struct verification *v)
{
    static const uint8_t intel_signer[32] = {0x8c, 0x4f, 0x57, 0x75, 0xd7, 0x96, 0x50, 0x3e, 0x96, 0x13, 0x7f,
                                             0x77, 0xc6, 0x8a, 0x82, 0x9a, 0x00, 0x56, 0xac, 0x8d, 0xed, 0x70,
                                             0x14, 0x0b, 0x08, 0x1b, 0x09, 0x44, 0x90, 0xc5, 0x7b, 0xff};
    const uint8_t *body = v->quote.qe_body;
    if (v->result->claims.simulated)
        verifier__skip(v, CHECK_QE_IDENTITY, "simulated in the host; its identity needs collateral");
    else if (memcmp(BODY_MRSIGNER(body), intel_signer, 32) == 0 && bytes_u16(BODY_PROD_ID(body)) == 1)
        verifier__pass(v, CHECK_QE_IDENTITY, "Intel's quoting enclave (built-in signer and product)");
    else
        verifier__fail(v, CHECK_QE_IDENTITY, "not Intel's quoting enclave");
}

/* ---- TCB levels ------------------------------------------------------------------------------------------------ */

/* Levels are ordered by their components, then by PCESVN, whatever their order in the document. */
static int compare_levels(const struct tcb_level *a, const struct tcb_level *b)
{
    int order = memcmp(a->components, b->components, sizeof a->components);
    return order ? order : (int)a->pce_svn - (int)b->pce_svn;
}

static bool meets(const struct platform *p, const struct tcb_level *level)
{
    for (int i = 0; i < 16; i++)
        if (p->tcb_components[i] < level->components[i])
            return false;
    return p->pce_svn >= level->pce_svn;
}

/* The highest level that the platform meets. */
static bool platform_level(const struct verification *v, const struct tcb_info *info, struct tcb_level *best)
{
    const struct json *j = &info->document.json;
    uint32_t levels = info->document.levels;
    bool found = false;
    for (uint32_t i = JSON_FIRST(levels); i != JSON_END(j, levels); i = JSON_NEXT(j, i)) {
        struct tcb_level level;
        if (verifier__read_tcb_level(info, i, &level) && meets(&v->platform, &level) &&
            (!found || compare_levels(&level, best) > 0)) {
            *best = level;
            found = true;
        }
    }
    return found;
}

static bool quoting_level(const struct verification *v, const struct qe_identity *q, struct tcb_level *best)
{
    const struct json *j = &q->document.json;
    uint32_t levels = q->document.levels;
    uint16_t svn = bytes_u16(BODY_SVN(v->quote.qe_body));
    bool found = false;
    for (uint32_t i = JSON_FIRST(levels); i != JSON_END(j, levels); i = JSON_NEXT(j, i)) {
        struct tcb_level level;
        if (verifier__read_qe_level(q, i, &level) && svn >= level.isv_svn &&
            (!found || level.isv_svn > best->isv_svn)) {
            *best = level;
            found = true;
        }
    }
    return found;
}

/* The status of both: a quoting enclave that is out of date or revoked brings the platform's down, any other not. */
static enum verifier_tcb_status converge(enum verifier_tcb_status platform, enum verifier_tcb_status quoting)
{
    if (quoting == VERIFIER_TCB_REVOKED || platform == VERIFIER_TCB_REVOKED)
        return VERIFIER_TCB_REVOKED;
    if (quoting != VERIFIER_TCB_OUT_OF_DATE && quoting != VERIFIER_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED)
        return platform;
    switch (platform) {
    case VERIFIER_TCB_UP_TO_DATE:
    case VERIFIER_TCB_SW_HARDENING_NEEDED:
    case VERIFIER_TCB_OUT_OF_DATE:
        return VERIFIER_TCB_OUT_OF_DATE;
    default:
        return VERIFIER_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
    }
}

static void add_advisories(struct verifier_result *r, const struct json *j, uint32_t list)
{
    if (!list)
        return;
    for (uint32_t i = JSON_FIRST(list); i != JSON_END(j, list); i = JSON_NEXT(j, i)) {
        char text[ADVISORY_SIZE_MAX];
        if (!verifier__json_text(j, i, text, sizeof text) || r->claims.advisory_count == ADVISORIES_MAX)
            continue;
        bool known = false;
        for (size_t k = 0; k < r->claims.advisory_count; k++)
            known |= strcmp(r->advisories[k], text) == 0;
        if (!known)
            strcpy(r->advisories[r->claims.advisory_count++], text);
    }
}

static void list_advisories(const struct verifier_result *r, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < r->claims.advisory_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "; advisories: ", r->advisories[i]);
}

static void check_status(struct appraisal *a)
{
    struct verification *v = a->v;
    struct verifier_claims *claims = &v->result->claims;
    struct tcb_level platform = {0}, quoting = {0};
    if (!platform_level(v, &a->tcb_info, &platform)) {
        verifier__fail(v, CHECK_TCB_STATUS, "the platform is below every level of the TCB info");
        return;
    }
    if (!quoting_level(v, &a->identity, &quoting)) {
        verifier__fail(v, CHECK_TCB_STATUS, "the quoting enclave is below every level of the QE identity");
        return;
    }
    claims->tcb_status = converge(platform.status, quoting.status);
    claims->tcb_date_s = platform.date_s;
    add_advisories(v->result, &a->tcb_info.document.json, platform.advisories);
    add_advisories(v->result, &a->identity.document.json, quoting.advisories);
    char advisories[256], date[24];
    list_advisories(v->result, advisories, sizeof advisories);
    verifier__format_time(platform.date_s, date);
    if (v->policy->accepted_tcb & 1u << claims->tcb_status)
        verifier__pass(v, CHECK_TCB_STATUS, "%s (platform %s, level of %.10s; quoting enclave %s)%s",
                       verifier_tcb_status_name(claims->tcb_status), verifier_tcb_status_name(platform.status), date,
                       verifier_tcb_status_name(quoting.status), advisories);
    else
        verifier__fail(v, CHECK_TCB_STATUS,
                       "%s, which the caller does not accept (platform %s, level of %.10s; quoting enclave %s)%s",
                       verifier_tcb_status_name(claims->tcb_status), verifier_tcb_status_name(platform.status), date,
                       verifier_tcb_status_name(quoting.status), advisories);
}

static bool check_platform(struct verification *v, const struct tcb_info *info)
{
    const struct platform *p = &v->platform;
    char text[2][24];
    if (memcmp(p->fmspc, info->fmspc, 6) != 0)
        verifier__fail(v, CHECK_PLATFORM, "the TCB info is about FMSPC %s, the platform is %s",
                       verifier__hex(info->fmspc, 6, text[0]), verifier__hex(p->fmspc, 6, text[1]));
    else if (memcmp(p->pce_id, info->pce_id, 2) != 0)
        verifier__fail(v, CHECK_PLATFORM, "the TCB info is about PCE id %s, the platform has %s",
                       verifier__hex(info->pce_id, 2, text[0]), verifier__hex(p->pce_id, 2, text[1]));
    else
        verifier__pass(v, CHECK_PLATFORM, "FMSPC %s", verifier__hex(p->fmspc, 6, text[0]));
    return verifier__passed(v, CHECK_PLATFORM);
}

/* Two documents may both be valid by their dates: which knows of more is said by their number alone. */
static void check_freshness(struct appraisal *a)
{
    struct verification *v = a->v;
    uint32_t least = v->policy->min_evaluation_number;
    uint32_t tcb = a->tcb_info.document.evaluation_number, qe = a->identity.document.evaluation_number;
    v->result->claims.evaluation_number = tcb < qe ? tcb : qe;
    if (least == 0)
        verifier__skip(v, CHECK_FRESHNESS, "%u and %u (the caller has no minimum)", tcb, qe);
    else if (tcb >= least && qe >= least)
        verifier__pass(v, CHECK_FRESHNESS, "%u and %u, at least %u is expected", tcb, qe, least);
    else
        verifier__fail(v, CHECK_FRESHNESS, "the TCB info is number %u, the QE identity %u; at least %u is expected",
                       tcb, qe, least);
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static bool is_complete(struct verification *v)
{
    static const char *const names[VERIFIER_DOCUMENTS] = {"TCB info",       "the TCB info's chain",
                                                          "QE identity",    "the QE identity's chain",
                                                          "the root's CRL", "the PCK CA's CRL"};
    for (int i = 0; i < VERIFIER_DOCUMENTS; i++) {
        if (!v->collateral->documents[i].data) {
            verifier__fail(v, CHECK_COLLATERAL, "missing: %s", names[i]);
            return false;
        }
    }
    verifier__pass(v, CHECK_COLLATERAL, "all six documents are there");
    return true;
}

static void skip_all(struct verification *v)
{
    static const enum check_id ids[] = {
        CHECK_TCB_INFO,      CHECK_TCB_INFO_TIME, CHECK_QE_DOCUMENT,  CHECK_QE_DOCUMENT_TIME, CHECK_ROOT_CRL,
        CHECK_ROOT_CRL_TIME, CHECK_PCK_CRL,       CHECK_PCK_CRL_TIME, CHECK_PCK_REVOCATION,   CHECK_SIGNER_REVOCATION,
        CHECK_PLATFORM,      CHECK_TCB_STATUS,    CHECK_FRESHNESS};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        verifier__skip(v, ids[i], "needs collateral");
}

static void appraise(struct appraisal *a)
{
    struct verification *v = a->v;
    check_documents(a);
    check_revocation(a);
    if (a->has_identity && verifier__passed(v, CHECK_QE_DOCUMENT))
        check_identity(v, &a->identity);
    if (a->has_identity && a->has_tcb_info && verifier__passed(v, CHECK_TCB_INFO) &&
        verifier__passed(v, CHECK_QE_DOCUMENT))
        check_freshness(a);
    if (!a->has_tcb_info || !verifier__passed(v, CHECK_TCB_INFO) || !v->has_platform)
        return;
    if (check_platform(v, &a->tcb_info) && verifier__passed(v, CHECK_QE_DOCUMENT))
        check_status(a);
}

void verifier__check_collateral(struct verification *v)
{
    if (!v->collateral) {
        if (v->policy->require_collateral)
            verifier__fail(v, CHECK_COLLATERAL, "none was given, and the caller requires it");
        else
            verifier__skip(v, CHECK_COLLATERAL, "none was given: revocation and TCB level are unknown");
        skip_all(v);
        if (v->policy->min_evaluation_number > 0)
            verifier__fail(v, CHECK_FRESHNESS, "needs collateral, and none was given");
        check_known_identity(v);
        return;
    }
    v->result->has_collateral = true;
    if (!is_complete(v) || !v->chain_holds)
        return;
    struct appraisal a = {.v = v};
    appraise(&a);
    if (a.has_tcb_info)
        verifier__free_document(&a.tcb_info.document);
    if (a.has_identity)
        verifier__free_document(&a.identity.document);
    verifier__free_certificates(a.tcb_chain);
    verifier__free_certificates(a.qe_chain);
    X509_CRL_free(a.root_crl);
    X509_CRL_free(a.pck_crl);
}
