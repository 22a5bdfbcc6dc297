/*
 * Routes whose answer needs the complete request body.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_ADMIN_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_ADMIN_H

#include "enclave/https/exchange.h"
#include "enclave/https/http.h"

void http_admin_start(struct http_server *server, struct http_exchange *x);

/* What 401 asks for (RFC 6750, section 3). */
#define HTTP_CHALLENGE "Bearer realm=\"enclave-os\""

/* In router.c, for both. */
/* A status with a line that says why, and the field that the status calls for. */
void http_refuse(struct http_exchange *x, int status, const char *why, struct http_field field);
#define HTTP_NO_MEMORY "no memory is left for this connection"
void http_answer_json(struct http_exchange *x, int status, const char *json, size_t size);
/* With one field more, if it has a name. */
void http_answer_json_with(struct http_exchange *x, int status, struct http_field field, const char *json, size_t size);
void http_header(const struct http_exchange *x, const char *name, char *out, size_t size); /* "" if absent or long */

#endif
