/*
 * A world with a manifest: everything in it is expected by a policy file and right, and for each check of the
 * configuration there are cases in which it alone fails.
 */
#ifndef ENCLAVE_VERIFIER_TESTING_MANIFESTS_H
#define ENCLAVE_VERIFIER_TESTING_MANIFESTS_H

#include "verifier/testing/fixture.h"

#define MADE_LEAVES_MAX 24u

struct made_leaf {
    char label[96];
    uint8_t value[1024];
    size_t size;
};

struct made {
    struct fixture_options options;
    struct made_leaf leaves[MADE_LEAVES_MAX];
    size_t count;
    uint64_t said_generation;
    uint8_t said_instance, said_root; /* changed by so much */
    struct fixture *fixture;
    struct verifier_policy *policy;
    char *policy_text, *manifest; /* malloc'ed */
    uint8_t *certificate;         /* DER; libcrypto's */
    struct verifier_evidence evidence;
};

struct made *made_open(void);    /* the leaves as they should be */
void made_build(struct made *m); /* certificate and manifest over them, and the policy */
void made_close(struct made *m);
struct verifier_result *made_verify(struct made *m);

struct made_leaf *made_find(struct made *m, const char *label);
struct made_leaf *made_add(struct made *m, const char *label, const void *value, size_t size);
void made_remove(struct made *m, const char *label);
void made_set(struct made *m, const char *label, const void *value, size_t size);
/* Take this policy file instead. */
void made_read_policy(struct made *m, const char *text);

struct made_case {
    const char *name, *word; /* the check that fails, alone, and what its reason says */
    void (*before)(struct made *m), (*after)(struct made *m);
};
extern const struct made_case made_cases[];
extern const size_t made_case_count;

#endif
