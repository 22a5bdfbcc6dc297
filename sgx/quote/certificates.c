/*
 * Certificates and CRLs of the simulation PKI, with the fields that DCAP verifiers look at.
 */
#include "sgx/quote/certificates.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "sgx/quote/der.h"

#define VALID_DAYS 7300

/* ---- the SGX extension, OID 1.2.840.113741.1.13.1 -------------------------------------------------------------- */

static const uint8_t sgx_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

/* The pair {1.2.840.113741.1.13.1.a[.b], value}, where the value stands at the front already and began at before. */
static void close_pair(struct der *d, size_t before, uint8_t a, uint8_t b)
{
    uint8_t oid[sizeof sgx_oid + 2];
    memcpy(oid, sgx_oid, sizeof sgx_oid);
    oid[sizeof sgx_oid] = a;
    oid[sizeof sgx_oid + 1] = b;
    der_value(d, DER_OID, oid, sizeof sgx_oid + (b != 0 ? 2 : 1));
    der_header(d, DER_SEQUENCE, der_size(d) - before);
}

static void octets_pair(struct der *d, uint8_t a, uint8_t b, const void *data, size_t size)
{
    size_t before = der_size(d);
    der_value(d, DER_OCTET_STRING, data, size);
    close_pair(d, before, a, b);
}

static void small_pair(struct der *d, uint8_t a, uint8_t b, uint8_t tag, uint16_t v)
{
    size_t before = der_size(d);
    der_small(d, tag, v);
    close_pair(d, before, a, b);
}

static void tcb_pair(struct der *d, const struct platform_description *p)
{
    size_t before = der_size(d);
    octets_pair(d, 2, 18, p->components, sizeof p->components);
    small_pair(d, 2, 17, DER_INTEGER, p->pce_svn);
    for (uint8_t i = 16; i >= 1; i--)
        small_pair(d, 2, i, DER_INTEGER, p->components[i - 1]);
    der_header(d, DER_SEQUENCE, der_size(d) - before);
    close_pair(d, before, 2, 0);
}

/* Pairs 6 and 7: which platform instance; that it is not dynamic, caches no keys, and has SMT off. */
static void instance_pairs(struct der *d, const uint8_t instance[16])
{
    static const uint8_t no = 0x00;
    size_t before = der_size(d), inner = before;
    der_value(d, DER_BOOLEAN, &no, 1);
    close_pair(d, inner, 7, 3);
    inner = der_size(d);
    der_value(d, DER_BOOLEAN, &no, 1);
    close_pair(d, inner, 7, 2);
    inner = der_size(d);
    der_value(d, DER_BOOLEAN, &no, 1);
    close_pair(d, inner, 7, 1);
    der_header(d, DER_SEQUENCE, der_size(d) - before);
    close_pair(d, before, 7, 0);
    octets_pair(d, 6, 0, instance, 16);
}

static bool add_sgx_extension(X509 *x, const struct platform_description *p)
{
    struct der d;
    uint8_t ppid[16], instance[16];
    if (RAND_bytes(ppid, sizeof ppid) != 1 || RAND_bytes(instance, sizeof instance) != 1)
        return false;
    der_init(&d);
    if (p->multi_package)
        instance_pairs(&d, instance);
    small_pair(&d, 5, 0, DER_ENUMERATED, 0); /* standard SGX */
    octets_pair(&d, 4, 0, p->fmspc, sizeof p->fmspc);
    octets_pair(&d, 3, 0, p->pce_id, sizeof p->pce_id);
    tcb_pair(&d, p);
    octets_pair(&d, 1, 0, ppid, sizeof ppid);
    der_header(&d, DER_SEQUENCE, der_size(&d));

    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    bool ok = oid && value && ASN1_OCTET_STRING_set(value, d.bytes + d.start, (int)der_size(&d));
    X509_EXTENSION *extension = ok ? X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value) : NULL;
    ok = extension && X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    return ok;
}

/* ---- certificates ---------------------------------------------------------------------------------------------- */

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension && X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_serial(ASN1_INTEGER *serial)
{
    uint8_t bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, always 16 bytes */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, serial);
    BN_free(number);
    return ok;
}

