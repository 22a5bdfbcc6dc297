/*
 * The room's manual. Witnesses (C2SP tlog-witness) cosign the heads of this enclave's history, each only what extends
 * what it has seen: so a store that was put back, or a second copy that runs, does not get far.
 *
 *     set.h       who they are, how many of them it takes, and how often
 *     wire.h      what is asked of one, and how its answer is judged
 *     ask.h       asking, over HTTP
 *     quorum.h    which heads they have cosigned together, and whom to ask next: pure arithmetic
 *     witness.h   all of it at work: the gate at boot, checkpoints while it runs, and what is to be done if they refuse
 *
 *     limits.h    all bounds
 *
 * From the bottom up: a set says who; an enclave has one, or for a while two.
 *
 *     set = witness_set_read(json, size, &conditional, replaces, why);      NULL: why says what is wrong with it
 *     w = witnesses_new(&config);                                           the log, two dialers, and who is to hear
 *     witnesses_are(w, set, NULL);                                          w has a reference of its own
 *     witness_set_unref(set);
 *     witnesses_grown(w);                                                   there is an entry: they are asked
 *     ... the loop turns; config.events.reached(user, size, epoch) ...      K of them have cosigned that much
 *     witnesses_free(w);
 *
 * A set: fixed at first boot, changed by administrators, part of a generation. As JSON, which an operator sends and the
 * store keeps:
 *
 *     {"quorum": K, "seconds": T, "commits": N,
 *      "witnesses": [{"name": "w1", "url": "https://witness.example", "key": "NAME+ID+KEY"}]}
 *
 * T and N bound what a host can take back: no more than N commits of the store, and T seconds of the host's clock, are
 * ever behind the last head that K of them have cosigned. A set of none is {"quorum": 0}, and promises nothing.
 *
 * Who owns what. A set is immutable and counted: whoever made it or took a reference gives one back, the last frees it.
 * It has a fixed size; nothing in it is allocated beside it, and nothing is a secret. What reads texts copies them.
 *
 * Units. Sizes of heads are entries, of texts bytes; T is seconds, times with _ns nanoseconds of the loop's clock; N
 * and epochs count commits of the store.
 *
 * Errors. What an operator or the store has wrong is NULL with a sentence in why (no line feed, with its zero); no
 * memory is "out of memory" there, -ENOMEM elsewhere. What a witness or the host says is never an error of the
 * caller's: it is a word that can withhold a cosignature, and is told to people (witness.h).
 *
 * Threads. Sets, wire.h and quorum.h: any; nothing global. ask.h and witness.h: the owner's, but where they say other.
 *
 * Known weaknesses. Seconds are the host's, who can make them long. A witness that is the host's own proves nothing,
 * and names and URLs say nothing of who runs it: the quorum is for the operator to choose. A host that lets no question
 * out keeps the enclave from being ready, or its apps from writing, and nobody in here can tell that from witnesses
 * that are down.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WITNESS_SET_H
#define ENCLAVE_OS_ENCLAVE_WITNESS_SET_H

#include <stdatomic.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/witness_option.h"
#include "enclave/witness/limits.h"
#include "verifier/note.h"

struct witness {
    char name[WITNESS_NAME_MAX + 1]; /* the operator's, for people */
    char url[WITNESS_URL_MAX + 1];   /* add-checkpoint is behind it */
    char vkey[NOTE_KEY_TEXT_SIZE];
    struct note_key key; /* a cosignature's */
    struct witness_url at;
    char target[WITNESS_URL_MAX + sizeof "/add-checkpoint"];
};

struct witness_set {
    atomic_uint references;
    uint32_t quorum;           /* 1 .. count; 0: there are none */
    uint32_t seconds, commits; /* from 1 on */
    size_t count;
    struct witness of[WITNESSES_MAX]; /* by name; names and keys differ */
    uint8_t sha256[32];               /* of its record: names this set */
};

/* All of these give one reference, or NULL with a sentence in why; -ENOMEM has "out of memory". */

/* Options: lines "NAME=URL,VKEY", each with a line feed; 0: quorum of all, WITNESS_SECONDS, WITNESS_COMMITS. No line:
 * the set of none. */
struct witness_set *witness_set_of_options(const char *lines, size_t size, uint32_t quorum, uint32_t seconds,
                                           uint32_t commits, char why[WITNESS_WHY_SIZE]);
/* The store's record, or an operator's order, in which what stands for options may be left out. An order may have one
 * more member, "replaces", the sha256 of the set that it was made from, in hex: *conditional, and in replaces. */
struct witness_set *witness_set_read(const char *json, size_t size, bool *conditional, uint8_t replaces[32],
                                     char why[WITNESS_WHY_SIZE]);

struct witness_set *witness_set_ref(struct witness_set *s);
void witness_set_unref(struct witness_set *s); /* NULL is nothing */
bool witness_set_same(const struct witness_set *a, const struct witness_set *b);

/* The leaves of the configuration's tree, in order: "witness:NAME" each (URL NUL VKEY), and "witnesses". Ends at add's
 * first error, and returns it. */
int witness_set_leaves(const struct witness_set *s,
                       int (*add)(void *user, const char *label, const void *value, size_t size), void *user);

/* The store's record; the same set makes the same text. malloc'ed; NULL: no memory. */
char *witness_set_record(const struct witness_set *s);
/* The same, with its sha256, for who asks; NULL: no memory. */
json_t *witness_set_json(const struct witness_set *s);

#endif
