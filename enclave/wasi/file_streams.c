/*
 * wasi:filesystem/types@0.2.x: reading and writing, by descriptor and as streams.
 */
#include <errno.h>

#include "enclave/wasi/filesystem.h"

static enum host_result file_check(struct guest *g, const struct resource *d, bool allowed)
{
    return d->file.directory ? file_fail(g, -EISDIR) : allowed ? HOST_WAIT : file_fail(g, -EBADF);
}

HOST_FUNC(file_read)
{
    struct resource *d;
    struct fs_op *op;
    enum host_result result = file_step(g, &args[0], &d, &op);
    if (result != HOST_DONE)
        return result;
    ENSURE(!op || op->call == FS_READ); /* it was this function that waited */
    if (!op) {
        if (file_check(g, d, d->file.may_read) == HOST_DONE)
            return HOST_DONE;
        size_t size = args[1].word < FS_IO_MAX ? args[1].word : FS_IO_MAX;
        op = file_begin(g, FS_READ, d, (struct file_paths){NULL, NULL}, size);
        if (op) {
            op->size = size;
            op->offset = args[2].word;
        }
        return file_submit(g, op);
    }
    if (file_reply_bytes(g, op) == HOST_TRAP)
        return HOST_TRAP;
    if (!op->error) /* asked for nothing, too: the adapter takes "nothing, and not the end" for an interruption */
        reply_word(g, op->end || op->transferred == 0);
    file_end(g);
    return HOST_DONE;
}

HOST_FUNC(file_write)
{
    struct resource *d;
    struct fs_op *op;
    enum host_result result = file_step(g, &args[0], &d, &op);
    if (result != HOST_DONE)
        return result;
    ENSURE(!op || op->call == FS_WRITE);
    if (!op) {
        if (file_check(g, d, d->file.may_write) == HOST_DONE)
            return HOST_DONE;
        size_t size = args[1].size < FS_IO_MAX ? args[1].size : FS_IO_MAX;
        op = file_begin(g, FS_WRITE, d, (struct file_paths){NULL, NULL}, size);
        if (op) {
            op->size = size;
            op->offset = args[2].word;
            if (size)
                memcpy(op->buffer, slot_text(&args[1]), size);
        }
        return file_submit(g, op);
    }
    if (op->error) {
        file_fail(g, op->error);
    } else {
        reply_word(g, 0);
        reply_word(g, op->transferred);
    }
    file_end(g);
    return HOST_DONE;
}

static enum host_result via_stream(struct guest *g, const struct slot *args, enum kind kind, enum stream_end end,
                                   uint64_t position)
{
    struct resource *d = file_descriptor(g, &args[0]);
    if (!d)
        return HOST_TRAP;
    if (file_check(g, d, kind == KIND_INPUT_STREAM ? d->file.may_read : d->file.may_write) == HOST_DONE)
        return HOST_DONE;
    struct resource *stream = resource_new(g, kind);
    if (!stream)
        return HOST_TRAP;
    stream->state = end;
    stream->position = position;
    stream->on = resource_keep(d);
    reply_word(g, 0);
    reply_own(g, stream);
    return HOST_DONE;
}

HOST_FUNC(file_read_via_stream)
{
    return via_stream(g, args, KIND_INPUT_STREAM, STREAM_FILE, args[1].word);
}

HOST_FUNC(file_write_via_stream)
{
    return via_stream(g, args, KIND_OUTPUT_STREAM, STREAM_FILE, args[1].word);
}

HOST_FUNC(file_append_via_stream)
{
    return via_stream(g, args, KIND_OUTPUT_STREAM, STREAM_FILE_END, 0);
}

ssize_t file_stream_read(struct guest *g, struct resource *stream, void *buf, size_t size)
{
    struct fs_op *op = file_finished(g);
    if (g->fs && !op)
        return -EINPROGRESS;
    ENSURE(stream->kind == KIND_INPUT_STREAM && stream->on);
    ENSURE(!op || (op->call == FS_READ && op->transferred <= op->buffer_size));
    if (!op) {
        op = file_begin(g, FS_READ, stream->on, (struct file_paths){NULL, NULL}, size < FS_IO_MAX ? size : FS_IO_MAX);
        if (!op)
            return -ENOMEM;
        op->size = op->buffer_size;
        op->offset = stream->position;
        fs_submit(op);
        return -EINPROGRESS;
    }
    ssize_t result = op->error ? op->error : (ssize_t)op->transferred;
    if (result > 0)
        memcpy(buf, op->buffer, (size_t)result);
    stream->position += op->transferred;
    file_end(g);
    return result;
}

ssize_t file_stream_write(struct guest *g, struct resource *stream, const void *data, size_t size)
{
    struct fs_op *op = file_finished(g);
    if (g->fs && !op)
        return -EINPROGRESS;
    ENSURE(stream->kind == KIND_OUTPUT_STREAM && stream->on);
    ENSURE(!op || op->call == FS_WRITE);
    if (!op) {
        op = file_begin(g, FS_WRITE, stream->on, (struct file_paths){NULL, NULL}, size);
        if (!op)
            return -ENOMEM;
        op->size = size;
        op->offset = stream->position;
        op->flags |= FS_WHOLE | (stream->state == STREAM_FILE_END ? FS_APPEND : 0);
        if (size)
            memcpy(op->buffer, data, size);
        fs_submit(op);
        return -EINPROGRESS;
    }
    ssize_t result = op->error ? op->error : (ssize_t)op->transferred;
    stream->position = op->offset;
    file_end(g);
    return result;
}

HOST_FUNC(file_error_code_of)
{
    struct resource *error = resource_get(g, &args[0], KIND_ERROR);
    if (!error)
        return guest_trap(g, "not an error");
    reply_word(g, error->state != 0);
    if (error->state)
        reply_word(g, error->state - 1u);
    return HOST_DONE;
}
