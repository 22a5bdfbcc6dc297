/* An OpenSSL BIO over a channel's rings. Reads and writes never block: an empty or full ring is a retry. */
#ifndef ENCLAVE_OS_ENCLAVE_RING_BIO_H
#define ENCLAVE_OS_ENCLAVE_RING_BIO_H

#include <openssl/bio.h>

#include "common/queue.h"

/* Both queues must outlive the BIO. What is written stays unpublished until the owner publishes. NULL: no memory. */
BIO *ring_bio_new(struct queue_consumer *in, struct queue_producer *out);

#endif
