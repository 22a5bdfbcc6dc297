/*
 * One request of the new side to the old one: POST URL/_enclave/hand-over/ROUTE, and its answer.
 *
 * The owner's thread. done comes once, later, from the loop, whatever becomes of it. Nobody is asked who the server is:
 * what it says counts only as far as its quote and the keys behind it go.
 *
 * Memory: CALL_COST at most for one (https/limits.h), its body's copy, and an answer of HANDOVER_ANSWER_MAX bytes.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_CLIENT_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"
#include "common/witness_option.h"

#define HANDOVER_ASK_NS UINT64_C(60000000000) /* of silence: then there is no answer (HANDOVER_SPEAK_S) */

/* Where the old one is: false, it is no URL with https. */
bool handover_url_read(const char *text, struct witness_url *at);

struct handover_reply {
    int status;    /* HTTP's; 0: there was no whole answer */
    uint8_t *body; /* malloc'ed; the taker's */
    size_t size;
};
typedef void (*handover_replied)(void *user, struct handover_reply *reply);

/* body is copied. 0, or -ENOMEM, and done never comes. */
MAY_REFUSE int handover_ask(const struct witness_url *at, const char *route, const void *body, size_t size,
                            handover_replied done, void *user);
/* At boot: turns the loop. 0, and reply is filled in; -ECANCELED: the host wants to stop; -ENOMEM. */
int handover_ask_wait(const struct witness_url *at, const char *route, const void *body, size_t size,
                      struct handover_reply *reply);

#endif
