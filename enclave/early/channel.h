/*
 * The table of channels that the host has handed over, and the ECALL side of it.
 *
 * ecall_init_channel only checks a description and posts it here; the worker it names claims it when the channel's
 * first news arrives. That way the ECALL needs no libc, and a connection belongs to one thread from the start.
 */
#ifndef ENCLAVE_OS_ENCLAVE_EARLY_CHANNEL_H
#define ENCLAVE_OS_ENCLAVE_EARLY_CHANNEL_H

#include <stdbool.h>

#include "common/protocol.h"

/* ECALL side: check and post. 0; -EINVAL (a field is impossible); -EBUSY (the id is in use); -ESHUTDOWN. */
int channel_post(const struct channel_desc *desc);
/* After this every post is refused. */
void channel_stop_accepting(void);

/* Worker side. Take a posted channel of that kind (not control) up: true and its description, or false if nothing is
 * posted under that name for this worker. It stays in use until channel_free. */
bool channel_take(uint32_t worker, enum channel_kind kind, channel_name name, struct channel_desc *out);
void channel_free(uint32_t id);
/* The worker's control channel, or false if the host has not posted one. */
bool channel_control(uint32_t worker, struct channel_desc *out);

#endif
