/* See cosigner.h. */
#include "enclave/witness/testing/cosigner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/testing/note_lines.h"

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

void cosigner_make(struct cosigner *c, const char *name, uint8_t type)
{
    uint8_t public[32];
    size_t size = sizeof public;
    c->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    MUST(c->pkey && EVP_PKEY_get_raw_public_key(c->pkey, public, &size) == 1 && size == 32);
    MUST(note_key_make(name, type, public, &c->key) == 0);
    MUST(note_key_text(&c->key, c->vkey, sizeof c->vkey) == 0);
}

void cosigner_free(struct cosigner *c)
{
    EVP_PKEY_free(c->pkey);
}

static size_t sign_line(const struct cosigner *c, const uint64_t *time, const char *message, size_t size, char *line,
                        size_t room)
{
    char made[NOTE_LINE_SIZE];
    size_t used = note_line_sign(&c->key, c->pkey, time, message, size, made);
    MUST(used < room);
    memcpy(line, made, used + 1);
    return used;
}

size_t cosigner_checkpoint(const struct cosigner *log, uint64_t size, uint8_t root_byte, char *text, size_t room)
{
    uint8_t root[32];
    unsigned char base64[64];
    memset(root, root_byte, sizeof root);
    EVP_EncodeBlock(base64, root, sizeof root);
    size_t at = (size_t)snprintf(text, room, "%s\n%llu\n%s\n", log->key.name, (unsigned long long)size, base64);
    size_t line = sign_line(log, NULL, text, at, text + at + 1, room - at - 1);
    text[at] = '\n';
    return at + 1 + line;
}

size_t cosigner_sign(const struct cosigner *witness, const char *checkpoint, size_t checkpoint_size, uint64_t time,
                     char *line, size_t room)
{
    struct note note;
    char message[2048];
    MUST(note_parse(checkpoint, checkpoint_size, &note) == 0);
    int size = snprintf(message, sizeof message, "cosignature/v1\ntime %llu\n%.*s", (unsigned long long)time,
                        (int)note.text_size, note.text);
    MUST(size > 0 && (size_t)size < sizeof message);
    return sign_line(witness, &time, message, (size_t)size, line, room);
}
