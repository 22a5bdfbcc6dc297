/*
 * The tree of names, in memory as a whole: made once from the names of the store's records, then kept.
 */
#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/fs/internal.h"

#define TABLE_FIRST 64u

/* ---- tables ----------------------------------------------------------------------------------------------------- */

/* Seeded: guests choose the names. */
static size_t name_slot(const struct fs *fs, uint64_t parent, const char *name, size_t size)
{
    uint64_t hash = fs->seed ^ parent * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3u;
    hash ^= hash >> 29;
    hash *= fs->seed | 1;
    return (hash >> 20) & (fs->table_size - 1);
}

static size_t id_slot(const struct fs *fs, uint64_t id)
{
    return (id * 0x9e3779b97f4a7c15u >> 20) & (fs->table_size - 1);
}

static void enter_name(struct fs *fs, struct fs_node *node)
{
    struct fs_node **names = &fs->names[name_slot(fs, node->parent_id, node->name, node->name_size)];
    node->by_name = *names;
    *names = node;
}

/* Other names are found by name alone. */
static void enter(struct fs *fs, struct fs_node *node)
{
    struct fs_node **ids = &fs->ids[id_slot(fs, node->id)];
    enter_name(fs, node);
    if (node->of)
        return;
    node->by_id = *ids;
    *ids = node;
}

static void leave_name(struct fs *fs, struct fs_node *node)
{
    struct fs_node **at = &fs->names[name_slot(fs, node->parent_id, node->name, node->name_size)];
    while (*at != node)
        at = &(*at)->by_name;
    *at = node->by_name;
}

static void leave(struct fs *fs, struct fs_node *node)
{
    leave_name(fs, node);
    if (node->of)
        return;
    struct fs_node **at = &fs->ids[id_slot(fs, node->id)];
    while (*at != node)
        at = &(*at)->by_id;
    *at = node->by_id;
}

static bool resize_tables(struct fs *fs, size_t size)
{
    struct fs_node **names = calloc(size, sizeof *names), **ids = calloc(size, sizeof *ids), **old = fs->names;
    size_t old_size = fs->table_size;
    if (!names || !ids) {
        free(names);
        free(ids);
        return false;
    }
    free(fs->ids);
    fs->names = names;
    fs->ids = ids;
    fs->table_size = size;
    for (size_t i = 0; i < old_size; i++)
        for (struct fs_node *node = old[i], *next; node; node = next) {
            next = node->by_name;
            enter(fs, node);
        }
    free(old);
    return true;
}

struct fs_node *tree_find_id(struct fs *fs, uint64_t id)
{
    for (struct fs_node *node = fs->ids[id_slot(fs, id)]; node; node = node->by_id)
        if (node->id == id)
            return node;
    return NULL;
}

struct fs_node *tree_find(struct fs *fs, const struct fs_node *parent, const char *name, size_t size)
{
    for (struct fs_node *node = fs->names[name_slot(fs, parent->id, name, size)]; node; node = node->by_name)
        if (node->parent == parent && node->name_size == size && memcmp(node->name, name, size) == 0)
            return node;
    return NULL;
}

/* ---- places ----------------------------------------------------------------------------------------------------- */

static void attach(struct fs *fs, struct fs_node *node, struct fs_node *parent)
{
    node->parent = parent;
    node->parent_id = parent->id;
    node->serial = ++fs->next_serial;
    node->next = NULL;
    node->before = parent->last;
    *(parent->last ? &parent->last->next : &parent->first) = node;
    parent->last = node;
}

static void unlink_sibling(struct fs_node *node)
{
    struct fs_node *parent = node->parent;
    *(node->before ? &node->before->next : &parent->first) = node->next;
    *(node->next ? &node->next->before : &parent->last) = node->before;
}

char *tree_copy_name(const char *name, size_t size)
{
    char *made = malloc(size);
    return made ? memcpy(made, name, size) : NULL;
}

/* A node is made only after journal_memory, or found in the store: it is charged in any case. */
static void charge_node(struct fs *fs, struct fs_node *node)
{
    if (!node->charge.from)
        charge_open(&node->charge, fs->memory);
    charge_must(&node->charge, sizeof *node + node->name_size + node->chunk_capacity * sizeof *node->chunks +
                                   (node->target ? node->size : 0));
}

static struct fs_node *make(struct fs *fs, uint64_t id, const char *name, size_t size, enum fs_type type)
{
    if (fs->node_count >= fs->table_size && !resize_tables(fs, fs->table_size * 2))
        return NULL;
    struct fs_node *node = calloc(1, sizeof *node);
    if (!node || !(node->name = tree_copy_name(name, size))) {
        free(node);
        return NULL;
    }
    node->name_size = (uint8_t)size;
    charge_node(fs, node);
    node->id = id;
    node->links = 1;
    node->directory = type == FS_DIRECTORY;
    node->symlink = type == FS_SYMLINK;
    fs->node_count++;
    return node;
}

