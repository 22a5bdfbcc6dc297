/* What comes out of the store: inodes, and chunks of files. Whoever needs them waits until they are here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/fs/internal.h"

/* What is waited for. The node is held until the answer is here; a chunk may have been forgotten by then. */
struct fetch {
    struct fs *fs;
    struct fs_node *node;
    uint32_t index; /* of a chunk */
};

static struct fetch *fetch_new(struct fs *fs, struct fs_node *node, uint32_t index)
{
    struct fetch *f = malloc(sizeof *f);
    if (f)
        *f = (struct fetch){fs, node, index};
    return f;
}

static void fetched(struct fetch *f)
{
    struct fs *fs = f->fs;
    ENSURE(fs->fetches > 0);
    fs->fetches--;
    node_put(fs, f->node);
    free(f);
    fs->home->wake(fs);
}

/* ---- inodes ----------------------------------------------------------------------------------------------------- */

/* 0, or why it cannot be used. */
static int take_inode(struct fs *fs, struct fs_node *node, const uint8_t *value, size_t size)
{
    uint64_t length;
    ENSURE(!node->known && !node->of);
    ENSURE(node->loading);
    if (size < INODE_SIZE || value[0] != (node->symlink ? 2 : 1))
        return -EBADMSG;
    memcpy(&length, value + 1, 8);
    if (size - INODE_SIZE != (node->symlink ? length : 0))
        return -EBADMSG;
    if (node->symlink && length > FS_PATH_MAX)
        return -EBADMSG;
    if (node->symlink && !tree_set_target(fs, node, (const char *)value + INODE_SIZE, size - INODE_SIZE))
        return -ENOMEM;
    node->size = length;
    memcpy(&node->accessed_ns, value + 9, 8);
    memcpy(&node->modified_ns, value + 17, 8);
    memcpy(&node->changed_ns, value + 25, 8);
    node->known = true;
    return 0;
}

static void on_inode(void *user, int error, const uint8_t *value, size_t size)
{
    struct fetch *f = user;
    struct fs_node *node = f->node;
    fs_enter(f->fs);
    ENSURE(node->loading);
    if (!node->known) /* else changed meanwhile: newer than what comes */
        node->failed = error == 0 ? take_inode(f->fs, node, value, size) : error == -ENOENT ? -EBADMSG : error;
    node->loading = false;
    fetched(f);
}

int fetch_inode(struct fs *fs, struct fs_node *node)
{
    uint8_t key[INODE_KEY_SIZE];
    int failed = node->failed;
    ENSURE(!node->of);
    node->failed = 0;
    if (node->known || failed)
        return node->known ? 0 : failed;
    if (node->loading)
        return -EAGAIN;
    struct fetch *f = fetch_new(fs, node, 0);
    if (!f)
        return -ENOMEM;
    int error = kv_get(fs->home->worker, fs->ns, key, fs_inode_key(node->id, key), on_inode, f);
    if (error < 0) {
        free(f);
        return error;
    }
    node->loading = true;
    fs->fetches++;
    ENSURE(node->refs < UINT32_MAX);
    node->refs++;
    return -EAGAIN;
}

/* ---- chunks ----------------------------------------------------------------------------------------------------- */

static void on_chunk(void *user, int error, const uint8_t *value, size_t size)
{
    struct fetch *f = user;
    fs_enter(f->fs);
    struct chunk *c = cache_find(f->fs, f->node, f->index);
    if (c && c->loading) {
        ENSURE(!c->dirty);
        c->loading = false;
        c->failed = error == -ENOENT || (error == 0 && size > FS_CHUNK_SIZE) ? -EBADMSG : error;
        if (error == 0 && size <= FS_CHUNK_SIZE)
            memcpy(c->data, value, size);
    }
    fetched(f);
}

static int load(struct fs *fs, struct chunk *c)
{
    uint8_t key[CHUNK_KEY_SIZE];
    ENSURE(!c->loading && !c->dirty);
    ENSURE(c->fs == fs);
    struct fetch *f = fetch_new(fs, c->node, c->index);
    if (!f)
        return -ENOMEM;
    int error = kv_get(fs->home->worker, fs->ns, key, fs_chunk_key(c->node->id, c->index, key), on_chunk, f);
    if (error < 0) {
        free(f);
        return error;
    }
    c->loading = true;
    fs->fetches++;
    c->node->refs++;
    return -EAGAIN;
}

int fetch_chunk(struct fs *fs, struct fs_node *node, uint32_t index, bool fresh, struct chunk **out)
{
    ENSURE(!node->of && !node->directory);
    struct chunk *c = cache_find(fs, node, index);
    if (c && c->loading)
        return -EAGAIN;
    if (c && c->failed) {
        int failed = c->failed;
        cache_drop(c);
        return failed;
    }
    if (!c) {
        int error = cache_add(fs, node, index, &c);
        if (error < 0)
            return error;
        if (!fresh && tree_has_chunk(node, index)) {
            error = load(fs, c);
            if (error != -EAGAIN)
                cache_drop(c);
            return error;
        }
    }
    ENSURE(c->node == node && c->index == index);
    cache_use(c);
    *out = c;
    return 0;
}
