/* Boot: the end of the log, read back from the store and held against the head that was written with it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"
#include "enclave/history/internal.h"
#include "enclave/thread/worker.h"

/* Why it is not a log; gives error. */
__attribute__((format(printf, 4, 5))) static int wrong(char *why, size_t why_size, int error, const char *format, ...)
{
    char what[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(why, why_size, "history: %s (error %d)", what, -error);
    return error;
}

/* head's size is 0 where nothing was ever appended. */
static int read_head(struct history *h, struct history_head *head)
{
    uint8_t *record;
    size_t size;
    loop_check(&h->owner->loop);
    ENSURE(!h->open);
    *head = (struct history_head){0};
    merkle_empty_hash(head->root);
    int error = kv_get_wait(h->owner, h->ns, HEAD_RECORD, &record, &size);
    if (error == -ENOENT)
        return 0;
    if (error < 0)
        return error;
    if (size == HEAD_SIZE) {
        head->size = bytes_be64(record);
        memcpy(head->root, record + 8, MERKLE_HASH_SIZE);
    }
    free(record);
    return head->size > 0 && head->size < MERKLE_LOG_MAX ? 0 : -EBADMSG;
}

/* The last tile of an upper level. */
static int read_tile(struct history *h, struct log_end *end, uint64_t size, unsigned level, char key[RECORD_KEY_MAX])
{
    struct merkle_tile tile = {level, merkle_level_size(size, level) / MERKLE_TILE_WIDTH};
    size_t expected = (size_t)merkle_tile_width(tile, size) * MERKLE_HASH_SIZE, got;
    uint8_t *record;
    ENSURE(!h->open);
    ENSURE(level > 0 && level < MERKLE_TILE_LEVELS);
    if (expected == 0)
        return 0;
    tile_record_key(key, tile);
    int error = kv_get_wait(h->owner, h->ns, key, &record, &got);
    if (error < 0)
        return error;
    if (got == expected)
        memcpy(end->tiles[level], record, expected);
    free(record);
    return got == expected ? 0 : -EBADMSG;
}

static void store_nothing(void *user, const struct log_end *end, struct merkle_tile tile)
{
    (void)user;
    (void)end;
    (void)tile;
}

static int read_entry(struct history *h, struct log_end **end, uint64_t index, char key[RECORD_KEY_MAX])
{
    uint8_t *record;
    size_t size;
    ENSURE(!h->open);
    ENSURE((*end)->edge.size == index);
    entry_record_key(key, index);
    int error = kv_get_wait(h->owner, h->ns, key, &record, &size);
    if (error < 0)
        return error;
    struct log_end *more = size <= HISTORY_ENTRY_MAX ? end_copy(*end, 1, size) : NULL;
    if (more) {
        end_push(more, record, size, store_nothing, NULL);
        end_free(*end);
        *end = more;
    }
    free(record);
    return more ? 0 : size > HISTORY_ENTRY_MAX ? -EBADMSG : -ENOMEM;
}

/* All that is not complete of a log of so many entries, into an end that has none. key: of the record at fault. */
static int read_end(struct history *h, struct log_end **end, uint64_t size, char key[RECORD_KEY_MAX])
{
    uint64_t bundled = size / MERKLE_TILE_WIDTH * MERKLE_TILE_WIDTH;
    int error = 0;
    for (unsigned level = MERKLE_TILE_LEVELS; error == 0 && level-- > 1;) {
        error = read_tile(h, *end, size, level, key);
        if (error == 0)
            merkle_edge_push_tile(&(*end)->edge, level, (const uint8_t(*)[MERKLE_HASH_SIZE])(*end)->tiles[level],
                                  (unsigned)(merkle_level_size(size, level) % MERKLE_TILE_WIDTH));
    }
    ENSURE(error < 0 || (*end)->edge.size == bundled);
    for (uint64_t i = bundled; error == 0 && i < size; i++)
        error = read_entry(h, end, i, key);
    return error == -ENOENT ? -EBADMSG : error;
}

int history_open(struct history *h, char *why, size_t why_size)
{
    struct history_head head;
    char key[RECORD_KEY_MAX] = "", note[HISTORY_NOTE_MAX];
    uint8_t root[MERKLE_HASH_SIZE];
    loop_check(&h->owner->loop);
    ENSURE(!h->open);
    int error = read_head(h, &head);
    if (error < 0)
        return wrong(why, why_size, error, "the log's head cannot be read");
    error = read_end(h, &h->end, head.size, key);
    if (error < 0)
        return wrong(why, why_size, error, "its record %s cannot be read, or is not what was written", key);
    merkle_edge_root(&h->end->edge, root);
    if (memcmp(root, head.root, sizeof root) != 0)
        return wrong(why, why_size, -EBADMSG, "the log's last entries are not those of its head");
    int size = head.size > 0 ? note_make(h, &head, note) : 0;
    if (size < 0)
        return wrong(why, why_size, size, "its checkpoint cannot be signed");
    head_publish(h, &head, note, (size_t)size);
    h->open = true;
    return 0;
}
