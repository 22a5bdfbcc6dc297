/*
 * A log's head and its hashes, which a server has in tiles (C2SP tlog-tiles): 256 hashes of one level in one piece.
 * What comes of them counts only as far as it makes the root of the head.
 */
#include "verifier/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int verifier__log_fail(struct verifier_log *log, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(log->error, sizeof log->error, format, arguments);
    va_end(arguments);
    return error;
}

const char *verifier__log_why(int error)
{
    return error == -ENOENT    ? "there is none"
           : error == -EIO     ? "no whole answer came"
           : error == -EAGAIN  ? "the server cannot answer now"
           : error == -EBADMSG ? "the answer is malformed"
                               : strerror(-error);
}

/* ---- the head -------------------------------------------------------------------------------------------------- */

struct verifier_log *verifier_log_open(verifier_log_fetch *fetch, void *user, char *error, size_t error_size)
{
    struct verifier_log *log = calloc(1, sizeof *log);
    uint8_t *text = NULL;
    int result = log ? fetch(user, "checkpoint", NOTE_SIZE_MAX, &text, &log->text_size) : -ENOMEM;
    if (result == 0) {
        log->text = (char *)text;
        log->fetch = fetch;
        log->user = user;
        if (note_parse(log->text, log->text_size, &log->note) == 0 &&
            note_checkpoint_parse(&log->note, &log->head) == 0 && log->head.size > 0)
            return log;
        result = -EBADMSG;
        snprintf(error, error_size, "the log's checkpoint is malformed");
    } else {
        snprintf(error, error_size, "the log's checkpoint: %s", verifier__log_why(result));
    }
    verifier_log_close(log);
    errno = -result;
    return NULL;
}

