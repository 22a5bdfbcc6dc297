/*
 * A file system for each app, over the sealed store. Directories, regular files (which may have several names) and
 * symbolic links, which lead nowhere out of the directory that a path starts from.
 *
 *     struct fs_home *home = fs_home_new(keeper, store);               once
 *     struct fs *fs = fs_of_app(home, "counter");
 *     struct fs_op *op = fs_op_new(worker, fs, FS_OPEN, NULL, "a/b", 3, NULL, 0, 0);
 *     op->flags = FS_OPEN_CREATE | FS_OPEN_WRITE;
 *     op->done = opened;
 *     fs_submit(op);
 *     static void opened(struct fs_op *op)           later, from worker's loop: op->error, op->opened
 *     {
 *         ...
 *         fs_op_free(op);
 *     }
 *
 * Threads. One (the home worker's, which owns the store) holds the tree and runs every operation, so that all workers
 * see one state. An operation is a structure that is submitted and comes back, on the submitting worker's loop, when
 * it is done, and never from inside fs_submit (enclave/thread/errand.h asserts that). Nothing blocks.
 *
 * Who owns what. An operation belongs to who made it until it is submitted, and again when it comes back; it carries
 * its buffer and paths. A node that came back in opened is held until an FS_RELEASE names it; an operation holds its
 * own nodes while it is under way. A file system is counted: by who has it of fs_of_app, and by its operations. With
 * the last of them it is written, as far as that is possible, and all that it has in memory goes; the records stay.
 *
 * Durability: operations change memory at once and the store soon after, in order; FS_SYNC comes back when everything
 * before it is on disk, and so does any operation with FS_DURABLE. A crash loses only what was not synced, and always a
 * whole operation: a rename has happened or has not. A write is whole within each chunk.
 *
 * If the store fails (a full disk), what was not written stays in memory. Every operation that changes something, and
 * every sync, first has it tried again, and fails if it does. On a full disk files can always be removed: that goes
 * ahead of what does not fit, and is the one thing that leaves the order.
 *
 * Errors: negative errno values, listed at fs_op. What a guest asks for in vain is an error; what the caller may not do
 * (a wrong thread, an operation submitted twice, a NULL) stops the enclave. Sizes are bytes, times nanoseconds since
 * 1970 by the host's clock. Limits are in limits.h.
 *
 * Known weaknesses. An app's whole tree is in memory from its first operation on. Times are the host's claim. A read
 * changes the time of access in memory only. Another app's writes may delay an app's, which the bound of what waits
 * (JOURNAL_PENDING_LEAST) keeps small but does not exclude.
 *
 * Records of an app's namespace "app:SPACE:fs" (integers big-endian in keys, little-endian in values):
 *   'd' parent u64, type u8, id u64, name -> empty          one per directory entry, so names alone give the tree;
 *                                                           several with the id of one file are its names
 *   'i' id u64 -> version u8 1, size u64, accessed, modified, changed u64 (ns since 1970)
 *                 version u8 2 for symbolic links: the same, and where it leads, size bytes
 *   'c' id u64, index u32 -> up to FS_CHUNK_SIZE bytes, trailing zeros left out; absent: zeros
 * The store's root covers all of them, so the host cannot mix versions of chunks, nor bring back old ones.
 */
#ifndef ENCLAVE_OS_ENCLAVE_FS_FS_H
#define ENCLAVE_OS_ENCLAVE_FS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/fs/limits.h"
#include "enclave/thread/errand.h"

struct store;   /* enclave/kvstore/store.h */
struct worker;  /* enclave/thread/worker.h */
struct fs_home; /* all file systems of a store */
struct fs;      /* an app's file system */
struct fs_node; /* a file or directory, held by whoever opened it */

/* worker's thread runs it all; it must be the store's owner. Lives for ever. On that thread. NULL: no memory. */
struct fs_home *fs_home_new(struct worker *worker, struct store *store);
/* Shutdown, on the home worker's thread: begins to write what has not been written. False: nothing is on its way any
 * more, or all of it failed; else turn the loop and ask again. */
bool fs_flush(struct fs_home *home);
/* The app's, made if needed: a reference of the caller's own. NULL: no memory, or home is NULL. Any thread. */
struct fs *fs_of_app(struct fs_home *home, const char *app);
/* Give it back. NULL is nothing. Any thread. */
void fs_unref(struct fs *fs);
/* Stops unless the app's tree, and the journals and the cache of all, are in order. Walks all of it: for tests, after
 * each step, on the home worker's thread. */
