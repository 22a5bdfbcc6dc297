/* The server's SSL_CTX: TLS 1.3 only, no resumption, ALPN http/1.1 where a client offers ALPN at all, but for
 * what an authority asks (tls_challenge.h). Whatever can be made once is made with it: a handshake encodes and
 * compresses no certificate. */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_TLS_CONTEXT_H
#define ENCLAVE_OS_ENCLAVE_RATLS_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* Serves [leaf, ca]. request_peers: clients are asked for a certificate, which is never required; the request names the
 * issuers that RA-TLS certificates have (ours, and TLS_SELF_ISSUED_NAME), so that a browser that holds others has none
 * to offer and asks nobody. NULL if OpenSSL fails. The caller keeps its references. */
#define TLS_SELF_ISSUED_NAME "SGX RA-TLS" /* the common name by which an enclave without a CA issues its certificate */
SSL_CTX *tls_context_new(EVP_PKEY *key, X509 *leaf, X509 *ca, bool request_peers);
/* The same for a chain that others issued, the key's own certificate first. peers: our CA, where clients are asked for
 * a certificate; NULL: they are not. */
SSL_CTX *tls_context_of_chain(EVP_PKEY *key, const STACK_OF(X509) * chain, X509 *peers);

#endif
