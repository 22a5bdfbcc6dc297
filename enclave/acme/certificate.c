/* See certificate.h. */
#include "enclave/acme/certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/ensure.h"
#include "common/pem.h"

#define OID_ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31"
#define CHALLENGE_SECONDS 86400
#define CLOCKS_DIFFER_S 300 /* an authority's clock may be ahead by so much */

static X509_EXTENSION *names_extension(const char *name)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *one = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    X509_EXTENSION *e = NULL;
    if (names && one && text && ASN1_STRING_set(text, name, -1) && sk_GENERAL_NAME_push(names, one) > 0) {
        GENERAL_NAME_set0_value(one, GEN_DNS, text);
        one = NULL; /* its own now, and so the text */
        text = NULL;
        e = X509V3_EXT_i2d(NID_subject_alt_name, 0, names);
    }
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(one);
    GENERAL_NAMES_free(names);
    return e;
}

static bool add_names(X509_REQ *request, const char *name)
{
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *e = names_extension(name);
    bool pushed = extensions && e && sk_X509_EXTENSION_push(extensions, e) > 0;
    bool ok = pushed && X509_REQ_add_extensions(request, extensions) == 1;
    X509_EXTENSION_free(e);
    sk_X509_EXTENSION_free(extensions);
    return ok;
}

size_t acme_csr(EVP_PKEY *key, const char *name, uint8_t out[ACME_CSR_MAX])
{
    X509_REQ *request = X509_REQ_new();
    bool ok = request && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
              X509_REQ_set_pubkey(request, key) == 1 && add_names(request, name) &&
              X509_REQ_sign(request, key, EVP_sha256()) > 0;
    int size = ok ? i2d_X509_REQ(request, NULL) : 0;
    uint8_t *at = out;
    if (size > 0 && size <= (int)ACME_CSR_MAX)
        size = i2d_X509_REQ(request, &at);
    else
        size = 0;
    X509_REQ_free(request);
    ERR_clear_error();
    return size > 0 ? (size_t)size : 0;
}

/* ---- a challenge's ----------------------------------------------------------------------------------------------- */

/* The digest, as an OCTET STRING in the extension's own. */
static X509_EXTENSION *identifier_extension(const uint8_t digest[32])
{
    uint8_t der[34] = {V_ASN1_OCTET_STRING, 32};
    ASN1_OBJECT *oid = OBJ_txt2obj(OID_ACME_IDENTIFIER, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    memcpy(der + 2, digest, 32);
    X509_EXTENSION *e = oid && value && ASN1_OCTET_STRING_set(value, der, sizeof der)
                            ? X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value)
                            : NULL;
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    return e;
}

static bool add_taken(X509 *x, X509_EXTENSION *e)
{
    bool ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

X509 *acme_challenge_certificate(EVP_PKEY *key, const char *name, const uint8_t digest[32], int64_t now_s)
{
    X509 *x = X509_new();
    if (x && X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"ACME challenge", -1,
                                   -1, 0) &&
        X509_set_issuer_name(x, X509_get_subject_name(x)) &&
        ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now_s - CHALLENGE_SECONDS)) &&
        ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(now_s + CHALLENGE_SECONDS)) && X509_set_pubkey(x, key) &&
        add_taken(x, names_extension(name)) && add_taken(x, identifier_extension(digest)) &&
        X509_sign(x, key, EVP_sha256()))
        return x;
    X509_free(x);
    ERR_clear_error();
    return NULL;
}

/* ---- a chain ----------------------------------------------------------------------------------------------------- */

static STACK_OF(X509) * read_all(const char *pem, size_t size)
{
    STACK_OF(X509) *all = sk_X509_new_reserve(NULL, ACME_CERTIFICATES_MAX);
    BIO *bio = all ? BIO_new_mem_buf(pem, (int)size) : NULL;
    X509 *x;
    while (bio && sk_X509_num(all) < (int)ACME_CERTIFICATES_MAX && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        sk_X509_push(all, x); /* has room */
    BIO_free(bio);
    return all;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : -1;
}

/* Whether clients that ask for the name would take it from who has the key. NULL: they would. */
static const char *judge_own(X509 *x, EVP_PKEY *key, const char *name)
{
    EVP_PKEY *shown = X509_get0_pubkey(x);
    if (X509_get_version(x) != X509_VERSION_3 || (X509_get_extension_flags(x) & EXFLAG_INVALID))
        return "its extensions cannot be read";
    if (!shown || EVP_PKEY_eq(shown, key) != 1)
        return "it is of another key";
    if (X509_check_host(x, name, 0, X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1)
        return "it is for another name";
    if (X509_check_ca(x) != 0)
        return "it is a CA's";
    if (X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0) != 1)
        return "it is not for servers";
    return NULL;
}

static const char *judge_time(const struct acme_chain *c, int64_t now_s)
{
    if (c->from_s < 0 || c->until_s <= c->from_s)
        return "its time cannot be read, or is none";
    if (now_s && c->from_s > now_s + CLOCKS_DIFFER_S)
        return "its time has not come";
    if (now_s && c->until_s <= now_s)
        return "its time is over";
    return NULL;
}

static const char *judge_signatures(const STACK_OF(X509) * all)
{
    for (int i = 0; i + 1 < sk_X509_num(all); i++) {
        X509 *above = sk_X509_value(all, i + 1);
        EVP_PKEY *key = X509_get0_pubkey(above);
        if (X509_check_ca(above) == 0 || !key || X509_verify(sk_X509_value(all, i), key) != 1)
            return "it is not signed by the one behind it, or that is no CA's";
    }
    return NULL;
}

static const char *judge(struct acme_chain *c, long blocks, EVP_PKEY *key, const char *name, int64_t now_s)
{
    if (blocks < 1 || blocks > (long)ACME_CERTIFICATES_MAX || sk_X509_num(c->certificates) != blocks)
        return "there is none, or too many, or one that cannot be read";
    X509 *own = sk_X509_value(c->certificates, 0);
    const char *wrong = judge_own(own, key, name);
    c->from_s = seconds_of(X509_get0_notBefore(own));
    c->until_s = seconds_of(X509_get0_notAfter(own));
    wrong = wrong ? wrong : judge_time(c, now_s);
    return wrong ? wrong : judge_signatures(c->certificates);
}

int acme_chain_read(struct acme_chain *out, const char *pem, size_t size, EVP_PKEY *key, const char *name,
                    int64_t now_s, char why[ACME_WHY_SIZE])
{
    char pem_why[PEM_WHY_SIZE] = "";
    ENSURE(out && key && name[0]);
    *out = (struct acme_chain){.from_s = -1, .until_s = -1};
    long blocks = size <= ACME_ANSWER_MAX ? pem_judge(pem, size, PEM_STRING_X509, pem_why) : -1;
    out->certificates = read_all(pem, blocks > 0 ? size : 0);
    if (!out->certificates)
        return -ENOMEM;
    const char *wrong = judge(out, blocks, key, name, now_s);
    ERR_clear_error();
    if (!wrong)
        return 0;
    snprintf(why, ACME_WHY_SIZE, "the certificate that came: %.200s", pem_why[0] ? pem_why : wrong);
    acme_chain_free(out);
    return -EINVAL;
}

void acme_chain_free(struct acme_chain *chain)
{
    sk_X509_pop_free(chain->certificates, X509_free);
    chain->certificates = NULL;
}
