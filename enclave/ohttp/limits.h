/* What requests that are encrypted to the enclave itself take at most. docs/limits.md names them. Bytes unless said
 * otherwise. */
#ifndef ENCLAVE_OS_ENCLAVE_OHTTP_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_OHTTP_LIMITS_H

#include <assert.h>

#define OHTTP_REQUEST_MAX (1u << 20) /* encapsulated, with all that is in it */
#define OHTTP_ANSWER_MAX (4u << 20)  /* before it is encapsulated: its fields and its content */
/* All of them together. One takes no more than it leaves free, so that those that need little find room. */
#define OHTTP_MEMORY (16u << 20)
static_assert(2u * OHTTP_ANSWER_MAX <= OHTTP_MEMORY, "one that comes alone has what it may have");

#define OHTTP_KEYS_MAX 8u /* generations that have a key at once: the one in force, and those whose time is not over */

/* Replays: a request that may change something is answered once. */
#define OHTTP_DATE_WINDOW_S 300  /* that its Date may be off */
#define OHTTP_SEEN_MAX 65536u    /* of those within that time; more are refused */
#define OHTTP_SEEN_BUCKETS 4096u /* lists in which they stand */

#endif
