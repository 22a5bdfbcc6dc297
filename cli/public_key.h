/*
 * Public keys that the user named: one of P-256, in PEM, as `enclavectl keygen` writes it to FILE.pub.
 */
#ifndef ENCLAVE_OS_CLI_PUBLIC_KEY_H
#define ENCLAVE_OS_CLI_PUBLIC_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUBLIC_KEY_FILE_MAX 65536u
#define SPKI_SIZE 91u /* of a SubjectPublicKeyInfo with a point of P-256, which is not compressed */

/* The SubjectPublicKeyInfo of the one key that the text is; false: it is something else, or more. */
bool public_key_of_text(const char *pem, size_t size, uint8_t spki[SPKI_SIZE]);
/* What servers call such a key: SHA-256 of it. false as above. */
bool public_key_thumbprint(const char *pem, size_t size, uint8_t hash[32]);

#endif
