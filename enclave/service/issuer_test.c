/* Which CAs an operator may give: each demand by a certificate in which it alone is not met. */
#include <errno.h>
#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/service/identity.h"
#include "enclave/service/issuer.h"
#include "enclave/service/limits.h"
#include "enclave/service/system.h"

#define NOW 1800000000

/* ---- the enclave's own, and its store ---------------------------------------------------------------------------- */

static EVP_PKEY *own_key;
static X509 *own;
static const uint8_t own_hash[32] = {9};
static char *record;

EVP_PKEY *identity_ca_key(void)
{
    return own_key;
}

X509 *identity_ca(void)
{
    return own;
}

const uint8_t *identity_ca_key_sha256(void)
{
    return own_hash;
}

int system_get(const char *key, uint8_t **value, size_t *size)
{
    assert_string_equal(key, ISSUER_KEY);
    if (!record)
        return -ENOENT;
    *size = strlen(record);
    *value = OPENSSL_memdup(record, *size);
    return 0;
}

/* ---- what is given ----------------------------------------------------------------------------------------------- */

struct given {
    const char *basic, *usage, *name; /* NULL: it has none */
    int64_t from_s, until_s;
    const char *curve;
};
static const struct given good = {
    "critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign", "Operator", NOW - 1, NOW + 86400, "P-256"};

static void add(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = value ? X509V3_EXT_conf_nid(NULL, NULL, nid, value) : NULL;
    if (e)
        assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static X509 *make(const struct given *g, EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)g->from_s);
    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)g->until_s);
    if (g->name)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)g->name, -1, -1, 0);
    X509_set_pubkey(x, key);
    add(x, NID_basic_constraints, g->basic);
    add(x, NID_key_usage, g->usage);
    assert_true(X509_sign(x, own_key, EVP_sha256()) > 0);
    return x;
}

static char *taken(BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)size);
    BIO_free(bio);
    return text;
}

static char *pem_of(const X509 *x)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, x), 1);
    return taken(bio);
}

static char *pem_of_key(EVP_PKEY *key, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, password ? EVP_aes_256_cbc() : NULL, password,
                                                   password ? (int)strlen(password) : 0, NULL, NULL),
                     1);
    return taken(bio);
}

static char *json_of(const char *certificate, const char *key)
{
    json_t *both = json_pack("{s:s*,s:s*}", "certificate", certificate, "key", key);
    char *text = json_dumps(both, JSON_COMPACT);
    json_decref(both);
    return text;
}

/* As it would be sent; the key, a reference, is the caller's. */
static char *give(const struct given *g, EVP_PKEY **key)
{
    *key = EVP_EC_gen(g->curve);
    X509 *x = make(g, *key);
    char *certificate = pem_of(x), *secret = pem_of_key(*key, NULL), *json = json_of(certificate, secret);
    X509_free(x);
    free(certificate);
    free(secret);
    return json;
}

static void refused(char *json, const char *says)
{
    char why[ISSUER_WHY_SIZE] = "";
    struct issuer *i = NULL;
    int error = issuer_read(&i, json, strlen(json), NOW, why);
    if (error != -EINVAL || i || strcmp(why, says) != 0)
        fail_msg("%d: '%s', and not '%s'", error, why, says);
    free(json);
}

static int begin(void **state)
{
    (void)state;
    own_key = EVP_EC_gen("P-256");
    own = make(&good, own_key);
    return 0;
}

static int end(void **state)
{
    (void)state;
    X509_free(own);
    EVP_PKEY_free(own_key);
    return 0;
}

static void a_ca_is_taken(void **state)
{
    (void)state;
    char why[ISSUER_WHY_SIZE];
    EVP_PKEY *key;
    struct issuer *i;
    char *json = give(&good, &key);
    assert_int_equal(issuer_read(&i, json, strlen(json), NOW, why), 0);
    assert_int_equal(EVP_PKEY_eq(issuer_signing_key(i), key), 1);
    assert_int_equal(X509_check_private_key(issuer_certificate(i), key), 1);
    assert_memory_not_equal(issuer_key_sha256(i), own_hash, 32);
    json_t *shown = issuer_json(i);
    assert_true(json_is_true(json_object_get(shown, "given")));
    char *pem = pem_of(issuer_certificate(i)), *text = json_dumps(shown, 0);
    assert_string_equal(json_string_value(json_object_get(shown, "certificate")), pem);
    assert_null(strstr(text, "PRIVATE"));
    json_decref(shown);
    issuer_unref(issuer_ref(i));
    issuer_unref(i);
    /* a later boot, whatever the time is then */
    record = json;
    struct given old = good;
    assert_int_equal(issuer_load(&i, why, sizeof why), 0);
    assert_int_equal(EVP_PKEY_eq(issuer_signing_key(i), key), 1);
    issuer_unref(i);
    EVP_PKEY_free(key);
    old.until_s = NOW - 1000000;
    old.from_s = NOW - 2000000;
    record = give(&old, &key);
    assert_int_equal(issuer_load(&i, why, sizeof why), 0);
    issuer_unref(i);
    record[20] ^= 1;
    assert_int_not_equal(issuer_load(&i, why, sizeof why), 0);
    free(record);
    record = NULL;
    EVP_PKEY_free(key);
    free(pem);
    free(text);
    free(json);
}

