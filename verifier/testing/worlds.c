/* The worlds, case by case. See worlds.h. */
#include "verifier/testing/worlds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include <cmocka.h>

#include "enclave/merkle/merkle.h"

#define OID_EXPECTED "1.3.6.1.4.1.65230.2.4"
static const uint8_t app_hash[32] = {0xa9};

void world_set_time(struct world *w, int64_t now_s)
{
    verifier_policy_set_time(w->policy, now_s);
}

/* A configuration of three leaves, the app's in the middle. */
static void make_tree(struct world *w)
{
    struct merkle tree = {0};
    uint8_t leaf[4 + 5 + 1 + 32] = "app:hello";
    memcpy(leaf + 10, app_hash, 32);
    assert_int_equal(merkle_add(&tree, "ca", 2), 0);
    assert_int_equal(merkle_add(&tree, leaf, sizeof leaf), 0);
    assert_int_equal(merkle_add(&tree, "limits", 6), 0);
    merkle_root(&tree, w->options.merkle_root);
    w->proof = (struct verifier_inclusion){1, 3, w->path, (size_t)merkle_proof(&tree, 1, w->path)};
    merkle_free(&tree);
}

struct world *world_open(void)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->options = fixture_defaults();
    w->options.evidences = 1;
    w->oid = OID_EXPECTED;
    memcpy(w->value, "\1\2\3\4", 4);
    make_tree(w);
    return w;
}

/* The fixture, and a policy that pins everything there is to pin. */
void world_build(struct world *w)
{
    struct verifier_policy *p = w->policy = verifier_policy_create();
    char *issuer;
    w->fixture = fixture_create(&w->options);
    X509_free(w->fixture->leaf);
    w->fixture->leaf = fixture_leaf(w->fixture, &w->options, w->oid, w->value, 4);
    world_set_time(w, FIXTURE_NOW);
    verifier_policy_set_live(p, true);
    assert_int_equal(verifier_policy_set_roots(p, w->fixture->root_pem, strlen(w->fixture->root_pem)), 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, w->fixture->leaf_issuer);
    long size = BIO_get_mem_data(bio, &issuer);
    assert_int_equal(verifier_policy_set_issuer(p, issuer, (size_t)size), 0);
    BIO_free(bio);
    assert_int_equal(verifier_policy_add_mrenclave(p, (const uint8_t *)"another one, of the next release"), 0);
    uint8_t ab[32], cd[32];
    memset(ab, 0xab, 32);
    memset(cd, 0xcd, 32);
    assert_int_equal(verifier_policy_add_mrenclave(p, ab), 0);
    verifier_policy_set_mrsigner(p, cd);
    verifier_policy_set_prod_id(p, 7);
    verifier_policy_set_min_svn(p, 3);
    assert_int_equal(verifier_policy_expect_extension(p, OID_EXPECTED, "\1\2\3\4", 4), 0);
    assert_int_equal(verifier_policy_expect_app(p, "hello", app_hash, &w->proof), 0);
}

void world_close(struct world *w)
{
    fixture_destroy(w->fixture);
    verifier_policy_destroy(w->policy);
    free(w);
}

/* ---- the cases ------------------------------------------------------------------------------------------------- */

static const char *flip(uint8_t *quote, size_t at)
{
    quote[at] ^= 1;
    return NULL;
}

/* Offsets of the quote's layout. */
#define TAMPER(name, offset)                              \
    static const char *name(uint8_t *quote, size_t *size) \
    {                                                     \
        return flip(quote, offset);                       \
    }
TAMPER(tamper_version, 0)
TAMPER(tamper_signature, 436)
TAMPER(tamper_qe_signature, 948)
TAMPER(tamper_auth_data, 1014)

