/*
 * A world with a manifest: everything in it is expected by a policy file and right, and for each check of the
 * configuration there are cases in which it alone fails.
 */
#ifndef ENCLAVE_VERIFIER_TESTING_MANIFESTS_H
#define ENCLAVE_VERIFIER_TESTING_MANIFESTS_H

#include "verifier/testing/fixture.h"
#include "verifier/testing/logs.h"

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
    /* Its log of 7 entries, of which the certificate has the first 5, and the policy remembers 3. */
    struct made_log *log, *certified, *seen; /* which is served, is in the certificate, was seen; NULL: the first */
    uint64_t certified_size, seen_size;
    int64_t cosigned_s[2]; /* by each of the witnesses; 0: not */
    bool without_log;      /* it is not asked for */
    struct verifier_log *client;
    struct verifier_log_view view;
    struct fixture *fixture;
    struct verifier_policy *policy;
    char *policy_text, *manifest; /* malloc'ed */
    uint8_t *certificate;         /* DER; libcrypto's */
    struct fixture *again;        /* its quote is the one that the server makes when it is challenged */
    char answer[16384];
    struct verifier_fresh fresh;
    struct verifier_evidence evidence;
};

struct made *made_open(void);    /* the leaves as they should be */
void made_build(struct made *m); /* certificate and manifest over them, and the policy */
void made_close(struct made *m);
struct verifier_result *made_verify(struct made *m);
/* What the server answers to the challenge: by an enclave of this security version. */
void made_answer(struct made *m, uint16_t svn);

struct made_leaf *made_find(struct made *m, const char *label);
struct made_leaf *made_add(struct made *m, const char *label, const void *value, size_t size);
void made_remove(struct made *m, const char *label);
void made_set(struct made *m, const char *label, const void *value, size_t size);
void made_add_text(struct made *m, const char *label, const char *text);
void made_add_administrator(struct made *m, const char *role, const uint8_t key[8]);
void made_thumbprint(const uint8_t *key, size_t size, char out[65]);
extern const uint8_t made_code[32], made_settings[32], made_spki[2][8];
/* Take this policy file instead. */
void made_read_policy(struct made *m, const char *text);

struct made_case {
    const char *name, *word; /* the check that fails, alone, and what its reason says */
    void (*before)(struct made *m), (*after)(struct made *m);
};
extern const struct made_case made_cases[];
extern const size_t made_case_count;

#endif
