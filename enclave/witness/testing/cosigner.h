/* For tests: a log's checkpoints, and witnesses that sign them. Keys are made anew by each run. */
#ifndef ENCLAVE_OS_ENCLAVE_WITNESS_TESTING_COSIGNER_H
#define ENCLAVE_OS_ENCLAVE_WITNESS_TESTING_COSIGNER_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "verifier/note.h"

struct cosigner {
    EVP_PKEY *pkey;
    struct note_key key;
    char vkey[NOTE_KEY_TEXT_SIZE];
};

/* type: NOTE_COSIGNATURE, or NOTE_ED25519 for a log. */
void cosigner_make(struct cosigner *c, const char *name, uint8_t type);
void cosigner_free(struct cosigner *c);

/* "ORIGIN\nSIZE\nBASE64\n" with the log's signature: a signed note. root_byte: its root's 32 bytes. Returns its
 * size. */
size_t cosigner_checkpoint(const struct cosigner *log, uint64_t size, uint8_t root_byte, char *text, size_t room);
/* The signature line over such a note's text, with its line feed. Returns its size. */
size_t cosigner_sign(const struct cosigner *witness, const char *checkpoint, size_t checkpoint_size, uint64_t time,
                     char *line, size_t room);

#endif