static void certificate_time(struct world *w)
{
    w->options.leaf_until_s = FIXTURE_NOW - 1;
}
static void certificate_too_early(struct world *w)
{
    w->options.leaf_from_s = FIXTURE_NOW + 60;
}
static void issuer(struct world *w)
{
    verifier_policy_set_issuer(w->policy, w->fixture->root_pem, strlen(w->fixture->root_pem));
}
static void quote(struct world *w)
{
    w->options.tamper = tamper_version;
}
static void quote_twice(struct world *w)
{
    w->options.quotes = 2;
}
static void quote_missing(struct world *w)
{
    w->options.quotes = w->options.evidences = 0;
}
static void root(struct world *w)
{
    struct fixture_options other = fixture_defaults();
    other.root_name = "Another Root CA";
    struct fixture *f = fixture_create(&other);
    verifier_policy_set_roots(w->policy, f->root_pem, strlen(f->root_pem));
    fixture_destroy(f);
}
static void root_simulated(struct world *w)
{
    w->options.root_name = "A SIMULATION Root CA";
}
static void pck_chain(struct world *w)
{
    w->options.pck_is_authority = true;
}
static void pck_chain_ca(struct world *w)
{
    w->options.ca_is_leaf = true;
}
static void pck_time(struct world *w)
{
    w->options.pck_until_s = FIXTURE_NOW - 1;
}
static void pck_ca_time(struct world *w)
{
    w->options.ca_until_s = FIXTURE_NOW - 1;
}
static void root_time(struct world *w)
{
    w->options.root_until_s = FIXTURE_NOW - 1;
}
static void pck_certificate(struct world *w)
{
    w->options.no_platform = true;
}
static void qe_report(struct world *w)
{
    w->options.tamper = tamper_qe_signature;
}
static void attestation_key(struct world *w)
{
    w->options.tamper = tamper_auth_data;
}
static void qe_mode(struct world *w)
{
    w->options.qe_body.attributes.flags |= SGX_FLAGS_DEBUG;
    w->options.qe.qe_flags |= SGX_FLAGS_DEBUG;
}
static void qe_signer(struct world *w)
{
    w->options.qe.qe_signer[0] ^= 1;
}
static void qe_product(struct world *w)
{
    w->options.qe.qe_prod_id = 2;
}
static void qe_attributes(struct world *w)
{
    w->options.qe_body.attributes.flags &= ~0x10ull;
}
static void qe_miscselect(struct world *w)
{
    w->options.qe_body.miscselect = 1;
}
static void signature(struct world *w)
{
    w->options.tamper = tamper_signature;
}
void world_without_collateral(struct world *w)
{
    verifier_policy_require_collateral(w->policy, true);
    verifier_collateral_destroy(w->fixture->collateral);
    w->fixture->collateral = NULL;
}
static void half_collateral(struct world *w)
{
    struct verifier_collateral *half = verifier_collateral_create(), *all = w->fixture->collateral;
    for (int i = 0; i < VERIFIER_ROOT_CRL; i++) {
        size_t size;
        const void *data = verifier_collateral_get(all, (enum verifier_document)i, &size);
        assert_int_equal(verifier_collateral_set(half, (enum verifier_document)i, data, size), 0);
    }
    verifier_collateral_destroy(all);
    w->fixture->collateral = half;
}

