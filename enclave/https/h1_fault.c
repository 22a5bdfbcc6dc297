/* See h1_fault.h. */
#include "enclave/https/h1_fault.h"

#include <stdio.h>

#include "enclave/https/h1_internal.h"

static const struct {
    int status;
    const char *text; /* NULL: it has numbers, see h1_fault_text */
} faults[] = {
    [H1_FINE] = {200, ""},
    [H1_BAD_SYNTAX] = {400, NULL},
    [H1_BAD_LINE] = {400, "a line of the head or of the trailers is malformed"},
    [H1_BAD_METHOD] = {400, "the request does not begin with a method and one space"},
    [H1_LONG_METHOD] = {501, NULL},
    [H1_BAD_TARGET] = {400, "the request's target is malformed"},
    [H1_LONG_TARGET] = {414, NULL},
    [H1_BAD_VERSION] = {505, "of HTTP, only versions 1.0 and 1.1 are spoken here"},
    [H1_LARGE_HEAD] = {431, NULL},
    [H1_NO_MEMORY] = {503, "no memory is left for this connection"},
    [H1_FIELD_TWICE] = {400, "a field that says one thing is there twice"},
    [H1_LONG_CONNECTION] = {431, NULL},
    [H1_NO_HOST] = {400, "there is no Host"},
    [H1_BAD_HOST] = {400, "Host is malformed"},
    [H1_TWO_FRAMINGS] = {400, "the body has both a Content-Length and a Transfer-Encoding"},
    [H1_BAD_LENGTH] = {400, "Content-Length is no number"},
    [H1_BAD_CODING] = {501, "no transfer coding but chunked is known"},
    [H1_CODING_IN_10] = {400, "HTTP/1.0 has no Transfer-Encoding"},
    [H1_LARGE_BODY] = {413, NULL},
    [H1_LARGE_FOR_APP] = {413, "the body is longer than this app takes (its settings' limits, body_bytes)"},
    [H1_SHORT_BODY] = {400, "the body broke off before its end"},
    [H1_BAD_EXPECTATION] = {417, "no expectation but 100-continue is known"},
    [H1_SLOW_HEAD] = {408, NULL},
    [H1_SLOW_BODY] = {408, NULL},
};
_Static_assert(sizeof faults / sizeof *faults == H1_FAULTS, "each has its line");

int h1_fault_status(enum h1_fault fault)
{
    return faults[fault].status;
}

int h1_fault_text(enum h1_fault fault, const struct http_limits *limits, const char *syntax, char *out, size_t size)
{
    switch (fault) {
    case H1_BAD_SYNTAX:
        return snprintf(out, size, "the request is malformed: %s", syntax ? syntax : "it is not HTTP");
    case H1_LONG_METHOD:
        return snprintf(out, size, "the method has more than %u characters", H1_METHOD_MAX);
    case H1_LONG_TARGET:
        return snprintf(out, size, "the request's target is longer than %u bytes (--max-header-bytes)",
                        limits->header_bytes < HTTP_TARGET_MAX ? limits->header_bytes : HTTP_TARGET_MAX);
    case H1_LARGE_HEAD:
        return snprintf(out, size,
                        "the head, or the trailers, are more than %u bytes (--max-header-bytes) or %u fields "
                        "(--max-headers)",
                        limits->header_bytes, limits->header_count);
    case H1_LONG_CONNECTION:
        return snprintf(out, size, "Connection lists more than %u fields (--max-headers)", limits->header_count);
    case H1_LARGE_BODY:
        return snprintf(out, size, "the body is longer than %llu bytes (--max-body-bytes)",
                        (unsigned long long)limits->streamed_body);
    case H1_SLOW_HEAD:
        return snprintf(out, size, "the head took longer than %u ms (--header-timeout)", limits->header_timeout_ms);
    case H1_SLOW_BODY:
        return snprintf(out, size,
                        "the body came slower than %u bytes a second (--min-rate), and was %u ms behind (--rate-grace)",
                        limits->min_rate, limits->rate_grace_ms);
    default:
        return snprintf(out, size, "%s", faults[fault].text);
    }
}
