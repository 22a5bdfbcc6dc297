/*
 * wasi:http/types@0.2.x: incoming-request, incoming-body and its trailers, for the table in http_types.c.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_HTTP_INCOMING_H
#define ENCLAVE_OS_ENCLAVE_WASI_HTTP_INCOMING_H

#include "enclave/wasi/internal.h"

HOST_FUNC(incoming_request_method);
HOST_FUNC(incoming_request_path);
HOST_FUNC(incoming_request_authority);
HOST_FUNC(incoming_request_scheme);
HOST_FUNC(incoming_request_headers);
HOST_FUNC(incoming_request_consume);
HOST_FUNC(incoming_body_stream);
HOST_FUNC(incoming_body_finish);
HOST_FUNC(incoming_trailers_subscribe);
HOST_FUNC(incoming_trailers_get);

/* err, of a result without more. */
static inline enum host_result http_failed(struct guest *g)
{
    reply_word(g, 1);
    return HOST_DONE;
}

#endif
