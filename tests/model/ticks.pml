/*
 * enclave/thread/ticks.c: two workers that sleep and wake, and the thread that ticks while any of them is awake. Each
 * access to a shared word is one step. Shown: where a worker runs a guest, the ticks come, or are on their way (no state
 * is an end in which a guest runs and nobody ticks); and at the end the thread leaves.
 *
 * FAULT_LOOK_FIRST: look at the workers, and then say that it rests. FAULT_AWAKE_LATE: a worker that is back looks
 * whether ticks are wanted before it is marked awake. FAULT_STOP_LATE: wake the thread, and then say that it is the end.
 */
#define WORKERS 2
#define GUESTS 2 /* that each runs */

bool parked[WORKERS];
bool rests, stops;
byte wakes;                 /* counted by the host */
byte done;                  /* workers that have left */
bool waiting_for_tick[WORKERS]; /* a guest that computes, and yields at a tick */

inline want()
{
    if
    :: rests -> atomic { if :: rests -> rests = false; woke = true :: else -> woke = false fi }
        if
        :: atomic { woke -> wakes++; woke = false }
        :: else
        fi
    :: else
    fi
}

proctype worker(byte self)
{
    byte guests;
    bool woke;
    do
    :: guests < GUESTS ->
        if
        :: true -> /* sleeps between them, or does not */
            parked[self] = true;
#ifdef FAULT_AWAKE_LATE
            want();
            parked[self] = false;
#else
            parked[self] = false;
            want();
#endif
        :: true -> want()
        fi;
        waiting_for_tick[self] = true;
        !waiting_for_tick[self]; /* blocks until it has come */
        guests++
    :: guests == GUESTS -> break
    od;
    atomic { parked[self] = true; done++ }
}

active proctype ticks()
{
    bool quiet, resting, a, b;
    do
    :: stops -> break
    :: else ->
        resting = false;
        if
        :: quiet ->
#ifdef FAULT_LOOK_FIRST
            a = parked[0];
            b = parked[1];
            rests = true;
#else
            rests = true;
            a = parked[0];
            b = parked[1];
#endif
            resting = a && b && !stops
        :: else
        fi;
        if
        :: atomic { wakes > 0 -> wakes-- } /* NOTIFY_THREAD_WAIT */
        :: !resting                        /* its time is over */
        fi;
        rests = false;
        a = parked[0];
        b = parked[1];
        quiet = a && b;
        d_step { waiting_for_tick[0] = false; waiting_for_tick[1] = false }
    od;
    assert(done == WORKERS)
}

active proctype boot()
{
    bool woke;
    run worker(0);
    run worker(1);
    done == WORKERS;
#ifdef FAULT_STOP_LATE
    want();
    stops = true
#else
    stops = true;
    want()
#endif
}