/* Change one character of a document: the last digit of its signature, or its third byte. */
static void damage(struct world *w, enum verifier_document document, bool end)
{
    size_t size;
    const char *data = verifier_collateral_get(w->fixture->collateral, document, &size);
    char *copy = malloc(size);
    memcpy(copy, data, size);
    char *at = end ? copy + size - 3 : copy + 2;
    *at = *at == '0' ? '1' : '0';
    assert_int_equal(verifier_collateral_set(w->fixture->collateral, document, copy, size), 0);
    free(copy);
}
static void tcb_info(struct world *w)
{
    damage(w, VERIFIER_TCB_INFO, true);
}
static void tcb_info_form(struct world *w)
{
    damage(w, VERIFIER_TCB_INFO, false);
}
static void copy_document(struct world *w, enum verifier_document from, enum verifier_document to)
{
    size_t size;
    const void *data = verifier_collateral_get(w->fixture->collateral, from, &size);
    assert_int_equal(verifier_collateral_set(w->fixture->collateral, to, data, size), 0);
}
static void tcb_info_signer(struct world *w)
{
    copy_document(w, VERIFIER_QE_IDENTITY_CHAIN, VERIFIER_TCB_INFO_CHAIN);
}
static void tcb_info_kind(struct world *w)
{
    copy_document(w, VERIFIER_QE_IDENTITY, VERIFIER_TCB_INFO);
}
static void tcb_info_time(struct world *w)
{
    w->options.tcb.next_update_s = FIXTURE_NOW - 1;
}
static void tcb_info_too_early(struct world *w)
{
    w->options.tcb.issued_s = FIXTURE_NOW + 1;
}
static void tcb_signer_time(struct world *w)
{
    w->options.signer_until_s = FIXTURE_NOW - 1;
}
static void qe_document(struct world *w)
{
    damage(w, VERIFIER_QE_IDENTITY, true);
}
static void qe_document_time(struct world *w)
{
    w->options.qe.next_update_s = FIXTURE_NOW - 1;
}
static void qe_signer_time(struct world *w)
{
    w->options.qe_signer_until_s = FIXTURE_NOW - 1;
}
static void root_crl(struct world *w)
{
    copy_document(w, VERIFIER_PCK_CRL, VERIFIER_ROOT_CRL);
}
static void root_crl_form(struct world *w)
{
    copy_document(w, VERIFIER_TCB_INFO, VERIFIER_ROOT_CRL);
}
static void root_crl_time(struct world *w)
{
    w->options.root_crl_until_s = FIXTURE_NOW - 1;
}
static void root_crl_too_early(struct world *w)
{
    w->options.root_crl_from_s = FIXTURE_NOW + 1;
}
static void pck_crl(struct world *w)
{
    damage(w, VERIFIER_PCK_CRL, true);
}
static void pck_crl_time(struct world *w)
{
    w->options.pck_crl_until_s = FIXTURE_NOW - 1;
}
static void pck_revoked(struct world *w)
{
    w->options.pck_revoked = true;
}
static void pck_ca_revoked(struct world *w)
{
    w->options.ca_revoked = true;
}
static void root_revoked(struct world *w)
{
    w->options.root_revoked = true;
}
static void signer_revoked(struct world *w)
{
    w->options.signer_revoked = true;
}
static void qe_signer_revoked(struct world *w)
{
    w->options.qe_signer_revoked = true;
}
static void fmspc(struct world *w)
{
    w->options.info_platform.fmspc[5] ^= 1;
}
static void pce_id(struct world *w)
{
    w->options.info_platform.pce_id[0] ^= 1;
}
static void out_of_date(struct world *w)
{
    w->options.platform.components[15] = 4;
}
static void out_of_date_pce(struct world *w)
{
    w->options.platform.pce_svn = 9;
}
static void below_all_levels(struct world *w)
{
    memset(w->options.platform.components, 0, 16);
}
static void qe_out_of_date(struct world *w)
{
    w->options.qe_body.isvsvn = 7;
}
static void qe_below_all_levels(struct world *w)
{
    w->options.qe_body.isvsvn = 3;
}
static void level_revoked(struct world *w)
{
    w->options.tcb.levels[0].status = "Revoked";
}
static void binding(struct world *w)
{
    w->options.binding = (const uint8_t *)"2027-01-15T07:01Z"; /* another minute */
    w->options.binding_size = 17;
}
static void challenge(struct world *w)
{
    uint8_t binder[32] = {0};
    verifier_policy_set_binding(w->policy, VERIFIER_CHALLENGE, (const uint8_t *)"nonce", 5, binder);
}
#define EVIDENCE(name, ...)                      \
    static void name(struct world *w)            \
    {                                            \
        struct fixture_options *o = &w->options; \
        __VA_ARGS__;                             \
    }
