/*
 * What probe_host asks of the probe, an enclave with our runtime and nothing else: run_args.admin_key carries one
 * struct order. The answers go to untrusted memory.
 */
#ifndef ENCLAVE_OS_TESTS_PROBE_H
#define ENCLAVE_OS_TESTS_PROBE_H

#include <stdint.h>

enum order_kind {
    ORDER_NOTHING,
    ORDER_OVERFLOW,  /* argument: enum where */
    ORDER_BIG_FRAME, /* a frame larger than stack and gap together, on a thread's stack */
    ORDER_SMASH,     /* a buffer on the stack is overrun */
    ORDER_NULL,      /* address argument is read */
    ORDER_SYSCALLS,
    ORDER_ZEROED,
    ORDER_DEATH, /* several threads, each busy in another way; one dies */
    ORDER_JOIN,  /* a thread that has ended is off its stack */
};

enum where { ON_BOOT, ON_THREAD, ON_COMPILER, ON_GUEST, ON_EXCEPTION, ON_ECALL, WHERE_COUNT };

struct order {
    uint64_t kind, argument;
    uint64_t report; /* struct report, untrusted */
};

struct report {
    uint64_t stack, neighbour, neighbour_size; /* lowest addresses; the neighbour is full of PATTERN */
    uint64_t code, code_size;
    uint64_t progress; /* grows while a thread lives */
    uint64_t failures;
    uint64_t checks;
    char text[512]; /* of the first failures */
};
#define PATTERN 0x5au

#endif
