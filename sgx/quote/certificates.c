/*
 * Certificates and CRLs of the simulation PKI, with the fields that DCAP verifiers look at.
 */
#include "sgx/quote/certificates.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "sgx/quote/der.h"
#include "sgx/quote/pki.h"

#define VALID_DAYS 7300

/* ---- the SGX extension, OID 1.2.840.113741.1.13.1 ------------------------------------------------------------ */

static const uint8_t sgx_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

/* The pair {1.2.840.113741.1.13.1.a[.b], value}, where the value stands at the front already and began at before. */
static void close_pair(struct der *d, size_t before, uint8_t a, uint8_t b)
{
    uint8_t oid[sizeof(sgx_oid) + 2];
    memcpy(oid, sgx_oid, sizeof(sgx_oid));
    oid[sizeof(sgx_oid)] = a;
    oid[sizeof(sgx_oid) + 1] = b;
    der_value(d, DER_OID, oid, sizeof(sgx_oid) + (b != 0 ? 2 : 1));
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

static void tcb_pair(struct der *d)
{
    uint8_t cpu_svn[16];
    memset(cpu_svn, SIMULATION_CPU_SVN, sizeof(cpu_svn));
    size_t before = der_size(d);
    octets_pair(d, 2, 18, cpu_svn, sizeof(cpu_svn));
    small_pair(d, 2, 17, DER_INTEGER, SIMULATION_PCE_SVN);
    for (uint8_t i = 16; i >= 1; i--)
        small_pair(d, 2, i, DER_INTEGER, SIMULATION_CPU_SVN);
    der_header(d, DER_SEQUENCE, der_size(d) - before);
    close_pair(d, before, 2, 0);
}

static bool add_sgx_extension(X509 *x)
{
    struct der d;
    uint8_t ppid[16];
    if (RAND_bytes(ppid, sizeof(ppid)) != 1)
        return false;
    der_init(&d);
    small_pair(&d, 5, 0, DER_ENUMERATED, 0); /* standard SGX */
    octets_pair(&d, 4, 0, SIMULATION_FMSPC, 6);
    octets_pair(&d, 3, 0, "\0\0", 2);
    tcb_pair(&d);
    octets_pair(&d, 1, 0, ppid, sizeof(ppid));
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

/* ---- certificates ------------------------------------------------------------------------------------------ */

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
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, always 16 bytes */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
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
        snprintf(constraints, sizeof(constraints), "critical,CA:TRUE,pathlen:%d", o->path_length);
    else if (o->authority)
        snprintf(constraints, sizeof(constraints), "critical,CA:TRUE");
    return add_extension(x, issuer, NID_basic_constraints, constraints) &&
           add_extension(x, issuer, NID_key_usage,
                         o->authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature,nonRepudiation") &&
           add_extension(x, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(x, issuer, NID_authority_key_identifier, "keyid:always") &&
           (!o->sgx_extension || add_sgx_extension(x));
}

X509 *certificate_make(const struct certificate_options *o)
{
    X509 *x = X509_new();
    X509 *issuer = o->issuer ? o->issuer : x;
    bool ok = x && X509_set_version(x, X509_VERSION_3) && set_serial(X509_get_serialNumber(x)) &&
              X509_gmtime_adj(X509_getm_notBefore(x), -86400) &&
              X509_time_adj_ex(X509_getm_notAfter(x), VALID_DAYS, 0, NULL) && X509_set_pubkey(x, o->key) &&
              set_name(x, o->common_name) && X509_set_issuer_name(x, X509_get_subject_name(issuer)) &&
              add_extensions(x, issuer, o) && X509_sign(x, o->issuer_key, EVP_sha256());
    if (!ok) {
        X509_free(x);
        return NULL;
    }
    return x;
}

static bool add_crl_extensions(X509_CRL *crl, X509 *issuer)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool ok = extension && X509_CRL_add_ext(crl, extension, -1) && number && ASN1_INTEGER_set(number, 1) &&
              X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0);
    ASN1_INTEGER_free(number);
    X509_EXTENSION_free(extension);
    return ok;
}

X509_CRL *certificate_crl(X509 *issuer, EVP_PKEY *key)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *before = X509_gmtime_adj(NULL, -86400), *after = X509_time_adj_ex(NULL, VALID_DAYS, 0, NULL);
    bool ok = crl && before && after && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
              X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) && X509_CRL_set1_lastUpdate(crl, before) &&
              X509_CRL_set1_nextUpdate(crl, after) && add_crl_extensions(crl, issuer) &&
              X509_CRL_sign(crl, key, EVP_sha256());
    ASN1_TIME_free(before);
    ASN1_TIME_free(after);
    if (!ok) {
        X509_CRL_free(crl);
        return NULL;
    }
    return crl;
}
