/* What a field's name says about where it may stand (RFC 9110, sections 6.5.1 and 7.6.1). Names are in lower case. And
 * texts compared with those that are looked for. */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_FIELDS_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_FIELDS_H

#include <stdbool.h>

#include "enclave/https/exchange.h"

bool http_name_is(struct http_text name, const char *wanted);
/* The same of what case counts in: paths, methods. */
bool http_text_is(struct http_text path, const char *wanted);
bool http_text_begins(struct http_text path, const char *with);
/* It concerns one connection, and goes no further. */
bool http_is_hop_by_hop(struct http_text name);
/* It frames or routes a message, says who asks, or must be known before the content: it is no trailer. */
bool http_is_no_trailer(struct http_text name);
/* Only the server may say it to an app, however a client spells it: '_' is '-' to many programs. */
bool http_is_ours(struct http_text name);
/* Is the name a member of the comma-separated list? */
bool http_list_has(struct http_text list, struct http_text name);
/* Compact fields to those that may be trailers: how many. */
size_t http_keep_trailers(struct http_field *fields, size_t count);

/* Is one that says one thing there twice? Which of them would a filter in front have believed? */
bool http_fields_are_twice(const struct http_field *fields, size_t count);

/* How many fields have the name (lower case); the first one's value. */
size_t http_fields_find(const struct http_field *fields, size_t count, const char *name, struct http_text *value);

#endif
