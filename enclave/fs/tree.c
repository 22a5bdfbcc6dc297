/* The tree of names, in memory as a whole: made once from the names of the store's records, then kept. */
#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
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
    while (*at != node) {
        ENSURE(*at); /* it is in the table */
        at = &(*at)->by_name;
    }
    *at = node->by_name;
}

static void leave(struct fs *fs, struct fs_node *node)
{
    leave_name(fs, node);
    if (node->of)
        return;
    struct fs_node **at = &fs->ids[id_slot(fs, node->id)];
    while (*at != node) {
        ENSURE(*at);
        at = &(*at)->by_id;
    }
    *at = node->by_id;
}

static bool resize_tables(struct fs *fs, size_t size)
{
    ENSURE(size > fs->table_size);
    ENSURE((size & (size - 1)) == 0);
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
    ENSURE(parent->directory && !parent->gone);
    ENSURE(!node->gone);
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
    ENSURE(parent);
    *(node->before ? &node->before->next : &parent->first) = node->next;
    *(node->next ? &node->next->before : &parent->last) = node->before;
}

char *tree_copy_name(const char *name, size_t size)
{
    char *made = malloc(size);
    return made ? memcpy(made, name, size) : NULL;
}

size_t tree_cost(const struct fs_node *node)
{
    return sizeof *node + node->name_size + node->chunk_capacity * sizeof *node->chunks +
           (node->target ? node->size : 0);
}

/* A node is made only after journal_memory, or found in the store: it is charged in any case. */
static void charge_node(struct fs *fs, struct fs_node *node)
{
    if (!node->charge.from)
        charge_open(&node->charge, fs->memory);
    charge_must(&node->charge, tree_cost(node));
}

static struct fs_node *make(struct fs *fs, uint64_t id, const char *name, size_t size, enum fs_type type)
{
    ENSURE(size > 0 && size <= FS_NAME_MAX);
    ENSURE(fs->memory);
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
    node->accessed_ns = node->modified_ns = node->changed_ns = clock_realtime_ns();
    attach(fs, node, parent);
    enter(fs, node);
    return node;
}

void tree_move(struct fs *fs, struct fs_node *node, struct fs_node *parent, char *name, size_t size)
{
    ENSURE(node != &fs->root);
    ENSURE(size > 0 && size <= FS_NAME_MAX);
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
    ENSURE(node != &fs->root && !node->gone);
    ENSURE(!node->of && !node->others && !node->first);
    leave(fs, node);
    unlink_sibling(node);
    node->parent = NULL;
    node->gone = true;
    node->before = NULL;
    node->next = fs->gone;
    if (fs->gone)
        fs->gone->before = node;
    fs->gone = node;
    fs->node_count--;
    fs->gone_count++;
}

static void unlink_gone(struct fs *fs, struct fs_node *node)
{
    ENSURE(node->gone && fs->gone_count > 0);
    ENSURE(node->before ? node->before->next == node : fs->gone == node);
    *(node->before ? &node->before->next : &fs->gone) = node->next;
    if (node->next)
        node->next->before = node->before;
    fs->gone_count--;
}

void tree_free(struct fs *fs, struct fs_node *node)
{
    ENSURE(node->refs == 0);
    ENSURE(node->cached == 0);
    if (node->gone)
        unlink_gone(fs, node);
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
    ENSURE(!file->of && !file->directory);
    ENSURE(!name->of && name->id == file->id);
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
    ENSURE(name->of == file && !file->of);
    ENSURE(file->parent && name->parent);
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
    ENSURE(file->links > 1);
    while (*at != gone) {
        ENSURE(*at); /* it is one of them */
        at = &(*at)->others;
    }
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
    ENSURE(node->symlink && !node->target);
    ENSURE(size <= FS_PATH_MAX);
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
    memcpy(key + DENTRY_HEADER_SIZE, node->name, node->name_size);
    return DENTRY_HEADER_SIZE + node->name_size;
}

/* ---- chunks ----------------------------------------------------------------------------------------------------- */

static uint32_t chunk_position(const struct fs_node *node, uint32_t index)
{
    ENSURE(node->chunk_count <= node->chunk_capacity);
    ENSURE(node->chunks || node->chunk_count == 0);
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
    ENSURE(!node->directory && !node->of);
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
    ENSURE(fs->chunk_total <= FS_CHUNKS_MAX);
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

/* ---- loading ---------------------------------------------------------------------------------------------------- */

int tree_add_stored(struct fs *fs, uint64_t id, uint64_t parent_id, const char *name, size_t size, enum fs_type type)
{
    ENSURE(!fs->loaded);
    ENSURE(name && size > 0);
    struct fs_node *node = make(fs, id, name, size, type);
    if (!node)
        return -ENOMEM;
    node->parent_id = parent_id;
    if (id >= fs->next_id)
        fs->next_id = id + 1;
    struct fs_node *file = tree_find_id(fs, id);
    bool another = file && !file->directory && fs_type_of(file) == type;
    if (another)
        join_names(file, node);
    enter(fs, node);
    if (file && !another)
        return -EBADMSG; /* the store is as we left it, so this is a fault of our own */
    return 0;
}

static int compare_nodes(const void *a, const void *b)
{
    const struct fs_node *x = *(struct fs_node *const *)a, *y = *(struct fs_node *const *)b;
    if (x->id != y->id || x == y)
        return x->id > y->id ? 1 : -(x->id < y->id);
    int order = memcmp(x->name, y->name, x->name_size < y->name_size ? x->name_size : y->name_size);
    return order ? order : x->name_size - y->name_size;
}

int tree_join(struct fs *fs)
{
    ENSURE(!fs->loaded);
    struct fs_node **all = malloc((fs->node_count + 1) * sizeof *all);
    size_t count = 0;
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < fs->table_size; i++)
        for (struct fs_node *node = fs->names[i]; node; node = node->by_name)
            all[count++] = node;
    ENSURE(count == fs->node_count);
    qsort(all, count, sizeof *all, compare_nodes);
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        struct fs_node *parent = all[i]->parent_id ? tree_find_id(fs, all[i]->parent_id) : &fs->root;
        if (parent && parent->directory)
            attach(fs, all[i], parent);
        else
            error = -EBADMSG; /* the store is as we left it, so this is a fault of our own */
    }
    free(all);
    return error;
}

/* What a load that failed left, or all. */
static void clear(struct fs *fs)
{
    for (size_t i = 0; i < fs->table_size; i++)
        for (struct fs_node *node = fs->names[i], *next; node; node = next) {
            next = node->by_name;
            tree_free(fs, node);
        }
    free(fs->names);
    free(fs->ids);
    fs->names = fs->ids = NULL;
    fs->table_size = fs->node_count = 0;
    ENSURE(fs->chunk_total == 0);
    ENSURE(fs->gone_count == 0);
}

void tree_deinit(struct fs *fs)
{
    while (fs->gone) {
        fs->gone->refs = 0; /* there was no memory to give it up */
        tree_free(fs, fs->gone);
    }
    for (size_t i = 0; i < fs->table_size; i++)
        for (struct fs_node *node = fs->names[i]; node; node = node->by_name)
            node->refs = 0;
    clear(fs);
}

bool tree_init(struct fs *fs)
{
    ENSURE(!fs->loaded);
    clear(fs);
    fs->root = (struct fs_node){.directory = true, .known = true};
    fs->next_id = 1;
    return resize_tables(fs, TABLE_FIRST) && RAND_bytes((uint8_t *)&fs->seed, sizeof fs->seed) == 1;
}
