/* See merkle.h. */
#include "enclave/merkle/merkle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int merkle_add(struct merkle *m, const void *leaf, size_t size)
{
    if (m->count == m->capacity) {
        size_t capacity = m->capacity ? 2 * m->capacity : 16;
        void *grown = realloc(m->hashes, capacity * sizeof *m->hashes);
        if (!grown)
            return -ENOMEM;
        m->hashes = grown;
        m->capacity = capacity;
    }
    merkle_leaf_hash(leaf, size, m->hashes[m->count]);
    m->count++;
    return 0;
}

/* The largest power of two smaller than count. */
static size_t split(size_t count)
{
    size_t k = 1;
    while (k * 2 < count)
        k *= 2;
    return k;
}

static void subtree(const struct merkle *m, size_t first, size_t count, uint8_t out[MERKLE_HASH_SIZE])
{
    if (count == 1) {
        memcpy(out, m->hashes[first], MERKLE_HASH_SIZE);
        return;
    }
    uint8_t left[MERKLE_HASH_SIZE], right[MERKLE_HASH_SIZE];
    size_t k = split(count);
    subtree(m, first, k, left);
    subtree(m, first + k, count - k, right);
    merkle_node_hash(left, right, out);
}

void merkle_root(const struct merkle *m, uint8_t root[MERKLE_HASH_SIZE])
{
    if (m->count == 0)
        merkle_empty_hash(root);
    else
        subtree(m, 0, m->count, root);
}

int merkle_proof(const struct merkle *m, size_t index, uint8_t proof[64][MERKLE_HASH_SIZE])
{
    if (index >= m->count)
        return -EINVAL;
    size_t first = 0, count = m->count;
    int length = 0;
    uint8_t top_down[64][MERKLE_HASH_SIZE];
    while (count > 1) {
        size_t k = split(count);
        if (index - first < k) {
            subtree(m, first + k, count - k, top_down[length++]);
            count = k;
        } else {
            subtree(m, first, k, top_down[length++]);
            first += k;
            count -= k;
        }
    }
    for (int i = 0; i < length; i++)
        memcpy(proof[i], top_down[length - 1 - i], MERKLE_HASH_SIZE);
    return length;
}

void merkle_free(struct merkle *m)
{
    free(m->hashes);
    *m = (struct merkle){0};
}
