/*
 * What the runtime offers to code inside the enclave: checked access to untrusted memory, the way out, and what libc
 * cannot give it here. The functions above the line may be called before libc is up (ECALL bridges are); they use
 * neither TLS nor libc.
 *
 *     if (!sgx_is_outside_enclave(args, sizeof *args))
 *         return -EINVAL;
 *     sgx_copy_in(&copy, args, sizeof copy);      once; then judge the copy, and use nothing else
 *
 * Pointers that come from the host are checked by their range first and dereferenced by nothing but the copies. Sizes
 * are bytes. Any thread unless something else is said; OCALL memory is the calling thread's. Nothing here allocates
 * from the heap. What the host answers is its word; a lie that can be noticed, and would matter, ends the enclave
 * (sgx_panic).
 *
 * Files, from the bottom: dead.c and exit.S (is it over, and the ways out), boundary.c and bytes.c, console.c and
 * panic.c (last words), random.c, leaves.c, cpuid.c, time.c; memory.c, stacks.c, threads.c, locks.c; syscalls.c and
 * syscall.S; exception.c, calls.c and boot.c; entry.S. None needs one above it, but that the compiler's check of the
 * stack (__stack_chk_fail in panic.c) may come from anywhere.
 */
#ifndef ENCLAVE_OS_SGX_TRUSTED_BRIDGE_H
#define ENCLAVE_OS_SGX_TRUSTED_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/alive.h"
#include "sgx/include/layout.h"

/* Wholly outside ELRANGE (no wrap, canonical user address). size 0 counts as one byte. */
bool sgx_is_outside_enclave(const void *p, size_t size);
bool sgx_is_inside_enclave(const void *p, size_t size);

/* Copies over the boundary. The untrusted range must have been checked. Whole 8-byte aligned words are moved wherever
 * the alignment allows, since partial accesses may expose stale data (INTEL-SA-00615, INTEL-SA-00657). */
void sgx_copy_in(void *dst, const void *untrusted_src, size_t size);
void sgx_copy_out(void *untrusted_dst, const void *src, size_t size);

/* Untrusted memory for the arguments of one OCALL, from the area that the loader lent with the ECALL. NULL if it is
 * too small. Freed by sgx_ocfree; not nested. */
void *sgx_ocalloc(size_t size);
void sgx_ocfree(void);
/* EEXIT with an OCALL's index; returns what the host passes to the matching re-entry. */
int64_t sgx_ocall(uint32_t index, void *ms);

/* Generated from the EDL: check, copy in, call, copy out. */
int64_t enclave_bridge_dispatch(uint32_t index, void *untrusted_ms);

/* The measured layout, and the ELRANGE address of offset 0, which is 0: see layout.h. */
const struct enclave_layout *sgx_layout(void);
uint64_t sgx_base(void);

/* The first caller becomes the boot thread: it must be on TCS 0. Starts libc, which calls main; returns what main
 * (or exit) gave, once. Later callers get a thread that pthread_create made and run it to its end; -EAGAIN when none
 * waits. -ESHUTDOWN after the end. edmm: pages may be added and changed later; the host's word, whose lie only stops
 * the enclave. */
struct cpuid_entry;
struct time_page;
int32_t sgx_run_thread(const struct cpuid_entry *cpuid, uint32_t cpuid_count, const struct time_page *time_page,
                       bool edmm);

/* ---- only once libc is up ---------------------------------------------------------------------------------- */

/* This thread's TCS number, by which NOTIFY_THREAD_WAKE reaches it. */
uint32_t sgx_tcs_index(void);

/* EREPORT for target (NULL: an empty TARGETINFO). */
struct sgx_targetinfo;
struct sgx_report;
void sgx_report(const struct sgx_targetinfo *target, const uint8_t reportdata[64], struct sgx_report *out);

/* ATTRIBUTES.DEBUG: whoever runs the enclave can read it, as always on the emulator. Any thread. */
bool sgx_is_debug(void);

/* EGETKEY. 0 or an SGX error code. */
struct sgx_keyrequest;
uint32_t sgx_get_key(const struct sgx_keyrequest *request, uint8_t key[16]);

/* Fill with RDRAND output. Never fails: the enclave stops if the generator does. */
void sgx_random(void *out, size_t size);

/* System calls that libc or a library made, and how many of them the runtime does not offer. */
void sgx_syscall_counts(uint64_t *total, uint64_t *refused);

/* A stack of *size bytes or more, which it sets to what there is; the lowest address, zeroed. Below it lies a gap
 * without pages. NULL: none of this kind is free, or they are smaller. Given back it is zeroed. Any thread. */
void *sgx_stack_take(enum enclave_stack_kind kind, size_t *size);
void sgx_stack_give(void *stack);
size_t sgx_stack_count(enum enclave_stack_kind kind); /* free and taken */

/* Permissions of the code region's pages can be cut (EDMM). Otherwise they are readable, writable and executable. */
bool sgx_pages_can_change(void);

/* Heap pages: in use and in all. */
void sgx_heap_counts(uint64_t *used_pages, uint64_t *total_pages);

/* Called once when the enclave dies, by the thread that ends it: on any stack, without TLS, perhaps in the middle of
 * anything; so it may do no more than store a word or two. What it is for: code that looks at no flag is told. */
void sgx_at_death(void (*hook)(void));

/* Stop for good: every later entry is refused, and every thread that is inside leaves at its next sgx_stop_if_dead,
 * OCALL, exception or system call, whichever is first. The text reaches the host only from a debug enclave. */
_Noreturn void sgx_panic(const char *text);

#endif
