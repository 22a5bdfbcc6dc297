/*
 * What the file system's files share. All of it belongs to the home worker's thread, except where something else is
 * said.
 *
 * Files need each other downwards only:
 *
 *     fs            doors; how operations travel
 *     check         all that can be checked
 *     ops           which operation is which
 *     sync          what is on disk
 *     names         operations on names: open, make, remove, rename, links
 *     data          operations on what is in files
 *     paths         where a path leads
 *     load          the tree out of the store's names
 *     fetch         inodes and chunks out of the store
 *     node          a node's life
 *     cache         chunks in memory
 *     tree          names and nodes in memory
 *     journal       changes on their way to the store
 *
 * Upwards there is one call, struct fs_home's wake: what was waited for has come.
 */
#ifndef ENCLAVE_OS_ENCLAVE_FS_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_FS_INTERNAL_H

#include <pthread.h>

#include "enclave/fs/fs.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/thread/worker.h"

struct fs_node {
    struct fs_node *parent;                       /* NULL: the root, or gone */
    struct fs_node *next, *before, *first, *last; /* siblings, children: ascending by serial. Gone: fs->gone's others */
    struct fs_node *by_name, *by_id;              /* chains of the two tables */
    uint64_t id, parent_id, serial;
    struct fs_node *of;     /* this is but another name of that file: only its place, name, id and type count */
    struct fs_node *others; /* a file's other names; a name's next one */
    uint32_t refs;
    uint32_t links; /* its names, this one included */
    bool directory, symlink;
    bool known;    /* the inode's fields are here; else they are still in the store */
    bool loading;  /* and on their way */
    bool dirty;    /* they are newer than the journal */
    bool gone;     /* unlinked: goes with its last reference */
    bool replaced; /* by a rename, which its removal must not overtake */
    int failed;    /* they could not be read */
    uint64_t size, accessed_ns, modified_ns, changed_ns;
    uint32_t *chunks; /* indices of the chunks that are stored or dirty, ascending */
    uint32_t chunk_count, chunk_capacity;
    uint32_t cached; /* chunks of it in memory */
    uint8_t name_size;
    char *name;   /* owned; not terminated */
    char *target; /* of a symbolic link that is known: size bytes, owned */
    struct charge charge;
};

static inline struct fs_node *fs_file_of(struct fs_node *name)
{
    return name && name->of ? name->of : name;
}

static inline enum fs_type fs_type_of(const struct fs_node *node)
{
    return node->directory ? FS_DIRECTORY : node->symlink ? FS_SYMLINK : FS_FILE;
}

/* One change to the store on its way; those up to one that ends a group belong together. */
struct fs_change {
    struct fs_change *next;
    uint64_t number; /* fs->made after it */
    bool put, ends_group, removes_file;
    uint16_t key_size;
    uint32_t value_size;
    uint8_t bytes[]; /* key, value */
};

struct chunk {
    struct chunk *by_key, *newer, *older;
    struct chunk *dirty_before, *dirty_next;
    struct fs *fs;
    struct fs_node *node;
    uint32_t index;
    bool loading, dirty;
    int failed;
    uint64_t journaled; /* fs->made when it was last written there: not to be dropped before that is durable */
    uint8_t data[FS_CHUNK_SIZE];
};

/* Of all apps together. */
struct cache {
    struct chunk *table[CACHE_SLOTS], *newest, *oldest;
    uint32_t count;
};

struct fs_home {
    struct worker *worker; /* whose thread all of this belongs to */
    struct store *store;
    /* fs.c's: run again what waits, since something has come. It may be the end of fs: the last thing that who calls it
     * does with fs. */
    void (*wake)(struct fs *fs);
    struct cache cache;
    size_t pending_bytes; /* in all journals */
    pthread_mutex_t lock; /* of the list below, which any thread may use */
    struct fs *all;
};

struct fs {
    struct fs *next;
    struct fs_home *home;
    atomic_uint refs;        /* apps, and operations; from 0 on nothing comes any more, unless the app does */
    struct loop_task unused; /* they became 0 */
    uint32_t fetches;        /* on their way from the store */
    char app[80];
    struct kv_namespace *ns;
    struct budget *memory; /* of the app, once the tree is here */
    bool loaded;           /* the tree is here */
    struct fs_node root;
    struct fs_node **names, **ids; /* hash tables, table_size each */
    size_t table_size, node_count; /* node_count: names in directories, so without the root and what is gone */
    size_t gone_count;             /* gone, but still referenced: */
    struct fs_node *gone;
    uint64_t next_id, next_serial, seed;
    uint32_t chunk_total; /* beyond the first of each file, those that are gone included */
    struct fs_op *waiting, **waiting_end;
    /* the journal */
    struct fs_change *pending, **pending_end, *flight;
    size_t pending_bytes, flight_count;
    uint64_t made, durable; /* changes, ever; all up to the latter's number are on disk */
    int error;
    bool making_way; /* what is in flight are removals, ahead of what does not fit */
    /* the cache */
    uint32_t dirty_count, cached_count;
    struct chunk *dirty_first, *dirty_last; /* in the order in which they became dirty */
};