EVIDENCE(evidence_of_another_key, o->evidence.false_claims = CLAIM_KEY)
EVIDENCE(evidence_of_another_root, o->evidence.false_claims = CLAIM_ROOT)
EVIDENCE(evidence_of_another_beginning, o->evidence.false_claims = CLAIM_FROM)
EVIDENCE(evidence_of_another_end, o->evidence.false_claims = CLAIM_UNTIL)
EVIDENCE(evidence_of_others, o->evidence.false_claims = CLAIM_EXTENSIONS)
EVIDENCE(evidence_of_nobody, o->evidence.missing_claims = CLAIM_KEY)
EVIDENCE(evidence_swapped, o->evidence.swapped = true)
EVIDENCE(evidence_of_another_enclave, o->evidence.another_enclave = true)
EVIDENCE(evidence_damaged, o->evidence.damaged = true)
EVIDENCE(evidence_trailing, o->evidence.trailing = true)
EVIDENCE(evidence_says_it_twice, o->evidence.twice = true)
EVIDENCE(evidence_twice, o->evidences = 2)
EVIDENCE(evidence_alone_without_times, o->quotes = 0; o->evidence.missing_claims = CLAIM_UNTIL)
EVIDENCE(evidence_alone_swapped, o->quotes = 0; o->evidence.swapped = true)
static void debug(struct world *w)
{
    w->options.body.attributes.flags |= SGX_FLAGS_DEBUG;
}
static void not_initialised(struct world *w)
{
    w->options.body.attributes.flags &= ~SGX_FLAGS_INIT;
}
static void mrenclave(struct world *w)
{
    w->options.body.mrenclave[31] ^= 1;
}
static void mrsigner(struct world *w)
{
    w->options.body.mrsigner[31] ^= 1;
}
static void prod_id(struct world *w)
{
    w->options.body.isvprodid = 8;
}
static void svn(struct world *w)
{
    w->options.body.isvsvn = 2;
}
static void extension_value(struct world *w)
{
    w->value[3] ^= 1;
}
static void extension_missing(struct world *w)
{
    w->oid = NULL;
}
static void app(struct world *w)
{
    w->path[0][0] ^= 1; /* before the policy copies it */
}
static void app_place(struct world *w)
{
    w->proof.leaf_index = 0;
}

