/*
 * Where everything lies inside ELRANGE. The signing tool computes it from the ELF image and the configuration, the
 * loader lays the pages out by it, and the runtime reads it from a measured page just behind the image.
 *
 *   0                 the ELF image's segments
 *   layout_offset     one page: struct enclave_layout (measured)
 *   threads           tcs_count blocks: [stack | TCS | SSA x nssa | thread data, exception stack], each behind a
 *                     gap of one page that is never added
 *   heap              RW pages, not measured by content: the runtime zeroes them before use; then room to grow
 *   code              RWX pages for code made at run time, likewise
 *
 * Offsets are bytes from ELRANGE's base, all page-aligned.
 */
#ifndef ENCLAVE_OS_SGX_LAYOUT_H
#define ENCLAVE_OS_SGX_LAYOUT_H

#include <stdint.h>

#define ENCLAVE_LAYOUT_MAGIC 0x3154594c434e45ull /* "ENCLYT1" */
#define ENCLAVE_TCS_MAX 16u
#define ENCLAVE_NSSA 3u
#define ENCLAVE_SSA_FRAME_PAGES 1u
#define ENCLAVE_TD_PAGES 4u /* thread data in the first page (measured), the exception stack in the rest */

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
    uint64_t canary; /* at 0x28 */
};

#endif
