/*
 * A log's entries, which a server has in bundles of 256. A bundle is proven as a whole: its entries' hashes and those
 * of all other parts of the tree must make the root of the head.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/log.h"

/* Where each entry is: 2 bytes of length, big endian, before each, and nothing behind the last. */
static bool cut(struct verifier_log *log, const uint8_t *data, size_t size, unsigned count)
{
    size_t at = 0;
    for (unsigned i = 0; i < count; i++) {
        if (size - at < 2)
            return false;
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        if (length > VERIFIER_LOG_ENTRY_SIZE_MAX || length > size - at - 2)
            return false;
        log->bundle.at[i] = (uint32_t)at + 2;
        log->bundle.size[i] = (uint32_t)length;
        at += 2 + length;
    }
    return at == size;
}

/* The hash over a subtree, of which those that hashes has, count from start on, are known. */
struct known {
    uint64_t start, end;
    const uint8_t (*hashes)[32];
};

static int root_with(struct verifier_log *log, const struct known *k, uint64_t first, uint64_t end, uint8_t out[32])
{
    if (end <= k->start || first >= k->end)
        return verifier__log_subtree(log, first, end, out);
    if (first >= k->start && end <= k->end) {
        uint8_t copy[TILE_WIDTH][32];
        memcpy(copy, k->hashes[first - k->start], (size_t)(end - first) * 32);
        verifier__merkle_root(copy, (size_t)(end - first), out);
        return 0;
    }
    uint64_t middle = first + verifier__log_split(end - first); /* at most 63 times */
    uint8_t right[32];
    int error = root_with(log, k, first, middle, out);
    if (!error)
        error = root_with(log, k, middle, end, right);
    if (!error)
        verifier__merkle_node(out, right, out);
    return error;
}

static int prove(struct verifier_log *log, const uint8_t *data, uint64_t start, unsigned count)
{
    uint8_t hashes[TILE_WIDTH][32], root[32];
    const struct known k = {start, start + count, hashes};
    for (unsigned i = 0; i < count; i++)
        verifier__merkle_leaf(data + log->bundle.at[i], log->bundle.size[i], hashes[i]);
    int error = root_with(log, &k, 0, log->head.size, root);
    if (error)
        return error;
    if (memcmp(root, log->head.root, 32) == 0)
        return 0;
    return verifier__log_fail(log, -EBADMSG, "entries %llu to %llu are not those of the log's root",
                              (unsigned long long)start, (unsigned long long)(start + count - 1));
}

/* As wide as the bundle is in this tree, or whole, since the log has grown. */
static int fetch_bundle(struct verifier_log *log, uint64_t index, unsigned *count, uint8_t **data, size_t *size)
{
    char path[80];
    verifier__log_path(-1, index, *count, path);
    int error = log->fetch(log->user, path, BUNDLE_SIZE_MAX, data, size);
    if (error == -ENOENT && *count < TILE_WIDTH) {
        verifier__log_path(-1, index, TILE_WIDTH, path);
        error = log->fetch(log->user, path, BUNDLE_SIZE_MAX, data, size);
        *count = TILE_WIDTH;
    }
    return error ? verifier__log_fail(log, error, "%s: %s", path, verifier__log_why(error)) : 0;
}

static int get_bundle(struct verifier_log *log, uint64_t index)
{
    uint64_t start = index * TILE_WIDTH, left = log->head.size - start;
    unsigned count = left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH, fetched = count;
    uint8_t *data = NULL;
    size_t size = 0;
    if (log->bundle.known && log->bundle.index == index)
        return 0;
    log->bundle.known = false;
    int error = fetch_bundle(log, index, &fetched, &data, &size);
    if (error)
        return error;
    if (!cut(log, data, size, fetched))
        error = verifier__log_fail(log, -EBADMSG, "the bundle of entries from %llu on is malformed",
                                   (unsigned long long)start);
    else
        error = prove(log, data, start, count);
    char *text = error ? NULL : malloc(VERIFIER_LOG_ENTRY_SIZE_MAX + 1 + size);
    if (!error && !text)
        error = verifier__log_fail(log, -ENOMEM, "out of memory");
    if (!error) {
        free(log->bundle.data);
        log->bundle.data = text;
        memcpy(text + VERIFIER_LOG_ENTRY_SIZE_MAX + 1, data, size);
        log->bundle.known = true;
        log->bundle.index = index;
        log->bundle.count = count;
    }
    free(data);
    return error;
}

int verifier_log_entry(struct verifier_log *log, uint64_t index, const char **data, size_t *size)
{
    if (index >= log->head.size)
        return verifier__log_fail(log, -EINVAL, "there is no entry %llu", (unsigned long long)index);
    int error = get_bundle(log, index / TILE_WIDTH);
    if (error)
        return error;
    /* In front of the bundle is the room for one entry and its NUL. */
    unsigned i = (unsigned)(index % TILE_WIDTH);
    char *one = log->bundle.data;
    memcpy(one, one + VERIFIER_LOG_ENTRY_SIZE_MAX + 1 + log->bundle.at[i], log->bundle.size[i]);
    one[log->bundle.size[i]] = '\0';
    *data = one;
    *size = log->bundle.size[i];
    return 0;
}
