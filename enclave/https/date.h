/* Dates as HTTP has them (RFC 9110, section 5.6.7), in the one form that is written today. Any thread. */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_DATE_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "enclave/https/target.h"

#define HTTP_DATE_SIZE 30u /* Sun, 06 Nov 1994 08:49:37 GMT and its zero */

/* Seconds since 1970, of a year before 10000. */
void http_date_text(int64_t seconds, char out[HTTP_DATE_SIZE]);
/* False: it is none, down to the day of the week. */
bool http_date_read(struct http_text text, int64_t *seconds);

#endif
