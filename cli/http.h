/*
 * One HTTP/1.1 request over a connection, and its answer.
 */
#ifndef ENCLAVE_OS_CLI_HTTP_H
#define ENCLAVE_OS_CLI_HTTP_H

#include "cli/connection.h"

struct http_request {
    const char *method, *path;
    const char *token;            /* NULL: none */
    const char *publication;      /* of an app's code (publish.c); NULL: none */
    const char *const *approvals; /* other administrators' tokens, approval_count of them */
    size_t approval_count;
    const char *content_type; /* of the body; NULL: a component's */
    const void *body;
    size_t body_size;
};

struct http_answer {
    int status;
    char *body; /* malloc'ed, NUL-terminated */
    size_t body_size;
};

/* 0, or what complain returned. The server closes the connection afterwards. */
int http_exchange(struct connection *c, const struct http_request *request, struct http_answer *answer);

#endif
