/*
 * Chunks of files in memory, for all apps together: the ones used last, and the dirty ones until the store has them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/fs/internal.h"

#define CHUNKS_MAX 384u /* 24 MiB of all apps, as far as what is not on disk yet allows */
#define CACHED_MAX 96u  /* 6 MiB of one */
#define DIRTY_MAX 32u   /* of one file system: beyond this they are written */
#define TABLE_SIZE 1024u

static struct chunk *table[TABLE_SIZE], *newest, *oldest;
static uint32_t chunk_count;

static struct chunk **slot(const struct fs_node *node, uint32_t index)
{
    uint64_t hash = ((uintptr_t)node >> 4) * 0x9e3779b97f4a7c15u + index * 0xff51afd7ed558ccdu;
    return &table[hash >> 54];
}

static void unlink_age(struct chunk *c)
{
    *(c->newer ? &c->newer->older : &newest) = c->older;
    *(c->older ? &c->older->newer : &oldest) = c->newer;
}

static void link_newest(struct chunk *c)
{
    c->newer = NULL;
    c->older = newest;
    *(newest ? &newest->newer : &oldest) = c;
    newest = c;
}

static void unlink_dirty(struct chunk *c)
{
    struct fs *fs = c->fs;
    *(c->dirty_before ? &c->dirty_before->dirty_next : &fs->dirty_first) = c->dirty_next;
    *(c->dirty_next ? &c->dirty_next->dirty_before : &fs->dirty_last) = c->dirty_before;
    c->dirty = false;
    fs->dirty_count--;
}

static void link_dirty(struct chunk *c)
{
    struct fs *fs = c->fs;
    c->dirty_next = NULL;
    c->dirty_before = fs->dirty_last;
    *(fs->dirty_last ? &fs->dirty_last->dirty_next : &fs->dirty_first) = c;
    fs->dirty_last = c;
    c->dirty = true;
    fs->dirty_count++;
}

static void drop(struct chunk *c)
{
    struct chunk **at = slot(c->node, c->index);
    while (*at != c)
        at = &(*at)->by_key;
    *at = c->by_key;
    unlink_age(c);
    chunk_count--;
    c->fs->cached_count--;
    c->node->cached--;
    if (c->dirty)
        unlink_dirty(c);
    free(c);
}

static bool may_drop(const struct chunk *c)
{
    return !c->loading && !c->dirty && c->fs->durable >= c->journaled;
}

static struct chunk *find(struct fs_node *node, uint32_t index)
{
    for (struct chunk *c = *slot(node, index); c; c = c->by_key)
        if (c->node == node && c->index == index)
            return c;
    return NULL;
}

static void drop_oldest(const struct fs *of, const uint32_t *count, uint32_t limit)
{
    for (struct chunk *c = oldest; c && *count >= limit;) {
        struct chunk *newer = c->newer;
        if (may_drop(c) && (!of || c->fs == of))
            drop(c);
        c = newer;
    }
}

/* 0; -EAGAIN: all of the app's chunks must be written first; or why they cannot be. */
static int make_room(struct fs *fs)
{
    drop_oldest(NULL, &chunk_count, CHUNKS_MAX);
    drop_oldest(fs, &fs->cached_count, CACHED_MAX);
    if (fs->cached_count < CACHED_MAX)
        return 0;
    cache_flush(fs, NULL);
    journal_send(fs);
    return fs->flight ? -EAGAIN : fs->error ? fs->error : -ENOMEM;
}

/* What a read is waited for by; the chunk may have been forgotten meanwhile. */
struct load {
    struct fs *fs;
    struct fs_node *node;
    uint32_t index;
};

static void on_loaded(void *user, int status, const uint8_t *value, size_t size)
{
    struct load *l = user;
    struct chunk *c = find(l->node, l->index);
    if (c && c->loading) {
        c->loading = false;
        c->failed = status == -ENOENT || (status == 0 && size > FS_CHUNK_SIZE) ? -EBADMSG : status;
        if (status == 0 && size <= FS_CHUNK_SIZE)
            memcpy(c->data, value, size);
    }
    struct fs *fs = l->fs;
    fs_node_put(fs, l->node);
    free(l);
    fs_wake(fs);
}

