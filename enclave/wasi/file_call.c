/*
 * wasi:filesystem/types@0.2.x: a guest's one operation, suspended while it runs, and error codes. An operation outlives
 * a guest that ends.
 */
#include <errno.h>

#include "enclave/wasi/filesystem.h"

/* ---- error codes: the position in wasi:filesystem/types error-code ---------------------------------------------- */

enum {
    CODE_ACCESS = 0,
    CODE_BAD_DESCRIPTOR = 3,
    CODE_BUSY = 4,
    CODE_QUOTA = 6,
    CODE_EXIST = 7,
    CODE_FILE_TOO_LARGE = 8,
    CODE_INVALID = 12,
    CODE_IO = 13,
    CODE_IS_DIRECTORY = 14,
    CODE_LOOP = 15,
    CODE_NAME_TOO_LONG = 18,
    CODE_NO_ENTRY = 20,
    CODE_INSUFFICIENT_MEMORY = 22,
    CODE_INSUFFICIENT_SPACE = 23,
    CODE_NOT_DIRECTORY = 24,
    CODE_NOT_EMPTY = 25,
    CODE_UNSUPPORTED = 27,
    CODE_NOT_PERMITTED = 31,
};

static unsigned code_of(int error)
{
    switch (error) {
    case -EBADF:
        return CODE_BAD_DESCRIPTOR;
    case -EBUSY:
        return CODE_BUSY;
    case -EDQUOT:
        return CODE_QUOTA;
    case -EEXIST:
        return CODE_EXIST;
    case -EFBIG:
        return CODE_FILE_TOO_LARGE;
    case -EINVAL:
        return CODE_INVALID;
    case -EISDIR:
        return CODE_IS_DIRECTORY;
    case -ELOOP:
        return CODE_LOOP;
    case -ENAMETOOLONG:
        return CODE_NAME_TOO_LONG;
    case -ENOENT:
        return CODE_NO_ENTRY;
    case -ENOMEM:
        return CODE_INSUFFICIENT_MEMORY;
    case -ENOSPC:
        return CODE_INSUFFICIENT_SPACE;
    case -ENOTDIR:
        return CODE_NOT_DIRECTORY;
    case -ENOTEMPTY:
        return CODE_NOT_EMPTY;
    case -ENOTSUP:
        return CODE_UNSUPPORTED;
    case -EPERM:
        return CODE_NOT_PERMITTED;
    default:
        return CODE_IO; /* -EIO, -EBADMSG: what the host keeps cannot be had, or is not what was written */
    }
}

enum host_result file_fail(struct guest *g, int error)
{
    reply_word(g, 1);
    reply_word(g, code_of(error));
    return HOST_DONE;
}

enum host_result file_reply_bytes(struct guest *g, const struct fs_op *op)
{
    void *buffer = guest_scratch(g); /* the operation's own goes before the reply is taken */
    if (!buffer)
        return HOST_TRAP;
    if (op->error)
        return file_fail(g, op->error);
    memcpy(buffer, op->buffer, op->transferred);
    reply_word(g, 0);
    reply_text(g, buffer, op->transferred);
    return HOST_DONE;
}

/* ---- operations ------------------------------------------------------------------------------------------------- */

struct fs_wait {
    struct guest *guest; /* NULL: it has ended */
    struct app *app;     /* a reference: the operation may outlive the guest */
    struct fs_op *op;
    struct charge charge;
    bool done;
};

static void release_node(struct worker *worker, struct fs *fs, struct fs_node *node)
{
    struct fs_op *op = node ? fs_op_new(worker, fs, FS_RELEASE, node, NULL, 0, NULL, 0, 0) : NULL;
    if (op)
        fs_submit(op); /* without memory for it the node stays in memory: no harm to what is stored */
}

static void wait_check(const struct fs_wait *w)
{
    ENSURE(w->app && w->op);
    ENSURE(!w->guest || (w->guest->fs == w && w->guest->app == w->app));
}

static void wait_free(struct fs_wait *w)
{
    fs_op_free(w->op);
    charge_give(&w->charge);
    app_unref(w->app);
    free(w);
}

static void on_done(struct fs_op *op)
{
    struct fs_wait *w = op->user;
    wait_check(w);
    ENSURE(w->op == op && !w->done);
    ENSURE(!w->guest || !w->guest->polling); /* later: common/callbacks.h */
    w->done = true;
    if (w->guest) {
        guest_wake(w->guest);
        return;
    }
    if (op->opened)
        release_node(op->origin, op->fs, op->opened);
    wait_free(w);
}