void verifier_log_close(struct verifier_log *log)
{
    if (!log)
        return;
    for (unsigned i = 0; i < TILES_MAX; i++)
        free(log->tiles[i]);
    for (struct proof *p = log->proofs, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    free(log->bundle.data);
    free(log->text);
    free(log);
}

uint64_t verifier_log_size(const struct verifier_log *log)
{
    return log->head.size;
}

const uint8_t *verifier_log_root(const struct verifier_log *log)
{
    return log->head.root;
}

const char *verifier_log_checkpoint(const struct verifier_log *log, size_t *size)
{
    *size = log->text_size;
    return log->text;
}

const char *verifier_log_error(const struct verifier_log *log)
{
    return log->error;
}

/* ---- tiles ----------------------------------------------------------------------------------------------------- */

void verifier__log_path(int level, uint64_t index, unsigned width, char out[80])
{
    unsigned groups[7], count = 0; /* of three digits */
    do {
        groups[count++] = (unsigned)(index % 1000);
        index /= 1000;
    } while (index > 0);
    char *at = out + (level < 0 ? sprintf(out, "tile/entries") : sprintf(out, "tile/%d", level));
    while (count-- > 0)
        at += sprintf(at, count > 0 ? "/x%03u" : "/%03u", groups[count]);
    if (width < TILE_WIDTH)
        sprintf(at, ".p/%u", width);
}

/* A tile, whole or as wide as it is in this tree. */
static int fetch_tile(struct verifier_log *log, struct tile *t, unsigned width)
{
    char path[80];
    uint8_t *data = NULL;
    size_t size = 0;
    verifier__log_path((int)t->level, t->index, width, path);
    int error = log->fetch(log->user, path, TILE_WIDTH * 32, &data, &size);
    if (error == 0 && size != width * 32)
        error = verifier__log_fail(log, -EBADMSG, "%s has %zu bytes, expected %u", path, size, width * 32);
    else if (error == 0)
        memcpy(t->hashes, data, t->width * 32);
    else
        verifier__log_fail(log, error, "%s: %s", path, verifier__log_why(error));
    free(data);
    return error;
}

static int get_tile(struct verifier_log *log, unsigned level, uint64_t index, const struct tile **out)
{
    for (unsigned i = 0; i < TILES_MAX; i++) {
        *out = log->tiles[i];
        if (*out && (*out)->level == level && (*out)->index == index)
            return 0;
    }
    uint64_t all = log->head.size >> (TILE_HEIGHT * level), left = all - index * TILE_WIDTH;
    struct tile *t = malloc(sizeof *t);
    if (!t)
        return verifier__log_fail(log, -ENOMEM, "out of memory");
    t->level = level;
    t->index = index;
    t->width = left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH;
    int error = fetch_tile(log, t, t->width);
    if (error == -ENOENT && t->width < TILE_WIDTH) /* the log has grown since, and keeps the whole one alone */
        error = fetch_tile(log, t, TILE_WIDTH);
    if (error) {
        free(t);
        return error;
    }
    log->error[0] = '\0';
    free(log->tiles[log->next_tile]);
    log->tiles[log->next_tile] = t;
    log->next_tile = (log->next_tile + 1) % TILES_MAX;
    *out = t;
    return 0;
}

/* The hash over the 2^level entries from index * 2^level on, all of which the tree has. */
static int get_node(struct verifier_log *log, unsigned level, uint64_t index, uint8_t out[32])
{
    const struct tile *t;
    unsigned inside = level % TILE_HEIGHT, count = 1u << inside;
    uint64_t first = index << inside;
    uint8_t hashes[TILE_WIDTH / 2][32];
    int error = get_tile(log, level / TILE_HEIGHT, first / TILE_WIDTH, &t);
    if (error)
        return error;
    memcpy(hashes, t->hashes[first % TILE_WIDTH], count * 32);
    verifier__merkle_root(hashes, count, out);
    return 0;
}

uint64_t verifier__log_split(uint64_t count)
{
    return UINT64_C(1) << (63 - __builtin_clzll(count - 1));
}

int verifier__log_subtree(struct verifier_log *log, uint64_t first, uint64_t end, uint8_t out[32])
{
    uint8_t lefts[64][32];
    unsigned depth = 0;
    int error = 0;
    /* The left half of each is whole; what remains gets smaller by half at least. */
    for (; !error && ((end - first) & (end - first - 1)) != 0; depth++) {
        uint64_t half = verifier__log_split(end - first);
        error = get_node(log, (unsigned)__builtin_ctzll(half), first / half, lefts[depth]);
        first += half;
    }
    if (!error)
        error = get_node(log, (unsigned)__builtin_ctzll(end - first), first / (end - first), out);
    while (!error && depth-- > 0)
        verifier__merkle_node(lefts[depth], out, out);
    return error;
}

/* ---- consistency ----------------------------------------------------------------------------------------------- */

/* As verifier_consistency_roots walks. */
static int fill_path(struct verifier_log *log, struct proof *p)
{
    uint64_t at = p->proof.old_size - 1, last = log->head.size - 1;
    unsigned level = 0;
    for (; at % 2 == 1; at /= 2, last /= 2)
        level++;
    int error = get_node(log, level, at, p->path[p->proof.path_count++]);
    while (!error && last > 0) {
        uint8_t *next = p->path[p->proof.path_count++];
        for (; at == last && at % 2 == 0; at /= 2, last /= 2)
            level++;
        if (at % 2 == 1) {
            error = get_node(log, level, at - 1, next);
        } else {
            uint64_t first = (at + 1) << level, whole = (at + 2) << level;
            error = verifier__log_subtree(log, first, whole < log->head.size ? whole : log->head.size, next);
        }
        at /= 2;
        last /= 2;
        level++;
    }
    return error;
}

int verifier_log_prove(struct verifier_log *log, uint64_t old_size, struct verifier_consistency *proof)
{
    if (old_size == 0 || old_size > log->head.size)
        return verifier__log_fail(log, -EINVAL, "no proof leads from %llu entries to %llu",
                                  (unsigned long long)old_size, (unsigned long long)log->head.size);
    for (struct proof *p = log->proofs; p; p = p->next) {
        if (p->proof.old_size == old_size) {
            *proof = p->proof;
            return 0;
        }
    }
    struct proof *p = calloc(1, sizeof *p);
    if (!p)
        return verifier__log_fail(log, -ENOMEM, "out of memory");
    p->proof = (struct verifier_consistency){.old_size = old_size, .new_size = log->head.size, .path = p->path};
    int error = fill_path(log, p);
    if (error) {
        free(p);
        return error;
    }
    p->next = log->proofs;
    log->proofs = p;
    *proof = p->proof;
    return 0;
}
