/*
 * A request's body, gathered until it is whole, for answerers that can do nothing with a part of it.
 *
 *     struct http_gather body = {.memory = &budget, .most = 4096};
 *     status = http_gather(x, &body);         on HTTP_EVENT_BODY again, while it says HTTP_GATHER_MORE
 *     ... body.data, body.size ...            0: that is all of it
 *     http_gather_free(&body);                at any time
 *
 * It grows with what comes, not with what was announced, unless that is given as expected. On the exchange's worker.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_GATHER_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_GATHER_H

#include "enclave/budget/budget.h"
#include "enclave/https/exchange.h"

struct http_gather {
    struct budget *memory; /* charged; NULL: the caller bounds how many there are at once */
    size_t most, expected; /* bytes; expected: room for so many at once, 0: it is not known */
    uint8_t *data;         /* charged_free; NULL while nothing has come */
    size_t size, capacity;
};

#define HTTP_GATHER_MORE (-1)
/* 0: the body is whole. HTTP_GATHER_MORE: what has come is taken. Else the status to answer with: 413, it is longer
 * than most; 503, there is no memory; 400, it broke off, and http_gather_why says so in a line. */
int http_gather(struct http_exchange *x, struct http_gather *g);
const char *http_gather_why(int status);
void http_gather_free(struct http_gather *g);

#endif
