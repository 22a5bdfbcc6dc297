/*
 * Which public certificate authority issues certificates for the apps' own names (wasm/settings.h), by ACME (RFC 8555),
 * and on whose behalf. Nobody need choose one: until then, and until it has issued, names are served as they are.
 *
 * Given as JSON:
 *     {"directory": "https://acme.example/directory",     the authority's
 *      "terms_agreed": true,                              its terms of service are agreed to; nothing else will do
 *      "contact": ["mailto:somebody@example.com"]}        told of problems; may be left out
 * Who the directory is, the CA bundle of outgoing requests says (trust.h). enclave/acme does the work.
 *
 * Part of a generation, and a leaf of its tree: the record, which is public. Immutable and counted. Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_ACME_SETTINGS_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_ACME_SETTINGS_H

#include <jansson.h>
#include <stdatomic.h>
#include <stddef.h>

#include "enclave/service/limits.h"

#define ACME_SETTINGS_KEY "acme" /* the record, in the enclave's own namespace of the store */
#define ACME_SETTINGS_WHY_SIZE 200u

struct acme_settings {
    atomic_uint references;
    json_t *json;          /* as given; read-only */
    const char *directory; /* in json: https, as common/witness_option.h reads it */
    const json_t *contact; /* in json: its texts; NULL: none was given */
    char *record;          /* the JSON without blanks, its members sorted */
};

/* 0, and one reference in *out; -EINVAL or -ENOMEM, and why says which member is wrong, and how. */
int acme_settings_read(struct acme_settings **out, const char *json, size_t size, char why[ACME_SETTINGS_WHY_SIZE]);
/* NULL, which is none, is nothing. */
struct acme_settings *acme_settings_ref(struct acme_settings *s);
void acme_settings_unref(struct acme_settings *s);

/* Boot: those of the store; NULL, if there are none. 0 or a negative errno, with a line in error. */
int acme_settings_load(struct acme_settings **out, char *error, size_t error_size);

#endif
