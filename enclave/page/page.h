/*
 * The page that tells a person what runs here: out of what is public of one generation, its leaves and the newest
 * entries of the history. Pure text; who sends it, and charges somebody for it, is in service/page_public.h.
 *
 * It says itself what it is worth: a page cannot prove anything about the server that it comes from.
 */
#ifndef ENCLAVE_OS_ENCLAVE_PAGE_PAGE_H
#define ENCLAVE_OS_ENCLAVE_PAGE_PAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/page/limits.h"

struct page_leaf {
    const char *label;
    const uint8_t *value;
    size_t size;
};

struct page_facts {
    const struct page_leaf *leaves; /* as docs/attestation.md lists them */
    size_t leaf_count;
    uint64_t generation;
    const uint8_t *instance, *root; /* 32 bytes each */
    const json_t *entries;          /* an array, oldest first; what is not as docs/history.md has it is left out */
    uint64_t log_size;
    const char *authority; /* HOST[:PORT] by which the client called the server; "": it did not say */
};

/* malloc'ed, *size bytes. NULL: no memory. */
char *page_render(const struct page_facts *facts, size_t *size);

/* Its style and its script, as they are served; and the script's SHA-256, in hexadecimal and as the page's integrity
 * attribute has it. */
extern const char page_style[], page_script[], page_script_sha256[], page_script_integrity[];
extern const size_t page_style_size, page_script_size;

#endif
