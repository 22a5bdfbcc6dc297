/* The server's SSL_CTX: TLS 1.3 only, no resumption, ALPN http/1.1 where a client offers ALPN at all. */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_TLS_CONTEXT_H
#define ENCLAVE_OS_ENCLAVE_RATLS_TLS_CONTEXT_H

#include <openssl/ssl.h>

/* Serves [leaf, ca]. NULL if OpenSSL fails. The caller keeps its references. */
SSL_CTX *tls_context_new(EVP_PKEY *key, X509 *leaf, X509 *ca);

#endif
