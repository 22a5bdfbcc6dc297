/*
 * The operations. Each first sees that everything it needs is in memory (and comes again when it is), then changes
 * memory and journal in one go.
 */
#include <errno.h>
#include <string.h>

#include "enclave/fs/internal.h"

static struct fs_node *base_of(struct fs *fs, struct fs_node *node)
{
    return node ? node : &fs->root;
}

static int find(struct fs_op *op, enum last_link last, struct place *place)
{
    return path_find(op->fs, base_of(op->fs, op->node), op->path, op->path_size, last, place);
}

static int find_existing(struct fs_op *op, enum last_link last, struct place *place)
{
    return path_find_existing(op->fs, base_of(op->fs, op->node), op->path, op->path_size, last, place);
}

/* As the operation's flags say. */
static enum last_link last_of(const struct fs_op *op)
{
    return op->flags & FS_FOLLOW ? LINK_FOLLOWED : LINK_IS_MEANT;
}

/* ---- changes ---------------------------------------------------------------------------------------------------- */

static void touch(struct fs_node *node)
{
    node->modified_ns = node->changed_ns = fs_now_ns();
    node->dirty = true;
}

static bool journal_dentry(struct fs *fs, struct fs_node *parent, struct fs_node *node, bool put)
{
    uint8_t key[DENTRY_KEY_MAX];
    size_t size = tree_dentry_key(parent, node, key);
    return put ? journal_put(fs, key, size, NULL, 0) : journal_delete(fs, key, size);
}

/* A directory's entries changed: its times go with them. */
static bool journal_times(struct fs *fs, struct fs_node *directory)
{
    touch(directory);
    if (!directory->known)
        directory->accessed_ns = directory->modified_ns;
    directory->known = true;
    return directory == &fs->root || directory->gone || journal_inode(fs, directory);
}

/* One of several names, the file stays. */
static bool take_name(struct fs *fs, struct fs_node *entry)
{
    struct fs_node *file = fs_file_of(entry), *directory = entry->parent;
    bool ok = journal_dentry(fs, directory, entry, false);
    tree_drop_name(fs, entry);
    file->changed_ns = fs_now_ns();
    ok = (!file->known || journal_inode(fs, file)) && ok;
    return journal_times(fs, directory) && ok;
}

/* Take a node out of its directory, in the group that is open. */
static bool take_out(struct fs *fs, struct fs_node *entry)
{
    struct fs_node *node = fs_file_of(entry);
    if (node->links > 1)
        return take_name(fs, entry);
    bool ok = journal_dentry(fs, node->parent, node, false);
    if (ok && node->refs == 0)
        ok = journal_forget_inode(fs, node);
    ok = journal_times(fs, node->parent) && ok;
    tree_detach(fs, node);
    return ok;
}

/* Its chunks go one by one, after the group: were that cut short, the next loading would find and remove them. */
static void dispose(struct fs *fs, struct fs_node *node)
{
    uint8_t key[13];
    cache_forget(fs, node, 0);
    for (uint32_t i = 0; i < node->chunk_count; i++) {
        journal_delete(fs, key, fs_chunk_key(node->id, node->chunks[i], key));
        journal_end_group(fs);
    }
    tree_free(fs, node);
}

void fs_node_put(struct fs *fs, struct fs_node *node)
{
    if (--node->refs > 0 || !node->gone)
        return;
    journal_forget_inode(fs, node);
    journal_end_group(fs);
    dispose(fs, node);
    journal_make_way(fs);
}

static void fill_stat(const struct fs_node *node, struct fs_stat *stat)
{
    *stat = (struct fs_stat){fs_type_of(node),  node->id,          node->size,      node->gone ? 0 : node->links,
                             node->accessed_ns, node->modified_ns, node->changed_ns};
}

/* Whether something may be made where a path leads. */
static int may_create(struct fs_op *op, const struct place *place, enum fs_type type)
{
    struct fs *fs = op->fs;
    if (!place->name || place->directory->gone)
        return -ENOENT;
    if (place->must_be_directory && type != FS_DIRECTORY)
        return type == FS_FILE ? -EISDIR : -ENOENT;
    if (fs->node_count >= FS_NODES_MAX)
        return -EDQUOT;
    return journal_memory(fs, 4) ? journal_room(op) : -ENOSPC; /* two records, and the node itself */
}

