/*
 * wasi:http/types@0.2.x: the variant error-code, as text for the type check and as numbers.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_HTTP_ERROR_CODE_H
#define ENCLAVE_OS_ENCLAVE_WASI_HTTP_ERROR_CODE_H

#include "enclave/https/client.h"
#include "enclave/wasi/internal.h"

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

/* Positions in the variant: those that are used here. */
enum http_error {
    ERROR_DNS = 1,
    ERROR_DESTINATION_UNAVAILABLE = 3,
    ERROR_CONNECTION_REFUSED = 6,
    ERROR_CONNECTION_TERMINATED = 7,
    ERROR_CONNECTION_TIMEOUT = 8,
    ERROR_READ_TIMEOUT = 9,
    ERROR_CONNECTION_LIMIT = 11,
    ERROR_TLS_PROTOCOL = 12,
    ERROR_TLS_CERTIFICATE = 13,
    ERROR_TLS_ALERT = 14,
    ERROR_REQUEST_DENIED = 15,
    ERROR_REQUEST_BODY_SIZE = 17,
    ERROR_REQUEST_METHOD_INVALID = 18,
    ERROR_REQUEST_URI_INVALID = 19,
    ERROR_RESPONSE_INCOMPLETE = 25,
    ERROR_RESPONSE_HEAD_SIZE = 26,
    ERROR_RESPONSE_BODY_SIZE = 28,
    ERROR_RESPONSE_CODING = 31,
    ERROR_RESPONSE_TIMEOUT = 33,
    ERROR_HTTP_PROTOCOL = 35,
    ERROR_CONFIGURATION = 37,
    ERROR_INTERNAL = 38,
};

/* The case, and its payload with nothing known in it, as a result's error or an option's some. */
void reply_error_code(struct guest *g, enum http_error code);
/* The same for a call that failed. */
void reply_call_failure(struct guest *g, const struct http_call *call);
enum http_error http_error_of(enum http_call_failure failure);

/* What the client sees when a guest answers with an error-code. */
int http_error_status(uint64_t code);

#endif
