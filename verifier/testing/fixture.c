/*
 * See fixture.h. Keys are made once in a process.
 */
#include "verifier/testing/fixture.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/hex.h"
#include "sgx/quote/assemble.h"
#include "sgx/quote/ecdsa.h"
#include "sgx/quote/pki.h"

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

enum key { ROOT, CA, PCK, SIGNER, QE_SIGNER, ATTESTATION, LEAF, ISSUER, STRANGER, KEYS };

static EVP_PKEY *key_of(enum key which)
{
    static EVP_PKEY *keys[KEYS];
    if (!keys[which])
        MUST(keys[which] = EVP_EC_gen("P-256"));
    return keys[which];
}

struct fixture_options fixture_defaults(void)
{
    struct fixture_options o = {
        .root_name = "Test Root CA",
        .platform = {.fmspc = {0, 1, 2, 3, 4, 5}, .pce_svn = 10, .multi_package = true},
        .tcb = {.issued_s = FIXTURE_NOW - FIXTURE_DAY,
                .next_update_s = FIXTURE_NOW + 29 * FIXTURE_DAY,
                .levels = {{.component = 5, .pce_svn = 10, .status = "UpToDate"},
                           {.component = 2, .pce_svn = 5, .status = "OutOfDate", .advisory = "TEST-SA-00001"}},
                .level_count = 2},
        .qe = {.issued_s = FIXTURE_NOW - FIXTURE_DAY,
               .next_update_s = FIXTURE_NOW + 29 * FIXTURE_DAY,
               .levels = {{.isv_svn = 8, .status = "UpToDate"},
                          {.isv_svn = 4, .status = "OutOfDate", .advisory = "TEST-SA-00002"}},
               .level_count = 2,
               .qe_prod_id = 1,
               .qe_flags = 0x15},
        .body = {.attributes = {SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT, 7}, .isvprodid = 7, .isvsvn = 3},
        .qe_body = {.attributes = {0x15, 3}, .isvprodid = 1, .isvsvn = 8},
        .root_crl_from_s = FIXTURE_NOW - FIXTURE_DAY,
        .root_crl_until_s = FIXTURE_NOW + 29 * FIXTURE_DAY,
        .pck_crl_from_s = FIXTURE_NOW - FIXTURE_DAY,
        .pck_crl_until_s = FIXTURE_NOW + 29 * FIXTURE_DAY,
        .leaf_from_s = FIXTURE_NOW - 3600,
        .leaf_until_s = FIXTURE_NOW - 3600 + FIXTURE_DAY,
        .quotes = 1,
        .roots = 1,
    };
    memset(o.platform.components, 5, 16);
    memset(o.merkle_root, 0x11, 32);
    memset(o.body.mrenclave, 0xab, 32);
    memset(o.body.mrsigner, 0xcd, 32);
    memset(o.qe_body.mrsigner, 0x9e, 32);
    memset(o.qe.qe_signer, 0x9e, 32);
    o.info_platform = o.platform;
    int64_t late = FIXTURE_NOW + 365 * FIXTURE_DAY;
    o.root_until_s = o.ca_until_s = o.pck_until_s = o.signer_until_s = o.qe_signer_until_s = late;
    return o;
}

/* ---- certificates ---------------------------------------------------------------------------------------------- */

struct certificates {
    X509 *root, *ca, *pck, *signer, *qe_signer;
};

static X509 *make_by(const EVP_MD *digest, const char *name, enum key subject, X509 *issuer, enum key issuer_key,
                     int64_t until_s, int authority, const struct platform_description *platform)
{
    X509 *x = certificate_make(&(struct certificate_options){.common_name = name,
                                                             .key = key_of(subject),
                                                             .issuer = issuer,
                                                             .issuer_key = key_of(issuer_key),
                                                             .authority = authority >= 0,
                                                             .path_length = authority,
                                                             .from_s = FIXTURE_NOW - 1000 * FIXTURE_DAY,
                                                             .until_s = until_s,
                                                             .platform = platform,
                                                             .digest = digest});
    MUST(x);
    return x;
}

static X509 *make(const char *name, enum key subject, X509 *issuer, enum key issuer_key, int64_t until_s, int authority,
                  const struct platform_description *platform)
{
    return make_by(NULL, name, subject, issuer, issuer_key, until_s, authority, platform);
}

static struct certificates make_certificates(const struct fixture_options *o)
{
    struct certificates c;
    enum key root = o->stranger_is_root ? STRANGER : ROOT;
    c.root = make(o->root_name, root, NULL, root, o->root_until_s, o->root_allows_no_ca ? 0 : 1, NULL);
    c.ca = make("Test PCK Platform CA", CA, c.root, o->forged_ca ? STRANGER : root, o->ca_until_s,
                o->ca_is_leaf ? -1 : 0, NULL);
    c.pck = make_by(o->pck_by_sha384 ? EVP_sha384() : NULL, "Test PCK Certificate", PCK, c.ca,
                    o->forged_pck ? STRANGER : CA, o->pck_until_s, o->pck_is_authority ? 0 : -1,
                    o->no_platform ? NULL : &o->platform);
    c.signer =
        make("Test TCB Signing", SIGNER, c.root, o->forged_signer ? STRANGER : root, o->signer_until_s, -1, NULL);
    c.qe_signer = make("Test QE Signing", QE_SIGNER, c.root, root, o->qe_signer_until_s, -1, NULL);
    return c;
}