struct fs_node *tree_add(struct fs *fs, struct fs_node *parent, const char *name, size_t size, enum fs_type type)
{
    struct fs_node *node = make(fs, fs->next_id, name, size, type);
    if (!node)
        return NULL;
    fs->next_id++;
    node->known = true;
    node->accessed_ns = node->modified_ns = node->changed_ns = fs_now_ns();
    attach(fs, node, parent);
    enter(fs, node);
    return node;
}

void tree_move(struct fs *fs, struct fs_node *node, struct fs_node *parent, char *name, size_t size)
{
    leave(fs, node);
    unlink_sibling(node);
    free(node->name);
    node->name = name;
    node->name_size = (uint8_t)size;
    charge_node(fs, node);
    attach(fs, node, parent);
    enter(fs, node);
}

void tree_detach(struct fs *fs, struct fs_node *node)
{
    leave(fs, node);
    unlink_sibling(node);
    node->parent = NULL;
    node->gone = true;
    fs->node_count--;
}

void tree_free(struct fs *fs, struct fs_node *node)
{
    fs->chunk_total -= node->chunk_count > 1 ? node->chunk_count - 1 : 0;
    charge_give(&node->charge);
    free(node->target);
    free(node->name);
    free(node->chunks);
    free(node);
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static void join_names(struct fs_node *file, struct fs_node *name)
{
    name->of = file;
    name->others = file->others;
    file->others = name;
    file->links++;
}

struct fs_node *tree_add_name(struct fs *fs, struct fs_node *parent, const char *name, size_t size,
                              struct fs_node *file)
{
    struct fs_node *node = make(fs, file->id, name, size, fs_type_of(file));
    if (!node)
        return NULL;
    join_names(file, node);
    attach(fs, node, parent);
    enter(fs, node);
    return node;
}

/* The file itself stands where this name of it stood, also in the order of its directory. */
static void take_place(struct fs *fs, struct fs_node *file, struct fs_node *name)
{
    char *own = file->name;
    uint8_t own_size = file->name_size;
    leave_name(fs, file);
    leave_name(fs, name);
    unlink_sibling(file);
    file->parent = name->parent;
    file->parent_id = name->parent_id;
    file->serial = name->serial;
    file->next = name->next; /* as it is now: the two may have been neighbours */
    file->before = name->before;
    *(file->before ? &file->before->next : &file->parent->first) = file;
    *(file->next ? &file->next->before : &file->parent->last) = file;
    file->name = name->name;
    file->name_size = name->name_size;
    name->name = own; /* it goes with the name */
    name->name_size = own_size;
    charge_node(fs, file);
    enter_name(fs, file);
}

void tree_drop_name(struct fs *fs, struct fs_node *name)
{
    struct fs_node *file = fs_file_of(name), *gone = name == file ? file->others : name, **at = &file->others;
    while (*at != gone)
        at = &(*at)->others;
    *at = gone->others;
    file->links--;
    if (name == file) {
        take_place(fs, file, gone);
    } else {
        leave_name(fs, name);
        unlink_sibling(name);
    }
    fs->node_count--;
    tree_free(fs, gone);
}

bool tree_set_target(struct fs *fs, struct fs_node *node, const char *target, size_t size)
{
    node->target = tree_copy_name(target, size);
    if (!node->target)
        return false;
    node->size = size;
    charge_node(fs, node);
    return true;
}

size_t tree_dentry_key(const struct fs_node *parent, const struct fs_node *node, uint8_t key[DENTRY_KEY_MAX])
{
    uint64_t parent_id = __builtin_bswap64(parent->id), id = __builtin_bswap64(node->id);
    key[0] = 'd';
    memcpy(key + 1, &parent_id, 8);
    key[9] = (uint8_t)fs_type_of(node);
    memcpy(key + 10, &id, 8);
    memcpy(key + 18, node->name, node->name_size);
    return 18u + node->name_size;
}

/* ---- chunks ----------------------------------------------------------------------------------------------------- */

static uint32_t chunk_position(const struct fs_node *node, uint32_t index)
{
    uint32_t low = 0, high = node->chunk_count;
    if (high > 0 && node->chunks[high - 1] < index)
        return high; /* files mostly grow */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (node->chunks[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool tree_has_chunk(const struct fs_node *node, uint32_t index)
{
    uint32_t at = chunk_position(node, index);
    return at < node->chunk_count && node->chunks[at] == index;
}

int tree_add_chunk(struct fs *fs, struct fs_node *node, uint32_t index)
{
    uint32_t at = chunk_position(node, index);
    if (at < node->chunk_count && node->chunks[at] == index)
        return 0;
    if (node->chunk_count > 0 && fs->chunk_total >= FS_CHUNKS_MAX)
        return -EDQUOT;
    if (fs->loaded && !journal_memory(fs, 1))
        return -ENOSPC;
    if (node->chunk_count == node->chunk_capacity) {
        uint32_t capacity = node->chunk_capacity ? node->chunk_capacity * 2 : 4;
        uint32_t *grown = realloc(node->chunks, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        node->chunks = grown;
        node->chunk_capacity = capacity;
        charge_node(fs, node);
    }
    memmove(&node->chunks[at + 1], &node->chunks[at], (node->chunk_count - at) * sizeof *node->chunks);
    node->chunks[at] = index;
    fs->chunk_total += node->chunk_count++ > 0;
    return 0;
}

void tree_drop_chunk(struct fs *fs, struct fs_node *node, uint32_t index)
{
    uint32_t at = chunk_position(node, index);
    if (at == node->chunk_count || node->chunks[at] != index)
        return;
    memmove(&node->chunks[at], &node->chunks[at + 1], (node->chunk_count - at - 1) * sizeof *node->chunks);
    fs->chunk_total -= --node->chunk_count > 0;
}

/* ---- inodes ----------------------------------------------------------------------------------------------------- */

struct fetch {
    struct fs *fs;
    struct fs_node *node;
};

/* 0, or why it cannot be used. */
static int take_inode(struct fs *fs, struct fs_node *node, const uint8_t *value, size_t size)
{
    uint64_t length;
    if (size < 33 || value[0] != (node->symlink ? 2 : 1))
        return -EBADMSG;
    memcpy(&length, value + 1, 8);
    if (size - 33 != (node->symlink ? length : 0))
        return -EBADMSG;
    if (node->symlink && !tree_set_target(fs, node, (const char *)value + 33, size - 33))
        return -ENOMEM;
    node->size = length;
    memcpy(&node->accessed_ns, value + 9, 8);
    memcpy(&node->modified_ns, value + 17, 8);
    memcpy(&node->changed_ns, value + 25, 8);
    node->known = true;
    return 0;
}

static void on_inode(void *user, int status, const uint8_t *value, size_t size)
{
    struct fetch *f = user;
    struct fs_node *node = f->node;
    if (!node->known) /* else changed meanwhile: newer than what comes */
        node->failed = status == 0 ? take_inode(f->fs, node, value, size) : status == -ENOENT ? -EBADMSG : status;
    node->loading = false;
    struct fs *fs = f->fs;
    free(f);
    fs_node_put(fs, node);
    fs_wake(fs);
}

int tree_know(struct fs *fs, struct fs_node *node)
{
    uint8_t key[9];
    int failed = node->failed;
    node->failed = 0;
    if (node->known || failed)
        return node->known ? 0 : failed;
    if (node->loading)
        return -EAGAIN;
    struct fetch *f = malloc(sizeof *f);
    if (!f)
        return -ENOMEM;
    *f = (struct fetch){fs, node};
    int status = kv_get(fs_home, fs->ns, key, fs_inode_key(node->id, key), on_inode, f);
    if (status < 0) {
        free(f);
        return status;
    }
    node->loading = true;
    node->refs++;
    return -EAGAIN;
}

/* ---- loading ---------------------------------------------------------------------------------------------------- */

struct loading {
    struct fs *fs;
    int status;
    /* inodes and chunks, until every entry is known: 'i' or 'c', id, index */
    struct record {
        uint64_t id;
        uint32_t index;
        bool chunk;
    } * records;
    size_t count, capacity;
};

static int take_entry(struct fs *fs, const uint8_t *key, size_t size)
{
    uint64_t parent, id;
    memcpy(&parent, key + 1, 8);
    memcpy(&id, key + 10, 8);
    struct fs_node *node = make(fs, __builtin_bswap64(id), (const char *)key + 18, size - 18, key[9]);
    if (!node)
        return -ENOMEM;
    node->parent_id = __builtin_bswap64(parent);
    if (node->id >= fs->next_id)
        fs->next_id = node->id + 1;
    struct fs_node *file = tree_find_id(fs, node->id);
    bool another = file && !file->directory && fs_type_of(file) == key[9];
    if (another)
        join_names(file, node);
    enter(fs, node);
    if (file && !another)
        return -EBADMSG; /* the store is as we left it, so this is a fault of our own */
    return 0;
}

static int take_record(struct loading *l, const uint8_t *key, bool chunk)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 256;
        void *grown = realloc(l->records, capacity * sizeof *l->records);
        if (!grown)
            return -ENOMEM;
        l->records = grown;
        l->capacity = capacity;
    }
    struct record *r = &l->records[l->count++];
    uint32_t index = 0;
    memcpy(&r->id, key + 1, 8);
    r->id = __builtin_bswap64(r->id);
    if (chunk)
        memcpy(&index, key + 9, 4);
    r->index = __builtin_bswap32(index);
    r->chunk = chunk;
    if (r->id >= l->fs->next_id)
        l->fs->next_id = r->id + 1;
    return 0;
}

static int compare_records(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->index > y->index) - (x->index < y->index);
}

static int compare_nodes(const void *a, const void *b)
{
    const struct fs_node *x = *(struct fs_node *const *)a, *y = *(struct fs_node *const *)b;
    if (x->id != y->id || x == y)
        return x->id > y->id ? 1 : -(x->id < y->id);
    int order = memcmp(x->name, y->name, x->name_size < y->name_size ? x->name_size : y->name_size);
    return order ? order : x->name_size - y->name_size;
}

/* Every entry finds its directory; they are listed in the order in which they were made, names of one file by name. */
static int join(struct fs *fs)
{
    struct fs_node **all = malloc((fs->node_count + 1) * sizeof *all);
    size_t count = 0;
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < fs->table_size; i++)
        for (struct fs_node *node = fs->names[i]; node; node = node->by_name)
            all[count++] = node;
    qsort(all, count, sizeof *all, compare_nodes);
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        struct fs_node *parent = all[i]->parent_id ? tree_find_id(fs, all[i]->parent_id) : &fs->root;
        if (parent && parent->directory)
            attach(fs, all[i], parent);
        else
            status = -EBADMSG; /* the store is as we left it, so this is a fault of our own */
    }
    free(all);
    return status;
}