const struct world_case world_cases[] = {
    {"certificate time", "stale since 2027-01-15T07:59:59Z", certificate_time, NULL},
    {"certificate time", "not valid before 2027-01-15T08:01:00Z", certificate_too_early, NULL},
    {"certificate issuer", "issuer is not the next one's name", NULL, issuer},
    {"quote", "version 3", quote, NULL},
    {"quote", "exactly one", quote_twice, NULL},
    {"quote", "exactly one", quote_missing, NULL},
    {"root", "another root", NULL, root},
    {"root", "simulation is not allowed", root_simulated, NULL},
    {"pck chain", "only signs data", pck_chain, NULL},
    {"pck chain", "not a CA", pck_chain_ca, NULL},
    {"pck chain time", "the PCK certificate is stale since 2027-01-15T07:59:59Z", pck_time, NULL},
    {"pck chain time", "the PCK CA's", pck_ca_time, NULL},
    {"pck chain time", "the root's", root_time, NULL},
    {"pck certificate", "no SGX extension", pck_certificate, NULL},
    {"quoting enclave's report", "PCK key", qe_report, NULL},
    {"attestation key", "not the one", attestation_key, NULL},
    {"quoting enclave's mode", "debug", qe_mode, NULL},
    {"quoting enclave's identity", "MRSIGNER", qe_signer, NULL},
    {"quoting enclave's identity", "ISVPRODID", qe_product, NULL},
    {"quoting enclave's identity", "ATTRIBUTES", qe_attributes, NULL},
    {"quoting enclave's identity", "MISCSELECT", qe_miscselect, NULL},
    {"quote signature", "attestation key", signature, NULL},
    {"collateral", "missing: the root's CRL", NULL, half_collateral},
    {"tcb info", "not signed", NULL, tcb_info},
    {"tcb info", "malformed", NULL, tcb_info_form},
    {"tcb info", "not signed", NULL, tcb_info_signer},
    {"tcb info", "its kind's name", NULL, tcb_info_kind},
    {"tcb info time", "the document is stale since 2027-01-15T07:59:59Z", tcb_info_time, NULL},
    {"tcb info time", "the document is not valid before", tcb_info_too_early, NULL},
    {"tcb info time", "the signer's certificate", tcb_signer_time, NULL},
    {"qe identity", "not signed", NULL, qe_document},
    {"qe identity time", "the document is stale since 2027-01-15T07:59:59Z", qe_document_time, NULL},
    {"qe identity time", "the signer's certificate", qe_signer_time, NULL},
    {"root crl", "another issuer", NULL, root_crl},
    {"root crl", "neither DER", NULL, root_crl_form},
    {"root crl time", "the list is stale since 2027-01-15T07:59:59Z", root_crl_time, NULL},
    {"root crl time", "the list is not valid before", root_crl_too_early, NULL},
    {"pck crl", "not signed", NULL, pck_crl},
    {"pck crl time", "the list is stale since 2027-01-15T07:59:59Z", pck_crl_time, NULL},
    {"pck revocation", "the PCK certificate is revoked", pck_revoked, NULL},
    {"pck revocation", "the PCK CA's", pck_ca_revoked, NULL},
    {"pck revocation", "the root's", root_revoked, NULL},
    {"signer revocation", "TCB info", signer_revoked, NULL},
    {"signer revocation", "QE identity", qe_signer_revoked, NULL},
    {"platform", "about FMSPC 000102030404, the platform is 000102030405", fmspc, NULL},
    {"platform", "PCE id", pce_id, NULL},
    {"tcb status", "OutOfDate, which the caller does not accept", out_of_date, NULL},
    {"tcb status", "advisories: TEST-SA-00001", out_of_date_pce, NULL},
    {"tcb status", "the platform is below every level", below_all_levels, NULL},
    {"tcb status", "quoting enclave OutOfDate); advisories: TEST-SA-00002", qe_out_of_date, NULL},
    {"tcb status", "the quoting enclave is below every level", qe_below_all_levels, NULL},
    {"tcb status", "Revoked", level_revoked, NULL},
    {"report data", "NotBefore", binding, NULL},
    {"report data", "challenge", NULL, challenge},
    {"report data", "do not say when", evidence_alone_without_times, NULL},
    {"report data", "not that of the claims", evidence_alone_swapped, NULL},
    {"dice evidence", "another key", evidence_of_another_key, NULL},
    {"dice evidence", "another configuration root", evidence_of_another_root, NULL},
    {"dice evidence", "another NotBefore", evidence_of_another_beginning, NULL},
    {"dice evidence", "another NotAfter", evidence_of_another_end, NULL},
    {"dice evidence", "other extensions", evidence_of_others, NULL},
    {"dice evidence", "nothing of a key", evidence_of_nobody, NULL},
    {"dice evidence", "report data: it is not over these claims", evidence_swapped, NULL},
    {"dice evidence", "is none of the 2 expected ones", evidence_of_another_enclave, NULL},
    {"dice evidence", "quote signature: ", evidence_damaged, NULL},
    {"dice evidence", "goes on behind its claims", evidence_trailing, NULL},
    {"dice evidence", "a claim twice", evidence_says_it_twice, NULL},
    {"dice evidence", "stands more than once", evidence_twice, NULL},
    {"debug", "debug enclave", debug, NULL},
    {"debug", "initialised", not_initialised, NULL},
    {"mrenclave", "none of the 2", mrenclave, NULL},
    {"mrsigner", "expected cdcd", mrsigner, NULL},
    {"product id", "8, expected 7", prod_id, NULL},
    {"security version", "2, at least 3", svn, NULL},
    {"extension", "another value", extension_value, NULL},
    {"extension", "missing", extension_missing, NULL},
    {"app", "no app of the expected hash", app, NULL},
    {"app", "no app of the expected hash", app_place, NULL},
};
const size_t world_case_count = sizeof world_cases / sizeof world_cases[0];
