/*
 * What a store does about records that are not as they were written, whoever is to blame: a disk, or a hostile host.
 *
 * What is known. The sealed root has the number of records and the sum of keyed hashes of what they are: storage key,
 * version, tag. Nobody without the key can make another set of records that adds up to the same sum, so: if what is
 * there adds up to it, each of these facts is right, and none is missing. If it does not, the sum alone does not say
 * which one is wrong. With one record damaged beyond its header or gone, the sum of the rest cannot tell a record
 * that is as it was written last from one that was put back to an earlier version: the difference could be either's.
 * A store that went on with "all that opens" would hand its host the power to roll back any record that it likes, at
 * the price of damaging another one.
 *
 * So every fact is kept twice: in the record, and in its twin (record.h), which lies elsewhere. Start-up takes of
 * both what is authentic, and of that the higher version, since neither was ever written before the other. Then the
 * sum decides, as before; nothing is judged to be damage before all facts are known to be right. There is no guessing
 * what may be missing:
 *
 *     what lies there                      what is known                     what becomes of it
 *     record and twin as written           all                               is read
 *     one of them flipped, cut, swapped,   all, from the other: the root     is written again from the whole one, which
 *       gone, or an older one                says that it is the newest        the log and store_mended_count tell
 *     record of which the twin has only    which one it is, by name; that    every read is -EBADMSG until it is written
 *       the fact: the same                   no newer one was acknowledged     anew, deleted or given up (salvage)
 *     both, so that neither is authentic   nothing                           the sum is wrong: the store does not open
 *     both put back to an older version,   nothing                           the same
 *       or both gone
 *     something that never was a record    that it is nothing of ours        is left out, and removed
 *     the same, with a longer key or       the same                          an honest host does not list it; else the
 *       larger than any record               (limits.h)                        store does not open: the log has its key
 *
 * The root itself is kept under two names as well, and so is the sealed master key. Of two roots that are authentic
 * the one of the later epoch counts, and the sum decides; without either the store does not open. A host that puts
 * back both, with all records, puts back the whole store: that is what witnesses are for (enclave/witness).
 *
 * What a host gains. It can keep single records from being read, by damaging them, as it always could by failing. It
 * can make none disappear: a record that is lost stays an error, in every listing, through restarts, until somebody who
 * may say so gives it up by name (service/salvage.h), which is in the history for everybody to see. It learns what it
 * knew: sizes and places.
 *
 * A record may be lost together with both of its names. The mark in its twin still says whose it is (record.h),
 * where that is whole: lists of that app, or of that namespace of the enclave's own, are errors, and no others. Reading
 * by name goes on, writing it anew mends it, and it is given up by its storage key. Where there is no such mark any
 * more, no list is known to be complete, and all of them are errors: else a host could take a name out of any list by
 * damaging it.
 *
 * A store from before there were twins opens if all is as it was written; then its twins are written.
 *
 * On the owner's thread, but for the counts.
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_DAMAGE_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_DAMAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kv_namespace;
struct store;

/* What became of a record's value, as start-up found it, until it is written anew. */
enum record_damage {
    DAMAGE_NONE,
    DAMAGE_CHANGED, /* what lies there is not what was written */
    DAMAGE_MISSING, /* nothing lies there */
    DAMAGE_OLDER    /* what lies there was written before: something put it back */
};
const char *damage_name(enum record_damage damage); /* "changed", "missing", "older" */

/* A record that is lost. key NULL: its very name is damaged, too, and ns is its owner (record.h); ns NULL: nobody knows
 * whose it is. */
struct store_lost {
    const uint8_t *ns, *key;
    size_t ns_size, key_size;
    uint64_t version;
    enum record_damage how;
    const uint8_t *id; /* STORAGE_KEY_SIZE bytes, for KV_GIVE_UP */
};
/* Each of them, in no order; false ends it. visit must not call the store. */
typedef bool (*store_lost_visit)(void *user, const struct store_lost *lost);
void store_each_lost(struct store *s, store_lost_visit visit, void *user);

/* Of the records that are lost, those of this app (its namespace as kv_namespace_remove has it): a number that any
 * thread may read as long as the store lives. NULL: no memory. Whoever has opened a store asks for each app that there
 * is: some of what has no name may be an app's that has no other record. */
const _Atomic uint64_t *store_lost_of(struct store *s, const struct kv_namespace *app);

/* Records, roots and master keys of which start-up found one of two damaged, and has written it again. Any thread. */
uint64_t store_mended_count(const struct store *s);

#endif
