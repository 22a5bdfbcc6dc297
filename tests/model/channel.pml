/*
 * A channel's life, from ecall_init_channel to the reuse of its slot: every order in which the steps of the host's I/O
 * thread and of the enclave's worker can happen. Each statement that touches something shared is one step; the C
 * functions that the steps stand for are named beside them. Braces of `atomic` hold one access to something shared each,
 * and what its own side does with it, which nobody else sees. (The orders within one side that the C code takes pains to
 * keep, by release stores and full fences, are taken for granted here.)
 *
 * Shown, by run.sh, for GENERATIONS connections on one slot whose rings hold one byte each way:
 *   - no use after release: the enclave never touches memory that is not that of the channel it has (`touch`);
 *   - no lost wake-up: there is no state in which nobody can go on while something is to be says_done (an invalid end state);
 *   - no leak: each connection ends with the slot free on both sides, and what was written before FIN was delivered;
 *     A nap of the host's (host/net/turn.c) ends by itself, and so does looking, on either side: they are more ways of
 *     being slow, and no states of their own. That the enclave says that it is idle (doorbell_idle) decides between such
 *     ways only: the host may sleep here at any time, whatever was said;
 *   - no doorbell ever holds more than two names of one slot.
 *
 * Each FAULT_... below is a mistake that could be made (the first one was). run.sh has each found.
 */
#ifndef GENERATIONS
#define GENERATIONS 3
#endif
#define BYTES 2 /* of a request that is echoed; twice what a ring holds */

typedef ring {
    byte head, tail;
    bool fin, rst, named, want
};
ring to_enclave, to_host; /* struct ring_shared */
bool says_done;                /* FAULT_DONE_FIRST only */
byte memory;              /* whose the rings are: a generation, or 0: nobody's */

chan bell_in = [4] of { byte };        /* struct doorbell_shared: names, here generations */
chan bell_out = [4] of { byte, bool }; /* with CHANNEL_ENDED */
bool sleeping_in, sleeping_out;

byte posted; /* enclave/early/channel.c: the generation that stands in the slot */
bool taken;

/* The connection's other end and its socket. */
bool patient;      /* the peer closes only once it has its whole answer; else at any time, or resets */
byte sent, queued; /* by the peer; of that, not read from the socket yet */
byte received;
bool closed, reset;

inline touch(generation) { assert(memory == generation) }

/* ---- the enclave ---------------------------------------------------------------------------------------------- */

byte e_name; /* generation of the connection that the worker has; 0: none */
byte e_head, e_told, e_tail, e_published;
bool e_timer; /* something ends the connection at any time: a time-out, an answer that says so */
bool e_rang, e_due, e_news, e_asleep;

/* link_name_due, worker_ring_host */
inline e_ring()
{
    atomic { touch(e_name); e_due = !to_host.named; to_host.named = true }
    if
    :: atomic { e_due -> assert(len(bell_out) < 2); bell_out!e_name,false; e_rang = true; e_due = false }
    :: else
    fi
}

/* worker_give_back: channel_free, link_end, worker_ring_host */
inline e_end(with_reset)
{
#ifndef FAULT_FREE_LAST
    atomic { assert(taken); taken = false; posted = 0 }
#endif
    if
    :: with_reset -> atomic { touch(e_name); to_host.rst = true }
    :: else -> atomic { touch(e_name); to_host.tail = e_tail }; atomic { touch(e_name); to_host.fin = true }
    fi;
#ifdef FAULT_DONE_FIRST
    atomic { touch(e_name); says_done = true }
    e_ring();
#else
    atomic { assert(len(bell_out) < 2); bell_out!e_name,true; e_rang = true }
#endif
#ifdef FAULT_FREE_LAST
    atomic { assert(taken); taken = false; posted = 0 }
#endif
#ifdef FAULT_LATE_PUBLISH
    e_ring();
#endif
    d_step { e_name = 0; e_head = 0; e_told = 0; e_tail = 0; e_published = 0; e_timer = false }
}

/* link_publish */
inline e_publish()
{
    if
    :: atomic { e_tail != e_published -> touch(e_name); to_host.tail = e_tail; e_published = e_tail; e_news = true }
    :: else
    fi;
    if
    :: atomic { e_head != e_told -> touch(e_name); to_enclave.head = e_head; e_told = e_head }
    :: else
    fi;
    atomic { touch(e_name); if :: to_enclave.want -> to_enclave.want = false; e_news = true :: else fi }
    if
    :: atomic { e_news -> e_news = false } e_ring()
    :: else
    fi
}

