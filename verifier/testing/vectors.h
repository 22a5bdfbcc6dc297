/*
 * Test vectors: cases that libraries in all languages judge alike, one JSON file each in verifier/vectors
 * (verifier/vectors/README.md has the format). Any failure here ends the test.
 */
#ifndef ENCLAVE_VERIFIER_TESTING_VECTORS_H
#define ENCLAVE_VERIFIER_TESTING_VECTORS_H

#include <jansson.h>

#include "verifier/verifier.h"
#include "verifier/verifier_log.h"

struct vector {
    json_t *json; /* borrowed: it outlives this */
    struct verifier_policy *policy;
    struct verifier_collateral *collateral;
    struct verifier_evidence evidence;
    void *certificate, *issuer;
    struct verifier_log *log;
    struct verifier_log_view view;
    struct verifier_fresh fresh;
};

/* What the library is given of a case; its log is asked for what the file has of it. */
void vector_open(struct vector *v, json_t *json);
void vector_close(struct vector *v);
struct verifier_result *vector_judge(struct vector *v);

/* The checks of a result as files have them: NAME: OUTCOME, an array where it may stand more than once. New. */
json_t *vector_checks(const struct verifier_result *result);
/* How often a check stands there as failed. */
size_t vector_failures(const json_t *checks, const char *name);

/* A value in base64, new; and its bytes, malloc'ed (NULL for null). */
json_t *vector_base64(const void *data, size_t size);
void *vector_bytes(const json_t *base64, size_t *size);

/* The file's name of a document of collateral. */
extern const char *const vector_documents[VERIFIER_DOCUMENTS];

#endif
