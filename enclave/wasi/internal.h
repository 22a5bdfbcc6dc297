/*
 * Shared by the files of enclave/wasi: the interfaces of WASI, a file for each package, over enclave/wasm/host.h.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_WASI_INTERNAL_H

#include "common/callbacks.h"
#include "enclave/fs/fs.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/wasi/limits.h"
#include "enclave/wasm/host.h"

extern const struct host_interface wasi_io[3], wasi_clocks[3], wasi_random[3], wasi_cli[10], wasi_filesystem[2],
    wasi_sockets[7], wasi_http[2], wasi_keyvalue[3], wasi_config[3], wasi_logging[1];

/* http_fields.c */
void fields_check(const struct fields *f); /* what holds between any two changes */
void fields_clear(struct fields *f);
/* Copies. -ENOSPC: too many or too long; -ENOMEM. */
int fields_append(struct fields *f, const char *name, size_t name_size, const char *value, size_t value_size);
int fields_copy(struct fields *to, const struct fields *from);
const struct http_field *fields_find(const struct fields *f, const char *name, size_t name_size);

/* pollable.c: one that is ready when target is; NULL: the guest ends. */
struct resource *pollable_on(struct guest *g, struct resource *target);
/* command.c. What a command's environment says of its request, behind the app's own variables. Returns how many there
 * were; texts live until the next call. */
size_t command_variables(struct guest *g);
/* For host_world, as the three of that name. */
const char *command_refuses(const struct http_exchange *x);
/* A command's standard output: the answer's body, begun with its first byte. As write_body and write_space. */
ssize_t command_write(struct guest *g, const void *data, size_t size);
size_t command_space(struct guest *g);
/* The command waits: what it printed so far goes out. And before so much more is printed, if it does not fit. */
void command_flush(struct guest *g);
void command_make_room(struct guest *g, size_t size);
/* The command is over. exit_code: 0, or how it failed as a shell says it; http: what the answer then says of it. */
void command_end(struct guest *g, int exit_code, int http);

/* wasi:http. States of an outgoing body: */
enum { BODY_EARLY, BODY_LIVE, BODY_DONE, BODY_REFUSED };
/* The call that a body, a future or a response belongs to; NULL: they are the exchange's. */
static inline struct http_call *call_of(const struct resource *part)
{
    return part && part->on && part->on->kind == KIND_HTTP_CALL ? part->on->outgoing.call : NULL;
}
void http_call_drop(struct guest *g, struct resource *part); /* what a KIND_HTTP_CALL owns */
struct resource *http_request_new(struct guest *g);
struct resource *http_outparam_new(struct guest *g);
ssize_t outgoing_body_write(struct guest *g, struct resource *body, const void *data, size_t size);
size_t outgoing_body_space(struct guest *g, const struct resource *body);
/* As read_body of the exchange, or of the call if there is one. */
ssize_t incoming_body_read(struct guest *g, struct http_call *call, void *buf, size_t size);
enum host_result reply_broken_response(struct guest *g, const struct http_call *call); /* with its error-code */

/* wasi:keyvalue: forget the call that a dying guest waits for. */
void keyvalue_abandon(struct guest *g);

/* wasi:filesystem: the same; what a descriptor or an entry stream holds; files as streams. -EINPROGRESS: the guest must
 * wait and call again. writing: a write is under way or done and has not been taken. */
void filesystem_abandon(struct guest *g);
void file_free(struct guest *g, struct resource *r);
ssize_t file_stream_read(struct guest *g, struct resource *stream, void *buf, size_t size);
ssize_t file_stream_write(struct guest *g, struct resource *stream, const void *data, size_t size);
bool file_stream_writing(const struct guest *g);
enum host_result reply_file_error(struct guest *g, int error);

#endif
