/* The leaves, by their labels. */
#include <string.h>

#include "enclave/page/internal.h"

const struct page_leaf *page_leaf(const struct page_facts *facts, const char *kind, const char *name, size_t size)
{
    size_t kind_size = strlen(kind);
    for (size_t i = 0; i < facts->leaf_count; i++) {
        const struct page_leaf *leaf = &facts->leaves[i];
        if (strncmp(leaf->label, kind, kind_size) == 0 && strlen(leaf->label) == kind_size + size &&
            memcmp(leaf->label + kind_size, name, size) == 0)
            return leaf;
    }
    return NULL;
}

const char *page_named(const struct page_leaf *leaf, const char *kind)
{
    size_t size = strlen(kind);
    return strncmp(leaf->label, kind, size) == 0 ? leaf->label + size : NULL;
}
