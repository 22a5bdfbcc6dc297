/*
 * The checks, from the certificate inwards: quote, its chain, the quoting enclave, the enclave, what binds them.
 */
#include "verifier/verifier.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "verifier/quote_format.h"

#define OID_QUOTE "1.2.840.113741.1.13.1.0"
#define OID_MERKLE_ROOT "1.3.6.1.4.1.65230.1.1"

/* Intel SGX Root CA's public key (x, y), as in the certificate that Intel publishes. */
static const uint8_t intel_root_key[64] = {
    0x0b, 0xa9, 0xc4, 0xc0, 0xc0, 0xc8, 0x61, 0x93, 0xa3, 0xfe, 0x23, 0xd6, 0xb0, 0x2c, 0xda, 0x10,
    0xa8, 0xbb, 0xd4, 0xe8, 0x8e, 0x48, 0xb4, 0x45, 0x85, 0x61, 0xa3, 0x6e, 0x70, 0x55, 0x25, 0xf5,
    0x67, 0x91, 0x8e, 0x2e, 0xdc, 0x88, 0xe4, 0x0d, 0x86, 0x0b, 0xd0, 0xcc, 0x4e, 0xe2, 0x6a, 0xac,
    0xc9, 0x88, 0xe5, 0x05, 0xa9, 0x53, 0x55, 0x8c, 0x45, 0x3f, 0x6b, 0x09, 0x04, 0xae, 0x73, 0x94,
};

static bool record(struct verifier_result *r, const char *name, enum verifier_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds a check to the list; returns whether it did not fail. */
static bool record(struct verifier_result *r, const char *name, enum verifier_outcome outcome, const char *format, ...)
{
    if (r->count == VERIFIER_CHECKS_MAX)
        return false;
    struct verifier_check *check = &r->checks[r->count++];
    va_list arguments;
    va_start(arguments, format);
    check->name = name;
    check->outcome = outcome;
    vsnprintf(check->reason, sizeof(check->reason), format, arguments);
    va_end(arguments);
    return outcome != VERIFIER_FAILED;
}

static const char *hex(const uint8_t *data, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++)
        sprintf(out + 2 * i, "%02x", data[i]);
    return out;
}

/* ---- small steps ------------------------------------------------------------------------------------------- */

/* The raw value of an extension that stands exactly once, or NULL. */
static const ASN1_OCTET_STRING *extension(X509 *x, const char *oid_text)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(oid_text, 1);
    int at = oid ? X509_get_ext_by_OBJ(x, oid, -1) : -1;
    bool once = at >= 0 && X509_get_ext_by_OBJ(x, oid, at) < 0;
    ASN1_OBJECT_free(oid);
    return once ? X509_EXTENSION_get_data(X509_get_ext(x, at)) : NULL;
}

static EVP_PKEY *key_from_point(const uint8_t xy[64])
{
    uint8_t point[65] = {4};
    char group[] = "prime256v1";
    memcpy(point + 1, xy, 64);
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                               OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
                               OSSL_PARAM_END};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

