/*
 * Drop-in for clients that use OpenSSL's libssl: the quote decides whether the handshake goes on, not a CA.
 *
 *   struct verifier_policy *policy = verifier_policy_create();
 *   verifier_policy_add_mrenclave(policy, mrenclave);
 *   verifier_policy_expect_instance(policy, instance);
 *   verifier_openssl_use(ctx, policy, NULL);
 *   ... SSL_connect: fails unless verified ...
 *   verifier_openssl_result(ssl): why
 */
#ifndef ENCLAVE_VERIFIER_OPENSSL_H
#define ENCLAVE_VERIFIER_OPENSSL_H

#include <openssl/ssl.h>

#include "verifier.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every handshake of ctx verifies the peer's certificate by policy (always as live) and collateral (may be NULL), and
 * fails otherwise with X509_V_ERR_APPLICATION_VERIFICATION. Both are borrowed: they must outlive ctx and its
 * connections, unchanged. Sets TLS 1.3 as the least version and switches session resumption off, since a resumed
 * handshake shows no certificate. Server names and CAs are not looked at. 0, -ENOMEM, or -EINVAL: the policy does not
 * say whose enclave it is to be (verifier_policy_names_instance), or expects what only a manifest or a log tells, which
 * come behind the handshake: see below. A handshake whose verdict is "genuine" fails as well, unless the policy takes
 * any instance; so does one with a server whose certificate has no quote (serve --ratls v2): it has yet to be asked
 * for it. */
VERIFIER_API int verifier_openssl_use(SSL_CTX *ctx, const struct verifier_policy *policy,
                                      const struct verifier_collateral *collateral);

/* The result of ssl's handshake, also of one that failed; NULL before it. Owned by ssl. */
VERIFIER_API const struct verifier_result *verifier_openssl_result(const SSL *ssl);

/* Ask the server at the other end of a connected, blocking ssl for one of its own, public pages, of limit bytes at most
 * (up to 8 MiB). authority is HOST[:PORT]. 0, with what it answers, malloc'ed and NUL-terminated; or a negative errno
 * with one line in error: -ENOENT if the server has none of that path, -EPROTO or -EBADMSG if it answers something
 * else. All others say nothing of the server (verifier_no_answer): -EIO where no whole answer came, -EAGAIN where the
 * server cannot answer now. Either way reusable tells whether the connection takes another request. */
VERIFIER_API int verifier_openssl_get(SSL *ssl, const char *authority, const char *path, size_t limit, char **body,
                                      size_t *size, bool *reusable, char *error, size_t error_size);

/* The same for its manifest, for verifier_verify: before anything else is sent, and over the very connection that will
 * be used, since a connection keeps the configuration that its handshake showed. */
VERIFIER_API int verifier_openssl_manifest(SSL *ssl, const char *authority, char **manifest, size_t *size,
                                           bool *reusable, char *error, size_t error_size);

/* Challenge the server over ssl, the very connection that is judged and used: it is to make a quote over 32 random
 * bytes and what TLS exports for them at both ends. *out is for verifier_verify, and its answer is freed by the caller
 * with verifier_free, in any case. The same errors. */
VERIFIER_API int verifier_openssl_fresh(SSL *ssl, const char *authority, struct verifier_fresh *out, bool *reusable,
                                        char *error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif
