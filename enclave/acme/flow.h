/*
 * One order of an ACME client, for one name (RFC 8555, section 7), as a state machine: which request is next, and what
 * an answer leads to. It asks nobody, waits for nothing, and knows no clock: who drives it does (acme.h).
 *
 *     acme_flow_begin(&f, &asked);
 *     for (;;) {
 *         acme_flow_request(&f, &request, why)          0; -ENOMEM
 *         ... the answer ...
 *         switch (acme_flow_answer(&f, &answer)) {
 *         case ACME_ASK:       at once
 *         case ACME_WAIT:      in f.wait_s
 *         case ACME_CHALLENGE: when f.digest is shown under the name (RFC 8737)
 *         case ACME_DONE:      answer's body is the chain, which is not judged (certificate.h)
 *         case ACME_FAILED:    f.why says why; the next order no sooner than f.wait_s
 *         }
 *     }
 *
 *     directory -> nonce -> account -> order -> authorization -> challenge -> authorization ... -> order ...
 *               -> finalize -> order ... -> certificate
 *
 * The account is asked for each time: whose key is known there gets the one that it has. Each answer brings the nonce
 * of the next request, or one is asked for; a nonce that is refused is replaced, ACME_NONCES_MAX times.
 *
 * Bounds. ACME_REQUESTS_MAX requests, whatever is answered: an order that never becomes ready ends there, or by its
 * driver's clock. Answers are read by messages.h.
 */
#ifndef ENCLAVE_OS_ENCLAVE_ACME_FLOW_H
#define ENCLAVE_OS_ENCLAVE_ACME_FLOW_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stdint.h>

#include "enclave/acme/messages.h"

enum acme_step {
    ACME_DIRECTORY,
    ACME_NONCE,
    ACME_ACCOUNT,
    ACME_ORDER,
    ACME_AUTHORIZATION,
    ACME_SHOWN,      /* the challenge may be tried */
    ACME_AUTHORIZED, /* whether it has been */
    ACME_ORDERED,
    ACME_FINALIZE,
    ACME_CERTIFICATE,
    ACME_OVER
};

struct acme_asked {
    const char *directory; /* its URL: https */
    const json_t *contact; /* or NULL */
    const char *name;
    EVP_PKEY *account;  /* its key */
    const uint8_t *csr; /* for the name; DER */
    size_t csr_size;
};

struct acme_flow {
    struct acme_asked asked; /* borrowed, until it is over */
    enum acme_step step, behind_nonce;
    struct witness_url at; /* the directory's */
    struct acme_directory directory;
    struct acme_order order;
    struct acme_authorization authorization;
    char account[ACME_URL_SIZE], order_url[ACME_URL_SIZE];
    char nonce[ACME_NONCE_MAX + 1]; /* "": there is none */
    bool finalized;
    uint32_t requests, nonces;

    uint32_t wait_s;
    uint8_t digest[32];
    char why[ACME_WHY_SIZE];
};

struct acme_request {
    const char *method;
    struct witness_url at;
    char *body; /* malloc'ed; NULL: it has none */
};

struct acme_answer {
    int status;
    const char *nonce, *location; /* with their sizes; NULL: there was none */
    size_t nonce_size, location_size;
    uint32_t retry_after_s; /* 0: it did not say */
    const char *body;
    size_t size;
};

enum acme_turn { ACME_ASK, ACME_WAIT, ACME_CHALLENGE, ACME_DONE, ACME_FAILED };

void acme_flow_begin(struct acme_flow *f, const struct acme_asked *asked);
/* 0 or -ENOMEM. */
int acme_flow_request(struct acme_flow *f, struct acme_request *out);
enum acme_turn acme_flow_answer(struct acme_flow *f, const struct acme_answer *a);
/* For people: what it is at. */
const char *acme_flow_at(const struct acme_flow *f);

#endif
