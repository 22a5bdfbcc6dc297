/*
 * What an ACME server says (RFC 8555, section 7): read, and judged. All of it is from outside: bodies may be anything.
 * URLs are https and of the directory's own host and port, or what they are in is refused.
 *
 * Pure; any thread. 0; or -EINVAL and why says which member is wrong (-ENOMEM: memory). Texts in the results are of
 * fixed size, and end with a zero.
 */
#ifndef ENCLAVE_OS_ENCLAVE_ACME_MESSAGES_H
#define ENCLAVE_OS_ENCLAVE_ACME_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/witness_option.h"
#include "enclave/acme/limits.h"

#define ACME_URL_SIZE (WITNESS_URL_MAX + 1u)

/* A URL that a server gave. directory: the one that it must be beside. */
int acme_url_read(const char *text, size_t size, const struct witness_url *directory, char out[ACME_URL_SIZE]);

struct acme_directory {
    char new_nonce[ACME_URL_SIZE], new_account[ACME_URL_SIZE], new_order[ACME_URL_SIZE];
};
int acme_directory_read(const char *body, size_t size, const struct witness_url *at, struct acme_directory *out,
                        char why[ACME_WHY_SIZE]);

/* Section 7.1.6, of orders and authorizations. */
enum acme_status { ACME_PENDING, ACME_READY, ACME_PROCESSING, ACME_VALID, ACME_INVALID };

struct acme_order {
    enum acme_status status;
    char authorization[ACME_URL_SIZE]; /* it has one: there is one name in it */
    char finalize[ACME_URL_SIZE];
    char certificate[ACME_URL_SIZE]; /* "" until it is valid */
    char problem[ACME_WHY_SIZE];     /* "": none is told */
};
int acme_order_read(const char *body, size_t size, const struct witness_url *directory, struct acme_order *out,
                    char why[ACME_WHY_SIZE]);

/* Of exactly that name, and no wildcard. Its challenge is tls-alpn-01's. */
struct acme_authorization {
    enum acme_status status;
    char challenge[ACME_URL_SIZE]; /* while it is pending */
    char token[ACME_TOKEN_MAX + 1];
    char problem[ACME_WHY_SIZE]; /* the challenge's; "": none is told */
};
int acme_authorization_read(const char *body, size_t size, const struct witness_url *directory, const char *name,
                            struct acme_authorization *out, char why[ACME_WHY_SIZE]);

/* RFC 7807, of an answer that is no success: type without what all ACME's begin with, and a line for people, of
 * printable ASCII. Whatever it is that came, there is something in it. */
struct acme_problem {
    char type[64];
    char text[ACME_WHY_SIZE];
};
void acme_problem_read(const char *body, size_t size, int status, struct acme_problem *out);

/* Replay-Nonce, section 6.5.1. */
bool acme_nonce_ok(const char *text, size_t size);

#endif
