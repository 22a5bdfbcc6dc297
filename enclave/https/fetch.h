/*
 * A small request to a server elsewhere and its whole answer, for what the enclave asks in its own name. client.h has
 * the request's life; here it is one call and one answer, of bounded size and time.
 *
 * The worker's thread. done comes once, later, from the loop, whatever becomes of it, within the time that was given:
 * what then is still to come is not waited for.
 *
 * Memory: CALL_COST at most (limits.h), the request's body, and as much of the answer as was asked for.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_FETCH_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/https/client.h"

struct http_fetch;

/* Valid during done. */
struct http_fetched {
    const char *problem; /* a sentence: there is no answer, or not all of it; NULL: there is */
    int status;
    const struct http_field *fields;
    size_t field_count;
    const char *body; /* with a zero behind it */
    size_t size;      /* answer_max + 1: it is longer than that */
};
typedef void (*http_fetch_done)(void *user, const struct http_fetched *answer);

struct http_fetch_request {
    struct worker *worker;
    const struct http_dialer *dialer;
    struct http_site *site; /* as http_call_request has it; may be NULL where the dialer takes none */
    const char *host, *method, *target, *authority;
    uint16_t port;
    const struct http_field *fields;
    size_t field_count;
    const void *body; /* copied; NULL: none */
    size_t body_size, answer_max;
    uint64_t within_ns;
    http_fetch_done done;
    void *user;
};

/* NULL: no memory; done never comes. */
struct http_fetch *http_fetch_start(const struct http_fetch_request *request);
/* Before done: it never comes. */
void http_fetch_cancel(struct http_fetch *f);

#endif
