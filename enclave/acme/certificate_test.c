/* Requests, challenges' certificates, chains that came, and how they are kept and when they are due. */
#include "enclave/acme/certificate.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/acme/held.h"

#define NOW 1800000000
#define NAME "app.example.com"
#define DAY 86400

static EVP_PKEY *key, *other_key, *ca_key;
static X509 *ca;

struct made {
    EVP_PKEY *key, *issuer_key;
    const char *names; /* as OpenSSL's configuration has them */
    const char *usage; /* extended; NULL: without */
    bool is_ca;
    int64_t from_s, until_s;
};

static void add(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, NULL, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static X509 *make(const struct made *m)
{
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)NAME, -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"CA", -1, -1, 0);
    ASN1_TIME_set(X509_getm_notBefore(x), m->from_s);
    ASN1_TIME_set(X509_getm_notAfter(x), m->until_s);
    X509_set_pubkey(x, m->key);
    if (m->names)
        add(x, NID_subject_alt_name, m->names);
    if (m->usage)
        add(x, NID_ext_key_usage, m->usage);
    add(x, NID_basic_constraints, m->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    assert_true(X509_sign(x, m->issuer_key, EVP_sha256()) > 0);
    return x;
}

/* PEM of up to count certificates; free it. */
static char *pem_of(X509 *const *all, size_t count)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *text;
    for (size_t i = 0; i < count; i++)
        PEM_write_bio_X509(bio, all[i]);
    long size = BIO_get_mem_data(bio, &data);
    text = strndup(data, (size_t)size);
    BIO_free(bio);
    return text;
}

static int open_keys(void **state)
{
    (void)state;
    key = EVP_EC_gen("P-256");
    other_key = EVP_EC_gen("P-256");
    ca_key = EVP_EC_gen("P-256");
    ca = make(&(struct made){ca_key, ca_key, NULL, NULL, true, NOW - DAY, NOW + DAY});
    return 0;
}

static int close_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(ca_key);
    X509_free(ca);
    return 0;
}

static void test_requests(void **state)
{
    (void)state;
    uint8_t der[ACME_CSR_MAX];
    char name[NAME_SIZE_MAX + 1];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_true(acme_csr(key, name, der) > 0); /* the longest one fits */
    size_t size = acme_csr(key, NAME, der);
    const uint8_t *at = der;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)size);
    assert_non_null(request);
    assert_int_equal(X509_REQ_verify(request, key), 1);
    assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(request)), 0);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    assert_int_equal(sk_X509_EXTENSION_num(extensions), 1);
    GENERAL_NAMES *names = X509V3_EXT_d2i(sk_X509_EXTENSION_value(extensions, 0));
    assert_int_equal(sk_GENERAL_NAME_num(names), 1);
    const ASN1_STRING *text = sk_GENERAL_NAME_value(names, 0)->d.dNSName;
    assert_int_equal(ASN1_STRING_length(text), strlen(NAME));
    assert_memory_equal(ASN1_STRING_get0_data(text), NAME, strlen(NAME));
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
}

