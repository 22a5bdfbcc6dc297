/*
 * PEM text (RFC 7468) that an operator gives, judged before a library reads it. OpenSSL skips what it was not asked
 * for: a private key that was left in a bundle, a certificate behind a byte order mark, half a certificate at the end.
 * Here all of that is refused with a word. What stands before a block is a comment, as in the bundles that many systems
 * have. Freestanding; errors are one line without a full stop.
 */
#ifndef ENCLAVE_OS_COMMON_PEM_H
#define ENCLAVE_OS_COMMON_PEM_H

#include <stddef.h>

#define PEM_WHY_SIZE 160u

/* How many blocks text has, all of them called label ("CERTIFICATE"); 0: there is no block at all. -1: something else
 * is in it, or a block is not whole, and why says what and in which line. Whether a block's content can be read is not
 * judged: count what is read, and compare. */
long pem_judge(const char *text, size_t size, const char *label, char why[PEM_WHY_SIZE]);

#endif
