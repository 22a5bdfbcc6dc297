/*
 * Who may administer an enclave: keys, each with a role, and how many administrators a change of them takes.
 *
 *     role      may
 *     admin     everything; M of the admins together change who administers
 *     deploy    push, set and remove apps, and see what monitoring shows
 *     monitor   see what monitoring shows
 *
 * As JSON, which an operator sends and the store keeps:
 *
 *     {"threshold": M, "administrators": [{"role": "admin", "public_key": "-----BEGIN PUBLIC KEY-----..."}]}
 *
 * A list has at least one admin, and M is from 1 to the number of admins, so that an enclave that can be administered
 * always can be. The one exception is the list of nobody, which only a first boot without an admin key makes: M is 0,
 * and nothing leads out of it.
 *
 * A list is immutable and counted; part of a generation. Any thread. Public keys are no secrets: nothing is wiped. A
 * list has a fixed size, and there are as many as there are generations and changes under way.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_ADMINISTRATORS_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_ADMINISTRATORS_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/secrets/jwt.h"
#include "enclave/service/limits.h"

#define ADMINISTRATOR_KEY_SIZE 91u /* DER SubjectPublicKeyInfo of P-256 by name, its point uncompressed */

/* Rising: each may what those before it may. */
enum admin_role { ADMIN_ROLE_MONITOR, ADMIN_ROLE_DEPLOY, ADMIN_ROLE_ADMIN };
const char *admin_role_name(enum admin_role role);

struct administrator {
    enum admin_role role;
    uint8_t key[ADMINISTRATOR_KEY_SIZE];
    uint8_t thumbprint[32]; /* SHA-256 of key */
};

struct administrators {
    atomic_uint refs;
    uint32_t threshold; /* 0: there is nobody */
    size_t count;
    struct administrator of[ADMINISTRATORS_MAX]; /* by thumbprint */
    uint8_t sha256[32];                          /* of administrators_record: names this list */
};

/* All of these return a new list, or NULL with why: -ENOMEM has "out of memory". */

/* The list that a first boot makes: key (DER) is the one admin; size 0: nobody. An older store's admin key, too. */
struct administrators *administrators_of_key(const uint8_t *key, size_t size, char why[ADMINISTRATORS_WHY_SIZE]);
/* The store's record, as administrators_record made it. */
struct administrators *administrators_load(const char *json, size_t size, char why[ADMINISTRATORS_WHY_SIZE]);
/* An operator's order, which has one more member that may be left out: "replaces", the sha256 of the list that it was
 * made from, in hex. *conditional: it is there, and in replaces. */
struct administrators *administrators_parse(const char *json, size_t size, bool *conditional, uint8_t replaces[32],
                                            char why[ADMINISTRATORS_WHY_SIZE]);

struct administrators *administrators_ref(struct administrators *a);
void administrators_unref(struct administrators *a); /* NULL is nothing */

/* By thumbprint, or NULL. Valid while the list is. */
const struct administrator *administrators_find(const struct administrators *a, const uint8_t thumbprint[32]);
/* How many of the count thumbprints, which differ, are admins in this list. */
size_t administrators_admins(const struct administrators *a, const uint8_t (*thumbprints)[32], size_t count);

/* Whose token it is; NULL with *error as jwt_verify's. */
const struct administrator *administrators_signer(const struct administrators *a, const char *token, size_t size,
                                                  int64_t now_s, struct jwt_claims *claims, int *error);

/* The leaves of the configuration's tree, in order: one "admin:THUMBPRINT" each, and "administrators". Ends at add's
 * first error, and returns it. */
int administrators_leaves(const struct administrators *a,
                          int (*add)(void *user, const char *label, const void *value, size_t size), void *user);

/* The store's record, under ADMINISTRATORS_KEY of the enclave's own namespace; the same list makes the same text.
 * malloc'ed; NULL: no memory. */
char *administrators_record(const struct administrators *a);
#define ADMINISTRATORS_KEY "administrators"
/* For whoever asks: {"threshold":M,"administrators":[{"role":"ROLE","public_key":"PEM","key":"HEX64"}],
 * "sha256":"HEX64"}. NULL: no memory. */
json_t *administrators_json(const struct administrators *a);

#endif