/* An ECDSA P-256 signature r || s over SHA-256 of data. */
static bool signature_holds(EVP_PKEY *key, const uint8_t rs[64], const void *data, size_t size)
{
    uint8_t *der = NULL;
    int der_size = -1;
    BIGNUM *r = BN_bin2bn(rs, 32, NULL), *s = BN_bin2bn(rs + 32, 32, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    if (key && pair && r && s && ECDSA_SIG_set0(pair, r, s)) {
        r = s = NULL; /* the pair owns them */
        der_size = i2d_ECDSA_SIG(pair, &der);
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = der_size > 0 && context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(context, der, (size_t)der_size, data, size) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    BN_free(r);
    BN_free(s);
    return ok;
}

static STACK_OF(X509) * read_pem(const char *text, size_t size)
{
    STACK_OF(X509) *list = sk_X509_new_null();
    BIO *bio = BIO_new_mem_buf(text, (int)size);
    X509 *x;
    while (list && bio && sk_X509_num(list) < 8 && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        sk_X509_push(list, x);
    BIO_free(bio);
    ERR_clear_error(); /* the end of the text is an error, too */
    return list;
}

static void free_list(STACK_OF(X509) * list)
{
    sk_X509_pop_free(list, X509_free);
}

/* ---- the PCK chain and its root ------------------------------------------------------------------------------ */

static bool is_named_simulation(X509 *root)
{
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(root), NID_commonName, name, sizeof(name));
    return strstr(name, VERIFIER_SIMULATION_WORD) != NULL;
}

static bool has_intel_key(X509 *root)
{
    EVP_PKEY *intel = key_from_point(intel_root_key);
    bool same = intel && EVP_PKEY_eq(X509_get0_pubkey(root), intel) == 1;
    EVP_PKEY_free(intel);
    return same;
}

/* Which certificates may end the chain. NULL: none; the check is then recorded as failed. */
static STACK_OF(X509) *
    choose_roots(STACK_OF(X509) * chain, const struct verifier_policy *policy, struct verifier_result *r)
{
    X509 *last = sk_X509_value(chain, sk_X509_num(chain) - 1);
    r->simulated = is_named_simulation(last);
    if (r->simulated && !policy->allow_simulation) {
        record(r, "root", VERIFIER_FAILED, "the chain ends in a simulation root, and simulation is not allowed");
        return NULL;
    }
    if (policy->root_pem) {
        record(r, "root", VERIFIER_PASSED, "%s",
               r->simulated ? "pinned by the caller; a simulation, not hardware" : "pinned by the caller");
        return read_pem(policy->root_pem, strlen(policy->root_pem));
    }
    if (r->simulated) {
        record(r, "root", VERIFIER_PASSED,
               "a SIMULATION root taken from the quote itself, allowed by the caller: proves nothing about hardware, "
               "nor which machine it is (pin its root.pem for that)");
    } else if (has_intel_key(last)) {
        record(r, "root", VERIFIER_PASSED, "Intel SGX Root CA (built-in key)");
    } else {
        record(r, "root", VERIFIER_FAILED, "the chain's root is neither Intel's nor a simulation's");
        return NULL;
    }
    STACK_OF(X509) *roots = sk_X509_new_null();
    X509_up_ref(last);
    sk_X509_push(roots, last);
    return roots;
}

static bool chain_holds(STACK_OF(X509) * chain, STACK_OF(X509) * roots, char *reason, size_t size)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    for (int i = 0; store && i < sk_X509_num(roots); i++)
        X509_STORE_add_cert(store, sk_X509_value(roots, i));
    bool ok = false;
    if (store && context && X509_STORE_CTX_init(context, store, sk_X509_value(chain, 0), chain) == 1) {
        ok = X509_verify_cert(context) == 1;
        snprintf(reason, size, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
        /* The way that was found must end in the root that was judged by its name. */
        STACK_OF(X509) *way = ok ? X509_STORE_CTX_get0_chain(context) : NULL;
        X509 *end = way ? sk_X509_value(way, sk_X509_num(way) - 1) : NULL;
        if (ok && (!end || X509_cmp(end, sk_X509_value(chain, sk_X509_num(chain) - 1)) != 0)) {
            ok = false;
            snprintf(reason, size, "the chain ends in another root than the one it carries");
        }
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return ok;
}

/* The PCK's public key, if its chain holds; to be freed. */
static EVP_PKEY *check_chain(const struct quote *q, const struct verifier_policy *policy, struct verifier_result *r)
{
    EVP_PKEY *key = NULL;
    char reason[200] = "cannot be checked";
    STACK_OF(X509) *chain = read_pem((const char *)q->chain, q->chain_size);
    if (!chain || sk_X509_num(chain) != 3) {
        record(r, "pck chain", VERIFIER_FAILED, "the quote does not carry exactly PCK, PCK CA and root");
        free_list(chain);
        return NULL;
    }
    STACK_OF(X509) *roots = choose_roots(chain, policy, r);
    if (roots) {
        bool ok = sk_X509_num(roots) > 0 && chain_holds(chain, roots, reason, sizeof(reason));
        if (record(r, "pck chain", ok ? VERIFIER_PASSED : VERIFIER_FAILED, "%s",
                   ok ? "PCK, PCK CA and root are signed and in their time of validity" : reason))
            key = X509_get_pubkey(sk_X509_value(chain, 0));
    }
    free_list(roots);
    free_list(chain);
    return key;
}

/* ---- the quoting enclave and its signature --------------------------------------------------------------------- */

/* On hardware a PCK certifies whatever enclave has the provisioning attribute, which a machine's owner can give to
 * one of his own: that it is Intel's is a check of its own. */
static bool check_quoting_identity(const struct quote *q, struct verifier_result *r)
{
    static const uint8_t intel_signer[32] = {0x8c, 0x4f, 0x57, 0x75, 0xd7, 0x96, 0x50, 0x3e, 0x96, 0x13, 0x7f,
                                             0x77, 0xc6, 0x8a, 0x82, 0x9a, 0x00, 0x56, 0xac, 0x8d, 0xed, 0x70,
                                             0x14, 0x0b, 0x08, 0x1b, 0x09, 0x44, 0x90, 0xc5, 0x7b, 0xff};
    if (r->simulated)
        return record(r, "quoting enclave's identity", VERIFIER_NOT_CHECKED,
                      "there is none: it is simulated in the host");
    bool intel = memcmp(BODY_MRSIGNER(q->qe_body), intel_signer, 32) == 0 && bytes_u16(BODY_PROD_ID(q->qe_body)) == 1;
    return record(r, "quoting enclave's identity", intel ? VERIFIER_PASSED : VERIFIER_FAILED,
                  intel ? "Intel's quoting enclave" : "not Intel's quoting enclave");
}

static bool check_quoting_enclave(const struct quote *q, EVP_PKEY *pck, struct verifier_result *r)
{
    uint8_t expected[64] = {0};
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool signature = signature_holds(pck, q->qe_signature, q->qe_body, QUOTE_BODY_SIZE);
    bool ok = record(r, "quoting enclave's report", signature ? VERIFIER_PASSED : VERIFIER_FAILED,
                     signature ? "signed by the PCK key" : "its signature is not the PCK key's");
    bool bound = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) &&
                 EVP_DigestUpdate(hash, q->attestation_key, 64) && EVP_DigestUpdate(hash, q->auth_data, q->auth_size) &&
                 EVP_DigestFinal_ex(hash, expected, NULL) && memcmp(expected, BODY_REPORT_DATA(q->qe_body), 64) == 0;
    EVP_MD_CTX_free(hash);
    ok &= record(r, "attestation key", bound ? VERIFIER_PASSED : VERIFIER_FAILED,
                 bound ? "bound by the quoting enclave's report" : "is not the one in the quoting enclave's report");
    ok &= check_quoting_identity(q, r);
    bool debug = bytes_u64(BODY_FLAGS(q->qe_body)) & FLAG_DEBUG;
    ok &= record(r, "quoting enclave's mode", debug ? VERIFIER_FAILED : VERIFIER_PASSED,
                 debug ? "a debug enclave: its attestation key is not secret" : "not debug");
    return ok;
}

static bool check_signature(const struct quote *q, struct verifier_result *r)
{
    EVP_PKEY *key = key_from_point(q->attestation_key);
    bool ok = signature_holds(key, q->signature, q->signed_part, q->signed_size);
    EVP_PKEY_free(key);
    return record(r, "quote signature", ok ? VERIFIER_PASSED : VERIFIER_FAILED,
                  ok ? "signed by the attestation key" : "is not the attestation key's");
}

/* ---- the enclave ----------------------------------------------------------------------------------------------- */

static bool expected_report_data(X509 *leaf, uint8_t out[64], struct verifier_result *r)
{
    struct tm t;
    uint8_t input[32 + 17], *spki = NULL;
    int spki_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
    if (spki_size <= 0 || !ASN1_TIME_to_tm(X509_get0_notBefore(leaf), &t)) {
        OPENSSL_free(spki);
        return false;
    }
    SHA256(spki, (size_t)spki_size, input);
    memcpy(r->spki_sha256, input, 32);
    OPENSSL_free(spki);
    char minute[24];
    strftime(minute, sizeof(minute), "%Y-%m-%dT%H:%MZ", &t);
    memcpy(input + 32, minute, 17);
    SHA512(input, sizeof(input), out);
    return true;
}

static bool check_binding(X509 *leaf, const struct quote *q, struct verifier_result *r)
{
    uint8_t expected[64];
    bool ok = expected_report_data(leaf, expected, r) && memcmp(expected, BODY_REPORT_DATA(q->body), 64) == 0;
    return record(r, "certificate key", ok ? VERIFIER_PASSED : VERIFIER_FAILED,
                  ok ? "bound by the quote's ReportData, with NotBefore"
                     : "the quote's ReportData is not that of this certificate's key and NotBefore");
}

static bool check_debug(const struct quote *q, const struct verifier_policy *policy, struct verifier_result *r)
{
    uint64_t flags = bytes_u64(BODY_FLAGS(q->body));
    r->debug = flags & FLAG_DEBUG;
    if (!(flags & FLAG_INIT))
        return record(r, "debug", VERIFIER_FAILED, "the enclave was not initialised");
    if (!r->debug)
        return record(r, "debug", VERIFIER_PASSED, "not a debug enclave");
    if (r->simulated)
        return record(r, "debug", VERIFIER_PASSED, "set, as always in a simulation, which the caller allowed");
    return record(r, "debug", policy->allow_debug ? VERIFIER_PASSED : VERIFIER_FAILED,
                  policy->allow_debug ? "a debug enclave, which the caller allowed"
                                      : "a debug enclave: its host can read it");
}

static bool check_measurement(const char *name, const uint8_t actual[32], const uint8_t *expected,
                              struct verifier_result *r)
{
    char text[65], other[65];
    hex(actual, 32, text);
    if (!expected)
        return record(r, name, VERIFIER_NOT_CHECKED, "%s (not pinned by the caller)", text);
    if (memcmp(actual, expected, 32) == 0)
        return record(r, name, VERIFIER_PASSED, "%s", text);
    return record(r, name, VERIFIER_FAILED, "%s, expected %s", text, hex(expected, 32, other));
}

static bool check_merkle_root(X509 *leaf, const struct verifier_policy *policy, struct verifier_result *r)
{
    char text[65];
    const ASN1_OCTET_STRING *value = extension(leaf, OID_MERKLE_ROOT);
    if (!value || ASN1_STRING_length(value) != 32)
        return record(r, "configuration root", VERIFIER_FAILED, "the certificate carries no configuration Merkle root");
    r->has_merkle_root = true;
    memcpy(r->merkle_root, ASN1_STRING_get0_data(value), 32);
    hex(r->merkle_root, 32, text);
    if (policy->live)
        return record(r, "configuration root", VERIFIER_PASSED, "%s, vouched for by the handshake", text);
    return record(r, "configuration root", VERIFIER_NOT_CHECKED, "%s; extensions: not bound (no live handshake)", text);
}

static bool check_validity(X509 *leaf, struct verifier_result *r)
{
    bool begun = X509_cmp_current_time(X509_get0_notBefore(leaf)) < 0;
    bool open = X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0;
    return record(r, "certificate time", begun && open ? VERIFIER_PASSED : VERIFIER_FAILED, "%s",
                  !begun ? "not valid yet"
                  : open ? "within its time of validity"
                         : "expired");
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static bool check_quote(X509 *leaf, const struct quote *q, const struct verifier_policy *policy,
                        struct verifier_result *r)
{
    memcpy(r->mrenclave, BODY_MRENCLAVE(q->body), 32);
    memcpy(r->mrsigner, BODY_MRSIGNER(q->body), 32);
    r->isv_prod_id = bytes_u16(BODY_PROD_ID(q->body));
    r->isv_svn = bytes_u16(BODY_SVN(q->body));
    EVP_PKEY *pck = check_chain(q, policy, r);
    bool ok = pck != NULL;
    if (pck)
        ok &= check_quoting_enclave(q, pck, r);
    EVP_PKEY_free(pck);
    ok &= check_signature(q, r);
    ok &= check_binding(leaf, q, r);
    ok &= check_debug(q, policy, r);
    ok &= check_measurement("mrenclave", r->mrenclave, policy->mrenclave, r);
    if (policy->mrsigner)
        ok &= check_measurement("mrsigner", r->mrsigner, policy->mrsigner, r);
    ok &= record(r, "tcb and revocation", VERIFIER_NOT_CHECKED, "needs collateral, which this tool does not fetch");
    return ok;
}

bool verifier_check_certificate(X509 *leaf, const struct verifier_policy *policy, struct verifier_result *r)
{
    *r = (struct verifier_result){0};
    bool ok = check_validity(leaf, r);
    struct quote q;
    const ASN1_OCTET_STRING *value = extension(leaf, OID_QUOTE);
    const char *wrong = "the certificate does not carry exactly one SGX quote";
    if (value)
        wrong = quote_parse(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value), &q);
    ok &= record(r, "quote", wrong ? VERIFIER_FAILED : VERIFIER_PASSED, "%s",
                 wrong ? wrong : "a well-formed DCAP version 3 quote");
    if (!wrong)
        ok &= check_quote(leaf, &q, policy, r);
    ok &= check_merkle_root(leaf, policy, r);
    return ok;
}
