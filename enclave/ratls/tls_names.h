/*
 * Certificates by name: a server's context shows another certificate to clients that ask for one of some names (SNI,
 * RFC 6066, section 3), and speaks for one app there.
 *
 *     SSL_CTX *tls = tls_context_new(key, leaf, ca, request_peers);
 *     tls_names_add(tls, "app.example.com", "app", own);         before it serves anybody; own made in the same way
 *     ...
 *     const char *app = tls_names_app(ssl);                      after the handshake
 *
 * Who asks for no name, or for one that nobody has, is shown the server's. Whether a client is asked for a certificate,
 * the context of its name says. The names, and what they were added with, live as long as the context that has them,
 * and so do connections' pointers.
 *
 * Memory. Each is charged TLS_NAME_COST to one budget, which is all names' of all contexts that are left: the served
 * one's, and those of generations before whose connections have not ended.
 *
 * Threads. Adding is the maker's; afterwards everything is read, by any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_TLS_NAMES_H
#define ENCLAVE_OS_ENCLAVE_RATLS_TLS_NAMES_H

#include <openssl/ssl.h>

/* name is in lower case. A reference to own is taken, name and app are copied. 0, or -ENOMEM: there is no memory, or
 * there are too many. */
int tls_names_add(SSL_CTX *tls, const char *name, const char *app, SSL_CTX *own);
/* The app whose name the handshake was for; NULL: it showed the server's certificate. */
const char *tls_names_app(const SSL *ssl);
/* The context of a name, borrowed; NULL: it is nobody's. */
SSL_CTX *tls_names_find(const SSL_CTX *tls, const char *name);
/* What all of them are charged. */
uint64_t tls_names_memory(void);

#endif