/* target: of a symbolic link. */
static int create(struct fs_op *op, struct place *place, enum fs_type type, const char *target, size_t target_size,
                  struct fs_node **out)
{
    struct fs *fs = op->fs;
    int status = may_create(op, place, type);
    if (status < 0)
        return status;
    struct fs_node *node = tree_add(fs, place->directory, place->name, place->name_size, type);
    if (!node)
        return -ENOMEM;
    if (target && !tree_set_target(fs, node, target, target_size)) {
        tree_detach(fs, node);
        tree_free(fs, node);
        return -ENOMEM;
    }
    if (!journal_dentry(fs, place->directory, node, true) || !journal_inode(fs, node) ||
        !journal_times(fs, place->directory))
        status = -ENOMEM;
    journal_end_group(fs);
    *out = node;
    return status;
}

/* Cut or extend. What lies beyond the end is zero if the file grows again. */
static int resize(struct fs_op *op, struct fs_node *node, uint64_t size)
{
    if (size > INT64_MAX)
        return -EINVAL;
    struct fs *fs = op->fs;
    uint32_t keep = (uint32_t)((size + FS_CHUNK_SIZE - 1) / FS_CHUNK_SIZE), part = size % FS_CHUNK_SIZE;
    struct chunk *last = NULL;
    if (size > FS_SIZE_MAX)
        return -EFBIG;
    int status = journal_room(op);
    if (status == 0 && size < node->size && part && tree_has_chunk(node, keep - 1))
        status = cache_get(fs, node, keep - 1, false, &last);
    if (status < 0)
        return status;
    if (last) {
        memset(last->data + part, 0, FS_CHUNK_SIZE - part);
        cache_mark_dirty(fs, last);
    }
    cache_forget(fs, node, keep);
    bool ok = true;
    uint8_t key[13];
    while (ok && node->chunk_count > 0 && node->chunks[node->chunk_count - 1] >= keep) {
        uint32_t index = node->chunks[node->chunk_count - 1];
        ok = journal_delete(fs, key, fs_chunk_key(node->id, index, key));
        tree_drop_chunk(fs, node, index);
    }
    node->size = size;
    touch(node);
    ok = ok && journal_inode(fs, node);
    journal_end_group(fs);
    return ok ? 0 : -ENOMEM;
}

/* ---- operations ------------------------------------------------------------------------------------------------- */

static int may_open(const struct fs_op *op, const struct place *place, bool exclusive)
{
    bool creates = op->flags & FS_OPEN_CREATE;
    const struct fs_node *node = place->node;
    if (creates && place->must_be_directory && place->name)
        return -EISDIR;
    if (!node)
        return creates ? 0 : -ENOENT;
    if (exclusive)
        return -EEXIST;
    if ((op->flags & FS_OPEN_DIRECTORY || place->must_be_directory) && !node->directory)
        return -ENOTDIR;
    if (node->symlink)
        return -ELOOP;
    return node->directory && (creates || op->flags & (FS_OPEN_WRITE | FS_OPEN_TRUNCATE)) ? -EISDIR : 0;
}

static int op_open(struct fs_op *op)
{
    struct place place;
    bool creates = op->flags & FS_OPEN_CREATE, exclusive = creates && op->flags & FS_OPEN_EXCLUSIVE;
    if (creates && op->flags & FS_OPEN_DIRECTORY)
        return -EINVAL; /* files are made here; directories by create-directory-at */
    bool slash = op->path_size > 0 && op->path[op->path_size - 1] == '/';
    int status = find(op, exclusive || (creates && slash) ? LINK_STAYS : last_of(op), &place);
    if (status == 0)
        status = may_open(op, &place, exclusive);
    if (status < 0)
        return status;
    struct fs_node *node = place.node;
    status = node ? tree_know(op->fs, node) : create(op, &place, FS_FILE, NULL, 0, &node);
    if (status == 0 && op->flags & FS_OPEN_TRUNCATE && place.node)
        status = resize(op, node, 0);
    if (status < 0)
        return status;
    node->refs++;
    op->opened = node;
    fill_stat(node, &op->stat);
    return 0;
}

static int op_mkdir(struct fs_op *op)
{
    struct place place;
    struct fs_node *node;
    int status = find(op, LINK_STAYS, &place);
    if (status < 0)
        return status;
    return place.node ? -EEXIST : create(op, &place, FS_DIRECTORY, NULL, 0, &node);
}

