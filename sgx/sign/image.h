/*
 * The enclave image as a file, its layout in ELRANGE, its measurement, and its signature.
 *
 * A signed image is one header page (struct image_header) followed by the static-PIE ELF file, untouched. Both the
 * measuring tool and the loader walk the pages through image_walk, so what is measured is what is loaded.
 *
 *     struct image image;
 *     image_open(path, NULL, &image, error, sizeof error);
 *     image_measure(&image, mrenclave);
 *     image_walk(&image, add_pages, &enclave);
 *     image_close(&image);
 *
 * The file is not trusted: it is bounded and judged before it is used, and what is wrong with it is an error value
 * with a line that says so. What image_open has laid out is ours: image_walk asserts that its runs are whole pages
 * inside ELRANGE, in ascending order, none twice.
 *
 * An open image owns its memory, and borrows the path. It does not change: any thread may walk and measure it. Sizes
 * and offsets are bytes; offsets count from ELRANGE's start. Limits: 8 segments, ENCLAVE_TCS_MAX threads, 32 GiB for
 * each size.
 */
#ifndef ENCLAVE_OS_SGX_SIGN_IMAGE_H
#define ENCLAVE_OS_SGX_SIGN_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sgx/include/arch.h"
#include "sgx/include/layout.h"

/* From config/enclave.config.xml; sizes are bytes, multiples of a page. */
struct image_config {
    uint64_t heap_init_size;
    uint64_t heap_max_size; /* counts only with EDMM; 0: as heap_init_size */
    uint64_t code_size;     /* ReservedMem: code made at run time */
    uint64_t main_stack_size;
    uint64_t thread_stack_size;                /* for short ECALLs */
    uint64_t stack_sizes[ENCLAVE_STACK_KINDS]; /* 0: there are none of this kind */
    uint64_t guest_stack_num;
    uint32_t tcs_num;
    uint32_t misc_select, misc_mask;
    uint16_t prod_id, isv_svn;
    uint32_t disable_debug; /* 1: the production SIGSTRUCT forbids DEBUG */
};

#define IMAGE_MAGIC "ENCLAVE-OS-IMG1"
struct image_header {
    char magic[16];
    uint64_t elf_offset, elf_size;
    struct image_config config;
    struct sgx_sigstruct development; /* DEBUG is not in the attribute mask: runs anywhere, as a debug enclave too */
    struct sgx_sigstruct production;  /* DEBUG must be 0 */
};
_Static_assert(sizeof(struct image_header) <= SGX_PAGE_SIZE, "one page");

struct image {
    const char *path; /* borrowed, for errors */
    uint8_t *file;
    size_t file_size;
    const uint8_t *elf;
    size_t elf_size;
    bool is_signed;
    struct image_config config;
    struct sgx_sigstruct development, production;
    struct enclave_layout layout;
    uint64_t tcs_offsets[ENCLAVE_TCS_MAX];
    struct image_segment {
        uint64_t offset, length; /* whole pages */
        uint64_t secinfo_flags;
        uint8_t *content;
    } segments[8];
    uint32_t segment_count;
};

/* Read a signed image, or a bare ELF file with config (NULL for a signed one). On failure returns a negative errno
 * and leaves a line in error. image_close releases it. */
int image_open(const char *path, const struct image_config *config, struct image *image, char *error,
               size_t error_size);
void image_close(struct image *image);

/* One run of pages with equal SECINFO. content is NULL for zero pages, else length bytes (a multiple of a page).
 * measured: each page is EEXTENDed too. Non-zero from visit ends the walk and is returned. */
struct image_pages {
    uint64_t offset, length;
    const uint8_t *content;
    struct sgx_secinfo secinfo;
    bool measured;
};
int image_walk(const struct image *image, int (*visit)(void *user, const struct image_pages *pages), void *user);

/* MRENCLAVE as the CPU computes it: SHA-256 over the ECREATE, EADD and EEXTEND records (SDM 3D 38.1.3). */
int image_measure(const struct image *image, uint8_t mrenclave[32]);

/* Read Intel's enclave configuration schema (config/enclave.config.xml). */
int image_config_read(const char *path, struct image_config *config, char *error, size_t error_size);

#endif
