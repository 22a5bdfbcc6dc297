/* Bytes as base64url without padding (RFC 4648, section 5), and back. Any thread. */
#ifndef ENCLAVE_OS_COMMON_BASE64URL_H
#define ENCLAVE_OS_COMMON_BASE64URL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Characters of so many bytes, without a zero. */
#define BASE64URL_SIZE(bytes) (((bytes)*4u + 2u) / 3u)

/* BASE64URL_SIZE(size) characters and a zero; returns where the zero stands. */
char *base64url_text(const void *data, size_t size, char *out);

/* Bytes written, at most capacity; -EINVAL: something else is in it, it is longer, or another text would stand for the
 * same bytes. out is unspecified then. */
ssize_t base64url_read(const char *text, size_t size, uint8_t *out, size_t capacity);

#endif
