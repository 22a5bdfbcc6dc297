/*
 * The request that was encrypted, answered as any other: an exchange (https/exchange.h) whose request is in memory, and
 * whose answer is gathered there until it is whole, and then encrypted.
 *
 *     struct inner *i = inner_new(server, outer);             outer: the exchange that carries it, the relay's
 *     ...                                                     its body into inner_room, inner_took
 *     inner_begin(i, site, &answer, plain, size);             it is decrypted: from here on it answers outer by itself
 *
 * What is wrong with it from there on, and whatever answers it, is said in what is encrypted; outer's status is 200.
 * The router sees the same as of a request that came over TLS, but that it has the generation whose key it was
 * encrypted to, that no client certificate speaks for it, and that nothing can be bound to its connection.
 *
 * On the worker of outer.
 */
#ifndef ENCLAVE_OS_ENCLAVE_OHTTP_INNER_H
#define ENCLAVE_OS_ENCLAVE_OHTTP_INNER_H

#include <stddef.h>
#include <stdint.h>

#include "common/ohttp.h"

struct budget;
struct http_exchange;
struct http_server;
struct http_site;
struct inner;

/* memory: of all such requests. NULL: no memory. */
struct inner *inner_new(struct http_server *server, struct http_exchange *outer, struct budget *memory);
/* Nothing is answered by it; NULL is nothing. */
void inner_free(struct inner *i);

/* Where more of what comes is to be put, of which there may be OHTTP_REQUEST_MAX bytes. NULL: *status to answer. */
uint8_t *inner_room(struct inner *i, size_t *size, int *status);
void inner_took(struct inner *i, size_t size);
uint8_t *inner_data(struct inner *i, size_t *size); /* all that came */

/* Takes the reference to site. plain lies in inner_data's. */
void inner_begin(struct inner *i, struct http_site *site, const struct ohttp_answer *answer, uint8_t *plain,
                 size_t plain_size);

#endif