/* What is entered from outside, or from the loop, begins so. */
static inline void fs_enter(const struct fs *fs)
{
    ENSURE(fs);
    loop_check(&fs->home->worker->loop);
}

/* ---- ops.c ------------------------------------------------------------------------------------------------------- */

/* 0 or the result, or -EAGAIN: run it again when something has come. */
int fs_run(struct fs_op *op);

/* ---- sync.c; these, and those of names and data, as fs_run ------------------------------------------------------- */

int op_sync(struct fs_op *op);
int op_release(struct fs_op *op);
/* What was asked for is done; what is left is that it is on disk. */
int op_settle(struct fs_op *op);

/* ---- names.c ----------------------------------------------------------------------------------------------------- */

int op_open(struct fs_op *op);
int op_mkdir(struct fs_op *op);
int op_unlink(struct fs_op *op);
int op_rmdir(struct fs_op *op);
int op_rename(struct fs_op *op);
int op_link(struct fs_op *op);
int op_make_symlink(struct fs_op *op);
int op_readlink(struct fs_op *op);
int op_list(struct fs_op *op);

/* ---- data.c ------------------------------------------------------------------------------------------------------ */

int op_stat(struct fs_op *op);
int op_times(struct fs_op *op);
int op_resize(struct fs_op *op);
int op_read(struct fs_op *op);
int op_write(struct fs_op *op);
/* Cut or extend. What lies beyond the end is zero if the file grows again. */
int data_resize(struct fs_op *op, struct fs_node *node, uint64_t size);

/* ---- paths.c ----------------------------------------------------------------------------------------------------- */

/* A path's last step: the directory it is in, its name, and what stands there now (or NULL). */
struct place {
    struct fs_node *directory, *node;
    struct fs_node *entry; /* node, or another name of it: what stands in the directory */
    const char *name;      /* NULL: the path names the starting directory or one above the name: "." or "a/.." */
    size_t name_size;
    bool must_be_directory; /* it ended in a slash; what is there may be something else */
    bool is_above;          /* it ended in ".." */
};

/* What becomes of a symbolic link that a path ends in. */
enum last_link {
    LINK_STAYS,    /* it is what is meant, also with a slash behind it */
    LINK_IS_MEANT, /* the same, but with a slash behind it what it leads to */
    LINK_FOLLOWED
};
/* Where the operation's path leads: 0, -EAGAIN, or why it leads nowhere. What does not exist in an existing directory
 * is found, without a node. */
int path_find(const struct fs_op *op, enum last_link last, struct place *out);
/* The same for what must exist, and be a directory if a slash says so: -ENOENT, -ENOTDIR. */
int path_find_existing(const struct fs_op *op, enum last_link last, struct place *out);
/* Where its second path leads; a link at its end stays. */
int path_find_to(const struct fs_op *op, struct place *out);
/* As the operation's flags say. */
enum last_link path_last(const struct fs_op *op);

/* ---- load.c ------------------------------------------------------------------------------------------------------ */

int load_tree(struct fs *fs); /* until it is loaded; 0 or a negative errno */

/* ---- fetch.c ----------------------------------------------------------------------------------------------------- */

/* Fill in the inode's fields: 0, -EAGAIN, other negative errno. */
int fetch_inode(struct fs *fs, struct fs_node *node);
/* 0 and *out, or -EAGAIN, or why it cannot be read. fresh: its content does not matter. */
int fetch_chunk(struct fs *fs, struct fs_node *node, uint32_t index, bool fresh, struct chunk **out);

/* ---- node.c ------------------------------------------------------------------------------------------------------ */

/* Give up a reference; what was unlinked goes with the last. */
void node_put(struct fs *fs, struct fs_node *node);
/* One that is gone, and that nobody refers to: its chunks go one by one, after the group. */
void node_dispose(struct fs *fs, struct fs_node *node);
/* Its content changed, now. */
void node_touch(struct fs_node *node);
void node_stat(const struct fs_node *node, struct fs_stat *stat);

/* ---- cache.c ----------------------------------------------------------------------------------------------------- */

