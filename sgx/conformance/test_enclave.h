/*
 * A tiny enclave laid out by hand, for the conformance suite: every page and every instruction of it is known, so that
 * a test can say exactly what the CPU must do. Its code is test_enclave.S, which includes this file too.
 *
 * It is built and entered through the backend interface (sgx/loader/backend.h) and nothing else, so the same tests
 * judge the emulator and, where there is one, the CPU. There is one emulated enclave per process, so each test runs in
 * a process of its own (main.c).
 */
#ifndef ENCLAVE_OS_SGX_CONFORMANCE_TEST_ENCLAVE_H
#define ENCLAVE_OS_SGX_CONFORMANCE_TEST_ENCLAVE_H

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
#define TE_WIDE_IN 0x10000 /* RW: 32 ZMM registers, then 8 mask registers */
#define TE_WIDE_OUT 0x11000
#define TE_GROWTH 0x14000 /* four pages that may be added later */
#define TE_GROWTH_PAGES 4
#define TE_SIZE 0x20000

/* What the code does, by RDI. RSI and RDX are operands. Where it ends with EEXIT, RDI, RSI, RDX, R8, R9 say: */
#define OP_STATE 0     /* CSSA, RBX, RCX, FS base, GS base as found at entry */
#define OP_EXIT_TO 1   /* EEXIT to RSI */
#define OP_REGISTERS 2 /* load all registers from DATA_IN, UD2, store them to DATA_OUT */
#define OP_SYSCALL 3   /* RAX behind a `syscall` */
#define OP_DIVIDE 4    /* by zero */
#define OP_INT3 5
#define OP_LOAD 6   /* the word at RSI */
#define OP_STORE 7  /* RDX to the word at RSI */
#define OP_JUMP 8   /* to RSI */
#define OP_LEAF 9   /* ENCLU leaf RSI with RBX, RCX, RDX from DATA_LEAF: RAX, ZF */
#define OP_SPIN 10  /* set the second 32-bit word at RSI, wait for the first */
#define OP_CPUID 11 /* of leaf 0 */
#define OP_WIDE 12  /* load ZMM and mask registers from TE_WIDE_IN, UD2, store them to TE_WIDE_OUT */
#define OP_COUNT 13

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

#define WIDE_MASKS 2048 /* where the mask registers stand behind the ZMM registers */

#define GS_RETURN 8
#define GS_SSA 16 /* offset in ELRANGE */

#ifndef __ASSEMBLER__

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "sgx/include/arch.h"
#include "sgx/loader/backend.h"

extern const uint8_t te_code[], te_code_end[];
/* Instructions that fault, as addresses within te_code. */
extern const uint8_t te_exit_to[], te_ud2[], te_syscall[], te_divide[], te_int3[], te_load[], te_store[], te_leaf[],
    te_cpuid[], te_wide_ud2[];
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
#define TE_SKIPPED 77 /* exit status of a test that cannot run here */

/* Which backend is judged, and its machine folder; set once by main.c. */
extern bool te_on_hardware;
extern const char *te_machine_dir;
extern EVP_PKEY *te_signing_key, *te_other_key;

struct te_page {
    uint64_t offset, secinfo_flags;
    uint8_t content[SGX_PAGE_SIZE];
    bool measured;
};
#define TE_PAGES 16

struct te {
    struct backend *backend;
    struct sgx_secs secs;
    struct te_page pages[TE_PAGES];
    uint16_t prod_id, isv_svn; /* for te_sign: 7 and 5 */
    uint64_t sign_flags;       /* what SIGSTRUCT has in ATTRIBUTES beyond MODE64BIT */
    EVP_PKEY *key;
    char error[256];
};

/* The ordinary pages, and an opened backend; nothing is created yet. */
void te_open(struct te *e);
/* ECREATE and EADD of all pages, each of which must succeed. */
void te_add_all(struct te *e, uint32_t miscselect);
/* A SIGSTRUCT that fits the pages. misc_select and misc_mask go into it; production: DEBUG must be 0. */
void te_sign(const struct te *e, uint32_t misc_select, uint32_t misc_mask, bool production, struct sgx_sigstruct *out);
/* All of it after te_open, EINIT and the calling thread included; te_build opens too. */
void te_finish(struct te *e, uint32_t miscselect);
void te_build(struct te *e, uint32_t miscselect);

/* What EEXIT carried. */
struct te_exit {
    uint64_t rdi, rsi, rdx, r8, r9;
};
/* EENTER or ERESUME on the TCS at offset tcs. 0 after EEXIT, which fills exit; -EFAULT after an exception, with run
 * filled; else what the backend gave. */
int te_call(struct te *e, uint64_t tcs, unsigned function, uint64_t rdi, uint64_t rsi, uint64_t rdx,
            struct te_exit *exit, struct enclave_run *run);

/* ENCLU leaf with RBX, RCX, RDX inside, on the second TCS. 0 and its RAX and ZF (in rdi, rsi) in out; or, after a
 * fault, which it steps over, the vector. te_fault_address is a page fault's, without its low bits. */
unsigned te_leaf_call(struct te *e, uint64_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx, struct te_exit *out);
extern uint64_t te_fault_address;

/* Addresses in the enclave; and its memory, by EDBGRD and EDBGWR on hardware (the enclave is a debug enclave). */
extern uint64_t te_base;
static inline uint64_t te_at(uint64_t offset)
{
    return te_base + offset;
}
void te_read(uint64_t offset, void *out, size_t size);
void te_write(uint64_t offset, const void *data, size_t size);
uint64_t te_word(uint64_t offset);

/* Frame number frame of the save area at offset ssa. */
struct sgx_gprsgx te_gpr(uint64_t ssa, unsigned frame);
void te_set_gpr(uint64_t ssa, unsigned frame, const struct sgx_gprsgx *gpr);
struct sgx_exinfo te_exinfo(uint64_t ssa, unsigned frame);
/* Let the frame resume so many bytes further on. */
void te_step_over(uint64_t ssa, unsigned frame, unsigned bytes);
static inline uint64_t te_rip(const uint8_t *label)
{
    return te_at((uint64_t)(label - te_code));
}

/* The tests of one file: a table ended by a NULL name. emulator_only: looks where no software can on hardware, or
 * at what reaches the host as a signal there. */
struct te_case {
    const char *name;
    void (*run)(void);
    bool emulator_only;
};
extern const struct te_case te_build_cases[], te_enter_cases[], te_exception_cases[], te_key_cases[], te_edmm_cases[];

#endif
#endif
