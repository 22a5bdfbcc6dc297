/*
 * Which requests were answered already, of those that may change something: none of them is answered twice.
 *
 * RFC 9458, section 6.5: whoever carries a request can send it again. A request says when it was made, in its Date, and
 * no two honest ones have the same encapsulated key. So one is taken whose Date is within OHTTP_DATE_WINDOW_S of our
 * clock, and whose key was not seen; what was seen is kept until its Date is out of that window. The clock is the
 * host's, but here it never goes back: a host that lies about it can have requests refused, and none answered twice. At
 * the next boot the keys are others.
 *
 * Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_OHTTP_SEEN_H
#define ENCLAVE_OS_ENCLAVE_OHTTP_SEEN_H

#include <stdint.h>

#include "common/ohttp.h"

struct budget;

enum seen {
    SEEN_NEVER,   /* and from now on it was */
    SEEN_BEFORE,  /* it is sent again */
    SEEN_TOO_OLD, /* or too new: its Date is out of the window */
    SEEN_FULL,    /* there is no room to remember it */
};

/* made_s: its Date. *clock_s: our clock, and in return the latest that it ever showed, by which it was judged. memory:
 * who is charged, the same each time. */
enum seen seen_look(const uint8_t encapsulated[OHTTP_ENCAPSULATED_SIZE], int64_t made_s, int64_t *clock_s,
                    struct budget *memory);
/* How many are remembered. */
uint64_t seen_count(void);

#endif
