/*
 * What a member is embedded in: how a callback that is handed a task, a timer or a list's link finds whose it is.
 *
 *     struct connection *c = CONTAINER_OF(timer, struct connection, handshake_timer);
 *
 * pointer must point to that member of such a structure; its type is checked.
 */
#ifndef ENCLAVE_OS_COMMON_CONTAINER_H
#define ENCLAVE_OS_COMMON_CONTAINER_H

#include <stddef.h>

#define CONTAINER_OF(pointer, type, member) \
    ((type *)((char *)(pointer) + 0 * sizeof((pointer) == &((type *)NULL)->member) - offsetof(type, member)))

#endif
