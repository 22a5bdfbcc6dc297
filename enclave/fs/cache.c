/*
 * Chunks of files in memory, for all apps together: the ones used last, and the dirty ones until the store has them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/fs/internal.h"

static struct chunk **slot(struct fs_home *home, const struct fs_node *node, uint32_t index)
{
    uint64_t hash = ((uintptr_t)node >> 4) * 0x9e3779b97f4a7c15u + index * 0xff51afd7ed558ccdu;
    return &home->cache.table[hash >> (64u - CACHE_SLOTS_BITS)];
}

static void unlink_age(struct chunk *c)
{
    struct cache *all = &c->fs->home->cache;
    *(c->newer ? &c->newer->older : &all->newest) = c->older;
    *(c->older ? &c->older->newer : &all->oldest) = c->newer;
}

static void link_newest(struct chunk *c)
{
    struct cache *all = &c->fs->home->cache;
    c->newer = NULL;
    c->older = all->newest;
    *(all->newest ? &all->newest->newer : &all->oldest) = c;
    all->newest = c;
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

void cache_drop(struct chunk *c)
{
    struct fs_home *home = c->fs->home;
    struct chunk **at = slot(home, c->node, c->index);
    while (*at != c) {
        ENSURE(*at); /* it is in the table */
        at = &(*at)->by_key;
    }
    ENSURE(home->cache.count > 0 && c->fs->cached_count > 0 && c->node->cached > 0);
    *at = c->by_key;
    unlink_age(c);
    home->cache.count--;
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

struct chunk *cache_find(struct fs *fs, const struct fs_node *node, uint32_t index)
{
    for (struct chunk *c = *slot(fs->home, node, index); c; c = c->by_key)
        if (c->node == node && c->index == index)
            return c;
    return NULL;
}

/* Of one file system, or of all. */
static void drop_oldest(struct fs_home *home, const struct fs *of, const uint32_t *count, uint32_t limit)
{
    for (struct chunk *c = home->cache.oldest; c && *count >= limit;) {
        struct chunk *newer = c->newer;
        if (may_drop(c) && (!of || c->fs == of))
            cache_drop(c);
        c = newer;
    }
}

/* 0; -EAGAIN: all of the app's chunks must be written first; or why they cannot be. */
static int make_room(struct fs *fs)
{
    drop_oldest(fs->home, NULL, &fs->home->cache.count, CACHE_CHUNKS_MAX);
    drop_oldest(fs->home, fs, &fs->cached_count, CACHE_APP_MAX);
    if (fs->cached_count < CACHE_APP_MAX)
        return 0;
    cache_flush(fs, NULL);
    journal_send(fs);
    return fs->flight ? -EAGAIN : fs->error ? fs->error : -ENOMEM;
}

int cache_add(struct fs *fs, struct fs_node *node, uint32_t index, struct chunk **out)
{
    ENSURE(!node->directory && !node->of);
    ENSURE(!cache_find(fs, node, index));
    int error = make_room(fs);
    if (error < 0)
        return error;
    struct chunk *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->fs = fs;
    c->node = node;
    c->index = index;
    struct chunk **at = slot(fs->home, node, index);
    c->by_key = *at;
    *at = c;
    link_newest(c);
    fs->home->cache.count++;
    fs->cached_count++;
    node->cached++;
    *out = c;
    return 0;
}

void cache_use(struct chunk *c)
{
    if (!c->newer)
        return;
    unlink_age(c);
    link_newest(c);
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
    uint8_t key[CHUNK_KEY_SIZE];
    ENSURE(c->dirty);
    ENSURE(!c->loading);
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
    ENSURE(!c->loading);
    if (!c->dirty) {
        ENSURE(tree_has_chunk(c->node, c->index));
        link_dirty(c);
    }
    if (fs->dirty_count > CACHE_DIRTY_MAX) {
        cache_flush(fs, NULL);
        journal_send(fs);
    }
}

bool cache_flush(struct fs *fs, struct fs_node *node)
{
    ENSURE(!node || !node->of);
    for (struct chunk *c = fs->dirty_first, *next; c; c = next) {
        next = c->dirty_next;
        ENSURE(c->fs == fs);
        if (node && c->node != node)
            continue;
        bool ok = write_chunk(fs, c) && (!c->node->dirty || c->node->gone || journal_inode(fs, c->node));
        journal_end_group(fs); /* after each: groups are small, and a file's length follows its bytes */
        if (!ok)
            return false;
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
    for (struct chunk *c = node && node->cached == 0 ? NULL : fs->home->cache.oldest; c;) {
        struct chunk *newer = c->newer;
        if (c->fs == fs && (!node || c->node == node) && c->index >= from)
            cache_drop(c);
        c = newer;
    }
}

static uint32_t count_of(const struct cache *all, const struct fs *fs, const struct fs_node *node)
{
    uint32_t count = 0;
    for (const struct chunk *c = all->newest; c; c = c->older)
        count += (!fs || c->fs == fs) && (!node || c->node == node);
    return count;
}

static void check_dirty(const struct fs *fs)
{
    uint32_t count = 0;
    const struct chunk *before = NULL;
    for (const struct chunk *c = fs->dirty_first; c; before = c, c = c->dirty_next) {
        ENSURE(c->fs == fs && c->dirty);
        ENSURE(c->dirty_before == before);
        count++;
    }
    ENSURE(fs->dirty_last == before);
    ENSURE(fs->dirty_count == count);
}

void cache_check(const struct fs_home *home)
{
    const struct cache *all = &home->cache;
    const struct chunk *newer = NULL;
    uint32_t dirty = 0;
    for (const struct chunk *c = all->newest; c; newer = c, c = c->older) {
        ENSURE(c->newer == newer);
        ENSURE(c->fs->home == home);
        ENSURE(cache_find(c->fs, c->node, c->index) == c);
        ENSURE(c->node->cached == count_of(all, NULL, c->node));
        ENSURE(!c->dirty || (!c->loading && !c->failed));
        ENSURE(!c->dirty || tree_has_chunk(c->node, c->index));
        ENSURE(c->journaled <= c->fs->made);
        dirty += c->dirty;
    }
    ENSURE(all->oldest == newer);
    ENSURE(all->count == count_of(all, NULL, NULL));
    for (const struct fs *fs = home->all; fs; fs = fs->next) {
        ENSURE(fs->cached_count == count_of(all, fs, NULL));
        check_dirty(fs);
        dirty -= fs->dirty_count;
    }
    ENSURE(dirty == 0);
}
