/* What the runtime's files share. Private to sgx/trusted. Freestanding: no libc, no TLS. */
#ifndef ENCLAVE_OS_SGX_TRUSTED_INTERNAL_H
#define ENCLAVE_OS_SGX_TRUSTED_INTERNAL_H

/* Offsets in struct thread_data for the assembler. */
#define TD_STACK_TOP_OFFSET 8
#define TD_SSA_OFFSET 16
#define TD_TD_OFFSET 24
#define TD_EXCEPTION_STACK_OFFSET 48
#define TD_RETURN 56
#define TD_EXCEPTION_RETURN 64
#define TD_OCALL_RSP 72
#define TD_ECALL_RSP 80
#define TD_IN_ECALL 88

#define GPR_OFFSET (4096 - 184) /* of GPRSGX in an SSA frame of one page */
#define GPR_RIP 136
#define GPR_URSP 144
#define GPR_URBP 152
#define XSAVE_MASK 0xE7
#define XSAVE_SPACE 2752 /* 2,688 bytes at most for these features, and room to align */

#include "sgx/include/layout.h"

#ifdef __ASSEMBLER__
#define ELRANGE_START __ehdr_start - ENCLAVE_LOW_GAP /* what the layout's offsets count from */
#else

#include <stdatomic.h>

#include "sgx/include/arch.h"
#include "sgx/loader/abi.h"
#include "sgx/trusted/bridge.h"

struct thread_data {
    struct thread_data *self;
    uint64_t stack_top_offset, ssa_offset, td_offset, tcs_index; /* measured: struct thread_data_initial */
    uint64_t canary;
    uint64_t exception_stack_offset; /* measured too */
    uint64_t return_address, exception_return_address;
    uint64_t ocall_rsp; /* not 0: an OCALL is under way */
    uint64_t ecall_rsp;
    uint64_t in_ecall;
    uint8_t *scratch; /* untrusted, lent by the loader for OCALL arguments */
    uint64_t scratch_size, scratch_used;
    uint64_t initialised;
    uint32_t *clear_child_tid; /* to be zeroed and woken when the thread that runs here ends */
    uint64_t signal_mask;      /* this and the next are kept for who asks: no signal is ever delivered */
    struct rt_signal_stack {
        uint64_t base;
        uint32_t flags, padding;
        uint64_t size;
    } signal_stack;
    uint32_t tid;
};
_Static_assert(offsetof(struct thread_data, return_address) == TD_RETURN, "TD_... above");
_Static_assert(offsetof(struct thread_data, in_ecall) == TD_IN_ECALL, "TD_... above");
_Static_assert(offsetof(struct thread_data, canary) == offsetof(struct thread_data_initial, canary), "layout.h");
_Static_assert(offsetof(struct thread_data, td_offset) == TD_TD_OFFSET, "TD_... above");
_Static_assert(offsetof(struct thread_data, exception_stack_offset) == TD_EXCEPTION_STACK_OFFSET, "TD_... above");
_Static_assert(offsetof(struct thread_data_initial, exception_stack_offset) == TD_EXCEPTION_STACK_OFFSET, "layout.h");
_Static_assert(offsetof(struct sgx_gprsgx, rip) == GPR_RIP, "TD_... above");

/* GS base always points here; FS base is libc's while libc code runs. By the measured offset, since an exception may
 * come before the first entry has written `self`. */
static inline struct thread_data *rt_td(void)
{
    uint64_t offset;
    __asm__("mov %%gs:%c1, %0" : "=r"(offset) : "i"(TD_TD_OFFSET));
    return (struct thread_data *)(sgx_base() + offset);
}

/* A spin lock for short, bounded sections. Who holds it may die there: then nobody waits for it. */
struct rt_lock {
    atomic_flag flag;
};
static inline void rt_lock(struct rt_lock *l)
{
    while (atomic_flag_test_and_set_explicit(&l->flag, memory_order_acquire))
        sgx_stop_if_dead();
}
static inline void rt_unlock(struct rt_lock *l)
{
    atomic_flag_clear_explicit(&l->flag, memory_order_release);
}

/* exit.S */
int64_t rt_ocall_asm(uint32_t index, void *ms);
/* Start a thread with these registers on its own stack; returns when it calls rt_thread_leave. */
int64_t rt_thread_enter(const struct sgx_gprsgx *registers);
_Noreturn void rt_thread_leave(int64_t result);
_Noreturn void rt_exit_fatal(const char *untrusted_text);
/* syscall.S */
void rt_syscall_trampoline(void);

/* exception.c: deal with the exception recorded in an SSA frame; 0, or an untrusted text to die with. */
int64_t rt_exception(uint8_t *ssa_frame);

/* syscalls.c: the system call in registers; its result goes to registers->rax. */
void rt_syscall(struct sgx_gprsgx *registers);

/* leaves.c, SGX2 only. The SGX error code of EACCEPT; EMODPE adds permissions or faults. */
uint64_t rt_eaccept(uint64_t secinfo_flags, uint64_t page);
void rt_emodpe(uint64_t secinfo_flags, uint64_t page);

/* memory.c. Addresses and sizes are whole pages; results are addresses or negative errno. edmm: pages may be added and
 * changed while the enclave runs. */
void rt_memory_init(const struct enclave_layout *layout, bool edmm);
int64_t rt_brk(uint64_t address);
int64_t rt_mmap(uint64_t size, int protection, int flags, uint64_t offset);
int64_t rt_munmap(uint64_t address, uint64_t size);
int64_t rt_mprotect(uint64_t address, uint64_t size, int protection);
int64_t rt_madvise(uint64_t address, uint64_t size, int advice);

/* threads.c */
int64_t rt_clone(const struct sgx_gprsgx *registers);
int64_t rt_run_here(const struct sgx_gprsgx *registers); /* rt_thread_enter, and what follows a thread's end */
static inline bool rt_is_word(const uint32_t *word)      /* a futex's, aligned and inside */
{
    return sgx_is_inside_enclave(word, sizeof *word) && (uint64_t)word % sizeof *word == 0;
}
_Noreturn void rt_exit_group(int status);
extern int rt_exit_status; /* what it was given; 0 before */
int64_t rt_futex(uint32_t *word, int op, uint32_t value, const void *timeout, uint32_t bits);
int64_t rt_adopt_thread(void);

/* dead.c */
bool rt_is_dead(void);
void rt_set_dead(void); /* every other thread leaves at its next look at the flag (bridge.h) */

/* time.c: nanoseconds, forced monotonic. */
void rt_time_set_page(const struct time_page *page);
uint64_t rt_monotonic_ns(void);
uint64_t rt_realtime_ns(void);

/* cpuid.c: what the host says of the CPU, filtered. */
/* Takes the table, or refuses it (-EINVAL); ends the enclave if what is relied on is missing. */
int64_t rt_cpuid_set(const struct cpuid_entry *entries, uint32_t count);
/* Hides what needs state that is not in ATTRIBUTES.XFRM. */
void rt_cpuid_limit(uint64_t xfrm);
bool rt_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* console.c: what libc writes to file descriptors 1 and 2 is kept for the last words. */
void rt_console_init(bool debug); /* before libc starts: last words must not need EREPORT */
void rt_console_write(const char *text, size_t size);
const char *rt_console_to_untrusted(const char *text);

uint64_t rt_random64(void);

#endif
#endif