static char *pem(X509 *const *list, int count)
{
    BIO *bio = BIO_new(BIO_s_mem());
    for (int i = 0; i < count; i++)
        MUST(PEM_write_bio_X509(bio, list[i]));
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)size);
    BIO_free(bio);
    return text;
}

/* ---- collateral ------------------------------------------------------------------------------------------------ */

static void set_text(struct verifier_collateral *c, enum verifier_document document, char *text)
{
    MUST(text && verifier_collateral_set(c, document, text, strlen(text)) == 0);
    free(text);
}

static void set_crl(struct verifier_collateral *c, enum verifier_document document, const struct crl_options *options)
{
    uint8_t *der = NULL;
    X509_CRL *crl = certificate_crl(options);
    int size = crl ? i2d_X509_CRL(crl, &der) : 0;
    MUST(size > 0 && verifier_collateral_set(c, document, der, (size_t)size) == 0);
    OPENSSL_free(der);
    X509_CRL_free(crl);
}

static void set_crls(struct verifier_collateral *c, const struct fixture_options *o, const struct certificates *x)
{
    X509 *by_root[4], *by_ca[1];
    struct crl_options root = {
        x->root, key_of(o->stranger_is_root ? STRANGER : ROOT), o->root_crl_from_s, o->root_crl_until_s, by_root, 0,
        false};
    struct crl_options pck = {x->ca, key_of(CA), o->pck_crl_from_s, o->pck_crl_until_s, by_ca, 0, o->partial_crl};
    if (o->root_revoked)
        by_root[root.revoked_count++] = x->root;
    if (o->ca_revoked)
        by_root[root.revoked_count++] = x->ca;
    if (o->signer_revoked)
        by_root[root.revoked_count++] = x->signer;
    if (o->qe_signer_revoked)
        by_root[root.revoked_count++] = x->qe_signer;
    if (o->pck_revoked)
        by_ca[pck.revoked_count++] = x->pck;
    set_crl(c, o->crls_swapped ? VERIFIER_PCK_CRL : VERIFIER_ROOT_CRL, &root);
    set_crl(c, o->crls_swapped ? VERIFIER_ROOT_CRL : VERIFIER_PCK_CRL, &pck);
}

static struct verifier_collateral *make_collateral(const struct fixture_options *o, const struct certificates *x)
{
    struct verifier_collateral *c = verifier_collateral_create();
    struct collateral_options tcb = o->tcb, qe = o->qe;
    X509 *signer[] = {x->signer, x->root}, *qe_signer[] = {x->qe_signer, x->root};
    MUST(c);
    tcb.platform = &o->info_platform;
    set_text(c, VERIFIER_TCB_INFO, collateral_tcb_info(&tcb, key_of(SIGNER)));
    set_text(c, VERIFIER_QE_IDENTITY, collateral_qe_identity(&qe, key_of(QE_SIGNER)));
    set_text(c, VERIFIER_TCB_INFO_CHAIN, pem(signer, 2));
    set_text(c, VERIFIER_QE_IDENTITY_CHAIN, pem(qe_signer, 2));
    set_crls(c, o, x);
    return c;
}

/* ---- quote and leaf -------------------------------------------------------------------------------------------- */

static void report_data(const struct fixture_options *o, uint8_t out[64])
{
    uint8_t input[32 + 512], *spki = NULL;
    char minute[32];
    time_t from = (time_t)o->leaf_from_s;
    struct tm tm;
    int size = i2d_PUBKEY(key_of(LEAF), &spki);
    MUST(size == 91);
    SHA256(spki, (size_t)size, input);
    OPENSSL_free(spki);
    gmtime_r(&from, &tm);
    strftime(minute, sizeof minute, "%Y-%m-%dT%H:%MZ", &tm);
    const void *binding = o->binding ? (const void *)o->binding : minute;
    size_t binding_size = o->binding ? o->binding_size : 17;
    memcpy(input + 32, binding, binding_size);
    SHA512(input, 32 + binding_size, out);
}

uint8_t *fixture_quote(const struct fixture_options *o, const char *chain, const uint8_t report_data[64], size_t *size)
{
    struct quote_parts parts = {.body = o->body,
                                .qe_body = o->qe_body,
                                .attestation_key = key_of(ATTESTATION),
                                .pck_key = key_of(PCK),
                                .qe_svn = o->qe_body.isvsvn,
                                .pce_svn = o->platform.pce_svn,
                                .chain = chain};
    memcpy(parts.body.reportdata, report_data, sizeof parts.body.reportdata);
    uint8_t *quote = malloc(16384);
    MUST(quote && quote_assemble(&parts, quote, 16384, size) == 0);
    return quote;
}

