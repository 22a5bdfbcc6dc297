/*
 * What the emulator's files share. Private to sgx/emulator. From the bottom: cpu.c keeps the state; keys.c and pages.c
 * are leaves on it; enter.S and enter.c go in; trap.c judges what comes out, from signal.S, which handlers.c installs;
 * epc.c is the backend.
 */
#ifndef ENCLAVE_OS_SGX_EMULATOR_INTERNAL_H
#define ENCLAVE_OS_SGX_EMULATOR_INTERNAL_H

/* Offsets for enter.S; checked against the structures below. */
#define EMU_THREAD_SPAN 0x40000 /* a thread's mapping is this large and aligned to it: struct, then signal stack */
#define THREAD_HOST_FS 0
#define THREAD_HOST_GS 8
#define THREAD_HOST_RSP 16
#define THREAD_EXIT_RDI 24
#define THREAD_EXIT_RSI 32
#define THREAD_EXIT_RDX 40
#define THREAD_EXIT_RSP 48
#define THREAD_EXIT_R8 56
#define THREAD_EXIT_R9 64
#define THREAD_ENTER 72
#define THREAD_ENCLAVE_FS 80
#define THREAD_ENCLAVE_GS 88
#define THREAD_FRAME 96

#define ENTER_RAX 0
#define ENTER_RBX 8
#define ENTER_RDI 16
#define ENTER_RSI 24
#define ENTER_RDX 32
#define ENTER_R8 40
#define ENTER_R9 48
#define ENTER_RIP 56
#define ENTER_FS 64
#define ENTER_GS 72
#define ENTER_GPRSGX 80
#define ENTER_XSAVE 88
#define ENTER_XFRM 96

#ifndef __ASSEMBLER__

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "sgx/emulator/emulator.h"
#include "sgx/include/arch.h"
#include "sgx/sign/measure.h"

/* The EPCM entry of a page, as far as software can tell. */
struct emu_page {
    uint16_t valid : 1, r : 1, w : 1, x : 1;
    uint16_t pending : 1, modified : 1, pr : 1; /* waits for EACCEPT: added, its type changed, permissions cut */
    uint16_t growable : 1; /* not the EPCM's: the host has a mapping here, in which EAUG may put it */
    uint16_t type : 4;
};

/* What the CPU keeps of a TCS. The page itself is made inaccessible, as on hardware. */
struct emu_tcs {
    uint64_t address;
    uint64_t ossa, oentry, ofsbase, ogsbase;
    uint32_t nssa;
    uint32_t cssa;      /* changed only by the thread that is inside, or entering */
    atomic_uint active; /* 1: a logical processor is inside */
};

#define EMU_TCS_MAX 64

struct emulator {
    struct backend backend;
    uint8_t fuse_key[32];
    uint8_t cpu_svn[16]; /* of its microcode */
    struct sgx_secs secs;
    uint64_t hole; /* bytes at ELRANGE's start that have no pages, and no address space */
    struct measure *measure;
    struct emu_page *pages; /* EPCM, one entry a page of ELRANGE; changed under epcm_busy once initialised */
    atomic_flag epcm_busy;
    struct emu_tcs tcs[EMU_TCS_MAX];
    uint32_t tcs_count;
    bool initialised;
    bool cpuid_faults; /* the CPU can be told to fault on CPUID (ARCH_SET_CPUID) */
    uint32_t xsave_size;
};
extern struct emulator emu; /* one per process */

/* What enter.S loads for EENTER and ERESUME. */
struct emu_enter {
    uint64_t rax, rbx, rdi, rsi, rdx, r8, r9;
    uint64_t rip, fs, gs;
    struct sgx_gprsgx *gprsgx; /* the SSA frame to note URSP and URBP in, or to resume from */
    void *xsave;
    uint64_t xfrm;
};

/* Start of a thread's mapping; the rest of it is the signal stack, which is how the first instruction of a signal
 * handler, running on the enclave's FS base, finds its way back to the host's. */
