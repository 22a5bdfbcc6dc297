/*
 * What the old one's store has from the hand-over's commit on: to whom the instance was given, and the keys of that
 * session, so that it can say all of it again after a restart. The new one takes it away when it takes the store.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_MARKER_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_MARKER_H

#include "enclave/handover/session.h"

#define HANDOVER_MARKER_KEY "handed-over" /* in the enclave's own namespace */

struct handover_marker {
    struct handover_session session; /* wiped by whoever has it */
    uint8_t mrenclave[32];           /* the new one's */
};
#define HANDOVER_MARKER_SIZE (1u + 32u + 2u * AEAD_KEY_SIZE + 32u)
void handover_marker_write(const struct handover_marker *m, uint8_t out[HANDOVER_MARKER_SIZE]);
int handover_marker_read(const uint8_t *record, size_t size, struct handover_marker *out); /* 0 or -EBADMSG */

#endif
