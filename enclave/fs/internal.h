/* What the file system's files share. All of it belongs to the home worker's thread. */
#ifndef ENCLAVE_OS_ENCLAVE_FS_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_FS_INTERNAL_H

#include "enclave/fs/fs.h"
#include "enclave/kvstore/kvstore.h"

struct fs_node {
    struct fs_node *parent;                       /* NULL: the root, or gone */
    struct fs_node *next, *before, *first, *last; /* siblings, children: ascending by serial */
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

struct fs {
    struct fs *next;
    char app[80];
    struct kv_namespace *ns;
    struct budget *memory; /* of the app, once the tree is here */
    bool loaded;           /* the tree is here */
    struct fs_node root;
    struct fs_node **names, **ids; /* hash tables, table_size each */
    size_t table_size, node_count;
    uint64_t next_id, next_serial, seed;
    uint32_t chunk_total; /* beyond the first of each file */
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

extern struct worker *fs_home;
uint64_t fs_now_ns(void);
/* Give up a reference; what was unlinked goes with the last. */
void fs_node_put(struct fs *fs, struct fs_node *node);
/* Run again what waits: something that it may have waited for has come. */
void fs_wake(struct fs *fs);

/* ops.c: 0 or the result, or -EAGAIN: run it again when something has come. */
int fs_run(struct fs_op *op);

/* paths.c */
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
/* 0, -EAGAIN, or why it leads nowhere. What does not exist in an existing directory is found, without a node. */
int path_find(struct fs *fs, struct fs_node *base, const char *path, size_t size, enum last_link last,
              struct place *out);
/* The same for what must exist, and be a directory if a slash says so: -ENOENT, -ENOTDIR. */
int path_find_existing(struct fs *fs, struct fs_node *base, const char *path, size_t size, enum last_link last,
                       struct place *out);

/* tree.c */
int tree_load(struct fs *fs); /* once; 0 or a negative errno */
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
void tree_detach(struct fs *fs, struct fs_node *node);
void tree_free(struct fs *fs, struct fs_node *node); /* detached, unreferenced */
/* Fill in the inode's fields: 0, -EAGAIN, other negative errno. */
int tree_know(struct fs *fs, struct fs_node *node);
bool tree_has_chunk(const struct fs_node *node, uint32_t index);
int tree_add_chunk(struct fs *fs, struct fs_node *node, uint32_t index); /* 0, -EDQUOT, -ENOMEM */
void tree_drop_chunk(struct fs *fs, struct fs_node *node, uint32_t index);
#define DENTRY_KEY_MAX (18u + FS_NAME_MAX)
size_t tree_dentry_key(const struct fs_node *parent, const struct fs_node *node, uint8_t key[DENTRY_KEY_MAX]);

/* journal.c. Changes are made by reserving room first, so that an operation is journaled whole or not at all. */
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
size_t fs_inode_key(uint64_t id, uint8_t key[9]);
size_t fs_chunk_key(uint64_t id, uint32_t index, uint8_t key[13]);

/* cache.c: chunks in memory. */
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
/* 0 and *out, or -EAGAIN, or why it cannot be read. fresh: its content does not matter. */
int cache_get(struct fs *fs, struct fs_node *node, uint32_t index, bool fresh, struct chunk **out);
void cache_mark_dirty(struct fs *fs, struct chunk *c);
/* The file's (NULL: every file's) dirty chunks and inodes into the journal. false: no memory. */
bool cache_flush(struct fs *fs, struct fs_node *node);
/* Forget a file's (NULL: every file's) chunks from index on. */
void cache_forget(struct fs *fs, struct fs_node *node, uint32_t from);

#endif