struct emu_thread {
    uint64_t host_fs, host_gs, host_rsp;
    uint64_t exit_rdi, exit_rsi, exit_rdx, exit_rsp, exit_r8, exit_r9;
    struct emu_enter *enter;
    uint64_t enclave_fs, enclave_gs, frame; /* of the signal being handled */
    struct emu_tcs *tcs;
    struct enclave_run *run;
};
_Static_assert(offsetof(struct emu_thread, enter) == THREAD_ENTER, "enter.S");
_Static_assert(offsetof(struct emu_thread, frame) == THREAD_FRAME, "enter.S");
_Static_assert(offsetof(struct emu_thread, exit_r9) == THREAD_EXIT_R9, "enter.S");
_Static_assert(offsetof(struct emu_enter, xfrm) == ENTER_XFRM, "enter.S");
_Static_assert(offsetof(struct emu_enter, gprsgx) == ENTER_GPRSGX, "enter.S");

extern _Thread_local struct emu_thread *emu_this_thread;
extern struct emulator_counters emu_count;

/* enter.c: the backend operations that run the enclave. */
int emu_prepare_thread(struct backend *b);
int emu_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function, unsigned long r8,
              unsigned long r9, struct enclave_run *run);

/* enter.S. Both return 0 after EEXIT, -EFAULT after an exception. */
int emu_asm_eenter(struct emu_thread *t);
int emu_asm_eresume(struct emu_thread *t);
extern char emu_asm_eexit_landing[], emu_asm_aex_landing[];

/* signal.S: the first-level handler, which leads to trap.c. */
void emu_asm_signal(int signo, siginfo_t *info, void *context);
extern uint64_t emu_elrange_base, emu_elrange_size; /* behind the hole; for signal.S, which knows no structures */

/* handlers.c: process-wide, once. 0 or -errno. */
int emu_install_handlers(void);
/* Who had this signal before the emulator: a fault in the host's own code is handed to them. */
void emu_signal_keep(int signo, const struct sigaction *old);

/* How a leaf ends: vector 0 when it is done, else the exception that the SDM names. */
struct emu_fault {
    uint32_t vector, error_code;
    uint64_t address;
};
#define EMU_DONE ((struct emu_fault){0})
#define EMU_GP ((struct emu_fault){.vector = VEC_GP})

/* pages.c. An operand of a leaf: #GP if misaligned or outside ELRANGE, #PF if no regular page allows it there. */
struct emu_fault emu_operand(uint64_t address, uint64_t size, uint64_t alignment, bool write);
/* The leaves that change pages; *rax is their result, an SGX error code. */
struct emu_fault emu_eaccept(uint64_t secinfo, uint64_t page, uint64_t *rax);
struct emu_fault emu_emodpe(uint64_t secinfo, uint64_t page);
struct emu_fault emu_eacceptcopy(uint64_t secinfo, uint64_t page, uint64_t source, uint64_t *rax);
/* What the kernel would do on the host's behalf; see backend.h. */
int emu_allow_growth(struct backend *b, uint64_t offset, uint64_t length, char *error, size_t error_size);
int emu_restrict_permissions(struct backend *b, uint64_t offset, uint64_t length, uint32_t permissions,
                             uint64_t *sgx_result);
int emu_modify_type(struct backend *b, uint64_t offset, uint64_t length, enum sgx_page_type type, uint64_t *sgx_result);
int emu_remove_pages(struct backend *b, uint64_t offset, uint64_t length);

/* keys.c: leaves, on checked enclave memory. ereport and egetkey return an SGX error code. */
int emu_load_fuses(const char *machine_dir, char *error, size_t error_size);
void emu_ereport(const struct sgx_targetinfo *target, const uint8_t reportdata[64], struct sgx_report *out);
enum sgx_error emu_egetkey(const struct sgx_keyrequest *request, uint8_t key[16]);
/* EGETKEY faults if not. */
bool emu_keyrequest_valid(const struct sgx_keyrequest *request);

/* cpu.c: is [address, address + size) within ELRANGE, in one regular page with these permissions? */
bool emu_page_allows(uint64_t address, uint64_t size, bool write);
/* Take a TCS page's content into use; what is wrong with it, or NULL. */
const char *emu_use_tcs(uint64_t address, const struct sgx_tcs *t);
/* Make the host's protection of one page what its EPCM entry allows. */
int emu_protect(uint64_t offset);
/* Is the instruction at address, on executable pages of the enclave, this one? */
bool emu_code_is(uint64_t address, const uint8_t *bytes, size_t size);
/* Asserts what must be true of the EPCM and the TCSs, whatever an enclave and its host have done. Goes through all
 * pages of ELRANGE (milliseconds), while no leaf changes them. */
void emu_check(void);

#endif
#endif
