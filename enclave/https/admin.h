/*
 * Routes whose answer needs the complete request body.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_ADMIN_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_ADMIN_H

#include "enclave/https/exchange.h"
#include "enclave/https/http.h"

void http_admin_start(struct http_server *server, struct http_exchange *x);

/* In router.c, for both. */
void http_answer_json(struct http_exchange *x, int status, const char *json, size_t size);
void http_header(const struct http_exchange *x, const char *name, char *out, size_t size); /* "" if absent or long */

#endif
