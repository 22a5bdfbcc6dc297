/* What is on disk: waiting for it, and giving a file back. */
#include <errno.h>

#include "enclave/fs/internal.h"

int op_sync(struct fs_op *op)
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
    ENSURE(op->awaited <= fs->made);
    ENSURE(fs->durable <= fs->made);
    if (fs->durable >= op->awaited)
        return 0;
    return fs->error ? fs->error : fs->flight ? -EAGAIN : -ENOMEM;
}

int op_release(struct fs_op *op)
{
    if (op->node && op->node->refs == 1 && !op->node->gone)
        cache_flush(op->fs, op->node);
    if (op->node)
        node_put(op->fs, op->node);
    return 0;
}

int op_settle(struct fs_op *op)
{
    ENSURE(op->flags & FS_DURABLE);
    if (!op->settling)
        op->started = false;
    op->settling = true;
    int error = op_sync(op);
    if (error < 0 && error != -EAGAIN && op->opened) {
        node_put(op->fs, op->opened);
        op->opened = NULL;
    }
    return error;
}
