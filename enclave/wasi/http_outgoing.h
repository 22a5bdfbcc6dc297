/*
 * wasi:http/types@0.2.x: outgoing-request, request-options, their future and the response, for the table in
 * http_types.c; and the calls that bodies belong to.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_HTTP_OUTGOING_H
#define ENCLAVE_OS_ENCLAVE_WASI_HTTP_OUTGOING_H

#include "enclave/wasi/internal.h"

HOST_FUNC(outgoing_new);
HOST_FUNC(outgoing_body);
HOST_FUNC(outgoing_method);
HOST_FUNC(outgoing_set_method);
HOST_FUNC(outgoing_path);
HOST_FUNC(outgoing_set_path);
HOST_FUNC(outgoing_scheme);
HOST_FUNC(outgoing_set_scheme);
HOST_FUNC(outgoing_authority);
HOST_FUNC(outgoing_set_authority);
HOST_FUNC(outgoing_headers);
HOST_FUNC(options_new);
HOST_FUNC(options_get_connect);
HOST_FUNC(options_set_connect);
HOST_FUNC(options_get_first);
HOST_FUNC(options_set_first);
HOST_FUNC(options_get_between);
HOST_FUNC(options_set_between);
HOST_FUNC(future_subscribe);
HOST_FUNC(future_get);
HOST_FUNC(incoming_response_status);
HOST_FUNC(incoming_response_headers);
HOST_FUNC(incoming_response_consume);
HOST_FUNC(outgoing_handle);

enum { METHOD_GET = 0, METHOD_CONNECT = 5, METHOD_OTHER = 9 };
enum { SCHEME_NONE = 0 };                 /* else the scheme's position + 1 */
extern const char *const http_methods[9]; /* by their position in the variant */

#endif
