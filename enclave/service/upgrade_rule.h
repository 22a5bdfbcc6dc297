/*
 * Which enclaves this one may ever give its instance to (the master key, and with it the CA, the log's key and all
 * data): the upgrade rule. Fixed at first boot, changed by administrators, part of a generation. As JSON, which an
 * operator sends and the store keeps, and which is the leaf:
 *
 *     {"rule":"none"}                                              none, and nothing ever changes that
 *     {"rule":"measurements","measurements":["HEX64",...]}         these images; there may be none yet
 *     {"rule":"signer","mrsigner":"HEX64","product":N,"svn":N}     whatever that key signs as that product, from that
 *                                                                  SVN on
 *
 * Each of the last two may have "publishers": true: the publishers of apps must have agreed to the new image
 * (service/upgrade_agreement.h). No change takes that back. Whatever the rule, nothing is given to an enclave that can
 * be debugged, unless this one can be, nor to one of a lower SVN.
 *
 *     struct upgrade_candidate c;
 *     if (!upgrade_rule_allows(rule, &c, why, sizeof why)) ...      why has a sentence
 *
 * A rule is immutable and counted; any thread. It has a fixed size. Nothing in it is a secret.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_UPGRADE_RULE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_UPGRADE_RULE_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPGRADE_MEASUREMENTS_MAX 16u
#define UPGRADE_RULE_JSON_MAX 8192u /* bytes */
#define UPGRADE_WHY_SIZE 200u

/* An enclave, as a quote or a report says what it is. */
struct upgrade_candidate {
    uint8_t mrenclave[32], mrsigner[32];
    uint16_t product, svn;
    bool debug;     /* whoever runs it can read it */
    bool simulated; /* vouched for by a simulation, not by Intel */
};

enum upgrade_kind { UPGRADE_NONE, UPGRADE_MEASUREMENTS, UPGRADE_SIGNER };

struct upgrade_rule {
    atomic_uint references;
    enum upgrade_kind kind;
    bool publishers;                                    /* they must agree */
    size_t count;                                       /* UPGRADE_MEASUREMENTS alone */
    uint8_t measurements[UPGRADE_MEASUREMENTS_MAX][32]; /* sorted; no two the same */
    uint8_t mrsigner[32];                               /* UPGRADE_SIGNER alone, as the next two */
    uint16_t product, svn;
    uint8_t sha256[32]; /* of upgrade_rule_record: names this rule */
};

/* This enclave, by its own report. simulated is false: nobody inside can tell. */
void upgrade_self(struct upgrade_candidate *out);

/* Whether it is one of the measurements that the rule names. */
bool upgrade_rule_names(const struct upgrade_rule *r, const uint8_t mrenclave[32]);
/* Whether the instance may be given to this one, but for the publishers. False: why has a sentence. */
bool upgrade_rule_allows(const struct upgrade_rule *r, const struct upgrade_candidate *c, char *why, size_t why_size);

/* Whether c may have the instance by its holders' shares (docs/recovery.md), where before had it last. Publishers
 * cannot be asked there: a rule by which they must agree leaves it to the image that had it. False: why has a
 * sentence. */
bool upgrade_rule_lets_recover(const struct upgrade_rule *r, const struct upgrade_candidate *before,
                               const struct upgrade_candidate *c, char *why, size_t why_size);

/* All of these give one reference, or NULL with a sentence in why; -ENOMEM has "out of memory". */

/* What a first boot makes: no measurement is named yet; a signer's rule is self's signer and product, from self's SVN
 * on. */
struct upgrade_rule *upgrade_rule_first(enum upgrade_kind kind, const struct upgrade_candidate *self,
                                        char why[UPGRADE_WHY_SIZE]);
/* The store's record, or an operator's order, which may have one more member, "replaces", the sha256 of the rule that
 * it was made from, in hex: *conditional, and in replaces. */
struct upgrade_rule *upgrade_rule_read(const char *json, size_t size, bool *conditional, uint8_t replaces[32],
                                       char why[UPGRADE_WHY_SIZE]);

/* Whether next may take the place of now. False: why has a sentence. */
bool upgrade_rule_may_become(const struct upgrade_rule *now, const struct upgrade_rule *next,
                             char why[UPGRADE_WHY_SIZE]);

struct upgrade_rule *upgrade_rule_ref(struct upgrade_rule *r); /* NULL is nothing, here and below */
void upgrade_rule_unref(struct upgrade_rule *r);

const char *upgrade_kind_name(enum upgrade_kind kind);

/* The store's record, and the leaf "upgrade-rule": compact, members sorted; the same rule makes the same text.
 * malloc'ed; NULL: no memory. */
char *upgrade_rule_record(const struct upgrade_rule *r);
#define UPGRADE_RULE_KEY "upgrade-rule" /* in the enclave's own namespace */
/* The same, with its sha256, for who asks; NULL: no memory. */
json_t *upgrade_rule_json(const struct upgrade_rule *r);

#endif
