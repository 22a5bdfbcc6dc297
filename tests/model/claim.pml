/*
 * enclave/early/channel.c alone: one slot, a host that posts for either of two workers as it likes, and both workers taking.
 * A description is two words here that belong together, copied one after the other. Shown: whoever takes a channel has
 * the description that was posted for it, whole, however often the slot is used in between.
 *
 * FAULT_CHECK_THEN_COPY: look at the state, compare and copy, and only then say that it is taken.
 */
#define POSTS 4

mtype = { FREE, CLAIMED, POSTED, TAKEN };
mtype state = FREE;
byte word_worker, word_generation; /* parts of the one word that `state` is part of */
byte desc_worker, desc_first, desc_second;
byte made;

/* channel_post, by any thread of the host */
active [2] proctype host()
{
    byte generation;
end:
    do
    :: made < POSTS ->
        atomic {
            if
            :: state == FREE && made < POSTS -> state = CLAIMED; made++; generation = made
            :: else -> goto end
            fi
        }
        desc_first = generation;
        desc_worker = generation % 2;
        desc_second = generation;
        atomic { state = POSTED; word_worker = desc_worker; word_generation = generation }
    od
}

/* channel_take, channel_free. The name is the host's word: any. */
active [2] proctype worker()
{
    byte self = _pid % 2, wanted, first, second;
end:
    do
    :: true ->
        if
        :: wanted = 1
        :: wanted = 2
        :: wanted = 3
        :: wanted = 4
        fi;
#ifdef FAULT_CHECK_THEN_COPY
        if
        :: state == POSTED ->
            if
            :: desc_worker == self && desc_first == wanted ->
                first = desc_first;
                second = desc_second;
                state = TAKEN;
                assert(first == wanted && second == wanted);
                state = FREE
            :: else
            fi
        :: else
        fi
#else
        atomic {
            if
            :: state == POSTED && word_worker == self && word_generation == wanted -> state = TAKEN
            :: else -> goto end
            fi
        }
        first = desc_first;
        assert(desc_worker == self);
        second = desc_second;
        assert(first == wanted && second == wanted);
        assert(state == TAKEN);
        state = FREE
#endif
    od
}