static int start_load(struct fs *fs, struct chunk *c)
{
    uint8_t key[13];
    struct load *l = malloc(sizeof *l);
    if (!l)
        return -ENOMEM;
    *l = (struct load){fs, c->node, c->index};
    int status = kv_get(fs_home, fs->ns, key, fs_chunk_key(c->node->id, c->index, key), on_loaded, l);
    if (status < 0) {
        free(l);
        return status;
    }
    c->loading = true;
    c->node->refs++; /* until the answer is there */
    return -EAGAIN;
}

int cache_get(struct fs *fs, struct fs_node *node, uint32_t index, bool fresh, struct chunk **out)
{
    struct chunk *c = find(node, index);
    if (c && c->loading)
        return -EAGAIN;
    if (c && c->failed) {
        int failed = c->failed;
        drop(c);
        return failed;
    }
    if (!c) {
        int status = make_room(fs);
        if (status < 0)
            return status;
        c = calloc(1, sizeof *c);
        if (!c)
            return -ENOMEM;
        c->fs = fs;
        c->node = node;
        c->index = index;
        c->by_key = *slot(node, index);
        *slot(node, index) = c;
        link_newest(c);
        chunk_count++;
        fs->cached_count++;
        node->cached++;
        if (!fresh && tree_has_chunk(node, index)) {
            status = start_load(fs, c);
            if (status != -EAGAIN)
                drop(c);
            return status;
        }
    }
    unlink_age(c);
    link_newest(c);
    *out = c;
    return 0;
}

/* Without the zeros at its end; behind the file's there is nothing else. */
static size_t size_of(const struct chunk *c)
{
    uint64_t begin = (uint64_t)c->index * FS_CHUNK_SIZE, end = c->node->size, word;
    size_t size = end <= begin ? 0 : end - begin < FS_CHUNK_SIZE ? end - begin : FS_CHUNK_SIZE;
    for (; size >= 8; size -= 8) {
        memcpy(&word, c->data + size - 8, 8);
        if (word)
            break;
    }
    while (size > 0 && c->data[size - 1] == 0)
        size--;
    return size;
}

static bool write_chunk(struct fs *fs, struct chunk *c)
{
    uint8_t key[13];
    size_t size = size_of(c), key_size = fs_chunk_key(c->node->id, c->index, key);
    if (size > 0 ? !journal_put(fs, key, key_size, c->data, size) : !journal_delete(fs, key, key_size))
        return false;
    if (size == 0)
        tree_drop_chunk(fs, c->node, c->index);
    unlink_dirty(c);
    c->journaled = fs->made;
    return true;
}

void cache_mark_dirty(struct fs *fs, struct chunk *c)
{
    if (!c->dirty)
        link_dirty(c);
    if (fs->dirty_count > DIRTY_MAX) {
        cache_flush(fs, NULL);
        journal_send(fs);
    }
}

bool cache_flush(struct fs *fs, struct fs_node *node)
{
    for (struct chunk *c = fs->dirty_first, *next; c; c = next) {
        next = c->dirty_next;
        if (node && c->node != node)
            continue;
        if (!write_chunk(fs, c) || (c->node->dirty && !c->node->gone && !journal_inode(fs, c->node)))
            return false;
        journal_end_group(fs); /* after each: groups are small, and a file's length follows its bytes */
    }
    if (node && node->dirty && !node->gone) {
        if (!journal_inode(fs, node))
            return false;
        journal_end_group(fs);
    }
    return true;
}

void cache_forget(struct fs *fs, struct fs_node *node, uint32_t from)
{
    for (struct chunk *c = node && node->cached == 0 ? NULL : oldest; c;) {
        struct chunk *newer = c->newer;
        if (c->fs == fs && (!node || c->node == node) && c->index >= from)
            drop(c);
        c = newer;
    }
}
