/*
 * One HTTP GET. Private to the verifier's fetching.
 */
#ifndef ENCLAVE_VERIFIER_HTTP_GET_H
#define ENCLAVE_VERIFIER_HTTP_GET_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_SIZE_MAX (64u << 10) /* a chain of certificates stands in a header: about 8 KiB */

struct http_url {
    bool tls;
    char host[256]; /* without brackets */
    char port[6];
    char authority[300]; /* for the Host header */
    char path[1024];     /* with the query; begins with '/' */
};

/* "http://" or "https://", HOST, [:PORT] and a path; HOST may be [IPv6]. No user names, no fragments. */
bool verifier__parse_url(const char *text, struct http_url *url);

/* An answer's parts, in one piece of memory of the caller's. */
struct http_reply {
    int status;
    char *head; /* NUL-terminated, from the first header field on */
    uint8_t *body;
    size_t body_size;
    uint8_t *memory;
};

/* GET url, until deadline_ns of CLOCK_MONOTONIC. tls is for https. Redirections are not followed. 0, or a negative
 * errno with one line in error. After success reply->memory must be freed. */
int verifier__http_get(const struct http_url *url, SSL_CTX *tls, uint64_t deadline_ns, struct http_reply *reply,
                       char *error, size_t error_size);

/* Take a whole answer (head and body as received until the server closed) apart, in place. NULL, or what is wrong. */
const char *verifier__http_parse(uint8_t *data, size_t size, struct http_reply *reply);

/* The value of the first field of that name (any case), in place and NUL-terminated; NULL: none. Cuts the head up: ask
 * for one field only. */
char *verifier__http_field(struct http_reply *reply, const char *name);

#endif
