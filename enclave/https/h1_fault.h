/* What can be wrong with a request or with how it comes, so that the connection answers itself: a status, and a line
 * that names what was wrong, with the limit and its option where there is one. */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_H1_FAULT_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_H1_FAULT_H

#include <stddef.h>

#include "enclave/https/http.h"

enum h1_fault {
    H1_FINE,
    H1_BAD_SYNTAX, /* the parser says what */
    H1_BAD_LINE,   /* what the parser would let through */
    H1_BAD_METHOD,
    H1_LONG_METHOD,
    H1_BAD_TARGET,
    H1_LONG_TARGET,
    H1_BAD_VERSION,
    H1_LARGE_HEAD,
    H1_NO_MEMORY,
    H1_FIELD_TWICE,
    H1_LONG_CONNECTION,
    H1_NO_HOST,
    H1_BAD_HOST,
    H1_TWO_FRAMINGS,
    H1_BAD_LENGTH,
    H1_BAD_CODING,
    H1_CODING_IN_10,
    H1_LARGE_BODY,
    H1_LARGE_FOR_APP,
    H1_SHORT_BODY, /* the client ended its side before the body's end */
    H1_BAD_EXPECTATION,
    H1_SLOW_HEAD,
    H1_SLOW_BODY,
    H1_FAULTS
};

int h1_fault_status(enum h1_fault fault);
/* The line, as snprintf writes it. syntax: the parser's word for what it is, or NULL. */
int h1_fault_text(enum h1_fault fault, const struct http_limits *limits, const char *syntax, char *out, size_t size);

#endif
