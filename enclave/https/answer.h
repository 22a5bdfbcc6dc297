/*
 * Answers that the server gives itself. Each is the exchange's last: it is over when they return.
 *
 * JSON is made as a value of jansson's, never as text, so that nobody escapes, counts bytes or cuts off by hand:
 *
 *     http_answer_value(x, 200, json_pack("{s:s, s:i}", "name", name, "generation", 7));
 *
 * The value lives for the length of that call, once for each worker, and is nobody's charge; its text goes straight
 * into the connection's output, which is charged. So what it may hold has a bound of its own: that of what it lists.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_ANSWER_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_ANSWER_H

#include <jansson.h>

#include "enclave/https/exchange.h"

/* What 401 asks for (RFC 6750, section 3). */
#define HTTP_CHALLENGE "Bearer realm=\"enclave-os\""

/* A status with a line that says why, and the field that the status calls for. */
void http_refuse(struct http_exchange *x, int status, const char *why, struct http_field field);
#define HTTP_NO_MEMORY "no memory is left for this connection"
/* Takes value; NULL, as jansson gives it where there is no memory, or where a text is no UTF-8: 503. */
void http_answer_value(struct http_exchange *x, int status, json_t *value);
/* With one field more, if it has a name. */
void http_answer_value_with(struct http_exchange *x, int status, struct http_field field, json_t *value);
/* A problem (RFC 9457) of a type that is registered, for clients that look for it. */
void http_answer_problem(struct http_exchange *x, int status, const char *type, const char *title);
/* What OPTIONS asks of a path that has these methods; browsers do before a page of another origin may POST JSON. */
void http_answer_options(struct http_exchange *x, const char *methods);
/* Members that are numbers, such as counters. 0 or -ENOMEM. */
struct http_number {
    const char *name;
    uint64_t value;
};
int http_add_numbers(json_t *object, const struct http_number *numbers, size_t count);
/* A body that may be larger than a connection may hold, sent piece by piece. The data is the caller's, until all of it
 * was sent or the client is gone. */
struct http_pieces {
    const void *data;
    size_t size, sent;
};
/* After respond, and at each HTTP_EVENT_SPACE: writes what there is room for. True: that was all, or no more can be
 * written: finish is next. */
bool http_send_pieces(struct http_exchange *x, struct http_pieces *pieces);
/* The value of the request's field of that name, with a zero; "" if there is none or it has no room. */
void http_header(const struct http_exchange *x, const char *name, char *out, size_t size);

#endif
