/*
 * Answers whose body was made for this one client, and may be larger than a connection may hold: it is sent piece by
 * piece, then freed, and what was charged for it given back; also where the client goes away before.
 *
 *     struct charge charge = {0};                                 already paid: size + HTTP_OWNED_COST
 *     http_answer_owned(x, fields, 2, data, size, &charge);       data and charge are no longer the caller's
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_OWNED_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_OWNED_H

#include "enclave/budget/budget.h"
#include "enclave/https/exchange.h"

#define HTTP_OWNED_COST 128u /* beside the body */

/* The exchange's last word, with 200: takes data (malloc'ed) and the charge, in any case; charge is empty afterwards.
 * On the exchange's worker; x's events are this answer's from then on. */
void http_answer_owned(struct http_exchange *x, const struct http_field *fields, size_t count, void *data, size_t size,
                       struct charge *charge);
/* The same of bytes that are there as long as the program; who may be sent them is bounded as connections are. */
void http_answer_lasting(struct http_exchange *x, const struct http_field *fields, size_t count, const void *data,
                         size_t size);

#endif
