/* Operations on what is in files, and on their inodes. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "enclave/fs/internal.h"

int data_resize(struct fs_op *op, struct fs_node *node, uint64_t size)
{
    ENSURE(node->known && !node->of);
    ENSURE(!node->directory && !node->symlink);
    if (size > INT64_MAX)
        return -EINVAL;
    struct fs *fs = op->fs;
    uint32_t keep = (uint32_t)((size + FS_CHUNK_SIZE - 1) / FS_CHUNK_SIZE), part = size % FS_CHUNK_SIZE;
    struct chunk *last = NULL;
    if (size > FS_SIZE_MAX)
        return -EFBIG;
    int error = journal_room(op);
    if (error == 0 && size < node->size && part && tree_has_chunk(node, keep - 1))
        error = fetch_chunk(fs, node, keep - 1, false, &last);
    if (error < 0)
        return error;
    if (last) {
        memset(last->data + part, 0, FS_CHUNK_SIZE - part);
        cache_mark_dirty(fs, last);
    }
    cache_forget(fs, node, keep);
    bool ok = true;
    uint8_t key[CHUNK_KEY_SIZE];
    while (ok && node->chunk_count > 0 && node->chunks[node->chunk_count - 1] >= keep) {
        uint32_t index = node->chunks[node->chunk_count - 1];
        ok = journal_delete(fs, key, fs_chunk_key(node->id, index, key));
        tree_drop_chunk(fs, node, index);
    }
    node->size = size;
    node_touch(node);
    ok = ok && journal_inode(fs, node);
    journal_end_group(fs);
    return ok ? 0 : -ENOMEM;
}

/* The node that an operation means: its own, or the one its path leads to. */
static int target(struct fs_op *op, struct fs_node **out)
{
    struct place place;
    int error = 0;
    *out = op->node ? op->node : &op->fs->root;
    if (!(op->flags & FS_SELF)) {
        error = path_find_existing(op, path_last(op), &place);
        if (error == 0)
            *out = place.node;
    }
    return error < 0 ? error : fetch_inode(op->fs, *out);
}

int op_stat(struct fs_op *op)
{
    struct fs_node *node;
    int error = target(op, &node);
    if (error == 0)
        node_stat(node, &op->stat);
    return error;
}

int op_times(struct fs_op *op)
{
    struct fs_node *node;
    int error = target(op, &node);
    if (error == 0)
        error = journal_room(op);
    if (error < 0 || node == &op->fs->root)
        return error;
    ENSURE(node->known && !node->of);
    ENSURE(op->errand.state == ERRAND_SENT);
    if (op->set_accessed)
        node->accessed_ns = op->accessed_ns;
    if (op->set_modified)
        node->modified_ns = op->modified_ns;
    node->changed_ns = clock_realtime_ns();
    if (!node->gone && !journal_inode(op->fs, node))
        error = -ENOMEM;
    journal_end_group(op->fs);
    return error;
}

int op_resize(struct fs_op *op)
{
    int error = op->node && !op->node->directory ? fetch_inode(op->fs, op->node) : -EISDIR;
    return error < 0 ? error : data_resize(op, op->node, op->size);
}

int op_read(struct fs_op *op)
{
    struct fs_node *node = op->node;
    int error = node && !node->directory ? fetch_inode(op->fs, node) : -EISDIR;
    if (error == 0 && op->offset > INT64_MAX)
        error = -EINVAL;
    if (error < 0)
        return error;
    ENSURE(node->known && !node->of);
    uint64_t left = op->offset < node->size ? node->size - op->offset : 0;
    uint32_t index = (uint32_t)(op->offset / FS_CHUNK_SIZE), from = op->offset % FS_CHUNK_SIZE;
    size_t size = op->size < left ? op->size : left;
    if (size > FS_CHUNK_SIZE - from)
        size = FS_CHUNK_SIZE - from; /* a short read ends with the chunk */
    if (size > op->buffer_size)
        size = op->buffer_size;
    if (size > 0 && tree_has_chunk(node, index)) {
        struct chunk *c;
        error = fetch_chunk(op->fs, node, index, false, &c);
        if (error < 0)
            return error;
        ENSURE(from + size <= FS_CHUNK_SIZE);
        memcpy(op->buffer, c->data + from, size);
    } else {
        memset(op->buffer, 0, size); /* a hole */
    }
    node->accessed_ns = clock_realtime_ns(); /* kept in memory only: a read is no write */
    op->transferred = size;
    op->end = op->offset + size >= node->size;
    return 0;
}

int op_write(struct fs_op *op)
{
    struct fs *fs = op->fs;
    struct fs_node *node = op->node;
    ENSURE(op->transferred <= op->size);
    ENSURE(op->size <= op->buffer_size);
    int error = node && !node->directory ? fetch_inode(fs, node) : -EISDIR;
    if (error == 0)
        error = journal_room(op);
    if (error == -EAGAIN || (error < 0 && op->transferred == 0))
        return error;
    if (!op->started && op->flags & FS_APPEND)
        op->offset = node->size;
    op->started = true;
    if (op->offset > INT64_MAX)
        return -EINVAL;
    if (op->offset > FS_SIZE_MAX || op->size > FS_SIZE_MAX - op->offset)
        return -EFBIG;
    while (error == 0 && op->transferred < op->size) {
        uint64_t at = op->offset + op->transferred;
        uint32_t index = (uint32_t)(at / FS_CHUNK_SIZE), from = at % FS_CHUNK_SIZE;
        size_t size =
            op->size - op->transferred < FS_CHUNK_SIZE - from ? op->size - op->transferred : FS_CHUNK_SIZE - from;
        struct chunk *c;
        error = fetch_chunk(fs, node, index, size == FS_CHUNK_SIZE, &c);
        if (error == 0)
            error = tree_add_chunk(fs, node, index);
        if (error < 0)
            break;
        ENSURE(size > 0 && from + size <= FS_CHUNK_SIZE);
        ENSURE(op->transferred + size <= op->buffer_size);
        memcpy(c->data + from, op->buffer + op->transferred, size);
        op->transferred += size;
        if (at + size > node->size)
            node->size = at + size;
        node_touch(node);
        cache_mark_dirty(fs, c);
    }
    if (error == -EAGAIN)
        return error; /* goes on where it stopped */
    op->offset += op->transferred;
    return (op->transferred > 0 && !(op->flags & FS_WHOLE)) || op->size == 0 ? 0 : error;
}
