/*
 * A log for tests, made without the code that is tested: its roots come from the enclave's own tree. It is served as an
 * instance would, and can be made to lie.
 */
#ifndef ENCLAVE_VERIFIER_TESTING_LOGS_H
#define ENCLAVE_VERIFIER_TESTING_LOGS_H

#include <openssl/evp.h>

#include "verifier/internal.h"
#include "verifier/verifier_log.h"

struct made_log {
    EVP_PKEY *private_key;
    struct note_key key;
    char **entries;
    uint8_t (*leaves)[32]; /* their hashes */
    size_t count, capacity;
    uint64_t shown;         /* entries of the head that is served; 0: all */
    const char *checkpoint; /* served instead; NULL: that head, signed */
    bool no_partial;        /* partial tiles and bundles are gone */
    const char *missing;    /* a path that is not there; NULL: none */
    const char *tampered;   /* one of whose bytes another is served */
    size_t at;              /* which */
    size_t cut;             /* so many bytes less of it */
    unsigned fetched;       /* how often something was asked for */
    unsigned fail_at;       /* the number of a fetch that comes to an error, and all behind it; 0: none */
    int fail_with;          /* which: a negative errno */
    char *extra;            /* malloc'ed: more lines of signatures */
};

/* Without entries; the key is that of the instance with the 32 bytes 1d 02 03 00 ..., made from seed. */
struct made_log *made_log_open(const char *seed);
void made_log_close(struct made_log *log);
void made_log_add(struct made_log *log, const char *text);
void made_log_grow(struct made_log *log,
                   size_t count); /* entries that begin-N, 0 boots, and so on, until there are so many */
/* An entry that says of this kind that an image has the instance. */
void made_log_hand_over(struct made_log *log, const char *kind, const uint8_t measurement[32]);
/* The log as it was with size entries, copied, with the same key: to go on differently. */
struct made_log *made_log_fork(const struct made_log *log, size_t size);
void made_log_root(const struct made_log *log, size_t size, uint8_t root[32]);
/* The head of the first size entries, signed by the log's key, and extra's lines behind it; malloc'ed. */
char *made_log_checkpoint(const struct made_log *log, size_t size);
/* "enclave-os/...+ID+KEY"; static until the next call. */
const char *made_log_key(const struct made_log *log);
/* A verifier_log_fetch; user is the log. */
int made_log_fetch(void *user, const char *path, size_t limit, uint8_t **data, size_t *size);

/* A witness: its key, and a line with its cosignature of note at that time. */
EVP_PKEY *made_witness(const char *name, const char *seed, struct note_key *key);
void made_cosign(struct made_log *log, size_t size, const struct note_key *key, EVP_PKEY *private_key, uint64_t time);

#endif