static void make_quote(struct fixture *f, const struct fixture_options *o, const struct certificates *x)
{
    X509 *list[] = {x->pck, x->ca, x->root};
    uint8_t data[64];
    report_data(o, data);
    f->quote_chain_pem = pem(list, 3);
    f->quote = fixture_quote(o, f->quote_chain_pem, o->report_data ? o->report_data : data, &f->quote_size);
    if (o->tamper)
        o->tamper(f->quote, &f->quote_size);
}

void fixture_add_extension(X509 *x, const char *oid_text, const void *data, size_t size)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(oid_text, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    MUST(ASN1_OCTET_STRING_set(value, data, (int)size));
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    MUST(X509_add_ext(x, extension, -1));
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

X509 *fixture_leaf(const struct fixture *f, const struct fixture_options *o, const char *oid, const void *value,
                   size_t size)
{
    X509 *x = X509_new();
    MUST(X509_set_version(x, X509_VERSION_3) && ASN1_TIME_set(X509_getm_notBefore(x), (time_t)o->leaf_from_s) &&
         ASN1_TIME_set(X509_getm_notAfter(x), (time_t)o->leaf_until_s) && X509_set_pubkey(x, key_of(LEAF)) &&
         X509_set_issuer_name(x, X509_get_subject_name(f->leaf_issuer)));
    for (int i = 0; i < (o->v2 ? 0 : o->quotes); i++)
        fixture_add_extension(x, "1.2.840.113741.1.13.1.0", f->quote, f->quote_size);
    for (int i = 0; i < o->roots; i++)
        fixture_add_extension(x, o->v2 ? "1.3.6.1.4.1.65230.2.1" : "1.3.6.1.4.1.65230.1.1", f->merkle_root, 32);
    if (f->numbered) {
        uint8_t generation[8] = {[7] = o->generation_differs ? 40 : 41};
        uint8_t instance[32] = {o->instance_differs ? 0x2d : 0x1d, 2, 3};
        if (!o->v2) {
            fixture_add_extension(x, "1.3.6.1.4.1.65230.4.1", generation, sizeof generation);
            fixture_add_extension(x, "1.3.6.1.4.1.65230.4.2", instance, sizeof instance);
        }
        if (o->lineage_size > 0)
            fixture_add_extension(x, "1.3.6.1.4.1.65230.4.5", o->lineage, o->lineage_size);
        if (o->log_head)
            fixture_add_extension(x, "1.3.6.1.4.1.65230.4.3", o->log_head, 40);
        if (o->log_key)
            fixture_add_extension(x, "1.3.6.1.4.1.65230.4.4", o->log_key, 32);
    }
    if (oid)
        fixture_add_extension(x, oid, value, size);
    fixture_add_evidence(x, f, o);
    MUST(X509_sign(x, key_of(ISSUER), EVP_sha256()));
    return x;
}

struct fixture *fixture_create(const struct fixture_options *o)
{
    struct fixture *f = calloc(1, sizeof *f);
    MUST(f);
    struct certificates x = make_certificates(o);
    X509 *crl_chain[] = {x.ca, x.root};
    f->leaf_issuer = make("Enclave CA", ISSUER, NULL, ISSUER, FIXTURE_NOW + 365 * FIXTURE_DAY, 0, NULL);
    f->root_pem = pem(&x.root, 1);
    f->pck_crl_chain_pem = pem(crl_chain, 2);
    f->collateral = make_collateral(o, &x);
    memcpy(f->merkle_root, o->merkle_root, 32);
    make_quote(f, o, &x);
    f->leaf = fixture_leaf(f, o, NULL, NULL, 0);
    X509_free(x.root);
    X509_free(x.ca);
    X509_free(x.pck);
    X509_free(x.signer);
    X509_free(x.qe_signer);
    return f;
}

void fixture_destroy(struct fixture *f)
{
    free(f->quote);
    X509_free(f->leaf);
    X509_free(f->leaf_issuer);
    verifier_collateral_destroy(f->collateral);
    free(f->root_pem);
    free(f->pck_crl_chain_pem);
    free(f->quote_chain_pem);
    free(f);
}

char *fixture_sign(const char *name, const void *inner, size_t size)
{
    uint8_t signature[64];
    char *out = malloc(size + 256);
    MUST(out && ecdsa_sign(key_of(strcmp(name, "tcbInfo") == 0 ? SIGNER : QE_SIGNER), inner, size, signature) == 0);
    size_t used = (size_t)sprintf(out, "{\"%s\":", name);
    memcpy(out + used, inner, size);
    used += size;
    used += (size_t)sprintf(out + used, ",\"signature\":\"");
    strcpy(hex_text(signature, sizeof signature, out + used), "\"}");
    return out;
}

EVP_PKEY *fixture_leaf_key(void)
{
    return key_of(LEAF);
}

EVP_PKEY *fixture_pck_ca_key(void)
{
    return key_of(CA);
}
