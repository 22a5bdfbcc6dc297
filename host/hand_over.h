/*
 * What the host does for a hand-over (common/protocol.h, enum hand_over_news): the recipient's file and line on the new
 * side, the end on the old one.
 */
#ifndef ENCLAVE_OS_HOST_HAND_OVER_H
#define ENCLAVE_OS_HOST_HAND_OVER_H

#include <stddef.h>

#include "common/protocol.h"

/* data: --data's folder, which must outlive it. end: asks the main thread to stop the enclave in good order, with
 * status 0. Before the enclave runs. */
void hand_over_init(const char *data, void (*end)(void));

/* On the storage service's thread. 0 or a negative errno, which the enclave logs at most. */
int hand_over_act(enum hand_over_news news, const void *data, size_t size);

#endif
