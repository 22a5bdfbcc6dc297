/*
 * Who issues this enclave's certificates: the CA that its first boot made (identity.h), or an intermediate one that an
 * operator gives, so that clients which trust the operator's root trust the names in them. What a quote proves is the
 * same under either.
 *
 * Given as JSON, {"certificate": PEM, "key": PEM}: one certificate of a P-256 key, a CA's with a path length of 0,
 * whose key usage has keyCertSign and cRLSign, of a time that is now; and that key, PKCS#8, not encrypted. It is kept
 * sealed as it was given.
 *
 * Part of a generation: NULL stands for the enclave's own. Immutable and counted. Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_ISSUER_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_ISSUER_H

#include <jansson.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISSUER_KEY "issuer" /* the JSON, in the enclave's own namespace of the store */
#define ISSUER_WHY_SIZE 200u

struct issuer {
    atomic_uint references;
    EVP_PKEY *key;
    X509 *certificate;
    uint8_t key_sha256[32]; /* of its DER */
};

/* 0, and one reference in *out; -EINVAL or -ENOMEM, and why says which member is wrong, and how. now_s: its
 * certificate is of this time; 0: of any. */
int issuer_read(struct issuer **out, const char *json, size_t size, int64_t now_s, char why[ISSUER_WHY_SIZE]);
struct issuer *issuer_ref(struct issuer *i);
void issuer_unref(struct issuer *i);

/* Of one, or of NULL. Borrowed. */
X509 *issuer_certificate(const struct issuer *i);
EVP_PKEY *issuer_signing_key(const struct issuer *i);
const uint8_t *issuer_key_sha256(const struct issuer *i);
/* {"given":BOOL,"certificate":PEM}; NULL: no memory. */
json_t *issuer_json(const struct issuer *i);

/* Boot: the one of the store; NULL, if there is none. 0 or a negative errno, with a line in error. */
int issuer_load(struct issuer **out, char *error, size_t error_size);

#endif
