/*
 * A log that is read over the network, and its file. Private to the verifier's client side; see verifier_log.h.
 */
#ifndef ENCLAVE_VERIFIER_LOG_PRIVATE_H
#define ENCLAVE_VERIFIER_LOG_PRIVATE_H

#include "verifier/internal.h"
#include "verifier/verifier_log.h"

#define TILE_HEIGHT 8u
#define TILE_WIDTH 256u
#define TILES_MAX 32u /* that are kept: 8 KiB each */
#define PROOFS_MAX (HEADS_MAX + 1)
#define LOG_ERROR_SIZE 256u
#define BUNDLE_SIZE_MAX (TILE_WIDTH * (2 + VERIFIER_LOG_ENTRY_SIZE_MAX))

struct tile {
    unsigned level, width;
    uint64_t index;
    uint8_t hashes[TILE_WIDTH][32];
};

struct proof {
    struct verifier_consistency proof;
    uint8_t path[VERIFIER_CONSISTENCY_MAX][32];
    struct proof *next;
};

struct verifier_log {
    verifier_log_fetch *fetch;
    void *user;
    char *text; /* the head, as it came */
    size_t text_size;
    struct note note; /* in text */
    struct note_checkpoint head;
    struct tile *tiles[TILES_MAX];
    unsigned next_tile;   /* which goes next */
    struct proof *proofs; /* all that were fetched */
    struct verifier_consistency view_proofs[PROOFS_MAX];
    struct verifier_log_view view;
    struct { /* the view's */
        struct verifier_log_leaf leaf;
        char data[VERIFIER_LOG_ENTRY_SIZE_MAX + 1];
        uint8_t path[64][32];
    } hand_over;
    struct { /* the entries that were fetched last; every one is proven */
        bool known;
        uint64_t index; /* of the bundle */
        unsigned count;
        char *data;
        uint32_t at[TILE_WIDTH], size[TILE_WIDTH];
    } bundle;
    char error[LOG_ERROR_SIZE];
};

/* What came of fetching, in words. */
const char *verifier__log_why(int error);
/* One line for verifier_log_error; returns error. */
int verifier__log_fail(struct verifier_log *log, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "tile/LEVEL/INDEX", or "tile/entries/INDEX" for level -1, and ".p/WIDTH" unless it is whole (C2SP tlog-tiles). */
void verifier__log_path(int level, uint64_t index, unsigned width, char out[80]);
/* The hash over the entries from first to end, exclusive, a subtree of the tree. 0, or a negative errno. */
int verifier__log_subtree(struct verifier_log *log, uint64_t first, uint64_t end, uint8_t out[32]);
/* How far the largest power of two below count reaches; count is at least 2. */
uint64_t verifier__log_split(uint64_t count);

/* ---- by what an image has the instance (log_hand_over.c) --- */

/* Into the view, of the first certified_size entries; those before from are known to the caller. */
void verifier__log_search(struct verifier_log *log, uint64_t from, uint64_t certified_size);

/* ---- what a client remembers (log_state.c) --- */

/* A file of it, which has been read: the key has signed the head. */
struct log_state {
    char *text; /* the whole file; what follows points into it, but for the parsed */
    const char *checkpoint;
    size_t checkpoint_size;
    char key_text[NOTE_KEY_TEXT_SIZE];
    struct note_key key;
    struct note_checkpoint head;
};
/* 0; -ENOENT: there is none; another negative errno, with one line in error. After success s->text must be freed. */
int verifier__log_state_load(struct log_state *s, const char *path, char *error, size_t error_size);
/* A file of at most limit bytes, malloc'ed, with a NUL behind it; NULL with errno set. */
char *verifier__log_read_file(const char *path, size_t limit, size_t *size);
/* A checkpoint that the key has signed, of its own log: NULL, or what is wrong with it (static). */
const char *verifier__log_signed(const char *checkpoint, size_t size, const struct note_key *key,
                                 struct note_checkpoint *head);

/* ---- two heads that cannot be of one history (log_conflict.c) --- */

/* A head and its text. */
struct signed_head {
    const char *checkpoint;
    size_t checkpoint_size;
    uint64_t size;
    const uint8_t *root;
};
/* What a proof says of the tree of the first old_size entries and of the larger one, whose heads these are: 1: the one
 * goes on from the other; 0: it does not; -EBADMSG: it is no proof of the larger one. */
int verifier__log_follows(const struct verifier_consistency *proof, const uint8_t old_root[32],
                          const uint8_t new_root[32]);
/* The JSON (docs/history.md), malloc'ed; NULL: out of memory. proof may be NULL, and so may the certificate. */
char *verifier__log_evidence(const char *kind, const char *key, const struct signed_head *before,
                             const struct signed_head *now, const struct verifier_consistency *proof,
                             const void *certificate, size_t certificate_size);

#endif
