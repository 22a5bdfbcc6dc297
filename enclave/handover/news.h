/* Telling the host how a hand-over stands (common/protocol.h, RPC_HAND_OVER). On the owner's thread. */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_NEWS_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_NEWS_H

#include <stddef.h>

#include "common/protocol.h"
#include "enclave/kvstore/kvstore.h"

/* done comes once, later, when the host has acted on it, whatever it says; NULL: nobody waits. 0, or a negative errno
 * and done never comes. */
int handover_news(enum hand_over_news news, const void *data, size_t size, kv_done done, void *user);

#endif
