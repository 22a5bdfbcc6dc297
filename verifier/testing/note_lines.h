/* For tests: signature lines of notes (verifier/note.h), by keys of the test's own. */
#ifndef ENCLAVE_OS_VERIFIER_TESTING_NOTE_LINES_H
#define ENCLAVE_OS_VERIFIER_TESTING_NOTE_LINES_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "verifier/note.h"

#define NOTE_LINE_SIZE (NOTE_NAME_SIZE_MAX + 160u)

/* The line, with its line feed, of this key over message. time: what a cosignature has before its signature, or NULL.
 * Returns its size, without the zero; ends the test where it cannot be made. */
size_t note_line_sign(const struct note_key *key, EVP_PKEY *private_key, const uint64_t *time, const char *message,
                      size_t size, char line[NOTE_LINE_SIZE]);

#endif
