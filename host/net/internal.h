/* What host/net's files share; nobody else includes it. */
#ifndef ENCLAVE_OS_HOST_NET_INTERNAL_H
#define ENCLAVE_OS_HOST_NET_INTERNAL_H

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/doorbell.h"
#include "common/ensure.h"
#include "common/owner.h"
#include "common/patience.h"
#include "host/net/closing.h"
#include "host/net/io.h"
#include "host/net/slots.h"

/* epoll's data for what is no channel; channel ids are far below. */
#define TAG_LISTENER ((uint64_t)UINT32_MAX)
#define TAG_WAKE ((uint64_t)UINT32_MAX - 1)
#define TAG_LOCAL ((uint64_t)UINT32_MAX - 2)

/* The I/O thread's own unless a comment says otherwise. */
struct io {
    /* Set once, by io_create. */
    struct enclave *enclave;
    uint32_t worker;
    int epoll, wake;
    uint8_t *shared; /* everything shared but the slots, one mapping */
    size_t shared_size;
    struct doorbell_shared *bell_in, *bell_out;

    /* The maker's: its thread may open and close the port. */
    struct owner maker;
    pthread_t thread;
    bool started;
    bool stopped; /* the listener may be closed */

    /* What it asks of the I/O thread, and how anyone wakes that. */
    atomic_bool asked_accept, asked_stop, asked_finish, asked_hold;
    _Atomic uint32_t asleep; /* 1: a write to wake is needed */

    /* Whoever asks for a hold waits until the I/O thread, which alone writes held and gone, has it so. */
    pthread_mutex_t hold_lock;
    pthread_cond_t hold_changed;
    bool hold_wanted, held;
    bool gone; /* the thread has ended */

    struct owner owner; /* the I/O thread */
    int listener, local;
    bool accepting;
    bool listener_armed;
    bool slot_came_free; /* since the listener was last looked at */
    struct doorbell_producer to_worker;
    struct doorbell_consumer from_worker;
    bool rang;  /* into to_worker, without waking its reader yet */
    bool quiet; /* the last look into from_worker found nothing */
    struct control control;
    struct slots slots;
    struct closing closing;
    _Atomic uint32_t used_count; /* slots that are not free; others may read it */
    struct patience looks, naps; /* for names of an enclave that is at work: turn.c */
    struct patience polls;       /* for sockets' events, while it has nothing to do */
    enum { WAITS_FOR_NOBODY, WAITS_FOR_ENCLAVE, WAITS_FOR_CLIENTS } waits_for;
    uint64_t waits_since_ns;
    uint64_t naps_from_ns; /* when the last nap of this wait began; 0: it took none */
    bool sleeps_again;     /* the worker had to be woken, and will sleep as it answers: it did the last time */
    /* When, of what each side's learning leaves out: the other's waking up, and its own. The first is any thread's. */
    _Atomic uint64_t kicked_ns;      /* this thread, by another */
    _Atomic uint64_t rung_ns;        /* the worker, by this thread */
    _Atomic uint64_t down_ns, up_ns; /* the worker went to sleep, and was back: its own thread */
    _Atomic uint64_t read_ns;        /* names, by this thread, and all that they had to be read for was done */
    uint64_t rests;                  /* how often the enclave was seen at rest, and 1 */
    uint32_t owed;                   /* channels with `owes` of that number */
    struct io_waits waits;           /* others may read them */
    uint64_t finish_by_ns;           /* 0: nobody has asked for the end */
};

/* wake.c: put a channel's name into the worker's doorbell; and, once a turn, wake it if there is something in it. */
void io_ring_worker(struct io *io, channel_name name);
void io_wake_if_rang(struct io *io);

/* channels.c. A channel for a connected socket, which is closed on failure: 0 or a negative errno. */
int channels_open(struct io *io, int fd, enum channel_kind kind, const struct sockaddr_storage *peer,
                  struct channel **out);
void channels_set_options(int fd); /* a connection's, or a listener's for all of its connections */
int channels_post(struct io *io, const struct channel_desc *desc); /* tell the enclave of one */
/* Slots are short: those that only linger go first. */
void channels_make_room(struct io *io);
void channels_sweep(struct io *io); /* about once a second */
/* Its name stood in the doorbell; its socket has these events. */
void channels_on_name(struct io *io, channel_name name);
void channels_on_event(struct io *io, channel_name name, uint32_t events);
/* Whether a channel still has bytes that the peer has not got, of those that the enclave has let go of. */
bool channels_all_sent(const struct io *io);
void channels_close_all(struct io *io); /* at the end, whatever they are doing */
/* Asserts what must be true of the table, the list of those that close and the listener between two steps of a turn;
 * goes through all slots that were ever used. */
void channels_check(const struct io *io);

/* accept.c */
int accept_begin(struct io *io);           /* the port is listened on: take connections from it. 0 or -errno */
void accept_end(struct io *io);            /* and no more; the port is closed */
void accept_some(struct io *io, int from); /* there are some: from the listener, or local */
void accept_hold(struct io *io);           /* io_hold was called */
void accept_resume(struct io *io);         /* after a pause, if there are slots again */

/* turn.c: the thread. */
void *io_run(void *io);

#endif
