/*
 * The time page: the host's clock as the enclave reads it, without leaving.
 *
 * A thread stores the time about once a millisecond while any enclave thread is at work, and rests when all of them
 * wait; whoever wakes one stores the time first. One for each process.
 *
 * Known weakness, by design: it is the host's word. The enclave only forces it to go forward.
 */
#ifndef ENCLAVE_OS_HOST_THREAD_CLOCK_H
#define ENCLAVE_OS_HOST_THREAD_CLOCK_H

#include "common/protocol.h"

/* The page is the caller's and outlives the clock; it holds the time when this returns. 0 or a negative errno. */
int clock_start(struct time_page *page);
void clock_stop(void);

/* An enclave thread goes to wait, or comes back (which also stores the time). In pairs, works first. Any thread. */
void clock_thread_rests(void);
void clock_thread_works(void);

#endif
