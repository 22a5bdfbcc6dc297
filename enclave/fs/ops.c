/*
 * Which operation is which. Each first sees that everything it needs is in memory (and comes again when it is), then
 * changes memory and journal in one go.
 */
#include <errno.h>

#include "enclave/fs/internal.h"

static int (*const calls[])(struct fs_op *op) = {
    [FS_OPEN] = op_open,
    [FS_MKDIR] = op_mkdir,
    [FS_UNLINK] = op_unlink,
    [FS_RMDIR] = op_rmdir,
    [FS_RENAME] = op_rename,
    [FS_LINK] = op_link,
    [FS_MAKE_SYMLINK] = op_make_symlink,
    [FS_READLINK] = op_readlink,
    [FS_STAT] = op_stat,
    [FS_TIMES] = op_times,
    [FS_RESIZE] = op_resize,
    [FS_READ] = op_read,
    [FS_WRITE] = op_write,
    [FS_LIST] = op_list,
    [FS_SYNC] = op_sync,
    [FS_RELEASE] = op_release,
};
static_assert(sizeof calls / sizeof *calls == FS_RELEASE + 1, "every call has its function");

int fs_run(struct fs_op *op)
{
    fs_enter(op->fs);
    ENSURE(op->call < sizeof calls / sizeof *calls);
    ENSURE(!op->node || !op->node->of);
    int error = op->fs->loaded ? 0 : load_tree(op->fs);
    if (error == 0 && !op->settling)
        error = calls[op->call](op);
    if (error < 0 || !(op->flags & FS_DURABLE))
        return error;
    return op_settle(op);
}
