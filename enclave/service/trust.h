/*
 * The certificate authorities that servers are believed by, when apps make requests: one PEM bundle, given by the
 * operator, kept sealed, and shown to everyone by its hash (OID 1.3.6.1.4.1.65230.2.1). Without it nothing connects.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_TRUST_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_TRUST_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"

struct worker;

#define EGRESS_BUNDLE_MAX (1u << 20) /* bytes of PEM */

/* Boot: take the bundle up from the store, if there is one. 0 or a negative errno, with a line in error. */
int egress_trust_load(char *error, size_t error_size);

/* status is an HTTP status; json is a complete body, valid during the call. Runs on origin's loop. */
typedef void (*egress_trust_done)(void *user, int status, const char *json);

/* From now on, this bundle (copied), or none if size is 0; durable, and in the certificate when it is answered.
 * 0; or -EINVAL (the bundle) or -ENOMEM with a line in error, and done never runs (common/callbacks.h). */
MAY_REFUSE int egress_trust_set(struct worker *origin, const void *pem, size_t size, egress_trust_done done, void *user,
                                char *error, size_t error_size);

/* A client context that requires TLS 1.2 or 1.3 and a chain to the bundle; a reference of the caller's own. NULL: there
 * is no bundle. Any thread. */
SSL_CTX *egress_trust_context(void);
/* SHA-256 of the bundle's bytes; false: there is none. Any thread. */
bool egress_trust_sha256(uint8_t out[32]);

#endif
