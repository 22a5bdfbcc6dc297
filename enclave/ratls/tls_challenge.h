/*
 * The certificate by which an authority sees who serves a name (tls-alpn-01, RFC 8737): shown to whoever asks for that
 * name and offers the protocol acme-tls/1 alone, while it is set, and to nobody else. Such a connection is closed when
 * its handshake is over.
 *
 * There is one at a time, as there is one order (enclave/acme). Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_TLS_CHALLENGE_H
#define ENCLAVE_OS_ENCLAVE_RATLS_TLS_CHALLENGE_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* From now on, for the name, in lower case: the context shows it (tls_context.h), of which a reference is taken. 0 or
 * -ENOMEM. */
int tls_challenge_set(const char *name, SSL_CTX *context);
void tls_challenge_clear(void);

/* During a handshake, from ALPN's choice: the list that the client offers. Whether it is such a question, and is
 * answered: ssl shows that certificate from here on. */
bool tls_challenge_take(SSL *ssl, const unsigned char *offered, unsigned int size);
#define TLS_CHALLENGE_PROTOCOL "acme-tls/1"

/* After a handshake: whether it was one. */
bool tls_challenge_was(const SSL *ssl);

#endif
