/*
 * Worlds to verify in: one in which everything is right, and for each check one or more in which it alone fails.
 */
#ifndef ENCLAVE_VERIFIER_TESTING_WORLDS_H
#define ENCLAVE_VERIFIER_TESTING_WORLDS_H

#include "verifier/testing/fixture.h"

/* What a case can change: the world before it is made, then what the caller brings. */
struct world {
    struct fixture_options options;
    struct fixture *fixture;
    struct verifier_policy *policy;
    const char *oid; /* an extension of the leaf */
    uint8_t value[4];
    struct verifier_inclusion proof;
    uint8_t path[64][32];
};

/* What is right, ready to be changed; then made; then, perhaps changed again, verified. The last frees it. */
struct world *world_open(void);
void world_build(struct world *w);
void world_close(struct world *w);

void world_set_time(struct world *w, int64_t now_s);
void world_without_collateral(struct world *w); /* once it is made */

/* name: the check that must fail, and no other; word: what its reason says. before: changes the world before it is
 * made; after: changes what the caller brings. */
struct world_case {
    const char *name, *word;
    void (*before)(struct world *w), (*after)(struct world *w);
};
extern const struct world_case world_cases[];
extern const size_t world_case_count;

#endif