void filesystem_abandon(struct guest *g)
{
    struct fs_wait *w = g->fs;
    g->fs = NULL;
    if (w && w->done && w->op->opened)
        release_node(g->worker, w->op->fs, w->op->opened);
    if (w && w->done)
        wait_free(w);
    else if (w)
        w->guest = NULL;
}

struct fs_op *file_finished(struct guest *g)
{
    if (g->fs)
        wait_check(g->fs);
    return g->fs && g->fs->done ? g->fs->op : NULL;
}

void file_end(struct guest *g)
{
    ENSURE(g->fs && g->fs->done);
    wait_free(g->fs);
    g->fs = NULL;
}

/* What a descriptor's flags ask of an operation on it. */
static uint32_t durability(const struct resource *on, enum fs_call call)
{
    bool reads = call == FS_READ || call == FS_STAT || call == FS_LIST || call == FS_READLINK;
    uint8_t wanted = reads ? DESCRIPTOR_SYNC_READ : DESCRIPTOR_SYNC_CHANGES;
    return on->file.sync & wanted ? FS_DURABLE : 0;
}

struct fs_op *file_begin(struct guest *g, enum fs_call call, const struct resource *on, struct file_paths paths,
                         size_t bytes)
{
    size_t path = paths.path ? paths.path->size : 0, to = paths.to ? paths.to->size : 0;
    ENSURE(!g->fs && g->polling); /* one at a time */
    struct fs_wait *w = calloc(1, sizeof *w);
    if (w)
        w->app = app_ref(g->app);
    if (w && charge_take(&w->charge, &g->app->memory, sizeof(struct fs_op) + path + to + bytes))
        w->op = fs_op_new(g->worker, g->app->fs, call, on->file.node, path ? slot_text(paths.path) : NULL, path,
                          to ? slot_text(paths.to) : NULL, to, bytes);
    if (!w || !w->op) {
        if (w)
            wait_free(w);
        guest_trap(g, "no memory");
        return NULL;
    }
    w->guest = g;
    w->op->flags = durability(on, call);
    w->op->user = w;
    w->op->done = on_done;
    g->fs = w;
    return w->op;
}

enum host_result file_submit(struct guest *g, struct fs_op *op)
{
    if (!op)
        return HOST_TRAP;
    wait_check(g->fs);
    ENSURE(g->fs->op == op && !g->fs->done);
    fs_submit(op);
    return guest_wait(g, WAITS_OTHERS);
}

struct resource *file_descriptor(struct guest *g, const struct slot *handle)
{
    struct resource *d = resource_get(g, handle, KIND_DESCRIPTOR);
    if (!d)
        guest_trap(g, "not a descriptor");
    return d;
}

enum host_result file_step(struct guest *g, const struct slot *handle, struct resource **d, struct fs_op **op)
{
    *d = file_descriptor(g, handle);
    *op = file_finished(g);
    if (!*d)
        return HOST_TRAP;
    return g->fs && !*op ? guest_wait(g, WAITS_OTHERS) : HOST_DONE;
}

void file_keep_page(struct guest *g, struct resource *stream)
{
    file_drop_page(stream);
    stream->entries.page = g->fs->op;
    stream->entries.at = 0;
    charge_move(&stream->entries.charge, &g->fs->charge);
    g->fs->op = NULL;
    file_end(g);
}

void file_drop_page(struct resource *stream)
{
    fs_op_free(stream->entries.page);
    stream->entries.page = NULL;
    charge_give(&stream->entries.charge);
}

void file_free(struct guest *g, struct resource *r)
{
    if (r->kind == KIND_DESCRIPTOR)
        release_node(g->worker, g->app->fs, r->file.node);
    else
        file_drop_page(r);
}

enum host_result reply_file_error(struct guest *g, int error)
{
    struct resource *told = reply_new_error(g, "the file system failed; filesystem-error-code says how");
    if (!told)
        return HOST_TRAP;
    told->state = (uint8_t)(code_of(error) + 1);
    return HOST_DONE;
}

bool file_stream_writing(const struct guest *g)
{
    return g->fs && g->fs->op->call == FS_WRITE;
}
