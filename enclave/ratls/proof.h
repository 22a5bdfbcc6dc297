/*
 * How long a server elsewhere is believed that proved who it is: as long as each certificate by which it did is valid,
 * its own and those up to the operator's bundle. A connection that is kept may outlive them.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_PROOF_H
#define ENCLAVE_OS_ENCLAVE_RATLS_PROOF_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* Now, on a connection whose handshake is over; false also where nobody was asked for a proof. Any thread. */
bool proof_holds(SSL *ssl);

#endif
