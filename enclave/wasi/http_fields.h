/*
 * wasi:http/types@0.2.x: the functions of the resource `fields`, for the table in http_types.c.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_HTTP_FIELDS_H
#define ENCLAVE_OS_ENCLAVE_WASI_HTTP_FIELDS_H

#include "enclave/wasi/internal.h"

HOST_FUNC(fields_new);
HOST_FUNC(fields_from_list);
HOST_FUNC(fields_get);
HOST_FUNC(fields_has);
HOST_FUNC(fields_set);
HOST_FUNC(fields_delete);
HOST_FUNC(fields_append_call);
HOST_FUNC(fields_entries);
HOST_FUNC(fields_clone);

bool http_name_forbidden(const char *name, size_t size);
/* A new immutable resource with a copy of from, or empty; NULL if memory is short. */
struct resource *fields_immutable(struct guest *g, const struct fields *from);
/* What came with a message, without what concerns only its connection; NULL: no memory, and a trap. */
struct resource *fields_received(struct guest *g, const struct http_field *items, size_t count);
/* The length that the guest's own content-length announces: -1 if there is none, -2 if it is not a number. */
int64_t fields_declared_length(const struct fields *fields);
/* Takes every content-length out: the connection writes what frames a message itself. How many are left. */
size_t fields_without_length(struct fields *fields);

#endif
