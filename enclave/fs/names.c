/* Operations on names: to open, make, remove, rename and list them, and links. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "enclave/fs/internal.h"

/* ---- changes ---------------------------------------------------------------------------------------------------- */

static bool journal_dentry(struct fs *fs, struct fs_node *parent, struct fs_node *node, bool put)
{
    uint8_t key[DENTRY_KEY_MAX];
    size_t size = tree_dentry_key(parent, node, key);
    return put ? journal_put(fs, key, size, NULL, 0) : journal_delete(fs, key, size);
}

/* A directory's entries changed: its times go with them. */
static bool journal_times(struct fs *fs, struct fs_node *directory)
{
    node_touch(directory);
    if (!directory->known)
        directory->accessed_ns = directory->modified_ns;
    directory->known = true;
    return directory == &fs->root || directory->gone || journal_inode(fs, directory);
}

/* One of several names, the file stays. */
static bool take_name(struct fs *fs, struct fs_node *entry)
{
    ENSURE(entry->parent);
    struct fs_node *file = fs_file_of(entry), *directory = entry->parent;
    bool ok = journal_dentry(fs, directory, entry, false);
    tree_drop_name(fs, entry);
    file->changed_ns = clock_realtime_ns();
    ok = (!file->known || journal_inode(fs, file)) && ok;
    return journal_times(fs, directory) && ok;
}

/* Take a node out of its directory, in the group that is open. */
static bool take_out(struct fs *fs, struct fs_node *entry)
{
    struct fs_node *node = fs_file_of(entry);
    ENSURE(entry->parent);
    ENSURE(!node->first);
    if (node->links > 1)
        return take_name(fs, entry);
    bool ok = journal_dentry(fs, node->parent, node, false);
    if (ok && node->refs == 0)
        ok = journal_forget_inode(fs, node);
    ok = journal_times(fs, node->parent) && ok;
    tree_detach(fs, node);
    return ok;
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
    ENSURE(!place->node);
    ENSURE((type == FS_SYMLINK) == (target != NULL));
    int error = may_create(op, place, type);
    if (error < 0)
        return error;
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
        error = -ENOMEM;
    journal_end_group(fs);
    *out = node;
    return error;
}

/* ---- operations ------------------------------------------------------------------------------------------------- */