/* Files without an entry were unlinked while they were open when the enclave ended. */
static int claim_records(struct loading *l)
{
    struct fs *fs = l->fs;
    uint8_t key[13];
    int status = 0;
    if (l->count > 1)
        qsort(l->records, l->count, sizeof *l->records, compare_records);
    for (size_t i = 0; i < l->count && status == 0; i++) {
        const struct record *r = &l->records[i];
        struct fs_node *node = r->id ? tree_find_id(fs, r->id) : &fs->root;
        if (node && r->chunk)
            status = tree_add_chunk(fs, node, r->index);
        if (node)
            continue;
        size_t size = r->chunk ? fs_chunk_key(r->id, r->index, key) : fs_inode_key(r->id, key);
        status = journal_delete(fs, key, size) ? 0 : -ENOMEM;
        journal_end_group(fs);
    }
    return status;
}

static bool take_name(void *user, const uint8_t *key, size_t size)
{
    struct loading *l = user;
    if (size > 18 && size <= DENTRY_KEY_MAX && key[0] == 'd')
        l->status = take_entry(l->fs, key, size);
    else if (size == 9 && key[0] == 'i')
        l->status = take_record(l, key, false);
    else if (size == 13 && key[0] == 'c')
        l->status = take_record(l, key, true);
    return l->status == 0;
}

