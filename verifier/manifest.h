/*
 * A server's manifest: all leaves of its configuration's tree, in order. Private to the verifier.
 */
#ifndef ENCLAVE_VERIFIER_MANIFEST_H
#define ENCLAVE_VERIFIER_MANIFEST_H

#include "verifier/internal.h"

#define MANIFEST_FORMAT "enclave-os-manifest/1"

struct manifest_leaf {
    const char *label; /* printable, NUL-terminated; the value follows the NUL */
    const uint8_t *value;
    size_t size; /* of the value */
};

struct manifest {
    struct manifest_leaf *leaves;
    size_t count;                        /* at least 1 */
    const struct manifest_leaf **sorted; /* the same by label, each of which stands once */
    char *memory;
    uint8_t root[32];                         /* over the leaves */
    uint8_t said_root[32], said_instance[32]; /* what it says of itself: worth nothing alone */
    uint64_t said_generation;
};

/* NULL, or what is wrong (static). After success, and only then, it must be freed; it keeps nothing of text. */
const char *verifier__manifest_read(struct manifest *manifest, const char *text, size_t size);
void verifier__manifest_free(struct manifest *manifest);

/* The leaf "PREFIX" "NAME"; NULL: there is none. */
const struct manifest_leaf *verifier__manifest_find(const struct manifest *manifest, const char *prefix,
                                                    const char *name);
/* The same, if its value has exactly size bytes. */
const uint8_t *verifier__manifest_value(const struct manifest *manifest, const char *label, size_t size);
/* The name behind prefix in a leaf's label; NULL: it has another. */
const char *verifier__manifest_name(const struct manifest_leaf *leaf, const char *prefix);

/* What the leaf `rule:NAME` says of an app, in lines that LF ends. A line that is not known is of a later version, and
 * skipped; one that is stands once, or the rule is malformed (false). */
struct app_rule {
    uint8_t id[16];
    char kind[12]; /* "operator", "publisher", "frozen" */
    bool has_publisher;
    uint8_t publisher[32];
    uint64_t version;
};
bool verifier__manifest_rule(const struct manifest *manifest, const char *name, struct app_rule *rule);

/* One of the leaves `admin:THUMBPRINT`: role NUL SubjectPublicKeyInfo, whose SHA-256 the label has; else false. */
bool verifier__manifest_administrator(const struct manifest_leaf *leaf, struct verifier_administrator *administrator);
/* The leaf `administrators`: "threshold=M". */
bool verifier__manifest_threshold(const struct manifest *manifest, unsigned *threshold);

#endif
