/*
 * Where everything lies inside ELRANGE. The signing tool computes it from the ELF image and the configuration, the
 * loader lays the pages out by it, and the runtime reads it from a measured page just behind the image.
 *
 *   0                 ENCLAVE_LOW_GAP bytes without pages. ELRANGE starts at address 0 (the runtime refuses anything
 *                     else), so a NULL pointer, or one near it, leads into this gap and faults, whatever the host maps
 *   ENCLAVE_LOW_GAP   the ELF image's segments
 *   behind the image  one page: struct enclave_layout (measured)
 *   threads           tcs_count blocks: [gap | stack | TCS | SSA x nssa | thread data | gap | exception stack]
 *   stacks            for each kind, count slots: [gap | stack]. Not measured by content: the runtime zeroes them
 *   heap              RW pages, likewise; then room to grow
 *   code              RWX pages for code made at run time, likewise
 *
 * A gap is ENCLAVE_GUARD_SIZE bytes whose pages are never added: a stack that overflows faults there, with EDMM and
 * without, because nothing inside ever accepts a page there. It is larger than any frame of code that does not probe.
 *
 * Offsets are bytes from ELRANGE's base, all page-aligned.
 */
#ifndef ENCLAVE_OS_SGX_LAYOUT_H
#define ENCLAVE_OS_SGX_LAYOUT_H

#define ENCLAVE_LOW_GAP 0x200000
#define ENCLAVE_GUARD_SIZE 0x10000
#define ENCLAVE_EXCEPTION_STACK_SIZE 0x4000

#ifndef __ASSEMBLER__

#include <stdint.h>

#define ENCLAVE_LAYOUT_MAGIC 0x3254594c434e45ull /* "ENCLYT2" */
#define ENCLAVE_TCS_MAX 16u
#define ENCLAVE_NSSA 3u
#define ENCLAVE_SSA_FRAME_PAGES 1u
#define ENCLAVE_TD_PAGES 1u

/* Stacks for threads and guests, which the runtime hands out (sgx/trusted/bridge.h). */
enum enclave_stack_kind { ENCLAVE_STACK_THREAD, ENCLAVE_STACK_COMPILER, ENCLAVE_STACK_GUEST, ENCLAVE_STACK_KINDS };
#define ENCLAVE_STACK_SLOTS_MAX 4096u /* of one kind */
struct enclave_stacks {
    uint64_t offset; /* of the first slot's gap */
    uint64_t size;   /* of one stack */
    uint64_t count;
};

struct enclave_layout {
    uint64_t magic;
    uint64_t elrange_size; /* power of two */
    uint64_t entry_offset; /* TCS.OENTRY, the ELF header's e_entry */
    uint64_t phdr_offset;  /* program headers, for AT_PHDR */
    uint32_t phdr_count;
    uint32_t tcs_count;
    uint64_t heap_offset, heap_size;
    uint64_t heap_max_size; /* pages from heap_size to here are not added; with EDMM they come when accepted */
    uint64_t code_offset, code_size;
    struct enclave_stacks stacks[ENCLAVE_STACK_KINDS];
};

/* The measured start of a thread's data page; the runtime's struct thread_data begins with it. FS and GS base point
 * here at entry, so the first words have the shape that compiled code expects of %fs: itself at 0, the stack
 * protector's canary at 0x28. Those two and everything else are filled in by the runtime at first entry. */
struct thread_data_initial {
    uint64_t self;
    uint64_t stack_top_offset;
    uint64_t ssa_offset;
    uint64_t td_offset;
    uint64_t tcs_index;
    uint64_t canary;                 /* at 0x28 */
    uint64_t exception_stack_offset; /* its top */
};

#endif

#endif
