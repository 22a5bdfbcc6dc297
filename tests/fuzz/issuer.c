/* A CA that is given: the input as the JSON, and as a certificate's DER beside a good key. What is accepted can issue,
 * and nothing but leaves. */
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "enclave/service/identity.h"
#include "enclave/service/issuer.h"
#include "enclave/service/system.h"
#include "tests/fuzz/fuzz.h"

static EVP_PKEY *key;
static char key_pem[1024];
static char why[ISSUER_WHY_SIZE];

/* ---- what it is not about: the enclave's own, and the store ------------------------------------------------------ */

EVP_PKEY *identity_ca_key(void)
{
    return NULL;
}

X509 *identity_ca(void)
{
    return NULL;
}

const uint8_t *identity_ca_key_sha256(void)
{
    return NULL;
}

int system_get(const char *name, uint8_t **value, size_t *size)
{
    (void)name, (void)value, (void)size;
    return -1;
}

/* A key with a known secret, so that seeds can hold its certificate: 1 is as good as any. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const uint8_t der[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20, 0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0,
                                  1,    0xa0, 0x0a, 6,    8,    0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    (void)argc, (void)argv;
    const uint8_t *at = der;
    key = d2i_AutoPrivateKey(NULL, &at, sizeof der);
    BIO *bio = BIO_new(BIO_s_mem());
    MUST(key && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    int size = BIO_read(bio, key_pem, sizeof key_pem - 1);
    MUST(size > 0);
    BIO_free(bio);
    return 0;
}

static void read_json(const char *json, size_t size)
{
    struct issuer *i = NULL;
    if (issuer_read(&i, json, size, 0, why) < 0) {
        MUST(!i && why[0]);
        return;
    }
    X509 *x = issuer_certificate(i);
    MUST(X509_check_private_key(x, issuer_signing_key(i)) == 1);
    MUST(X509_check_ca(x) == 1 && X509_get_pathlen(x) == 0);
    json_t *shown = issuer_json(i);
    MUST(json_string_length(json_object_get(shown, "certificate")) > 0);
    json_decref(shown);
    issuer_unref(i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[16384], pem[24576];
    read_json((const char *)data, size);
    if (size > 8192)
        return 0;
    EVP_EncodeBlock((unsigned char *)text, data, (int)size);
    int at = snprintf(pem, sizeof pem, "-----BEGIN CERTIFICATE-----\n");
    for (const char *line = text; *line; line += strlen(line) < 64 ? strlen(line) : 64)
        at += snprintf(pem + at, sizeof pem - (size_t)at, "%.64s\n", line);
    snprintf(pem + at, sizeof pem - (size_t)at, "-----END CERTIFICATE-----\n");
    json_t *both = json_pack("{s:s,s:s}", "certificate", pem, "key", key_pem);
    char *json = json_dumps(both, JSON_COMPACT);
    read_json(json, strlen(json));
    free(json);
    json_decref(both);
    return 0;
}
