/* See note_lines.h. */
#include "verifier/testing/note_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t note_line_sign(const struct note_key *key, EVP_PKEY *private_key, const uint64_t *time, const char *message,
                      size_t size, char line[NOTE_LINE_SIZE])
{
    uint8_t bytes[4 + 8 + 64];
    char base64[128];
    size_t used = sizeof key->id, signature = 64;
    memcpy(bytes, key->id, sizeof key->id);
    for (int shift = 56; time && shift >= 0; shift -= 8)
        bytes[used++] = (uint8_t)(*time >> shift);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestSignInit(context, NULL, NULL, NULL, private_key) != 1 ||
        EVP_DigestSign(context, bytes + used, &signature, (const uint8_t *)message, size) != 1)
        abort();
    EVP_MD_CTX_free(context);
    EVP_EncodeBlock((uint8_t *)base64, bytes, (int)(used + signature));
    return (size_t)snprintf(line, NOTE_LINE_SIZE, "\xe2\x80\x94 %s %s\n", key->name, base64);
}
