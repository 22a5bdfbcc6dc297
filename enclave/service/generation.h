/*
 * One generation of what this enclave serves: which apps, with which code and settings, whom they trust elsewhere, who
 * administers. It is made aside and never changes: whatever an administrator changes makes another one, with a number
 * of its own, which is attested before it is durable and durable before anybody is answered by it (change.h,
 * generations.h).
 *
 *     struct generation *g = generation_make(number, apps, trust, administrators);
 *     ... its certificate, its record in the store ...
 *     http_site_unref(&g->site);
 *
 * Connections hold the generation that their handshake showed, as an http_site; requests are routed in it, guests see
 * the settings and the trust in it. Counted by its site's references; any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_GENERATION_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/https/site.h"
#include "enclave/service/manifest.h"

struct administrators;
struct egress_trust;

struct generation {
    struct http_site site; /* first: what connections hold. Its apps are the generation's, its number is from 1 on and
                            * never used twice for what was served */
    struct egress_trust *trust;
    struct administrators *administrators;
    struct manifest manifest;
    char *manifest_json;
    size_t manifest_size;
    uint8_t root[32];
    uint8_t workloads[32]; /* SHA-256(name || code's hash ...) over the apps, sorted by name */
    bool request_peers;    /* clients are asked for a certificate: an app wants to know */
};

/* Takes apps, which nobody changes any more, and the references to trust (NULL: nobody is trusted) and administrators,
 * in any case. One reference, the caller's; NULL: no memory. The identity must be open. */
struct generation *generation_make(uint64_t number, struct app_table *apps, struct egress_trust *trust,
                                   struct administrators *administrators);

static inline struct generation *generation_of(const struct http_site *site)
{
    return (struct generation *)site;
}

/* What the store has of a generation beside its parts: its number, by which no later one is called, and its root, by
 * which the next boot knows whether it serves the same. */
#define GENERATION_KEY "generation" /* in the enclave's own namespace */
#define GENERATION_RECORD_SIZE 40u
void generation_record(const struct generation *g, uint8_t record[GENERATION_RECORD_SIZE]);
/* 0 or -EBADMSG. */
int generation_record_read(const uint8_t *record, size_t size, uint64_t *number, uint8_t root[32]);

#endif