static int op_symlink(struct fs_op *op)
{
    struct place place;
    struct fs_node *node;
    if (op->to_path_size == 0)
        return -ENOENT;
    if (op->to_path_size > FS_PATH_MAX)
        return -ENAMETOOLONG;
    if (memchr(op->to_path, 0, op->to_path_size))
        return -EINVAL;
    if (op->to_path[0] == '/')
        return -EPERM; /* it would be followed nowhere */
    int status = find(op, LINK_STAYS, &place);
    if (status < 0)
        return status;
    return place.node ? -EEXIST : create(op, &place, FS_SYMLINK, op->to_path, op->to_path_size, &node);
}

static int op_readlink(struct fs_op *op)
{
    struct place place;
    int status = find_existing(op, LINK_IS_MEANT, &place);
    if (status == 0)
        status = !place.node->symlink ? -EINVAL : tree_know(op->fs, place.node);
    if (status < 0)
        return status;
    op->transferred = place.node->size < op->buffer_size ? place.node->size : op->buffer_size;
    memcpy(op->buffer, place.node->target, op->transferred);
    return 0;
}

/* Another name, for a file that is known. */
static int add_name(struct fs_op *op, struct fs_node *file, struct place *place)
{
    struct fs *fs = op->fs;
    int status = may_create(op, place, FS_SYMLINK);
    if (status == 0 && file->directory)
        status = -EPERM;
    if (status < 0)
        return status;
    struct fs_node *entry = tree_add_name(fs, place->directory, place->name, place->name_size, file);
    if (!entry)
        return -ENOMEM;
    file->changed_ns = fs_now_ns();
    bool ok = journal_dentry(fs, place->directory, entry, true) && journal_inode(fs, file) &&
              journal_times(fs, place->directory);
    journal_end_group(fs);
    return ok ? 0 : -ENOMEM;
}

static int op_link(struct fs_op *op)
{
    struct fs *fs = op->fs;
    struct place from, to;
    int status = find_existing(op, last_of(op), &from);
    if (status == 0)
        status = tree_know(fs, from.node);
    if (status == 0)
        status = path_find(fs, base_of(fs, op->to), op->to_path, op->to_path_size, LINK_STAYS, &to);
    if (status < 0)
        return status;
    return to.node ? -EEXIST : add_name(op, from.node, &to);
}

static int op_remove(struct fs_op *op, bool directory)
{
    struct place place;
    int status = find_existing(op, LINK_STAYS, &place);
    if (status == 0 && place.node->links > 1)
        status = tree_know(op->fs, place.node); /* what stays of it changes */
    if (status < 0)
        return status;
    if (place.node->directory != directory)
        return directory ? -ENOTDIR : -EISDIR;
    if (!place.name)
        return place.is_above ? -ENOTEMPTY : -EINVAL; /* the directory that the path starts from, or one on its way */
    if (place.node->first)
        return -ENOTEMPTY;
    status = directory ? journal_room(op) : journal_room_for_removal(op);
    if (status < 0)
        return status;
    status = take_out(op->fs, place.entry) ? 0 : -ENOMEM;
    journal_end_group(op->fs);
    if (place.node->gone && place.node->refs == 0)
        dispose(op->fs, place.node);
    journal_make_way(op->fs);
    return status;
}

static bool lies_in(const struct fs_node *node, const struct fs_node *directory)
{
    while (node && node != directory)
        node = node->parent;
    return node != NULL;
}

static int may_replace(const struct place *from, const struct place *to)
{
    if (!from->name || !to->name)
        return -EBUSY; /* the directory that a path starts from */
    if (!from->node || to->directory->gone)
        return -ENOENT;
    if (!from->node->directory && (from->must_be_directory || to->must_be_directory))
        return -ENOTDIR;
    if (lies_in(to->directory, from->node))
        return -EINVAL; /* into itself */
    if (to->node && lies_in(from->directory, to->node))
        return -ENOTEMPTY;
    if (!to->node || to->node == from->node)
        return 0;
    if (to->node->directory != from->node->directory)
        return to->node->directory ? -EISDIR : -ENOTDIR;
    return to->node->first ? -ENOTEMPTY : 0;
}

