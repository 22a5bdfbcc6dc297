/*
 * What an enclave shows of its key configuration for Oblivious HTTP (docs/protocol.md), read and held against the
 * certificate in it. Whose that is, is for trust_judge_shown to say.
 */
#ifndef ENCLAVE_OS_CLI_OHTTP_KEYS_H
#define ENCLAVE_OS_CLI_OHTTP_KEYS_H

#include "common/ohttp.h"

struct ohttp_shown {
    uint8_t *certificate, *issuer; /* DER, malloc'ed */
    size_t certificate_size, issuer_size;
    struct ohttp_key key;
};

/* Whether the certificate's key has signed the certificate and the key configuration. 0; else -EBADMSG, and a sentence
 * in why. deinit in any case. */
int ohttp_shown_read(const char *text, size_t size, struct ohttp_shown *out, const char **why);
void ohttp_shown_deinit(struct ohttp_shown *shown);

#endif
