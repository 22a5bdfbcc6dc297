/*
 * A TLS 1.3 connection to an enclave. The certificate is not judged by its CA but by its quote, with the verifier,
 * before anything is sent.
 */
#ifndef ENCLAVE_OS_CLI_CONNECTION_H
#define ENCLAVE_OS_CLI_CONNECTION_H

#include <openssl/ssl.h>

#include "verifier/verifier.h"

struct connection {
    char host[256];
    char authority[280]; /* HOST[:PORT], for the Host header */
    SSL_CTX *context;
    SSL *ssl;
};

/* Options that every command which connects has. */
struct trust_options {
    struct verifier_policy policy;
    uint8_t mrenclave[32];
    char *root_pem; /* malloc'ed; policy.root_pem points to it */
};

enum trust_option_id { TRUST_MRENCLAVE = 1000, TRUST_ALLOW_SIMULATION, TRUST_ALLOW_DEBUG, TRUST_ROOT };
/* Entries for a getopt_long table. */
// clang-format off
#define TRUST_OPTIONS \
    {"mrenclave", 1, 0, TRUST_MRENCLAVE}, {"allow-simulation", 0, 0, TRUST_ALLOW_SIMULATION}, \
    {"allow-debug", 0, 0, TRUST_ALLOW_DEBUG}, {"root", 1, 0, TRUST_ROOT}
// clang-format on

/* Take one of them. 0, or what complain returned. */
int trust_option(struct trust_options *t, int id, const char *value);
void trust_options_deinit(struct trust_options *t);

/* Connect to https://HOST[:PORT] and finish the handshake. 0, or what complain returned. */
int connection_open(struct connection *c, const char *url);
/* Judge the server's certificate. */
bool connection_verify(struct connection *c, const struct verifier_policy *policy, struct verifier_result *result);
void connection_close(struct connection *c);

#endif