static void none_is_the_enclaves_own(void **state)
{
    (void)state;
    char why[ISSUER_WHY_SIZE];
    struct issuer *i = (struct issuer *)why;
    assert_int_equal(issuer_load(&i, why, sizeof why), 0);
    assert_null(i);
    assert_ptr_equal(issuer_certificate(NULL), own);
    assert_ptr_equal(issuer_signing_key(NULL), own_key);
    assert_ptr_equal(issuer_key_sha256(NULL), own_hash);
    json_t *shown = issuer_json(NULL);
    assert_true(json_is_false(json_object_get(shown, "given")));
    json_decref(shown);
}

static void certificates_are_judged(void **state)
{
    (void)state;
    const struct {
        struct given given;
        const char *says;
    } cases[] = {
        {{NULL, good.usage, "O", NOW - 1, NOW + 9, "P-256"},
         "certificate: it is no CA's: basicConstraints has no CA:TRUE"},
        {{"critical,CA:FALSE", good.usage, "O", NOW - 1, NOW + 9, "P-256"},
         "certificate: it is no CA's: basicConstraints has no CA:TRUE"},
        {{"critical,CA:TRUE", good.usage, "O", NOW - 1, NOW + 9, "P-256"},
         "certificate: its path length is not 0, as of a CA that issues no others"},
        {{"critical,CA:TRUE,pathlen:1", good.usage, "O", NOW - 1, NOW + 9, "P-256"},
         "certificate: its path length is not 0, as of a CA that issues no others"},
        {{good.basic, NULL, "O", NOW - 1, NOW + 9, "P-256"},
         "certificate: its key usage has not both keyCertSign and cRLSign"},
        {{good.basic, "critical,keyCertSign", "O", NOW - 1, NOW + 9, "P-256"},
         "certificate: its key usage has not both keyCertSign and cRLSign"},
        {{good.basic, "critical,cRLSign,digitalSignature", "O", NOW - 1, NOW + 9, "P-256"},
         "certificate: its key usage has not both keyCertSign and cRLSign"},
        {{good.basic, good.usage, NULL, NOW - 1, NOW + 9, "P-256"}, "certificate: it has no subject"},
        {{good.basic, good.usage, "O", NOW + 1, NOW + 9, "P-256"}, "certificate: its time has not come"},
        {{good.basic, good.usage, "O", NOW - 9, NOW - 1, "P-256"}, "certificate: its time is over"},
        {{good.basic, good.usage, "O", NOW - 1, NOW + 9, "P-384"}, "key: it is not of P-256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EVP_PKEY *key;
        refused(give(&cases[i].given, &key), cases[i].says);
        EVP_PKEY_free(key);
    }
}

static void what_is_sent_is_judged(void **state)
{
    (void)state;
    static char large[ISSUER_JSON_MAX + 2];
    char *certificate = pem_of(own), *key = pem_of_key(own_key, NULL), *locked = pem_of_key(own_key, "secret"), *twice;
    EVP_PKEY *other = EVP_EC_gen("P-256");
    char *others = pem_of_key(other, NULL);
    assert_true(asprintf(&twice, "%s%s", certificate, certificate) > 0);
    static const char expected[] = "it: expected {\"certificate\": PEM, \"key\": PEM}";
    refused(strdup("[]"), expected);
    refused(strdup("{"), expected);
    memset(large, ' ', sizeof large - 1);
    refused(strdup(large), expected);
    refused(strdup("{}"), "certificate: a text is missing: PEM");
    refused(strdup("{\"certificate\":1}"), "certificate: a text is missing: PEM");
    refused(strdup("{\"chain\":\"\"}"), "it: there are certificate and key, and nothing else");
    refused(json_of(certificate, NULL), "key: a text is missing: PEM");
    refused(json_of("", key), "certificate: it is not one certificate: the CA's own, and none of those above it");
    refused(json_of(twice, key), "certificate: it is not one certificate: the CA's own, and none of those above it");
    refused(json_of(key, key), "certificate: line 1: a private key, which belongs to its owner alone; take it out");
    refused(json_of("-----BEGIN CERTIFICATE-----\nMAAB\n-----END CERTIFICATE-----\n", key),
            "certificate: it cannot be read");
    refused(json_of(certificate, locked), "key: it is not one block called PRIVATE KEY (PKCS#8, not encrypted)");
    refused(json_of(certificate, certificate), "key: it is not one block called PRIVATE KEY (PKCS#8, not encrypted)");
    refused(json_of(certificate, "-----BEGIN PRIVATE KEY-----\nMAAB\n-----END PRIVATE KEY-----\n"),
            "key: it cannot be read");
    refused(json_of(certificate, others), "key: it is not the certificate's");
    EVP_PKEY_free(other);
    free(certificate);
    free(key);
    free(locked);
    free(twice);
    free(others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_ca_is_taken), cmocka_unit_test(none_is_the_enclaves_own),
                                       cmocka_unit_test(certificates_are_judged),
                                       cmocka_unit_test(what_is_sent_is_judged)};
    return cmocka_run_group_tests(tests, begin, end);
}
