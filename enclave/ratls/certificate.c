/* See certificate.h. */
#include "enclave/ratls/certificate.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/dice.h"
#include "common/names.h"

#define OID_SGX_QUOTE "1.2.840.113741.1.13.1.0"
#define OID_MERKLE_ROOT "1.3.6.1.4.1.65230.1.1"
#define OID_GENERATION "1.3.6.1.4.1.65230.4.1"
#define OID_INSTANCE "1.3.6.1.4.1.65230.4.2"
#define OID_LINEAGE "1.3.6.1.4.1.65230.4.5"
#define OID_LOG_HEAD "1.3.6.1.4.1.65230.4.3"
#define OID_LOG_KEY "1.3.6.1.4.1.65230.4.4"
#define OID_EGRESS_CA_HASH "1.3.6.1.4.1.65230.2.1"
#define OID_RUNTIME_HASH "1.3.6.1.4.1.65230.2.4"
#define OID_WORKLOADS_HASH "1.3.6.1.4.1.65230.2.5"
#define OID_APP_ROOT "1.3.6.1.4.1.65230.3.1"
#define OID_APP_CODE "1.3.6.1.4.1.65230.3.2"
#define OID_APP_KEY_SOURCE "1.3.6.1.4.1.65230.3.4"
#define OID_APP_SETTINGS "1.3.6.1.4.1.65230.3.5"
#define OID_APP_ID "1.3.6.1.4.1.65230.3.6"

#define KEY_SOURCE "generated" /* what an app stores is sealed under keys that were made in here */
#define COMMON_NAME_MAX 64u    /* RFC 5280, appendix A.1: ub-common-name */

/* Version 2: no quote, and 4.1 and 4.2 stand for something else there, of apps' certificates. What both would say is in
 * the manifest. */
#define OID_V2_RUNTIME_HASH "1.3.6.1.4.1.65230.1.1"
#define OID_V2_MERKLE_ROOT "1.3.6.1.4.1.65230.2.1"
#define OID_V2_EGRESS_CA_HASH "1.3.6.1.4.1.65230.2.2"
#define OID_V2_WORKLOADS_HASH "1.3.6.1.4.1.65230.2.4"
#define OID_V2_APP_ID "1.3.6.1.4.1.65230.4.1"
#define OID_V2_APP_CODE "1.3.6.1.4.1.65230.4.2"
#define OID_V2_APP_ROOT "1.3.6.1.4.1.65230.5.1"
#define OID_V2_APP_SETTINGS "1.3.6.1.4.1.65230.5.2"
#define OID_V2_APP_KEY_SOURCE "1.3.6.1.4.1.65230.6.1"

#define CA_LIFETIME_S (10ll * 365 * 86400)

static _Atomic uint64_t leaves_made;

uint64_t certificate_leaves_made(void)
{
    return atomic_load_explicit(&leaves_made, memory_order_relaxed);
}

EVP_PKEY *certificate_make_key(void)
{
    return EVP_EC_gen("P-256");
}

static int set_serial(X509 *x)
{
    uint8_t serial[16];
    if (RAND_bytes(serial, sizeof serial) != 1)
        return 0;
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and always as long */
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    int ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
    BN_free(number);
    return ok;
}

static int set_name(X509_NAME *name, const char *common_name)
{
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"Enclave OS", -1, -1, 0) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)common_name, -1, -1, 0);
}

static int add_standard(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    int ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

/* extnValue holds the bytes themselves: no inner OCTET STRING. */
static int add_raw(X509 *x, const char *oid, const uint8_t *data, size_t size)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e = NULL;
    if (object && value && ASN1_OCTET_STRING_set(value, data, (int)size))
        e = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value);
    int ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
    return ok;
}

static X509 *begin(EVP_PKEY *key, const char *common_name, int64_t from_s, int64_t seconds)
{
    X509 *x = X509_new();
    if (x && X509_set_version(x, X509_VERSION_3) && set_serial(x) && set_name(X509_get_subject_name(x), common_name) &&
        ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from_s) &&
        ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(from_s + seconds)) && X509_set_pubkey(x, key))
        return x;
    X509_free(x);
    return NULL;
}

int64_t certificate_not_before(int64_t now_s)
{
    return now_s - now_s % 60 - CERTIFICATE_BACKDATE_S;
}

