/*
 * The enclave's history: an append-only log (RFC 9162's tree, C2SP's checkpoints and tiles) of what it served, since
 * when, and who changed it. Nothing in it is a secret: everybody may have all of it. docs/history.md has the format.
 *
 *     struct history *h = history_new(&config);
 *     error = history_open(h, why, sizeof why);                   boot: reads its end, and checks it
 *
 *     struct history_entry entry = {.kind = "generation", .what = "app push counter", ...};
 *     const struct history_append *more;
 *     history_turn_take(h, &turn, on_turn);
 *     static void on_turn(struct history_turn *turn)              it is ours: nobody else appends
 *         error = history_prepare(turn, &entry, 1, &more);        the head that there will be, and what to write for it
 *         ... a certificate that shows more->head; then one transaction: more->ops and what they are about ...
 *         history_made(turn);        or history_abandon(turn): it was not written
 *         history_turn_end(turn);
 *
 * What is prepared is in no checkpoint, in no proof and in nobody's hands but the preparer's before history_made: what
 * clients see is on disk.
 *
 * Turns. One append at a time. Whoever wants to append takes a turn, which comes when those before have ended theirs.
 * A turn may be long: that of a change lasts as long as the host takes to make a quote.
 *
 * Outcome. After a transaction of which it is not known whether it was made (-ENOTRECOVERABLE) the store takes no more
 * writes, so the log does not grow any more before the next start: history_abandon, as after any error.
 *
 * Threads. The owner's, the worker's that the store has, except what is marked.
 *
 * Memory. What is kept in here: at most 256 entries (HISTORY_ENTRY_MAX each) that no bundle has yet, and the hashes of
 * tiles that are not complete, 64 KiB at most. All else is in the store, and read when it is asked for, a few at a time
 * (read.h).
 *
 * Cost. An append writes its entry and the head: two records. Each 256th puts the 256 entries' records together into a
 * bundle, and writes the tiles that it completes.
 *
 * Errors are kvstore.h's, and
 *     -EBADMSG   what the store has is not a log, or not one that goes with its head
 *     -E2BIG     an entry is longer than HISTORY_ENTRY_MAX
 *     -EINVAL    there is no such size, or it was never that of this log
 *
 * Known weaknesses. Time is the host's claim. A host that puts back the whole store puts back the log with it: whoever
 * remembers a larger one notices (docs/history.md), nobody else does. Two copies of one store that run side by side
 * have two logs with one beginning, until somebody compares them: that is what witnesses are for.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HISTORY_HISTORY_H
#define ENCLAVE_OS_ENCLAVE_HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/callbacks.h"
#include "enclave/history/limits.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/merkle/log.h"
#include "enclave/thread/loop.h"

struct history;

#define HISTORY_NAMESPACE "history" /* of the store: its records */
#define HISTORY_ORIGIN "enclave-os/"
#define HISTORY_ORIGIN_SIZE (sizeof HISTORY_ORIGIN + 64u)

struct history_config {
    struct worker *owner;
    struct store *store; /* open; outlives it */
    uint8_t instance[32];
    uint8_t key[32]; /* key.h: of its Ed25519 key, which signs checkpoints */
};

/* NULL: no memory. Nothing can be asked for before history_open, once: 0 or a negative errno with a line in why. Turns
 * the loop. */
struct history *history_new(const struct history_config *config);
int history_open(struct history *h, char *why, size_t why_size);
/* Nobody may wait for anything of it. NULL is nothing. */
void history_free(struct history *h);

/* ---- entries ---------------------------------------------------------------------------------------------------- */

/* What an entry says beside what the log itself knows (its index, the time, the store's epoch). Borrowed. */
struct history_entry {
    const char *kind;        /* "begin", "boot", "generation", "salvage", "state" */
    const char *what;        /* one line for people, UTF-8: "app push counter"; cut at HISTORY_WHAT_MAX; NULL: empty */
    const uint8_t (*by)[32]; /* SHA-256 of the keys (SPKI) that asked for it: the asker's first */
    size_t by_count;         /* up to HISTORY_BY_MAX; 0: the enclave itself */
    uint64_t generation;     /* that is served, or will be */
    const uint8_t *root;     /* 32 bytes: of its manifest */
    const char *app;         /* the app that it is about, or NULL */
    const uint8_t *sha256;   /* 32 bytes: of that app's code, or NULL */
    const uint8_t *nonce;    /* 32 bytes, or NULL */
    const uint8_t *measurement; /* 32 bytes: MRENCLAVE, or NULL */
};

/* ---- appending -------------------------------------------------------------------------------------------------- */

