/*
 * Who the other side of a connection is: an RA-TLS certificate that a client shows is judged inside the enclave, by the
 * same verifier that clients use.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_PEER_H
#define ENCLAVE_OS_ENCLAVE_RATLS_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct verifier_policy;
struct verifier_result;

/* What this enclave believes of another one: Intel's root; in a debug enclave also a simulation's, and a debug enclave.
 * The caller adds what else it expects, and destroys it. NULL when out of memory. */
struct verifier_policy *peer_policy(bool debug);

/* Of a result that is not good: "CHECK: REASON" of the first check that failed. */
void peer_why(const struct verifier_result *result, char *out, size_t size);

#define PEER_TEXT_SIZE 256u

/* After a handshake, which proved the certificate's key. The quote must bind that key with the certificate's NotBefore
 * (deterministic mode), and come from a root as peer_policy says. There is no collateral inside: TCB level and
 * revocation are not checked.
 *
 * 0: out is "mrenclave=HEX;mrsigner=HEX;prod-id=N;svn=N;debug=0|1;simulated=0|1", for the app to decide by.
 * -ENOENT: no certificate was shown. -EACCES: out says what is wrong with it. -ENOMEM. */
int peer_describe(SSL *ssl, bool debug, char out[PEER_TEXT_SIZE]);

#endif