struct chunk *cache_find(struct fs *fs, const struct fs_node *node, uint32_t index);
/* One that is not there, zeroed, once there is room. 0; -EAGAIN: all of the app's chunks must be written first; or why
 * they cannot be. */
int cache_add(struct fs *fs, struct fs_node *node, uint32_t index, struct chunk **out);
/* It is used now, so it is dropped last. */
void cache_use(struct chunk *c);
void cache_drop(struct chunk *c);
void cache_mark_dirty(struct fs *fs, struct chunk *c);
/* The file's (NULL: every file's) dirty chunks and inodes into the journal. false: no memory. */
bool cache_flush(struct fs *fs, struct fs_node *node);
/* Forget a file's (NULL: every file's) chunks from index on. */
void cache_forget(struct fs *fs, struct fs_node *node, uint32_t from);
void cache_check(const struct fs_home *home);

/* ---- tree.c ------------------------------------------------------------------------------------------------------ */

/* Nothing but the root, freed or forgotten whatever was there. false: no memory. */
bool tree_init(struct fs *fs);
/* All of it, whoever holds a part; its chunks are gone. */
void tree_deinit(struct fs *fs);
/* An entry as the store has it; its directory may come later. 0; -ENOMEM; -EBADMSG: it cannot be. */
int tree_add_stored(struct fs *fs, uint64_t id, uint64_t parent_id, const char *name, size_t size, enum fs_type type);
/* Every such entry finds its directory; they are listed in the order in which they were made, names of one file by
 * name. 0; -ENOMEM; -EBADMSG. */
int tree_join(struct fs *fs);
struct fs_node *tree_find_id(struct fs *fs, uint64_t id);
struct fs_node *tree_find(struct fs *fs, const struct fs_node *parent, const char *name, size_t size);
struct fs_node *tree_add(struct fs *fs, struct fs_node *parent, const char *name, size_t size, enum fs_type type);
/* Another name for a file. */
struct fs_node *tree_add_name(struct fs *fs, struct fs_node *parent, const char *name, size_t size,
                              struct fs_node *file);
/* Take one away of a file that has others. */
void tree_drop_name(struct fs *fs, struct fs_node *name);
/* Where a symbolic link leads; copied. false: no memory. */
bool tree_set_target(struct fs *fs, struct fs_node *node, const char *target, size_t size);
char *tree_copy_name(const char *name, size_t size); /* NULL: no memory */
/* Takes the name. */
void tree_move(struct fs *fs, struct fs_node *node, struct fs_node *parent, char *name, size_t size);
/* What it is charged for. */
size_t tree_cost(const struct fs_node *node);
void tree_detach(struct fs *fs, struct fs_node *node);
void tree_free(struct fs *fs, struct fs_node *node); /* detached, unreferenced */
bool tree_has_chunk(const struct fs_node *node, uint32_t index);
int tree_add_chunk(struct fs *fs, struct fs_node *node, uint32_t index); /* 0, -EDQUOT, -ENOSPC, -ENOMEM */
void tree_drop_chunk(struct fs *fs, struct fs_node *node, uint32_t index);
size_t tree_dentry_key(const struct fs_node *parent, const struct fs_node *node, uint8_t key[DENTRY_KEY_MAX]);

/* ---- journal.c. Changes are made by reserving room first, so that an operation is journaled whole or not at all -- */

void journal_init(struct fs *fs);
/* What is not on disk is forgotten; nothing is on its way. */
void journal_deinit(struct fs *fs);
bool journal_put(struct fs *fs, const void *key, size_t key_size, const void *value, size_t value_size);
bool journal_delete(struct fs *fs, const void *key, size_t key_size);
/* The inode of a file, by which all of it goes; the group's last change. */
bool journal_forget_inode(struct fs *fs, const struct fs_node *node);
void journal_end_group(struct fs *fs);
bool journal_inode(struct fs *fs, struct fs_node *node);
void journal_send(struct fs *fs);
/* 0; -EAGAIN: too much is on its way, or what failed earlier is tried again, wait; or the error that it failed with. */
int journal_room(struct fs_op *op);
/* Whether so many more records may be stored, as far as the enclave's memory goes; else -ENOSPC. */
bool journal_memory(const struct fs *fs, size_t records);
/* The same for a removal, which is let through when the store is full; after it, journal_make_way. */
int journal_room_for_removal(struct fs_op *op);
void journal_make_way(struct fs *fs);
size_t fs_inode_key(uint64_t id, uint8_t key[INODE_KEY_SIZE]);
size_t fs_chunk_key(uint64_t id, uint32_t index, uint8_t key[CHUNK_KEY_SIZE]);
/* How much of home->pending_bytes is this one's. */
size_t journal_check(const struct fs *fs);

#endif
