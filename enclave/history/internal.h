/* What the room's files share. See history.h. */
#ifndef ENCLAVE_OS_ENCLAVE_HISTORY_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_HISTORY_INTERNAL_H

#include <pthread.h>

#include "enclave/history/history.h"
#include "enclave/history/key.h"
#include "enclave/history/read.h"

/* ---- records (docs/history.md) ---------------------------------------------------------------------------------- */

#define HEAD_RECORD "head"
#define HEAD_SIZE (8u + MERKLE_HASH_SIZE) /* size, big endian; root */
#define RECORD_KEY_MAX 32u                /* of any of the keys below, with its zero */

size_t entry_record_key(char key[RECORD_KEY_MAX], uint64_t index);  /* entry/N: not in a bundle yet */
size_t bundle_record_key(char key[RECORD_KEY_MAX], uint64_t index); /* bundle/N: 256 entries */
size_t tile_record_key(char key[RECORD_KEY_MAX], struct merkle_tile tile);

/* ---- the end of the log, as it is held in memory (end.c) -------------------------------------------------------- */

/* The last tile of each level, and the entries of the last bundle: what is not complete. A level's last tile has
 * merkle_level_size(size, level) % 256 hashes. */
struct log_end {
    struct merkle_edge edge;
    uint8_t tiles[MERKLE_TILE_LEVELS][MERKLE_TILE_WIDTH][MERKLE_HASH_SIZE];
    uint8_t *bundle; /* entries, each behind its size; edge.size % 256 of them */
    size_t bundle_size, bundle_capacity;
};

struct log_end *end_new(void);
void end_free(struct log_end *end); /* NULL is nothing */
/* With room for as many entries of so many bytes; NULL: no memory. */
struct log_end *end_copy(const struct log_end *end, size_t entries, size_t bytes);
/* How wide the last tile of a level is. */
static inline unsigned end_width(const struct log_end *end, unsigned level)
{
    return (unsigned)(merkle_level_size(end->edge.size, level) % MERKLE_TILE_WIDTH);
}
/* One entry more, for which there must be room. store is called for each tile that must be written, as it is then:
 * those of the upper levels whenever they grow, which is seldom; that of the lowest level when it is complete, and
 * with it the bundle. Before, its hashes are those of entries that have records of their own. */
void end_push(struct log_end *end, const uint8_t *entry, size_t size,
              void (*store)(void *user, const struct log_end *end, struct merkle_tile tile), void *user);
/* A part of entries, of so many bytes: how many the first count of them take; 0: there are not so many. */
size_t bundle_prefix(const uint8_t *bundle, size_t size, unsigned count);

/* ---- the log ---------------------------------------------------------------------------------------------------- */

struct append {
    struct history_append out;
    struct log_end *end; /* what it will be */
    char note[HISTORY_NOTE_MAX];
    size_t note_size;
    bool failed; /* no memory: while the operations are collected */
    struct kv_op ops[HISTORY_OPS_MAX];
    char keys[HISTORY_OPS_MAX][RECORD_KEY_MAX];
};

struct history {
    struct worker *owner;
    struct store *store;
    struct kv_namespace *ns;
    uint8_t key[HISTORY_KEY_SIZE], public_key[32];
    char origin[HISTORY_ORIGIN_SIZE];
    bool open;

    struct log_end *end;
    struct history_turn *turn, *turns, **turns_end; /* whose it is; who wait for one */
    struct append *append;                          /* what is prepared, in that turn */
    struct loop_task grown;                         /* tells the watcher */
    void (*watch)(void *user);
    void *watch_user;

    struct read *reads, **reads_end; /* that wait */
    struct loop_task reads_turn;     /* lets some of them begin */
    unsigned reading;

    /* What any thread may see; the owner writes it. */
    pthread_mutex_t lock;
    struct history_head head;
    char note[HISTORY_NOTE_MAX];
    size_t note_size;
    char cosignatures[HISTORY_COSIGNATURES_MAX];
    size_t cosignatures_size;
};

/* A signed note of this head, without witnesses: how many bytes; -EIO. */
int note_make(const struct history *h, const struct history_head *head, char note[HISTORY_NOTE_MAX]);
/* The new head for all to see. */
void head_publish(struct history *h, const struct history_head *head, const char *note, size_t note_size);

/* reads_turn's. */
void reads_go_on(struct loop_task *task);

/* ---- entries (entry.c) ------------------------------------------------------------------------------------------ */

/* Its JSON, malloc'ed, *size bytes. 0, -E2BIG, or -ENOMEM. */
int entry_json(const struct history_entry *e, uint64_t index, uint64_t time_s, uint64_t epoch, char **json,
               size_t *size);

#endif