/* RFC 8737, section 3. */
static void test_challenges(void **state)
{
    (void)state;
    uint8_t digest[32];
    memset(digest, 0xa5, sizeof digest);
    X509 *x = acme_challenge_certificate(key, NAME, digest, NOW);
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    assert_non_null(x);
    assert_int_equal(X509_verify(x, key), 1);
    assert_int_equal(X509_check_host(x, NAME, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
    assert_int_equal(X509_get_ext_count(x), 2);
    X509_EXTENSION *e = X509_get_ext(x, X509_get_ext_by_OBJ(x, oid, -1));
    assert_int_equal(X509_EXTENSION_get_critical(e), 1);
    const ASN1_STRING *value = X509_EXTENSION_get_data(e);
    assert_int_equal(ASN1_STRING_length(value), 34);
    assert_memory_equal(ASN1_STRING_get0_data(value), "\x04\x20", 2);
    assert_memory_equal(ASN1_STRING_get0_data(value) + 2, digest, 32);
    ASN1_OBJECT_free(oid);
    X509_free(x);
}

static void refused(X509 *const *all, size_t count, const char *why_wanted)
{
    struct acme_chain chain;
    char why[ACME_WHY_SIZE] = "", *pem = pem_of(all, count);
    assert_int_equal(acme_chain_read(&chain, pem, strlen(pem), key, NAME, NOW, why), -EINVAL);
    if (!strstr(why, why_wanted))
        fail_msg("%s, not %s", why, why_wanted);
    assert_null(chain.certificates);
    free(pem);
}

static void test_chains(void **state)
{
    (void)state;
    const struct made good = {key, ca_key, "DNS:" NAME ",DNS:b.example.com", "serverAuth", false, NOW - 60, NOW + DAY};
    struct made m = good;
    X509 *x = make(&m), *all[ACME_CERTIFICATES_MAX + 1] = {x, ca, ca, ca, ca};
    struct acme_chain chain;
    char why[ACME_WHY_SIZE], *pem = pem_of(all, 2);
    assert_int_equal(acme_chain_read(&chain, pem, strlen(pem), key, NAME, NOW, why), 0);
    assert_int_equal(sk_X509_num(chain.certificates), 2);
    assert_true(chain.from_s == NOW - 60 && chain.until_s == NOW + DAY);
    acme_chain_free(&chain);
    pem[strlen(pem) - 40] = '!';
    assert_int_equal(acme_chain_read(&chain, pem, strlen(pem), key, NAME, NOW, why), -EINVAL);
    assert_int_equal(acme_chain_read(&chain, "", 0, key, NAME, NOW, why), -EINVAL);
    free(pem);
    refused(all, ACME_CERTIFICATES_MAX + 1, "too many");
    X509_free(x);

    static const struct {
        int which;
        const char *why;
    } wrongs[] = {{0, "another key"},      {1, "another name"},    {2, "another name"},
                  {3, "another name"},     {4, "not for servers"}, {5, "a CA's"},
                  {6, "its time is over"}, {7, "has not come"},    {8, "signed by the one behind it"},
                  {9, "or is none"}};
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        m = good;
        switch (wrongs[i].which) {
        case 0:
            m.key = other_key;
            break;
        case 1:
            m.names = "DNS:b.example.com";
            break; /* the subject does not count */
        case 2:
            m.names = "DNS:*.example.com";
            break;
        case 3:
            m.names = NULL;
            break;
        case 4:
            m.usage = "clientAuth";
            break;
        case 5:
            m.is_ca = true;
            break;
        case 6:
            m.until_s = NOW;
            break;
        case 7:
            m.from_s = NOW + 3600;
            break;
        case 8:
            m.issuer_key = other_key;
            break;
        default:
            m.until_s = m.from_s;
        }
        all[0] = make(&m);
        refused(all, 2, wrongs[i].why);
        X509_free(all[0]);
    }
    m = good; /* the one behind is no CA's */
    all[0] = make(&m);
    m.key = ca_key;
    all[1] = make(&m);
    refused(all, 2, "that is no CA's");
    X509_free(all[0]);
    X509_free(all[1]);
}

static void test_kept(void **state)
{
    (void)state;
    X509 *all[] = {make(&(struct made){key, ca_key, "DNS:" NAME, NULL, false, NOW, NOW + 90 * DAY}), ca};
    struct acme_held h = {.name = NAME}, other = {.name = "b.example.com"};
    char *pem = pem_of(all, 2), *record = acme_held_record(key, "https://ca.example/dir", pem, strlen(pem));
    assert_non_null(record);
    assert_int_equal(acme_held_read(&other, record, strlen(record)), -EBADMSG);
    assert_int_equal(acme_held_read(&h, record, strlen(record) - 1), -EBADMSG);
    assert_int_equal(acme_held_read(&h, record, strlen(record)), 0);
    assert_int_equal(EVP_PKEY_eq(h.key, key), 1);
    assert_true(acme_held_usable(&h, "https://ca.example/dir", NOW));
    assert_false(acme_held_usable(&h, "https://ca.example/dir", NOW + 90 * DAY));
    assert_false(acme_held_usable(&h, "https://other.example/dir", NOW));
    assert_false(acme_held_usable(&h, NULL, NOW));
    assert_true(acme_held_due_s(&h, "https://ca.example/dir") == NOW + 60 * DAY);
    assert_true(acme_held_due_s(&h, "https://other.example/dir") == 0);
    acme_held_clear(&h);
    assert_false(acme_held_usable(&h, "https://ca.example/dir", NOW));
    assert_true(acme_held_due_s(&h, "https://ca.example/dir") == 0);
    X509_free(all[0]);
    free(pem);
    free(record);
}

#define S(seconds) ((seconds)*UINT64_C(1000000000))

static void test_failures(void **state)
{
    (void)state;
    struct acme_held h = {.name = NAME};
    static const uint32_t pauses_s[] = {60, 180, 540, 1620, 4860, 14580, 43200, 43200, 43200};
    for (size_t i = 0; i < sizeof pauses_s / sizeof *pauses_s; i++) {
        acme_held_failed(&h, S(5), 0, 0, "why");
        assert_true(h.next_ns == S(5) + S(pauses_s[i]));
    }
    assert_int_equal(h.failures, sizeof pauses_s / sizeof *pauses_s);
    h.failures = 0;
    acme_held_failed(&h, 0, 0, UINT32_MAX, "why");
    assert_true(h.next_ns > S(74) && h.next_ns <= S(75));
    acme_held_failed(&h, 0, 7200, 0, "why"); /* it asks to be left alone */
    assert_true(h.next_ns == S(7200));
    acme_held_failed(&h, 0, UINT32_MAX, 0, "why");
    assert_true(h.next_ns == S(ACME_RETRY_AFTER_MAX_S));
    assert_string_equal(h.why, "why");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_challenges), cmocka_unit_test(test_chains),
        cmocka_unit_test(test_kept),     cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, open_keys, close_keys);
}
