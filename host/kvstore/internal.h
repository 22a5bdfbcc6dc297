/*
 * What the store's files share.
 */
#ifndef ENCLAVE_OS_HOST_KVSTORE_INTERNAL_H
#define ENCLAVE_OS_HOST_KVSTORE_INTERNAL_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* LMDB's codes as negative errno. */
int kvstore_errno(int code);

/* The file whose lock says that a process has the store in folder open, which LMDB itself would not mind: its
 * descriptor, which holds the lock; -EBUSY: another process has it; or a negative errno. A line in error. made: it was
 * not there. */
int kvstore_lock(const char *folder, bool *made, char *error, size_t error_size);

/* ---- files.c ----------------------------------------------------------------------------------------------------- */

#define KVSTORE_LOCK "enclave-os.lock"
#define KVSTORE_LMDB_LOCK "lock.mdb"

/* The file at path, which one process at a time has: its descriptor, locked until it is closed, and of what is at path,
 * not of what was there and was renamed. One that is missing is made, for the owner of folder, in which it is, and
 * *made says so. -EBUSY: another process has it; or a negative errno. */
int kvstore_lock_file(const char *folder, const char *path, bool *made);
/* Closes it, and removes it unless it was renamed. */
void kvstore_forget_file(int fd, const char *path);

/* Before LMDB opens a store with its own lock file: where that is missing it is made, for the owner of folder. 0, or a
 * negative errno. */
int kvstore_give_lock(const char *folder);

/* ---- heads.c ----------------------------------------------------------------------------------------------------- */

#define KVSTORE_HEAD_SIZE 152u /* bytes of LMDB's at the beginning of each of the file's first two pages */
struct kvstore_heads {
    uint8_t of[2][KVSTORE_HEAD_SIZE];
};

/* Whether the heads of the folder's file are as its commits have left them: 0, or -EIO with a line in error. Of no file
 * as of one that LMDB itself refuses: 0. Changes nothing. */
int kvstore_judge_heads(const char *folder, char *error, size_t error_size);
/* The same, by whom the folder is locked: one of which it is known how it was is written again, and a line on standard
 * error says so. */
int kvstore_mend_heads(const char *folder, char *error, size_t error_size);
/* Behind each commit, and for a file that has no note: how its heads are now. known, from the time before, is zero at
 * first: what is in the file counts then. */
void kvstore_note_heads(int fd, struct kvstore_heads *known);

/* ---- damage.c ---------------------------------------------------------------------------------------------------- */

/* While a thread is inside LMDB: a fault then is the file's, and ends the process with a line and without part, a file
 * that is only half written, a lock or a folder that was made for it, or NULL. The inner one's goes first. */
struct kvstore_watch {
    const char *part;
    struct kvstore_watch *outer;
};

extern _Thread_local struct kvstore_watch *volatile kvstore_watched;

static inline void kvstore_watch_end(struct kvstore_watch *watch)
{
    kvstore_watched = watch->outer;
}

/* To the end of the block. */
#define KVSTORE_WATCH(file)                                                                             \
    __attribute__((cleanup(kvstore_watch_end))) struct kvstore_watch watch = {(file), kvstore_watched}; \
    kvstore_watched = &watch

/* Done at the program's start; for a test whose framework takes the signals. */
void kvstore_watch_signals(void);

/* What LMDB calls when a page contradicts itself: it ends the process in the same way. */
void kvstore_on_assert(MDB_env *env, const char *message);

#endif
