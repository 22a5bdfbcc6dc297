/*
 * Test vectors beside those that the C tests' own worlds make (worlds.h, manifests.h): what is right in its several
 * ways, and what only a file, or only another policy, can show.
 */
#ifndef ENCLAVE_VERIFIER_TESTING_VECTOR_CASES_H
#define ENCLAVE_VERIFIER_TESTING_VECTOR_CASES_H

#include <jansson.h>

#include "verifier/testing/manifests.h"

enum vector_parts {
    LEAN = 0,     /* what the certificate alone says */
    MANIFEST = 1, /* the manifest, and a policy that needs it */
    LOG = 2,      /* the log, and a policy that needs it */
    FRESH = 4     /* evidence behind the handshake */
};

struct vector_case {
    const char *name;        /* the file's */
    const char *description; /* NULL: what the failed check says */
    const char *check;       /* which fails; NULL: none */
    unsigned parts;
    void (*before)(struct made *m); /* the world, before it is made */
    void (*after)(json_t *vector);  /* the case, as it will be written but for its result */
};
extern const struct vector_case vector_cases[];
extern const size_t vector_case_count;

#endif
