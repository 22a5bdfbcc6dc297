/*
 * wasi:http/types@0.2.x: outgoing-request, request-options, their future and the response, for the table in
 * http_types.c; and the calls that bodies belong to.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_HTTP_OUTGOING_H
#define ENCLAVE_OS_ENCLAVE_WASI_HTTP_OUTGOING_H

#include "enclave/wasi/internal.h"

#define OUTGOING_FUNC(name) enum host_status name(struct guest *g, const struct slot *args, size_t count)
OUTGOING_FUNC(outgoing_new);
OUTGOING_FUNC(outgoing_body);
OUTGOING_FUNC(outgoing_method);
OUTGOING_FUNC(outgoing_set_method);
OUTGOING_FUNC(outgoing_path);
OUTGOING_FUNC(outgoing_set_path);
OUTGOING_FUNC(outgoing_scheme);
OUTGOING_FUNC(outgoing_set_scheme);
OUTGOING_FUNC(outgoing_authority);
OUTGOING_FUNC(outgoing_set_authority);
OUTGOING_FUNC(outgoing_headers);
OUTGOING_FUNC(options_new);
OUTGOING_FUNC(options_get_connect);
OUTGOING_FUNC(options_set_connect);
OUTGOING_FUNC(options_get_first);
OUTGOING_FUNC(options_set_first);
OUTGOING_FUNC(options_get_between);
OUTGOING_FUNC(options_set_between);
OUTGOING_FUNC(future_subscribe);
OUTGOING_FUNC(future_get);
OUTGOING_FUNC(incoming_response_status);
OUTGOING_FUNC(incoming_response_headers);
OUTGOING_FUNC(incoming_response_consume);
OUTGOING_FUNC(outgoing_handle);

enum { METHOD_GET = 0, METHOD_CONNECT = 5, METHOD_OTHER = 9 };
enum { SCHEME_NONE = 0 };                 /* else the scheme's position + 1 */
extern const char *const http_methods[9]; /* by their position in the variant */

#endif
