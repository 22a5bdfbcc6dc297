/*
 * One generation of what this enclave serves: which apps, with which code and settings, whom they trust elsewhere, who
 * administers, and who may have all of it next. It is made aside and never changes: whatever an administrator changes
 * makes another one, with a number of its own, which is attested before it is durable and durable before anybody is
 * answered by it (change.h, generations.h).
 *
 *     struct generation_parts parts;                          a draft: as the one in force
 *     generation_parts_of(now, &parts)                        0 or -ENOMEM
 *     generation_parts_trust(&parts, trust);                  but for what is to change
 *     struct generation *g = generation_make(number, &parts);
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

#include "common/container.h"
#include "enclave/https/site.h"
#include "enclave/service/manifest.h"

struct acme_settings;
struct administrators;
struct egress_trust;
struct issuer;
struct lineage;
struct recovery;
struct upgrade_rule;
struct witness_set;

struct generation {
    struct http_site site; /* first: what connections hold. Its apps are the generation's, its number is from 1 on and
                            * never used twice for what was served */
    struct egress_trust *trust;
    struct issuer *issuer; /* NULL: the enclave's own */
    struct administrators *administrators;
    struct upgrade_rule *upgrade_rule;
    struct lineage *lineage; /* NULL: no image before this one had the instance */
    struct witness_set *witnesses;
    struct recovery *recovery;  /* NULL: nobody can recover it */
    struct acme_settings *acme; /* NULL: no public CA issues for names */
    struct manifest manifest;
    char *manifest_json;
    size_t manifest_size;
    uint8_t root[32];
    uint8_t workloads[32]; /* SHA-256(name || code's hash ...) over the apps, sorted by name */
    bool request_peers;    /* clients are asked for a certificate: an app wants to know */
};

/* What a generation is made of, while it may still be changed; all of it is its owner's. A part that is new need be
 * known here, in generation_make, and where boot reads it, and nowhere else. */
struct generation_parts {
    struct app_table *apps;     /* changed in place (wasm/app.h) */
    struct egress_trust *trust; /* NULL: nobody is trusted */
    struct issuer *issuer;      /* NULL: the enclave's own */
    struct administrators *administrators;
    struct upgrade_rule *upgrade_rule;
    struct lineage *lineage;       /* NULL is the empty one */
    struct witness_set *witnesses; /* NULL is the set of none */
    struct recovery *recovery;     /* NULL: nobody */
    struct acme_settings *acme;    /* NULL: none */
};

/* A copy, out of which the next one is made. -ENOMEM: there is nothing in it. */
int generation_parts_of(const struct generation *g, struct generation_parts *out);
/* The reference takes the place of the one that there is. */
void generation_parts_trust(struct generation_parts *parts, struct egress_trust *trust);
void generation_parts_issuer(struct generation_parts *parts, struct issuer *issuer);
void generation_parts_administrators(struct generation_parts *parts, struct administrators *administrators);
void generation_parts_upgrade_rule(struct generation_parts *parts, struct upgrade_rule *rule);
void generation_parts_witnesses(struct generation_parts *parts, struct witness_set *witnesses);
void generation_parts_recovery(struct generation_parts *parts, struct recovery *recovery);
void generation_parts_acme(struct generation_parts *parts, struct acme_settings *acme);
/* What is left in it; afterwards there is nothing. */
void generation_parts_release(struct generation_parts *parts);

/* Takes what parts has, in any case. One reference, the caller's; NULL: no memory. The identity must be open. */
struct generation *generation_make(uint64_t number, struct generation_parts *parts);

/* The time of all that were retired is over at once, whatever they were given. */
void generation_hurry_retired(void);

static inline struct generation *generation_of(const struct http_site *site)
{
    return CONTAINER_OF(site, struct generation, site);
}

/* What the store has of a generation beside its parts: its number, by which no later one is called, and its root, by
 * which the next boot knows whether it serves the same. */
#define GENERATION_KEY "generation" /* in the enclave's own namespace */
#define GENERATION_RECORD_SIZE 40u
void generation_record(const struct generation *g, uint8_t record[GENERATION_RECORD_SIZE]);
/* 0 or -EBADMSG. */
int generation_record_read(const uint8_t *record, size_t size, uint64_t *number, uint8_t root[32]);

#endif
