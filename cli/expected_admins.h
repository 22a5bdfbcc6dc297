/*
 * The administrators that a user expects of a server: --admin, repeated, and --admin-threshold. Exactly those who are
 * named may be there, or nobody.
 *
 *     struct expected_admins e = {0};
 *     expected_admins_add(&e, "deploy:KEY.pub");      for each --admin
 *     expected_admins_threshold(&e, "2");
 *     expected_admins_tell(&e, policy);               when all options are read
 *
 * All return 0, or 2, and why was told.
 */
#ifndef ENCLAVE_OS_CLI_EXPECTED_ADMINS_H
#define ENCLAVE_OS_CLI_EXPECTED_ADMINS_H

#include "verifier/verifier.h"

#define EXPECTED_ADMINS_MAX 64

struct expected_admins {
    struct verifier_administrator list[EXPECTED_ADMINS_MAX];
    unsigned count, threshold; /* threshold 0: not given */
    bool nobody;               /* --admin none */
};

/* [ROLE:]KEY, admin without a role: the key's file, or its SHA-256; or none. */
int expected_admins_add(struct expected_admins *e, const char *value);
int expected_admins_threshold(struct expected_admins *e, const char *value);
/* To the policy, unless nothing was given. */
int expected_admins_tell(const struct expected_admins *e, struct verifier_policy *policy);

#endif
