/*
 * An OpenSSL BIO over a channel's rings. Reads and writes never block: an empty or full ring is a retry.
 *
 * The last RING_ALERT_ROOM bytes of the ring to the host are only for alerts. So whatever its peer leaves unread, a
 * connection that is over can say why, and be given back at once: the host sends it when the peer reads on.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_RING_BIO_H
#define ENCLAVE_OS_ENCLAVE_RATLS_RING_BIO_H

#include <openssl/bio.h>

#include "common/queue.h"
#include "enclave/ratls/limits.h"

/* What the owner has to say about the next reads and writes. */
struct ring_use {
    uint32_t bytes, reads; /* how much may still be read in this turn: when it is used up the ring looks empty */
    bool used_up;          /* and something was wanted */
    bool alert;            /* what is written now is an alert */
    bool refuse;           /* behind the record that was read last comes one that TLS 1.3 forbids, whatever the peer
                            * sends: OpenSSL ends the connection with the alert unexpected_message */
};

/* All three must outlive the BIO. What is written stays unpublished until the owner publishes. NULL: no memory. */
BIO *ring_bio_new(struct queue_consumer *in, struct queue_producer *out, struct ring_use *use);

#endif