X509 *certificate_make_ca(EVP_PKEY *key, int64_t now_s)
{
    X509 *x = begin(key, "Enclave OS CA", certificate_not_before(now_s), CA_LIFETIME_S);
    if (x && X509_set_issuer_name(x, X509_get_subject_name(x)) &&
        add_standard(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_standard(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_standard(x, x, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256()))
        return x;
    X509_free(x);
    return NULL;
}

int certificate_report_data(EVP_PKEY *key, int64_t not_before_s, uint8_t out[64])
{
    uint8_t *spki = NULL, input[32 + 17 + 1];
    int size = i2d_PUBKEY(key, &spki);
    if (size <= 0)
        return -EIO;
    SHA256(spki, (size_t)size, input);
    OPENSSL_free(spki);
    time_t t = (time_t)not_before_s;
    struct tm tm;
    gmtime_r(&t, &tm);
    if (strftime((char *)input + 32, 18, "%Y-%m-%dT%H:%MZ", &tm) != 17)
        return -EIO;
    SHA512(input, 32 + 17, out);
    return 0;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

int certificate_check_names(const char *list, char *error, size_t error_size)
{
    const char *why = NULL;
    for (size_t count = 1;; count++) {
        size_t size = strcspn(list, ",");
        if (count > CERTIFICATE_NAMES_MAX)
            why = "there are too many";
        else if (name_kind_of(list, size, &why) != NAME_WRONG)
            why = NULL;
        if (why) {
            snprintf(error, error_size, "the certificate's name number %zu, '%.*s': %s", count,
                     (int)(size < 64 ? size : 64), list, why);
            return -EINVAL;
        }
        if (list[size] == 0)
            return 0;
        list += size + 1;
    }
}

static int add_name(GENERAL_NAMES *names, const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    enum name_kind kind = name_kind_of(text, strlen(text), NULL);
    bool is_address = kind == NAME_IPV4 || kind == NAME_IPV6;
    ASN1_OCTET_STRING *address = is_address ? a2i_IPADDRESS(text) : NULL;
    ASN1_IA5STRING *dns = is_address || kind == NAME_WRONG ? NULL : ASN1_IA5STRING_new();
    if (name && address) {
        GENERAL_NAME_set0_value(name, GEN_IPADD, address);
    } else if (name && dns && ASN1_STRING_set(dns, text, -1)) {
        GENERAL_NAME_set0_value(name, GEN_DNS, dns);
    } else {
        ASN1_OCTET_STRING_free(address);
        ASN1_IA5STRING_free(dns);
        GENERAL_NAME_free(name);
        return 0;
    }
    return sk_GENERAL_NAME_push(names, name) > 0;
}

static int add_alternative_names(X509 *x, const char *list)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    int ok = names != NULL;
    char text[NAME_SIZE_MAX + 1];
    while (ok && *list) {
        size_t size = strcspn(list, ",");
        ok = size < sizeof text;
        if (!ok)
            break;
        memcpy(text, list, size);
        text[size] = 0;
        ok = add_name(names, text);
        list += size;
        list += *list == ',';
    }
    ok = ok && sk_GENERAL_NAME_num(names) > 0 && X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

static int add_generation(X509 *x, uint64_t number)
{
    uint8_t text[8];
    bytes_put_be64(text, number);
    return add_raw(x, OID_GENERATION, text, sizeof text);
}

static int add_log(X509 *x, const struct leaf_content *c)
{
    uint8_t head[8 + 32];
    bytes_put_be64(head, c->log_size);
    memcpy(head + 8, c->log_root, 32);
    return add_raw(x, OID_LOG_HEAD, head, sizeof head) && add_raw(x, OID_LOG_KEY, c->log_key, 32);
}

/* What it speaks for beside the configuration as a whole. */
static int add_subject(X509 *x, const struct leaf_content *c)
{
    const struct leaf_app *app = c->app;
    bool v1 = c->quote != NULL;
    if (app)
        return add_raw(x, v1 ? OID_APP_ROOT : OID_V2_APP_ROOT, app->root, 32) &&
               add_raw(x, v1 ? OID_APP_CODE : OID_V2_APP_CODE, app->code, 32) &&
               add_raw(x, v1 ? OID_APP_KEY_SOURCE : OID_V2_APP_KEY_SOURCE, (const uint8_t *)KEY_SOURCE,
                       sizeof KEY_SOURCE - 1) &&
               add_raw(x, v1 ? OID_APP_SETTINGS : OID_V2_APP_SETTINGS, app->settings, 32) &&
               add_raw(x, v1 ? OID_APP_ID : OID_V2_APP_ID, app->id, 16);
    return (!c->egress_hash || add_raw(x, v1 ? OID_EGRESS_CA_HASH : OID_V2_EGRESS_CA_HASH, c->egress_hash, 32)) &&
           add_raw(x, v1 ? OID_RUNTIME_HASH : OID_V2_RUNTIME_HASH, c->runtime_hash, 32) &&
           (!c->workloads_hash || add_raw(x, v1 ? OID_WORKLOADS_HASH : OID_V2_WORKLOADS_HASH, c->workloads_hash, 32));
}

/* Which configuration that is. */
static int add_configuration(X509 *x, const struct leaf_content *c)
{
    if (!c->quote)
        return add_raw(x, OID_V2_MERKLE_ROOT, c->merkle_root, 32);
    return add_raw(x, OID_SGX_QUOTE, c->quote, c->quote_size) && add_raw(x, OID_MERKLE_ROOT, c->merkle_root, 32) &&
           add_generation(x, c->generation) && add_raw(x, OID_INSTANCE, c->instance, 32);
}

X509 *certificate_draft_leaf(EVP_PKEY *key, X509 *ca, const struct leaf_content *c)
{
    const char *subject = c->app && strlen(c->names) <= COMMON_NAME_MAX ? c->names : "Enclave OS";
    X509 *x = begin(key, subject, c->not_before_s, LEAF_LIFETIME_S);
    if (x && X509_set_issuer_name(x, X509_get_subject_name(ca)) &&
        add_standard(x, ca, NID_basic_constraints, "critical,CA:FALSE") &&
        add_standard(x, ca, NID_key_usage, "critical,digitalSignature") &&
        add_standard(x, ca, NID_ext_key_usage, "serverAuth") && add_alternative_names(x, c->names) &&
        add_standard(x, ca, NID_authority_key_identifier, "keyid") && add_configuration(x, c) && add_log(x, c) &&
        (!c->lineage || add_raw(x, OID_LINEAGE, c->lineage, c->lineage_size)) && add_subject(x, c))
        return x;
    X509_free(x);
    return NULL;
}

X509 *certificate_make_leaf(EVP_PKEY *key, EVP_PKEY *ca_key, X509 *ca, const struct leaf_content *c)
{
    X509 *x = certificate_draft_leaf(key, ca, c);
    atomic_fetch_add_explicit(&leaves_made, 1, memory_order_relaxed);
    if (x && (!c->dice || add_raw(x, DICE_OID, c->dice, c->dice_size)) && X509_sign(x, ca_key, EVP_sha256()))
        return x;
    X509_free(x);
    return NULL;
}
