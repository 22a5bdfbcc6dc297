/*
 * wasi:http/types@0.2.x: the variant error-code, as text for the type check and as the few cases that we use.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_HTTP_ERROR_CODE_H
#define ENCLAVE_OS_ENCLAVE_WASM_HTTP_ERROR_CODE_H

#include <stdint.h>

#define ERROR_CODE                                                                                  \
    "variant{DNS-timeout,DNS-error:record{rcode:option<string>,info-code:option<u16>},"             \
    "destination-not-found,destination-unavailable,destination-IP-prohibited,"                      \
    "destination-IP-unroutable,connection-refused,connection-terminated,connection-timeout,"        \
    "connection-read-timeout,connection-write-timeout,connection-limit-reached,TLS-protocol-error," \
    "TLS-certificate-error,TLS-alert-received:record{alert-id:option<u8>,"                          \
    "alert-message:option<string>},HTTP-request-denied,HTTP-request-length-required,"               \
    "HTTP-request-body-size:option<u64>,HTTP-request-method-invalid,HTTP-request-URI-invalid,"      \
    "HTTP-request-URI-too-long,HTTP-request-header-section-size:option<u32>,"                       \
    "HTTP-request-header-size:option<record{field-name:option<string>,field-size:option<u32>}>,"    \
    "HTTP-request-trailer-section-size:option<u32>,"                                                \
    "HTTP-request-trailer-size:record{field-name:option<string>,field-size:option<u32>},"           \
    "HTTP-response-incomplete,HTTP-response-header-section-size:option<u32>,"                       \
    "HTTP-response-header-size:record{field-name:option<string>,field-size:option<u32>},"           \
    "HTTP-response-body-size:option<u64>,HTTP-response-trailer-section-size:option<u32>,"           \
    "HTTP-response-trailer-size:record{field-name:option<string>,field-size:option<u32>},"          \
    "HTTP-response-transfer-coding:option<string>,HTTP-response-content-coding:option<string>,"     \
    "HTTP-response-timeout,HTTP-upgrade-failed,HTTP-protocol-error,loop-detected,"                  \
    "configuration-error,internal-error:option<string>}"

/* Positions in the variant. */
enum {
    ERROR_CONNECTION_REFUSED = 6,
    ERROR_CONNECTION_TERMINATED = 7,
    ERROR_REQUEST_DENIED = 15,
    ERROR_REQUEST_BODY_SIZE = 17,
    ERROR_RESPONSE_BODY_SIZE = 28,
    ERROR_RESPONSE_TIMEOUT = 33,
};

/* What the client sees when a guest answers with an error-code. */
static inline int http_error_status(uint64_t code)
{
    switch (code) {
    case ERROR_REQUEST_DENIED:
        return 403;
    case ERROR_REQUEST_BODY_SIZE:
        return 413;
    case ERROR_RESPONSE_TIMEOUT:
        return 504;
    default:
        return 500;
    }
}

#endif
