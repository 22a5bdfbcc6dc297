/*
 * A tiny enclave laid out by hand, for the emulator's tests: every page and every instruction of it is known, so
 * that a test can say exactly what the CPU must do. Its code is test_enclave.S, which includes this file too.
 *
 * There is one emulated enclave per process, so each test runs in a process of its own (emulator_test.c).
 */
#ifndef ENCLAVE_OS_SGX_EMULATOR_TEST_ENCLAVE_H
#define ENCLAVE_OS_SGX_EMULATOR_TEST_ENCLAVE_H

/* Offsets in ELRANGE. */
#define TE_CODE 0x0000 /* RX */
#define TE_DATA 0x1000 /* RW: registers and the leaves' operands */
#define TE_TCS 0x2000  /* three SSA frames, FS and GS on different pages */
#define TE_SSA 0x3000
#define TE_FS 0x6000
#define TE_GS 0x7000
#define TE_TCS2 0x8000 /* two SSA frames, FS and GS on one page */
#define TE_SSA2 0x9000
#define TE_GS2 0xb000
#define TE_READONLY 0xc000
#define TE_EDGE 0xd000 /* RX; its last byte is HLT, and no page follows */
#define TE_HOLE 0xe000
#define TE_SIZE 0x10000

/* What the code does, by RDI. RSI and RDX are operands. Where it ends with EEXIT, RDI, RSI, RDX, R8, R9 say: */
#define OP_STATE 0     /* CSSA, RBX, RCX, FS base, GS base as found at entry */
#define OP_EXIT_TO 1   /* EEXIT to RSI */
#define OP_REGISTERS 2 /* load all registers from DATA_IN, UD2, store them to DATA_OUT */
#define OP_SYSCALL 3   /* RAX behind a `syscall` */
#define OP_DIVIDE 4    /* by zero */
#define OP_INT3 5
#define OP_LOAD 6  /* the word at RSI */
#define OP_STORE 7 /* RDX to the word at RSI */
#define OP_JUMP 8  /* to RSI */
#define OP_LEAF 9  /* ENCLU leaf RSI with RBX, RCX, RDX from DATA_LEAF: RAX, ZF */
#define OP_SPIN 10 /* set the second 32-bit word at RSI, wait for the first */
#define OP_COUNT 11

/* In the data page. General registers in GPRSGX's order, then sixteen YMM registers. */
#define DATA_IN 0x000
#define DATA_OUT 0x400
#define DATA_YMM 0x100   /* behind either */
#define DATA_FLAGS 0x780 /* RFLAGS as found behind UD2 */
#define DATA_STACK 0x800 /* top of the few words of stack that storing RFLAGS takes */
#define DATA_LEAF 0x800
#define DATA_A 0xa00 /* operands for the leaves, 512 bytes each */
#define DATA_B 0xc00
#define DATA_C 0xe00

#define GS_RETURN 8
#define GS_SSA 16

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "sgx/emulator/emulator.h"
#include "sgx/include/arch.h"

extern const uint8_t te_code[], te_code_end[];
/* Instructions that fault, as addresses within te_code. */
extern const uint8_t te_exit_to[], te_ud2[], te_syscall[], te_divide[], te_int3[], te_load[], te_store[], te_leaf[];
/* A UD2 in the host. */
extern const uint8_t te_host_ud2[];

/* Call run->enter and store what the caller finds in RCX, RDX, RSI, RDI, R8-R11 and YMM0-15 afterwards. */
struct te_remains {
    uint64_t words[8 + 16 * 4];
};
int te_enter_and_look(enclave_enter_function enter, struct enclave_run *run, unsigned long rdi,
                      struct te_remains *remains);

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

struct te_page {
    uint64_t offset, secinfo_flags;
    uint8_t content[SGX_PAGE_SIZE];
    bool measured;
};
#define TE_PAGES 14

struct te {
    struct backend *backend;
    struct sgx_secs secs;
    struct te_page pages[TE_PAGES];
    char error[256];
};

/* The ordinary pages, and an opened emulator; nothing is created yet. */
void te_open(struct te *e);
/* ECREATE and EADD of all pages, each of which must succeed. */
void te_add_all(struct te *e, uint32_t miscselect);
/* A SIGSTRUCT that fits the pages. misc_select and misc_mask go into it; production: DEBUG must be 0. */
void te_sign(const struct te *e, uint32_t misc_select, uint32_t misc_mask, bool production, struct sgx_sigstruct *out);
/* All of it, EINIT and the calling thread included. */
void te_build(struct te *e, uint32_t miscselect);

/* What EEXIT carried. */
struct te_exit {
    uint64_t rdi, rsi, rdx, r8, r9;
};
/* EENTER or ERESUME on the TCS at offset tcs. 0 after EEXIT, which fills exit; -EFAULT with run filled. */
int te_call(struct te *e, uint64_t tcs, unsigned function, uint64_t rdi, uint64_t rsi, uint64_t rdx,
            struct te_exit *exit, struct enclave_run *run);

/* Enclave memory, which the emulator hides from nobody. */
static inline void *te_at(uint64_t offset)
{
    return (void *)(0x100000000ull + offset);
}
static inline struct sgx_gprsgx *te_gpr(uint64_t ssa, unsigned frame)
{
    return (struct sgx_gprsgx *)((uint8_t *)te_at(ssa + (frame + 1) * SGX_PAGE_SIZE) - sizeof(struct sgx_gprsgx));
}
static inline uint64_t te_rip(const uint8_t *label)
{
    return (uint64_t)te_at((uint64_t)(label - te_code));
}

/* The tests of one file: a table ended by a NULL name. */
struct te_case {
    const char *name;
    void (*run)(void);
};
extern const struct te_case te_build_cases[], te_enter_cases[], te_exception_cases[], te_key_cases[];

#endif
#endif
