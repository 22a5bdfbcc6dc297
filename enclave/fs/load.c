/* Loading: the tree out of the names of the store's records, and what unlinked files left there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/fs/internal.h"

struct loading {
    struct fs *fs;
    int error;
    /* inodes and chunks, until every entry is known: 'i' or 'c', id, index */
    struct record {
        uint64_t id;
        uint32_t index;
        bool chunk;
    } * records;
    size_t count, capacity;
};

static uint64_t id_at(const uint8_t *key)
{
    uint64_t big;
    memcpy(&big, key, sizeof big);
    return __builtin_bswap64(big);
}

static int take_entry(struct fs *fs, const uint8_t *key, size_t size)
{
    const char *name = (const char *)key + DENTRY_HEADER_SIZE;
    return tree_add_stored(fs, id_at(key + 10), id_at(key + 1), name, size - DENTRY_HEADER_SIZE, key[9]);
}

static int take_record(struct loading *l, const uint8_t *key, bool chunk)
{
    ENSURE(l->count <= l->capacity);
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
    r->id = id_at(key + 1);
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

/* Files without an entry were unlinked while they were open when the enclave ended. */
static int claim_records(struct loading *l)
{
    struct fs *fs = l->fs;
    ENSURE(!fs->loaded);
    ENSURE(l->count <= l->capacity);
    uint8_t key[CHUNK_KEY_SIZE];
    int error = 0;
    if (l->count > 1)
        qsort(l->records, l->count, sizeof *l->records, compare_records);
    for (size_t i = 0; i < l->count && error == 0; i++) {
        const struct record *r = &l->records[i];
        struct fs_node *node = r->id ? tree_find_id(fs, r->id) : &fs->root;
        if (node && r->chunk)
            error = node->directory ? -EBADMSG : tree_add_chunk(fs, node, r->index);
        if (node)
            continue;
        size_t size = r->chunk ? fs_chunk_key(r->id, r->index, key) : fs_inode_key(r->id, key);
        error = journal_delete(fs, key, size) ? 0 : -ENOMEM;
        journal_end_group(fs);
    }
    return error;
}

static bool take_name(void *user, const uint8_t *key, size_t size)
{
    struct loading *l = user;
    if (size > DENTRY_HEADER_SIZE && size <= DENTRY_KEY_MAX && key[0] == 'd')
        l->error = take_entry(l->fs, key, size);
    else if (size == INODE_KEY_SIZE && key[0] == 'i')
        l->error = take_record(l, key, false);
    else if (size == CHUNK_KEY_SIZE && key[0] == 'c')
        l->error = take_record(l, key, true);
    return l->error == 0;
}

int load_tree(struct fs *fs)
{
    fs_enter(fs);
    ENSURE(!fs->loaded);
    struct loading l = {.fs = fs};
    cache_forget(fs, NULL, 0); /* what a load that failed left */
    if (!fs->memory && !(fs->memory = kv_memory(fs->ns)))
        return -ENOMEM;
    if (!tree_init(fs))
        return -ENOMEM;
    int error = kv_each(fs->ns, take_name, &l);
    if (l.error == 0)
        l.error = error < 0 ? error : tree_join(fs);
    if (l.error == 0)
        l.error = claim_records(&l);
    free(l.records);
    fs->loaded = l.error == 0;
    return l.error;
}
