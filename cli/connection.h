/*
 * A TLS 1.3 connection to an enclave. Nothing is judged here: trust.h does that, by the quote in the certificate.
 */
#ifndef ENCLAVE_OS_CLI_CONNECTION_H
#define ENCLAVE_OS_CLI_CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct connection {
    char host[256];
    char authority[280]; /* HOST[:PORT], for the Host header */
    SSL_CTX *context;
    SSL *ssl;
};

/* Whether it is https://HOST[:PORT][/], HOST a name, an IPv4 address or [IPv6 address]. */
bool connection_url_ok(const char *url);

/* Connect to https://HOST[:PORT] and finish the handshake. 0, or what complain or wrong returned. */
int connection_open(struct connection *c, const char *url);
void connection_close(struct connection *c);

/* Until it is called again, all connections together, those that are to come too, are cut when so many seconds have
 * passed, however steadily the other side sends; 0: never. For programs of one thread: it is SIGALRM's. */
#define CONNECTION_LOOK_SECONDS 60u
void connection_deadline(unsigned seconds);

#endif