/* What a load that failed left. */
static void clear(struct fs *fs)
{
    cache_forget(fs, NULL, 0);
    for (size_t i = 0; i < fs->table_size; i++)
        for (struct fs_node *node = fs->names[i], *next; node; node = next) {
            next = node->by_name;
            tree_free(fs, node);
        }
    free(fs->names);
    free(fs->ids);
    fs->names = fs->ids = NULL;
    fs->table_size = fs->node_count = 0;
    fs->chunk_total = 0;
    fs->root = (struct fs_node){.directory = true, .known = true};
    fs->next_id = 1;
}

int tree_load(struct fs *fs)
{
    if (fs->loaded)
        return 0;
    struct loading l = {.fs = fs};
    clear(fs);
    if (!fs->memory && !(fs->memory = kv_memory(fs->ns)))
        return -ENOMEM;
    if (!resize_tables(fs, TABLE_FIRST) || RAND_bytes((uint8_t *)&fs->seed, sizeof fs->seed) != 1)
        return -ENOMEM;
    int status = kv_each(fs->ns, take_name, &l);
    if (l.status == 0)
        l.status = status < 0 ? status : join(fs);
    if (l.status == 0)
        l.status = claim_records(&l);
    free(l.records);
    fs->loaded = l.status == 0;
    return l.status;
}
