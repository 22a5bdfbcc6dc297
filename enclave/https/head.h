/* What the server itself adds to the head of an answer, whatever carries it. On the exchange's worker. */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_HEAD_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_HEAD_H

#include "enclave/https/exchange.h"

#define HTTP_HEAD_OWN 2u

/* How many fields stand in own: the date, unless the answerer's fields have one, and leave for pages of any origin, if
 * the exchange is shared. They hold until this thread asks for others. */
size_t http_head_own(const struct http_exchange *x, const struct http_field *fields, size_t count,
                     struct http_field own[HTTP_HEAD_OWN]);

#endif
