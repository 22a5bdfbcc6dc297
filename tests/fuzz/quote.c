/*
 * The verifier: no certificate or quote may crash it, and none but the one good quote may pass it. Three kinds of
 * input, by the first byte: bytes as a quote, bytes as a certificate, and changes to a good quote inside a
 * certificate, which get past the outer formats.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "sgx/include/arch.h"
#include "sgx/quote/quote.h"
#include "tests/fuzz/fuzz.h"
#include "verifier/quote_format.h"
#include "verifier/verifier.h"

static EVP_PKEY *key;
static uint8_t good[QUOTE_SIZE_MAX];
static size_t good_size;

static int report_key(const uint8_t targetinfo[512], const uint8_t keyid[32], uint8_t out[16])
{
    (void)targetinfo, (void)keyid;
    memset(out, 7, 16);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    char folder[] = "/tmp/fuzz_quote.XXXXXX", error[256], command[64];
    struct quote_backend *quoting;
    MUST(mkdtemp(folder) && quote_simulation_create(folder, report_key, &quoting, error, sizeof error) == 0);
    struct sgx_report report = {.body.attributes = {SGX_FLAGS_INIT | SGX_FLAGS_DEBUG | SGX_FLAGS_MODE64BIT, 7}};
    uint8_t mac_key[16];
    size_t mac_size;
    report_key(NULL, NULL, mac_key);
    MUST(EVP_Q_mac(NULL, "CMAC", NULL, "AES-128-CBC", NULL, mac_key, 16, (const uint8_t *)&report, 384, report.mac, 16,
                   &mac_size));
    MUST(quote_get(quoting, (const uint8_t *)&report, good, sizeof good, &good_size) == 0);
    quote_destroy(quoting);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    MUST(system(command) == 0);
    key = EVP_EC_gen("P-256");
    return key ? 0 : -1;
}

static X509 *wrap(const uint8_t *quote, size_t size)
{
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1.0", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, quote, (int)size);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    X509_sign(x, key, EVP_sha256());
    return x;
}

static void inside(const uint8_t *bytes, size_t size, const uint8_t *part, size_t part_size)
{
    MUST(part >= bytes && part <= bytes + size && part_size <= (size_t)(bytes + size - part));
}

static void as_quote(const uint8_t *bytes, size_t size)
{
    struct quote q;
    if (quote_parse(bytes, size, &q) != NULL)
        return;
    inside(bytes, size, q.signed_part, q.signed_size);
    inside(bytes, size, q.body, QUOTE_BODY_SIZE);
    inside(bytes, size, q.signature, 64);
    inside(bytes, size, q.attestation_key, 64);
    inside(bytes, size, q.qe_body, QUOTE_BODY_SIZE);
    inside(bytes, size, q.qe_signature, 64);
    inside(bytes, size, q.auth_data, q.auth_size);
    inside(bytes, size, q.chain, q.chain_size);
}

/* The certificate's key is not in the quote's report data, so nothing may pass. */
static void as_certificate(X509 *x)
{
    struct verifier_result result;
    const struct verifier_policy policy = {.allow_simulation = true, .allow_debug = true, .live = true};
    if (x)
        MUST(!verifier_check_certificate(x, &policy, &result) && result.count <= VERIFIER_CHECKS_MAX);
    X509_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    uint8_t kind = input_byte(&in), changed[QUOTE_SIZE_MAX];
    const uint8_t *der = in.at;
    switch (kind % 3) {
    case 0:
        as_quote(in.at, (size_t)(in.end - in.at));
        break;
    case 1:
        as_certificate(d2i_X509(NULL, &der, (long)(in.end - in.at)));
        break;
    default:
        memcpy(changed, good, good_size);
        size_t left = good_size;
        while (in.at < in.end) {
            uint64_t edit = input_word(&in);
            changed[(edit & 0xffff) % good_size] = (uint8_t)(edit >> 16);
            if (edit >> 24 & 1)
                left = (edit >> 32 & 0xffff) % (good_size + 1);
        }
        as_quote(changed, left);
        as_certificate(wrap(changed, left));
    }
    return 0;
}
