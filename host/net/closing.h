/*
 * What becomes of a socket once the enclave has let go of its channel: the rest of what it wrote is sent, then our
 * side is shut down, and whatever the peer still sends is read and dropped until it closes, too. Closing a socket
 * with unread bytes would reset the connection, and the peer would lose the end of our answer: an early answer to an
 * upload, or the alert that says why. Bounded in time and bytes, as with other servers; and where slots are short,
 * those that have been closing longest go first.
 */
#ifndef ENCLAVE_OS_HOST_NET_CLOSING_H
#define ENCLAVE_OS_HOST_NET_CLOSING_H

#include "host/net/slots.h"

#define CLOSING_SEND_QUIET_NS 60000000000u /* how long a peer may take nothing of what is still to be sent */
#define CLOSING_SEND_NS 300000000000u      /* and take all of it */
#define CLOSING_QUIET_NS 5000000000u       /* how long it may send nothing, and not close */
#define CLOSING_NS 30000000000u            /* and how long it may go on sending */
#define CLOSING_BYTES_MAX (64u << 20)      /* of the peer's that are dropped */

/* In the order in which they began. */
struct closing {
    int epoll;
    uint32_t first, last, count;
};

void closing_init(struct closing *c, int epoll);

/* Have the kernel tell of what comes (EPOLL_CTL_ADD, or EPOLL_CTL_MOD: again if it is there already); of room to write
 * only where there was once none, since there always is at first. 0 or a negative errno. */
int channel_watch(struct channel *ch, int epoll, int operation);
/* As much of the ring as the socket takes: 1 if anything was sent, 0 if nothing, or a negative errno. */
int channel_send(struct channel *ch, int epoll);

/* The enclave has let go and the socket is there: from here on it is this list's. */
void closing_begin(struct closing *c, struct slots *s, struct channel *ch, uint64_t now_ns);
/* Whatever can be done now: true when it is over, and the socket is closed. Takes it off the list. */
bool closing_turn(struct closing *c, struct slots *s, struct channel *ch, uint64_t now_ns);
/* At once. */
void closing_end(struct closing *c, struct slots *s, struct channel *ch);
bool closing_is_late(const struct channel *ch, uint64_t now_ns);
/* Asserts that the list holds the slots that close and nothing else, each once, linked both ways. Goes through it. */
void closing_check(const struct closing *c, const struct slots *s);
/* Still to be sent, or not acknowledged by the peer. */
bool closing_is_unsent(const struct channel *ch);

#endif
