/*
 * What administrators ask for together: one writes down what is to be sent (--propose), the others approve it with
 * tokens of their own (enclavectl admin approve), and it is sent with those (--approval).
 */
#ifndef ENCLAVE_OS_CLI_AGREEMENT_H
#define ENCLAVE_OS_CLI_AGREEMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/authorised.h"

/* Write what is to be sent to the server that was verified into o's file. is_text: whoever approves is shown the
 * body; else it is data, of which they are shown the SHA-256. 0, or what complain returned. */
int agreement_propose(const struct authorised_options *o, const struct http_request *request, bool is_text);

/* PUT body at path, with the approvals that there are, and print what comes back; or write it down, where --propose
 * says so: then somebody has asked the server something before (its key is in o). Returns the exit status. */
int agreement_carry_out(struct authorised_options *o, const char *path, const char *body,
                        int (*print)(const struct authorised_options *o, const struct http_answer *answer));

/* Before anything is connected to: whether all that o names are approvals, and a proposal can be written. 0, or what
 * wrong returned. */
int agreement_judge(const struct authorised_options *o);
/* Put them into the request, until agreement_free. 0, or what wrong returned. */
int agreement_take(const struct authorised_options *o, struct http_request *request);
void agreement_free(struct http_request *request);

/* A proposal of a file. False: it is none. Everything lives as long as json, which is the caller's to give back. */
struct agreement {
    json_t *json;
    const char *method, *path;
    const char *audience;    /* as it is written */
    uint8_t spki_sha256[32]; /* the same */
    const char *publication; /* which comes with it; its path has the SHA-256. NULL: none does */
    const char *body;        /* NULL: only its hash is there */
    uint8_t body_sha256[32];
};
bool agreement_read(const char *text, size_t size, struct agreement *out);
/* The token of who approves it, into a file. 0, or what complain returned. */
int agreement_approve(const struct authorised_options *o, const struct agreement *a, const char *path);

#endif
