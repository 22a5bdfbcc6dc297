/* An OpenSSL BIO over a channel's rings. Reads and writes never block: an empty or full ring is a retry. */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_RING_BIO_H
#define ENCLAVE_OS_ENCLAVE_RATLS_RING_BIO_H

#include <openssl/bio.h>

#include "common/queue.h"

/* How much may still be read in this turn; the owner fills it up. When it is used up the ring looks empty. */
struct ring_turn {
    uint32_t bytes, reads;
    bool used_up; /* and something was wanted */
};

/* All three must outlive the BIO. What is written stays unpublished until the owner publishes. NULL: no memory. */
BIO *ring_bio_new(struct queue_consumer *in, struct queue_producer *out, struct ring_turn *turn);

#endif