/* An echo for TLS and HTTP: read and write while both can be done. */
inline e_serve()
{
    do
    :: atomic { to_enclave.tail != e_head && e_tail - to_host.head < 1 -> touch(e_name); e_head++; e_tail++ }
    :: to_enclave.tail != e_head && e_tail - to_host.head >= 1 -> /* map_error: publish, queue_producer_wait_space */
        e_publish();
        atomic { touch(e_name); to_host.want = true }
#ifndef FAULT_NO_SECOND_LOOK
        if
        :: e_tail - to_host.head < 1 -> atomic { touch(e_name); to_host.want = false } /* and the task `retry` */
        :: else -> break
        fi
#else
        break
#endif
    :: to_enclave.tail == e_head -> /* queue_consumer_ended: the flag first, then the tail; then publish */
        if
        :: to_enclave.fin ->
            if
            :: to_enclave.tail == e_head -> e_end(false); break
            :: else
            fi
        :: else -> e_publish(); break
        fi
    od
}

/* connection.c: on_ready */
inline e_on_ready()
{
    if
    :: atomic { to_enclave.rst -> touch(e_name) } e_end(true)
    :: else -> e_serve()
    fi
}

/* worker.c: on_name */
inline e_on_name(name)
{
    if
    :: atomic { e_name == 0 && posted == name && !taken -> taken = true; e_name = name; e_timer = true } /* channel_take */
    :: atomic { e_name == 0 && posted == name && !taken -> taken = true; e_name = name; e_timer = false }
    :: else
    fi;
    if
    :: e_name == name -> /* connection_on_news: link_on_name */
#ifdef FAULT_CLEAR_LATE
        e_on_ready();
        if
        :: e_name == name -> atomic { touch(e_name); to_enclave.named = false }
        :: else
        fi
#else
        atomic { touch(e_name); to_enclave.named = false }
        e_on_ready()
#endif
    :: else
    fi
}

/* worker_turn: doorbell_wake; or it goes to sleep at once (is_dry) and leaves the wake to NOTIFY_WAIT */
inline e_turn_ends()
{
    if
    :: atomic { e_rang && sleeping_out -> sleeping_out = false; e_rang = false }
    :: atomic { !(e_rang && sleeping_out) -> e_rang = false }
    :: len(bell_in) == 0 -> e_park()
    fi
}

/* park: doorbell_sleep, and then, outside, io_wait_for_news: what is unread wakes the host's side */
inline e_park()
{
    sleeping_in = true;
#ifndef FAULT_SLEEP_BLINDLY
    if
    :: len(bell_in) > 0 -> sleeping_in = false;
        if
        :: atomic { e_rang && sleeping_out -> sleeping_out = false; e_rang = false }
        :: atomic { else -> e_rang = false }
        fi
    :: else -> e_rang = false; e_wait()
    fi
#else
    e_rang = false; e_wait()
#endif
}

inline e_wait()
{
#ifndef FAULT_WAIT_SILENTLY
    if
    :: len(bell_out) > 0 -> sleeping_out = false
    :: else
    fi;
#endif
    e_asleep = true
}

active proctype enclave()
{
    byte name;
end:
    do
    :: atomic { !e_asleep && len(bell_in) > 0 -> bell_in?name } e_on_name(name); name = 0; e_turn_ends()
    :: !e_asleep && e_name != 0 && e_timer -> e_end(true); e_turn_ends()  /* on_handshake_timeout, abort */
    :: !e_asleep && e_name != 0 && e_timer -> e_end(false); e_turn_ends() /* a time-out of HTTP's, shutdown */
    :: !e_asleep && len(bell_in) == 0 -> e_park()
    :: e_asleep && !sleeping_in -> e_asleep = false
    :: e_asleep && e_timer && e_name != 0 -> sleeping_in = false; e_asleep = false /* NOTIFY_WAIT ran out */
    od
}

/* ---- the host's I/O thread ------------------------------------------------------------------------------------ */

mtype = { FREE, OPEN, SENDING }; /* enum channel_state; LINGERING has no rings any more */
mtype h_state = FREE;
byte h_generation, h_freed;
byte h_head, h_tail;
bool h_writable, h_fin_told, h_rst_told, h_rang, h_due, h_asleep, h_news, h_cut;

/* link_name_due, ring_worker */
inline h_ring()
{
    atomic { h_due = !to_enclave.named; to_enclave.named = true }
    if
    :: atomic { h_due -> assert(len(bell_in) < 2); bell_in!h_generation; h_rang = true; h_due = false }
    :: else
    fi
}

/* socket_broken */
inline h_broken()
{
    atomic { to_enclave.rst = true; h_rst_told = true }
    h_ring()
}

/* pump_out: channel_send, link_release */
inline h_pump_out()
{
    do
    :: atomic { h_writable && to_host.tail != h_head -> h_head++; received++ }
    :: atomic { h_writable && to_host.tail != h_head -> h_head++; received++; h_writable = false }
    :: atomic { h_rst_told && to_host.tail != h_head -> h_head++ } /* nobody is there to take it */
    :: else -> break
    od;
    to_host.head = h_head;
    atomic { h_news = to_host.want; to_host.want = false }
    if
    :: atomic { h_news && h_state == OPEN -> h_news = false } h_ring()
    :: else -> h_news = false
    fi
}