static int op_rename(struct fs_op *op)
{
    struct fs *fs = op->fs;
    struct place from, to;
    int status = find(op, LINK_STAYS, &from);
    if (status == 0)
        status = path_find(fs, base_of(fs, op->to), op->to_path, op->to_path_size, LINK_STAYS, &to);
    if (status == 0 && to.node && to.node->links > 1)
        status = tree_know(fs, to.node);
    if (status == 0)
        status = may_replace(&from, &to);
    if (status < 0 || from.node == to.node) /* two names of one file stay as they are: so it is elsewhere */
        return status;
    status = journal_memory(fs, 1) ? journal_room(op) : -ENOSPC;
    char *name = status == 0 ? tree_copy_name(to.name, to.name_size) : NULL;
    if (!name)
        return status < 0 ? status : -ENOMEM;
    if (to.node)
        to.node->replaced = true;
    bool ok = !to.node || take_out(fs, to.entry);
    ok = journal_dentry(fs, from.directory, from.entry, false) && ok;
    tree_move(fs, from.entry, to.directory, name, to.name_size);
    ok = journal_dentry(fs, to.directory, from.entry, true) && ok;
    ok = journal_times(fs, from.directory) && ok;
    if (to.directory != from.directory)
        ok = journal_times(fs, to.directory) && ok;
    journal_end_group(fs);
    if (to.node && to.node->gone && to.node->refs == 0)
        dispose(fs, to.node);
    return ok ? 0 : -ENOMEM;
}

/* The node that an operation means: its own, or the one its path leads to. */
static int target(struct fs_op *op, struct fs_node **out)
{
    struct place place;
    int status = 0;
    *out = base_of(op->fs, op->node);
    if (!(op->flags & FS_SELF)) {
        status = find_existing(op, last_of(op), &place);
        if (status == 0)
            *out = place.node;
    }
    return status < 0 ? status : tree_know(op->fs, *out);
}

static int op_stat(struct fs_op *op)
{
    struct fs_node *node;
    int status = target(op, &node);
    if (status == 0)
        fill_stat(node, &op->stat);
    return status;
}

static int op_times(struct fs_op *op)
{
    struct fs_node *node;
    int status = target(op, &node);
    if (status == 0)
        status = journal_room(op);
    if (status < 0 || node == &op->fs->root)
        return status;
    if (op->set_accessed)
        node->accessed_ns = op->accessed_ns;
    if (op->set_modified)
        node->modified_ns = op->modified_ns;
    node->changed_ns = fs_now_ns();
    if (!node->gone && !journal_inode(op->fs, node))
        status = -ENOMEM;
    journal_end_group(op->fs);
    return status;
}

static int op_resize(struct fs_op *op)
{
    int status = op->node && !op->node->directory ? tree_know(op->fs, op->node) : -EISDIR;
    return status < 0 ? status : resize(op, op->node, op->size);
}

static int op_read(struct fs_op *op)
{
    struct fs_node *node = op->node;
    int status = node && !node->directory ? tree_know(op->fs, node) : -EISDIR;
    if (status == 0 && op->offset > INT64_MAX)
        status = -EINVAL;
    if (status < 0)
        return status;
    uint64_t left = op->offset < node->size ? node->size - op->offset : 0;
    uint32_t index = (uint32_t)(op->offset / FS_CHUNK_SIZE), from = op->offset % FS_CHUNK_SIZE;
    size_t size = op->size < left ? op->size : left;
    if (size > FS_CHUNK_SIZE - from)
        size = FS_CHUNK_SIZE - from; /* a short read ends with the chunk */
    if (size > op->buffer_size)
        size = op->buffer_size;
    if (size > 0 && tree_has_chunk(node, index)) {
        struct chunk *c;
        status = cache_get(op->fs, node, index, false, &c);
        if (status < 0)
            return status;
        memcpy(op->buffer, c->data + from, size);
    } else {
        memset(op->buffer, 0, size); /* a hole */
    }
    node->accessed_ns = fs_now_ns(); /* kept in memory only: a read is no write */
    op->transferred = size;
    op->end = op->offset + size >= node->size;
    return 0;
}