/* Zero-initialise. */
struct history_turn {
    struct loop_task task;   /* first */
    struct history *history; /* NULL: it is not taken */
    struct history_turn *next;
    void (*fn)(struct history_turn *turn);
};

/* fn runs once, later, from the owner's loop; from then on the turn is its holder's until history_turn_end. It must not
 * be freed or taken again before that. */
void history_turn_take(struct history *h, struct history_turn *turn, void (*fn)(struct history_turn *turn));
void history_turn_end(struct history_turn *turn);

struct history_head {
    uint64_t size;
    uint8_t root[MERKLE_HASH_SIZE];
};

/* The head that there will be, and the operations that belong into the transaction: they live until history_made or
 * history_abandon. Together they take at most HISTORY_COMMIT_MAX of a transaction's COMMIT_PAYLOAD_MAX. */
struct history_append {
    struct history_head head;
    const struct kv_op *ops;
    size_t count;
};

/* Once at a time in a turn. 0; -E2BIG, -ENOMEM, -EIO (no signature can be made), and then there is nothing to end
 * but the turn. */
int history_prepare(struct history_turn *turn, const struct history_entry *entries, size_t count,
                    const struct history_append **out);
/* Its transaction is on disk. Cannot fail: the log is as long as was said, with a new checkpoint. */
void history_made(struct history_turn *turn);
/* Its transaction was not made, or not to be known. */
void history_abandon(struct history_turn *turn);

/* These operations and the append's in one list, more->count + count of them, malloc'ed; what they point to stays where
 * it is. NULL: no memory. */
static inline struct kv_op *history_ops_with(const struct history_append *more, const struct kv_op *ops, size_t count)
{
    struct kv_op *all = calloc(more->count + count, sizeof *all);
    if (all && count > 0)
        memcpy(all, ops, count * sizeof *all);
    if (all)
        memcpy(all + count, more->ops, more->count * sizeof *all);
    return all;
}

/* All of it for an entry that goes with nothing else: a turn, and a transaction of its own. The entry is copied.
 * head is that of the log whose last entry it is; NULL where there is an error. */
typedef void (*history_appended)(void *user, int error, const struct history_head *head);
MAY_REFUSE int history_append(struct history *h, const struct history_entry *entry, history_appended done, void *user);
/* Boot: entries and what is written with them, one transaction, waited for. Turns the loop. */
int history_append_wait(struct history *h, const struct history_entry *entries, size_t count, const struct kv_op *ops,
                        size_t op_count);

/* fn runs from the owner's loop after the log has grown: once for one or several appends. One watcher; NULL: none. */
void history_watch(struct history *h, void (*fn)(void *user), void *user);

/* ---- what it is ------------------------------------------------------------------------------------------------- */

/* Of what is on disk. Any thread. Size 0 before the first append. */
struct history_head history_head(struct history *h);
/* Of its checkpoints: "enclave-os/" and the instance; also its key's name. Any thread. */
const char *history_origin(const struct history *h);
/* The 32 bytes of the Ed25519 key that checkpoints are verified with. Any thread. */
const uint8_t *history_public_key(const struct history *h);

/* The newest checkpoint: a signed note of the head that history_head gives, with the log's own signature, then the
 * lines of history_cosigned if those are of the same head. Ends with a line feed, and a zero. Any thread. Returns
 * its size, 0 where there is no entry yet; *head, unless NULL, is the head that it is of. */
size_t history_checkpoint(struct history *h, char text[HISTORY_CHECKPOINT_MAX], struct history_head *head);
/* Signature lines of witnesses, each with its line feed, for the checkpoint of this size: shown from now on, instead of
 * those before, until the log grows. Another size, or too much: false, and nothing changes. Not kept in the store. */
bool history_cosigned(struct history *h, uint64_t size, const char *lines, size_t lines_size);

/* ---- proofs ----------------------------------------------------------------------------------------------------- */

/* proof is valid during done; count 0 and NULL where there is an error. */
typedef void (*history_proof_done)(void *user, int error, const uint8_t (*proof)[MERKLE_HASH_SIZE], size_t count);
/* That the log of to entries begins with that of from. -EINVAL, at once: unless 0 < from <= to <= the head's size. */
MAY_REFUSE int history_consistency(struct history *h, uint64_t from, uint64_t to, history_proof_done done, void *user);
/* Whether this was once the log's head. done gets 0: it was; -EINVAL: it was not (a size larger than the head's among
 * them); other: it could not be learned. */
typedef void (*history_known_done)(void *user, int error);
MAY_REFUSE int history_knows(struct history *h, const struct history_head *head, history_known_done done, void *user);

#endif
