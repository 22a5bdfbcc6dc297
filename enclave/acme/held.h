/*
 * What one of the apps' own names has of a public authority: its key, which was made in here, its chain, and how the
 * last order for it went. The owner's thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_ACME_HELD_H
#define ENCLAVE_OS_ENCLAVE_ACME_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/names.h"
#include "enclave/acme/certificate.h"
#include "enclave/https/client.h"

struct acme_held {
    char name[NAME_SIZE_MAX + 1];
    bool wanted;     /* an app of the generation in force has it */
    bool stored;     /* there is a record of it, perhaps a damaged one */
    EVP_PKEY *key;   /* NULL: there is no certificate */
    char *directory; /* who issued it */
    struct acme_chain chain;
    uint32_t shown;          /* how often it was to be shown since it came */
    uint32_t failures;       /* of orders in a row */
    uint64_t next_ns;        /* no order before, of the loop's clock */
    char why[ACME_WHY_SIZE]; /* the last one failed */
};

/* What the store keeps of a certificate that came, a secret: malloc'ed; NULL: no memory. Its reader's answer is 0,
 * -EBADMSG or -ENOMEM. */
#define ACME_HELD_KEY "acme:" /* in the enclave's own namespace; the name is behind it */
#define ACME_HELD_KEY_SIZE (sizeof ACME_HELD_KEY + NAME_SIZE_MAX)
char *acme_held_record(EVP_PKEY *key, const char *directory, const char *pem, size_t size);
int acme_held_read(struct acme_held *h, const char *record, size_t size);
/* The certificate, and with it the key, goes. */
void acme_held_clear(struct acme_held *h);

/* Whether it is that authority's, and of its time at now_s. */
bool acme_held_usable(const struct acme_held *h, const char *directory, int64_t now_s);
/* When it is to be renewed: a third of its time is left. 0: there is none, or another's, so now. */
int64_t acme_held_due_s(const struct acme_held *h, const char *directory);

/* An order failed, and its directory asks to be left alone for wait_s, or says nothing (0): the next one is three times
 * as far off as the one before was, and up to a quarter more by chance, which is of 32 bits. */
void acme_held_failed(struct acme_held *h, uint64_t now_ns, uint32_t wait_s, uint32_t chance, const char *why);

#endif