void fs_check(struct fs *fs);

enum fs_type { FS_DIRECTORY = 3, FS_SYMLINK = 5, FS_FILE = 6 }; /* as wasi:filesystem/types numbers descriptor-type */

struct fs_stat {
    enum fs_type type;
    uint64_t id; /* never used twice within an app */
    uint64_t size, links;
    uint64_t accessed_ns, modified_ns, changed_ns;
};

enum fs_call {
    FS_OPEN,         /* path; flags: FS_OPEN_*. -> opened, stat */
    FS_MKDIR,        /* path */
    FS_UNLINK,       /* path: a file's name, or a symbolic link */
    FS_RMDIR,        /* path: an empty directory */
    FS_RENAME,       /* path, to and to_path. Replaces a file or an empty directory */
    FS_LINK,         /* path, of a file or symbolic link; to and to_path: another name for it */
    FS_MAKE_SYMLINK, /* path; to_path: where it leads, relative */
    FS_READLINK,     /* path -> transferred bytes in buffer, which is to have FS_PATH_MAX */
    FS_STAT,         /* path, or the node itself if it is empty and flags has FS_SELF -> stat */
    FS_TIMES,        /* the same; set_accessed/set_modified and the times */
    FS_RESIZE,       /* size */
    FS_READ,         /* offset, size -> transferred bytes in buffer, end */
    FS_WRITE, /* offset (FS_APPEND: the end), buffer, size -> transferred, offset behind it. What stopped it half way
                * is the error only with FS_WHOLE, or if nothing was written */
    FS_LIST,  /* cursor, cursor_id (0: from the start) -> transferred bytes of entries in buffer, cursor and cursor_id;
                * end when there are no more. An entry: type u8, name size u8, name */
    FS_SYNC,
    FS_RELEASE, /* node is not used any more; done may be NULL */
};
enum {
    FS_OPEN_CREATE = 1,
    FS_OPEN_DIRECTORY = 2,
    FS_OPEN_EXCLUSIVE = 4,
    FS_OPEN_TRUNCATE = 8,
    FS_OPEN_WRITE = 16,
    FS_SELF = 32,
    FS_APPEND = 64,
    FS_WHOLE = 128,
    FS_FOLLOW = 256, /* a symbolic link that the path ends in (FS_OPEN, FS_STAT, FS_TIMES, FS_LINK) */
    FS_DURABLE = 512 /* comes back when what it did, or read, is on disk */
};

/* Made with fs_op_new, freed with fs_op_free by whoever gets it back. done may be NULL: then it is freed. */
struct fs_op {
    struct errand errand; /* first; like next, the file system's own */
    struct fs_op *next;
    struct worker *origin;
    struct fs *fs;
    enum fs_call call;
    uint32_t flags;
    struct fs_node *node, *to; /* directories for calls with a path; NULL: the root. Held by the caller until
                               * this is submitted, and from then on by the operation, too */
    uint64_t offset, size, cursor, cursor_id;
    bool set_accessed, set_modified;
    uint64_t accessed_ns, modified_ns;
    void (*done)(struct fs_op *op); /* on origin's loop */
    void *user;
    /* results */
    int error; /* 0; -ENOENT, -EEXIST, -ENOTDIR, -EISDIR, -ENOTEMPTY, -EPERM (a path out of its directory; another
                 * name for a directory), -EINVAL, -ENAMETOOLONG, -ELOOP, -EFBIG, -EDQUOT, -EBUSY, -ENOSPC, -EIO,
                 * -EBADMSG (tampered with), -ENOMEM */
    struct fs_node *opened;
    struct fs_stat stat;
    size_t transferred;
    bool end;
    /* private */
    uint64_t awaited;
    bool started, retried, settling;
    const char *path, *to_path; /* in buffer */
    size_t path_size, to_path_size;
    size_t buffer_size;
    uint8_t buffer[];
};

/* An operation with a buffer for bytes (there is room for size of FS_WRITE), with copies of its paths (which may be
 * NULL), and with a reference of its own to fs. NULL: no memory. */
struct fs_op *fs_op_new(struct worker *origin, struct fs *fs, enum fs_call call, struct fs_node *node, const char *path,
                        size_t path_size, const char *to_path, size_t to_path_size, size_t bytes);
void fs_op_free(struct fs_op *op);
/* On origin's thread; it comes back once. */
void fs_submit(struct fs_op *op);

#endif
