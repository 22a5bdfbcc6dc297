/*
 * Who the other side of a connection is: an RA-TLS certificate that a client shows is judged inside the enclave, by the
 * same verifier that clients use.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_PEER_H
#define ENCLAVE_OS_ENCLAVE_RATLS_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>

#define PEER_TEXT_SIZE 256u

/* After a handshake, which proved the certificate's key. The quote must bind that key with the certificate's NotBefore
 * (deterministic mode), and come from Intel's root; in a debug enclave also from a simulation, or from another debug
 * enclave. There is no collateral inside: TCB level and revocation are not checked.
 *
 * 0: out is "mrenclave=HEX;mrsigner=HEX;prod-id=N;svn=N;debug=0|1;simulated=0|1", for the app to decide by.
 * -ENOENT: no certificate was shown. -EACCES: out says what is wrong with it. -ENOMEM. */
int peer_describe(SSL *ssl, bool debug, char out[PEER_TEXT_SIZE]);

#endif