static int op_write(struct fs_op *op)
{
    struct fs *fs = op->fs;
    struct fs_node *node = op->node;
    int status = node && !node->directory ? tree_know(fs, node) : -EISDIR;
    if (status == 0)
        status = journal_room(op);
    if (status == -EAGAIN || (status < 0 && op->transferred == 0))
        return status;
    if (!op->started && op->flags & FS_APPEND)
        op->offset = node->size;
    op->started = true;
    if (op->offset > INT64_MAX)
        return -EINVAL;
    if (op->offset > FS_SIZE_MAX || op->size > FS_SIZE_MAX - op->offset)
        return -EFBIG;
    while (status == 0 && op->transferred < op->size) {
        uint64_t at = op->offset + op->transferred;
        uint32_t index = (uint32_t)(at / FS_CHUNK_SIZE), from = at % FS_CHUNK_SIZE;
        size_t size =
            op->size - op->transferred < FS_CHUNK_SIZE - from ? op->size - op->transferred : FS_CHUNK_SIZE - from;
        struct chunk *c;
        status = cache_get(fs, node, index, size == FS_CHUNK_SIZE, &c);
        if (status == 0)
            status = tree_add_chunk(fs, node, index);
        if (status < 0)
            break;
        memcpy(c->data + from, op->buffer + op->transferred, size);
        op->transferred += size;
        if (at + size > node->size)
            node->size = at + size;
        touch(node);
        cache_mark_dirty(fs, c);
    }
    if (status == -EAGAIN)
        return status; /* goes on where it stopped */
    op->offset += op->transferred;
    return (op->transferred > 0 && !(op->flags & FS_WHOLE)) || op->size == 0 ? 0 : status;
}

static int op_list(struct fs_op *op)
{
    struct fs_node *directory = base_of(op->fs, op->node);
    if (!directory->directory)
        return -ENOTDIR;
    size_t used = 0;
    struct fs_node *node = op->cursor ? tree_find_id(op->fs, op->cursor_id) : NULL;
    if (!node || node->parent != directory || node->serial != op->cursor) /* it was moved or removed meanwhile */
        node = directory->first;
    while (node && node->serial <= op->cursor)
        node = node->next;
    for (; node && used + 2 + node->name_size <= op->buffer_size; node = node->next) {
        op->buffer[used] = (uint8_t)fs_type_of(node);
        op->buffer[used + 1] = node->name_size;
        memcpy(op->buffer + used + 2, node->name, node->name_size);
        used += 2u + node->name_size;
        op->cursor = node->serial;
        op->cursor_id = node->id;
    }
    op->transferred = used;
    op->end = !node;
    return 0;
}

static int op_sync(struct fs_op *op)
{
    struct fs *fs = op->fs;
    struct fs_node *changed = op->opened ? op->opened : op->node;
    if (!op->started) {
        if (!cache_flush(fs, changed && !changed->directory ? changed : NULL))
            return -ENOMEM;
        op->started = true;
        op->awaited = fs->made;
        fs->error = 0; /* what failed before is tried again now */
        journal_send(fs);
    }
    if (fs->durable >= op->awaited)
        return 0;
    return fs->error ? fs->error : fs->flight ? -EAGAIN : -ENOMEM;
}

static int op_release(struct fs_op *op)
{
    if (op->node && op->node->refs == 1 && !op->node->gone)
        cache_flush(op->fs, op->node);
    if (op->node)
        fs_node_put(op->fs, op->node);
    return 0;
}

/* What was asked for is done; what is left is that it is on disk. */
static int settle(struct fs_op *op)
{
    if (!op->settling)
        op->started = false;
    op->settling = true;
    int status = op_sync(op);
    if (status < 0 && status != -EAGAIN && op->opened) {
        fs_node_put(op->fs, op->opened);
        op->opened = NULL;
    }
    return status;
}

static int run(struct fs_op *op)
{
    switch (op->call) {
    case FS_OPEN:
        return op_open(op);
    case FS_MKDIR:
        return op_mkdir(op);
    case FS_UNLINK:
        return op_remove(op, false);
    case FS_RMDIR:
        return op_remove(op, true);
    case FS_RENAME:
        return op_rename(op);
    case FS_LINK:
        return op_link(op);
    case FS_MAKE_SYMLINK:
        return op_symlink(op);
    case FS_READLINK:
        return op_readlink(op);
    case FS_STAT:
        return op_stat(op);
    case FS_TIMES:
        return op_times(op);
    case FS_RESIZE:
        return op_resize(op);
    case FS_READ:
        return op_read(op);
    case FS_WRITE:
        return op_write(op);
    case FS_LIST:
        return op_list(op);
    case FS_SYNC:
        return op_sync(op);
    case FS_RELEASE:
        return op_release(op);
    }
    return -EINVAL;
}

int fs_run(struct fs_op *op)
{
    loop_check(&fs_home->loop);
    int status = tree_load(op->fs);
    if (status == 0 && !op->settling)
        status = run(op);
    if (status < 0 || !(op->flags & FS_DURABLE))
        return status;
    return settle(op);
}
