/*
 * A request's target (RFC 9112, section 3.2), taken apart once. Routing, apps and environments see its parts only, so
 * that nobody finds another path in it than a filter in front did.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_TARGET_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "enclave/https/limits.h"

struct http_text {
    const char *data;
    size_t size;
};

struct http_target {
    struct http_text authority; /* of the absolute form; else empty */
    struct http_text path;      /* "/…", or "*": the server as a whole. No dot segments, nothing half encoded */
    struct http_text query;     /* behind the '?', as sent */
    struct http_text whole;     /* path and query, as sent */
};

/* Take the target of a request apart, method CONNECT excepted. 0, or the status to answer: 400, or 414 above
 * HTTP_TARGET_MAX bytes. The parts point into text, or to constants. */
int http_target_parse(struct http_text text, bool options, struct http_target *target);

/* uri-host [":" port] (RFC 9110, section 7.2), and not empty: what a Host may hold and guests are told. */
bool http_authority_valid(struct http_text authority);

/* The path's first segment, without slashes; empty for "/" and "*". */
struct http_text http_target_first(const struct http_target *target);

/* Cut the first segment off: "/app/x?y" becomes "/x?y", "/app?y" becomes "/?y" (which writes to the text). */
void http_target_cut(struct http_target *target);

/* What the percent-encodings in a part of a parsed path stand for: out has room for text.size bytes. How many there
 * are. */
size_t http_text_decode(struct http_text text, char *out);

#endif