/* pump_in: readv into the ring, queue_producer_wait_space, queue_producer_fin */
inline h_pump_in()
{
    do
    :: atomic { !h_rst_told && queued > 0 && h_tail - to_enclave.head < 1 -> queued--; h_tail++ }
        atomic { to_enclave.tail = h_tail; h_news = true }
    :: !h_rst_told && queued > 0 && h_tail - to_enclave.head >= 1 ->
        to_enclave.want = true;
        if
        :: h_tail - to_enclave.head < 1 -> to_enclave.want = false
        :: else -> break
        fi
    :: !h_rst_told && queued == 0 && closed && !h_fin_told ->
        atomic { to_enclave.fin = true; h_fin_told = true; h_news = true }
    :: else -> break
    od;
    if
    :: atomic { h_news -> h_news = false } h_ring()
    :: else
    fi
}

/* slots_release_memory, slots_give */
inline h_free()
{
    d_step {
        assert(h_cut || received == to_host.tail || reset);
        memory = 0;
        to_enclave.head = 0; to_enclave.tail = 0; to_enclave.fin = false; to_enclave.rst = false;
        to_enclave.named = false; to_enclave.want = false;
        to_host.head = 0; to_host.tail = 0; to_host.fin = false; to_host.rst = false;
        to_host.named = false; to_host.want = false;
        says_done = false;
        sent = 0; queued = 0; received = 0; closed = false; reset = false; patient = false;
        h_head = 0; h_tail = 0; h_fin_told = false; h_rst_told = false; h_writable = false; h_cut = false;
        h_state = FREE;
        h_freed++
    }
}

/* on_ended, closing_turn */
inline h_send_rest()
{
    h_pump_out();
    if
    :: to_host.tail == h_head || reset -> h_free()
    :: else
    fi
}

inline h_on_ended()
{
    if
    :: to_host.rst || h_rst_told -> h_cut = true; h_free()
    :: else -> h_state = SENDING; h_send_rest()
    fi
}

inline h_pump()
{
    h_pump_out();
    h_pump_in();
#ifdef FAULT_DONE_FIRST
    if /* what settle() did: the ring's own words said that it was free */
    :: says_done && (to_host.fin || to_host.rst) && (to_host.rst || h_head == to_host.tail || h_rst_told) -> h_cut = to_host.rst || h_rst_told; h_free()
    :: else
    fi
#endif
}

/* wake_if_rang: doorbell_wake */
inline h_turn_ends()
{
    if
    :: atomic { h_rang && sleeping_in -> sleeping_in = false; h_rang = false }
    :: atomic { else -> h_rang = false }
    fi;
    if
    :: atomic { h_asleep -> sleeping_out = false; h_asleep = false } /* an event of the sockets woke it */
    :: else
    fi
}

/* open_channel: slots_take, ecall_init_channel, announce */
inline h_open()
{
    d_step {
        h_generation++;
        h_writable = true;
        memory = h_generation; h_state = OPEN
    }
    if
    :: patient = true
    :: patient = false
    fi;
    atomic { assert(posted == 0 && !taken); posted = h_generation } /* channel_post: never -EBUSY */
    h_ring()
}

active proctype host()
{
    byte name;
    bool ended;
    do
    :: !h_asleep && len(bell_out) > 0 -> /* on_name */
        bell_out?name,ended;
        if
        :: h_state == OPEN && name == h_generation && ended -> h_on_ended()
        :: h_state == OPEN && name == h_generation && !ended -> to_host.named = false; h_pump()
        :: else
        fi;
        atomic { name = 0; ended = false }
        h_turn_ends()
    :: !h_asleep && len(bell_out) == 0 && !(h_state == FREE && h_generation == GENERATIONS) -> /* sleep_once: doorbell_sleep */
        sleeping_out = true;
        if
        :: len(bell_out) > 0 -> sleeping_out = false
        :: else -> h_asleep = true
        fi
    :: h_asleep && !sleeping_out -> h_asleep = false
    /* what happens at the sockets */
    :: h_state == FREE && h_generation < GENERATIONS -> h_open(); h_turn_ends()
    :: h_state == OPEN && !closed && !reset && sent < BYTES -> atomic { sent++; queued++ } h_pump(); h_turn_ends()
    :: h_state == OPEN && !closed && !reset && (!patient || received == BYTES) -> closed = true; h_pump(); h_turn_ends()
    :: h_state == OPEN && !reset && !patient -> reset = true; h_broken(); h_turn_ends()
    :: h_state == OPEN && !h_writable -> h_writable = true; h_pump(); h_turn_ends()
    :: h_state == SENDING && !h_writable -> h_writable = true; h_send_rest(); h_turn_ends()
    :: h_state == FREE && h_generation == GENERATIONS && len(bell_out) == 0 -> break
    od;
    assert(h_freed == GENERATIONS && posted == 0 && !taken) /* nothing is left over */
}
