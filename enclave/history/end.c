/* The end of the log: what is in memory of it. See internal.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/history/internal.h"

size_t entry_record_key(char key[RECORD_KEY_MAX], uint64_t index)
{
    return (size_t)snprintf(key, RECORD_KEY_MAX, "entry/%lu", (unsigned long)index);
}

size_t bundle_record_key(char key[RECORD_KEY_MAX], uint64_t index)
{
    return (size_t)snprintf(key, RECORD_KEY_MAX, "bundle/%lu", (unsigned long)index);
}

size_t tile_record_key(char key[RECORD_KEY_MAX], struct merkle_tile tile)
{
    return (size_t)snprintf(key, RECORD_KEY_MAX, "tile/%u/%lu", tile.level, (unsigned long)tile.index);
}

struct log_end *end_new(void)
{
    return calloc(1, sizeof(struct log_end));
}

void end_free(struct log_end *end)
{
    if (!end)
        return;
    free(end->bundle);
    free(end);
}

struct log_end *end_copy(const struct log_end *end, size_t entries, size_t bytes)
{
    struct log_end *copy = malloc(sizeof *copy);
    if (!copy)
        return NULL;
    copy->edge = end->edge;
    for (unsigned level = 0; level < MERKLE_TILE_LEVELS; level++)
        memcpy(copy->tiles[level], end->tiles[level], (size_t)end_width(end, level) * MERKLE_HASH_SIZE);
    copy->bundle_size = end->bundle_size;
    copy->bundle_capacity = end->bundle_size + 2 * entries + bytes;
    copy->bundle = malloc(copy->bundle_capacity ? copy->bundle_capacity : 1);
    if (!copy->bundle) {
        free(copy);
        return NULL;
    }
    if (end->bundle_size)
        memcpy(copy->bundle, end->bundle, end->bundle_size);
    return copy;
}

static void push_bytes(struct log_end *end, const uint8_t *entry, size_t size)
{
    ENSURE(size <= HISTORY_ENTRY_MAX);
    ENSURE(end->bundle_capacity - end->bundle_size >= 2 + size);
    end->bundle[end->bundle_size++] = (uint8_t)(size >> 8);
    end->bundle[end->bundle_size++] = (uint8_t)size;
    if (size)
        memcpy(end->bundle + end->bundle_size, entry, size);
    end->bundle_size += size;
}

void end_push(struct log_end *end, const uint8_t *entry, size_t size,
              void (*store)(void *user, const struct log_end *end, struct merkle_tile tile), void *user)
{
    uint8_t hash[MERKLE_HASH_SIZE];
    uint64_t index = end->edge.size;
    unsigned level = 0, slot;
    push_bytes(end, entry, size);
    merkle_leaf_hash(entry, size, hash);
    merkle_edge_push(&end->edge, hash);
    do {
        ENSURE(level < MERKLE_TILE_LEVELS);
        slot = (unsigned)(index % MERKLE_TILE_WIDTH);
        index /= MERKLE_TILE_WIDTH;
        memcpy(end->tiles[level][slot], hash, sizeof hash);
        if (level > 0 || slot == MERKLE_TILE_WIDTH - 1)
            store(user, end, (struct merkle_tile){level, index});
        if (slot == MERKLE_TILE_WIDTH - 1)
            merkle_tile_root((const uint8_t(*)[MERKLE_HASH_SIZE])end->tiles[level], MERKLE_TILE_WIDTH, hash);
        level++;
    } while (slot == MERKLE_TILE_WIDTH - 1);
    if (end->edge.size % MERKLE_TILE_WIDTH == 0)
        end->bundle_size = 0;
}

size_t bundle_prefix(const uint8_t *bundle, size_t size, unsigned count)
{
    size_t at = 0;
    for (; count > 0; count--) {
        if (size - at < 2)
            return 0;
        size_t entry = (size_t)bundle[at] << 8 | bundle[at + 1];
        if (size - at - 2 < entry)
            return 0;
        at += 2 + entry;
    }
    return at;
}