static bool set_name(X509 *x, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(x);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0) &&
           X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)"Enclave OS simulation", -1, -1, 0);
}

static bool add_extensions(X509 *x, X509 *issuer, const struct certificate_options *o)
{
    char constraints[64] = "critical,CA:FALSE";
    if (o->authority && o->path_length >= 0)
        snprintf(constraints, sizeof constraints, "critical,CA:TRUE,pathlen:%d", o->path_length);
    else if (o->authority)
        snprintf(constraints, sizeof constraints, "critical,CA:TRUE");
    return add_extension(x, issuer, NID_basic_constraints, constraints) &&
           add_extension(x, issuer, NID_key_usage,
                         o->authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature,nonRepudiation") &&
           add_extension(x, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(x, issuer, NID_authority_key_identifier, "keyid:always") &&
           (!o->platform || add_sgx_extension(x, o->platform));
}

static bool set_times(X509 *x, const struct certificate_options *o)
{
    time_t now = time(NULL);
    return ASN1_TIME_set(X509_getm_notBefore(x), o->from_s ? (time_t)o->from_s : now - 86400) &&
           ASN1_TIME_set(X509_getm_notAfter(x), o->until_s ? (time_t)o->until_s : now + VALID_DAYS * 86400ll);
}

X509 *certificate_make(const struct certificate_options *o)
{
    X509 *x = X509_new();
    X509 *issuer = o->issuer ? o->issuer : x;
    bool ok = x && X509_set_version(x, X509_VERSION_3) && set_serial(X509_get_serialNumber(x)) && set_times(x, o) &&
              X509_set_pubkey(x, o->key) && set_name(x, o->common_name) &&
              X509_set_issuer_name(x, X509_get_subject_name(issuer)) && add_extensions(x, issuer, o) &&
              X509_sign(x, o->issuer_key, o->digest ? o->digest : EVP_sha256());
    if (!ok) {
        X509_free(x);
        return NULL;
    }
    return x;
}

static bool add_crl_extensions(X509_CRL *crl, const struct crl_options *o)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, o->issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool ok = extension && X509_CRL_add_ext(crl, extension, -1) && number &&
              ASN1_INTEGER_set_int64(number, o->from_s) && X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0);
    ASN1_INTEGER_free(number);
    X509_EXTENSION_free(extension);
    return ok;
}

/* Only user certificates are in this list: SEQUENCE { [1] TRUE } (RFC 5280, section 5.2.5). */
static bool add_distribution_point(X509_CRL *crl)
{
    static const uint8_t only_users[] = {0x30, 0x03, 0x81, 0x01, 0xff};
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;
    if (value && ASN1_OCTET_STRING_set(value, only_users, sizeof only_users))
        extension = X509_EXTENSION_create_by_NID(NULL, NID_issuing_distribution_point, 1, value);
    bool ok = extension && X509_CRL_add_ext(crl, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    return ok;
}

static bool add_revoked(X509_CRL *crl, X509 *x, const ASN1_TIME *when)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    bool ok = entry && X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(x)) &&
              X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)when) && X509_CRL_add0_revoked(crl, entry);
    if (!ok)
        X509_REVOKED_free(entry);
    return ok;
}

X509_CRL *certificate_crl(const struct crl_options *o)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)o->from_s), *until = ASN1_TIME_set(NULL, (time_t)o->until_s);
    bool ok = crl && from && until && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
              X509_CRL_set_issuer_name(crl, X509_get_subject_name(o->issuer)) && X509_CRL_set1_lastUpdate(crl, from) &&
              X509_CRL_set1_nextUpdate(crl, until) && add_crl_extensions(crl, o) &&
              (!o->partial || add_distribution_point(crl));
    for (int i = 0; ok && i < o->revoked_count; i++)
        ok = add_revoked(crl, o->revoked[i], from);
    ok = ok && X509_CRL_sort(crl) && X509_CRL_sign(crl, o->key, EVP_sha256());
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    if (!ok) {
        X509_CRL_free(crl);
        return NULL;
    }
    return crl;
}