static int may_open(const struct fs_op *op, const struct place *place, bool exclusive)
{
    bool creates = op->flags & FS_OPEN_CREATE;
    const struct fs_node *node = place->node;
    ENSURE(!node == !place->entry);
    ENSURE(!node || !node->of);
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

int op_open(struct fs_op *op)
{
    struct place place;
    bool creates = op->flags & FS_OPEN_CREATE, exclusive = creates && op->flags & FS_OPEN_EXCLUSIVE;
    if (creates && op->flags & FS_OPEN_DIRECTORY)
        return -EINVAL; /* files are made here; directories by create-directory-at */
    bool slash = op->path_size > 0 && op->path[op->path_size - 1] == '/';
    int error = path_find(op, exclusive || (creates && slash) ? LINK_STAYS : path_last(op), &place);
    if (error == 0)
        error = may_open(op, &place, exclusive);
    if (error < 0)
        return error;
    struct fs_node *node = place.node;
    error = node ? fetch_inode(op->fs, node) : create(op, &place, FS_FILE, NULL, 0, &node);
    if (error == 0 && op->flags & FS_OPEN_TRUNCATE && place.node)
        error = data_resize(op, node, 0);
    if (error < 0)
        return error;
    ENSURE(!node->of);
    ENSURE(!node->gone || node->refs > 0); /* "." of a directory that was removed while it is open */
    ENSURE(!op->opened);
    node->refs++;
    op->opened = node;
    node_stat(node, &op->stat);
    return 0;
}

int op_mkdir(struct fs_op *op)
{
    struct place place;
    struct fs_node *node;
    int error = path_find(op, LINK_STAYS, &place);
    if (error < 0)
        return error;
    return place.node ? -EEXIST : create(op, &place, FS_DIRECTORY, NULL, 0, &node);
}

/* Whether a symbolic link may lead there. */
static int may_lead(const char *target, size_t size)
{
    if (size == 0)
        return -ENOENT;
    if (size > FS_PATH_MAX)
        return -ENAMETOOLONG;
    if (memchr(target, 0, size))
        return -EINVAL;
    return target[0] == '/' ? -EPERM : 0; /* it would be followed nowhere */
}

int op_make_symlink(struct fs_op *op)
{
    struct place place;
    struct fs_node *node;
    int error = may_lead(op->to_path, op->to_path_size);
    if (error == 0)
        error = path_find(op, LINK_STAYS, &place);
    if (error < 0)
        return error;
    return place.node ? -EEXIST : create(op, &place, FS_SYMLINK, op->to_path, op->to_path_size, &node);
}

int op_readlink(struct fs_op *op)
{
    struct place place;
    int error = path_find_existing(op, LINK_IS_MEANT, &place);
    if (error == 0)
        error = !place.node->symlink ? -EINVAL : fetch_inode(op->fs, place.node);
    if (error < 0)
        return error;
    ENSURE(place.node->target);
    op->transferred = place.node->size < op->buffer_size ? place.node->size : op->buffer_size;
    memcpy(op->buffer, place.node->target, op->transferred);
    return 0;
}

/* Another name, for a file that is known. */
static int add_name(struct fs_op *op, struct fs_node *file, struct place *place)
{
    struct fs *fs = op->fs;
    ENSURE(file->known);
    ENSURE(!place->node);
    int error = may_create(op, place, FS_SYMLINK);
    if (error == 0 && file->directory)
        error = -EPERM;
    if (error < 0)
        return error;
    struct fs_node *entry = tree_add_name(fs, place->directory, place->name, place->name_size, file);
    if (!entry)
        return -ENOMEM;
    file->changed_ns = clock_realtime_ns();
    bool ok = journal_dentry(fs, place->directory, entry, true) && journal_inode(fs, file) &&
              journal_times(fs, place->directory);
    journal_end_group(fs);
    return ok ? 0 : -ENOMEM;
}

int op_link(struct fs_op *op)
{
    struct fs *fs = op->fs;
    struct place from, to;
    int error = path_find_existing(op, path_last(op), &from);
    if (error == 0)
        error = fetch_inode(fs, from.node);
    if (error == 0)
        error = path_find_to(op, &to);
    if (error < 0)
        return error;
    return to.node ? -EEXIST : add_name(op, from.node, &to);
}

static int remove_name(struct fs_op *op, bool directory)
{
    struct place place;
    int error = path_find_existing(op, LINK_STAYS, &place);
    if (error == 0 && place.node->links > 1)
        error = fetch_inode(op->fs, place.node); /* what stays of it changes */
    if (error < 0)
        return error;
    if (place.node->directory != directory)
        return directory ? -ENOTDIR : -EISDIR;
    if (!place.name)
        return place.is_above ? -ENOTEMPTY : -EINVAL; /* the directory that the path starts from, or one on its way */
    ENSURE(place.entry->parent == place.directory);
    ENSURE(!place.node->gone);
    if (place.node->first)
        return -ENOTEMPTY;
    error = directory ? journal_room(op) : journal_room_for_removal(op);
    if (error < 0)
        return error;
    error = take_out(op->fs, place.entry) ? 0 : -ENOMEM;
    journal_end_group(op->fs);
    if (place.node->gone && place.node->refs == 0)
        node_dispose(op->fs, place.node);
    journal_make_way(op->fs);
    return error;
}

int op_unlink(struct fs_op *op)
{
    return remove_name(op, false);
}

int op_rmdir(struct fs_op *op)
{
    return remove_name(op, true);
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

int op_rename(struct fs_op *op)
{
    struct fs *fs = op->fs;
    struct place from, to;
    int error = path_find(op, LINK_STAYS, &from);
    if (error == 0)
        error = path_find_to(op, &to);
    if (error == 0 && to.node && to.node->links > 1)
        error = fetch_inode(fs, to.node);
    if (error == 0)
        error = may_replace(&from, &to);
    if (error < 0 || from.node == to.node) /* two names of one file stay as they are: so it is elsewhere */
        return error;
    ENSURE(from.entry->parent == from.directory);
    ENSURE(!to.node || to.entry->parent == to.directory);
    error = journal_memory(fs, 1) ? journal_room(op) : -ENOSPC;
    char *name = error == 0 ? tree_copy_name(to.name, to.name_size) : NULL;
    if (!name)
        return error < 0 ? error : -ENOMEM;
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
        node_dispose(fs, to.node);
    return ok ? 0 : -ENOMEM;
}

int op_list(struct fs_op *op)
{
    struct fs_node *directory = op->node ? op->node : &op->fs->root;
    if (!directory->directory)
        return -ENOTDIR;
    size_t used = 0;
    struct fs_node *node = op->cursor ? tree_find_id(op->fs, op->cursor_id) : NULL;
    if (!node || node->parent != directory || node->serial != op->cursor) /* it was moved or removed meanwhile */
        node = directory->first;
    while (node && node->serial <= op->cursor)
        node = node->next;
    for (; node && used + 2 + node->name_size <= op->buffer_size; node = node->next) {
        ENSURE(node->parent == directory);
        op->buffer[used] = (uint8_t)fs_type_of(node);
        op->buffer[used + 1] = node->name_size;
        memcpy(op->buffer + used + 2, node->name, node->name_size);
        used += 2u + node->name_size;
        op->cursor = node->serial;
        op->cursor_id = node->id;
    }
    op->transferred = used;
    ENSURE(used <= op->buffer_size);
    op->end = !node;
    return 0;
}
