/*
 * Between the files of wasi:filesystem: one operation at a time for a guest, and replies. file_call.c has the calls and
 * error codes, file_streams.c reading and writing, filesystem.c everything else and the tables.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_FILESYSTEM_H
#define ENCLAVE_OS_ENCLAVE_WASI_FILESYSTEM_H

#include "enclave/fs/fs.h"
#include "enclave/wasi/internal.h"

/* descriptor-flags */
enum {
    DESCRIPTOR_READ = 1,
    DESCRIPTOR_WRITE = 2,
    DESCRIPTOR_SYNC_FILE = 4,  /* O_SYNC */
    DESCRIPTOR_SYNC_DATA = 8,  /* O_DSYNC; the store makes no difference */
    DESCRIPTOR_SYNC_READ = 16, /* O_RSYNC: what is read, too */
    DESCRIPTOR_MUTATE_DIRECTORY = 32,
    DESCRIPTOR_SYNC_CHANGES = DESCRIPTOR_SYNC_FILE | DESCRIPTOR_SYNC_DATA
};

struct file_paths {
    const struct slot *path, *to;
};

/* A new operation on a descriptor, to be completed and submitted; NULL after a trap. It is durable if the descriptor
 * says so: flags are to be added, not set. */
struct fs_op *file_begin(struct guest *g, enum fs_call call, const struct resource *on, struct file_paths paths,
                         size_t bytes);
/* Send it off, and have the guest wait. op NULL: its trap. */
enum host_result file_submit(struct guest *g, struct fs_op *op);
/* The guest's operation if it is over. */
struct fs_op *file_finished(struct guest *g);
/* Free it. */
void file_end(struct guest *g);
/* Keep it instead, as the page of an entry stream, and its charge with it. */
void file_keep_page(struct guest *g, struct resource *stream);
void file_drop_page(struct resource *stream);

/* The first steps of every function on a descriptor that waits. HOST_DONE: go on, with *op, which is over, or if it is
 * NULL by beginning one. Anything else is the function's answer. */
enum host_result file_step(struct guest *g, const struct slot *handle, struct resource **d, struct fs_op **op);

/* NULL after a trap. */
struct resource *file_descriptor(struct guest *g, const struct slot *handle);
/* err(error-code), for a negative errno. */
enum host_result file_fail(struct guest *g, int error);
/* ok with what the operation, which is over, has read; or its error. HOST_TRAP: no memory. */
enum host_result file_reply_bytes(struct guest *g, const struct fs_op *op);

HOST_FUNC(file_read);
HOST_FUNC(file_write);
HOST_FUNC(file_read_via_stream);
HOST_FUNC(file_write_via_stream);
HOST_FUNC(file_append_via_stream);
HOST_FUNC(file_error_code_of);

#endif
