/*
 * Answers that the server gives itself. Each is the exchange's last: it is over when they return.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_ANSWER_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_ANSWER_H

#include "enclave/https/exchange.h"

/* What 401 asks for (RFC 6750, section 3). */
#define HTTP_CHALLENGE "Bearer realm=\"enclave-os\""

/* A status with a line that says why, and the field that the status calls for. */
void http_refuse(struct http_exchange *x, int status, const char *why, struct http_field field);
#define HTTP_NO_MEMORY "no memory is left for this connection"
void http_answer_json(struct http_exchange *x, int status, const char *json, size_t size);
/* With one field more, if it has a name. */
void http_answer_json_with(struct http_exchange *x, int status, struct http_field field, const char *json, size_t size);
/* The value of the request's field of that name, with a zero; "" if there is none or it has no room. */
void http_header(const struct http_exchange *x, const char *name, char *out, size_t size);

#endif
