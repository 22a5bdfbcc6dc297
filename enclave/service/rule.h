/*
 * Who an app is and who may change it: its identity, which its data belongs to, and its update rule. Both are fixed by
 * the first push of its name and last until it is removed.
 *
 *     operator     whoever administers may push any code and set anything
 *     publisher    code needs a publication (publication.h) that the publisher's key signed for this app, of a version
 *                  above the one before; an administrator sets no more than it leaves open
 *     frozen       neither code nor settings ever change
 *
 *     struct rule_push push = {.name = name, .sha256 = hash, .wish = &wish, .publication = jws, .publication_size = n};
 *     error = old ? rule_next(old, &push, &rule, why, sizeof why) : rule_first(id, &push, &rule, why, sizeof why);
 *     if (error == 0)
 *         error = rule_fits(rule, settings, why, sizeof why);
 *
 * A rule is immutable and counted. Everything here is pure: any thread, nothing global. 0 or a negative errno, with a
 * sentence in why: -EACCES the rule forbids it, -EINVAL what was asked for is malformed, -ENOMEM.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_RULE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_RULE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/service/limits.h"

#define RULE_ID_SIZE 16u
#define RULE_KEY_SIZE 91u /* DER SubjectPublicKeyInfo of a P-256 key, its point uncompressed */

struct app_settings;

enum rule_kind { RULE_OPERATOR, RULE_PUBLISHER, RULE_FROZEN };

/* Settings that a publication leaves to the administrator, beside egress, which is bounded on its own. */
enum {
    RULE_SETS_ARGUMENTS = 1,
    RULE_SETS_CONFIG = 2,
    RULE_SETS_DURABLE = 4,
    RULE_SETS_ENVIRONMENT = 8,
    RULE_SETS_HOSTNAMES = 16,
    RULE_SETS_PEERS = 32
};
#define RULE_SETS_COUNT 6

/* What a publication says of the code that it is for. */
struct rule_terms {
    uint64_t version;
    struct app_settings *egress; /* where it may connect at most: the egress of these; NULL: anywhere */
    bool fixes_egress_ca;
    uint8_t egress_ca[32];           /* the only CA bundle, by its SHA-256, that may say who is there */
    uint32_t memory_mib, timeout_ms; /* at most; 0: as the server has it */
    unsigned sets;                   /* RULE_SETS_* */
};

struct rule {
    atomic_uint refs;
    enum rule_kind kind;
    uint8_t id[RULE_ID_SIZE];
    uint8_t publisher[RULE_KEY_SIZE]; /* like terms, of a publisher's app alone */
    struct rule_terms terms;
};

/* Which rule a push asks for, as its query says: "rule=operator", "rule=frozen", "rule=publisher&key=HEX" (the key's
 * SubjectPublicKeyInfo), or nothing. */
struct rule_wish {
    bool given;
    enum rule_kind kind;
    uint8_t publisher[RULE_KEY_SIZE];
};
/* query: NULL: there is none. */
int rule_wish_read(const char *query, struct rule_wish *out, char *why, size_t why_size);

struct rule_push {
    const char *name;
    const uint8_t *sha256; /* of the code, 32 bytes */
    const struct rule_wish *wish;
    const char *publication; /* NULL: there is none */
    size_t publication_size;
};
/* The first push of a name: without a wish it is the operator's. *out is the caller's. */
int rule_first(const uint8_t id[RULE_ID_SIZE], const struct rule_push *push, struct rule **out, char *why,
               size_t why_size);
/* Other code for an app that there is. */
int rule_next(struct rule *old, const struct rule_push *push, struct rule **out, char *why, size_t why_size);
/* Of an app of a store from before there were rules. NULL: no memory. */
struct rule *rule_operator(const uint8_t id[RULE_ID_SIZE]);

/* Whether an app under this rule may have these settings. */
int rule_fits(const struct rule *rule, const struct app_settings *settings, char *why, size_t why_size);
/* Whether an administrator may give it these, whatever it has. */
int rule_allows(const struct rule *rule, const struct app_settings *settings, char *why, size_t why_size);
/* Whether there may be this CA bundle of outgoing requests while there is such an app; NULL: none, which lets nothing
 * connect. */
int rule_trusts(const struct rule *rule, const uint8_t *bundle_sha256, char *why, size_t why_size);
/* The server's limit, which is not 0, or the lower one that the publication fixes. */
uint32_t rule_memory_mib(const struct rule *rule, uint32_t of_server);
uint32_t rule_timeout_ms(const struct rule *rule, uint32_t of_server);

struct rule *rule_ref(struct rule *rule);
void rule_unref(struct rule *rule); /* NULL is nothing */

/* The value of the leaf rule:NAME, whose lines docs/attestation.md has; malloc'ed. NULL: no memory. */
char *rule_text(const struct rule *rule);
/* Back; publisher: the key whose hash the text has, or NULL. NULL: it is not exactly what rule_text makes, or no
 * memory. */
struct rule *rule_parse(const char *text, size_t size, const uint8_t *publisher);
const char *rule_kind_name(enum rule_kind kind);
/* Whether it is such a key, and in the one encoding that it has. */
bool rule_key_ok(const uint8_t *spki, size_t size);

#endif
