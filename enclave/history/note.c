/* Checkpoints: the text that the log signs (C2SP tlog-checkpoint), as a signed note (C2SP signed-note). */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/history/internal.h"
#include "verifier/note.h"

#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4)

int note_make(const struct history *h, const struct history_head *head, char note[HISTORY_NOTE_MAX])
{
    struct note_key key;
    uint8_t signature[4 + 64];
    char root[BASE64_SIZE(MERKLE_HASH_SIZE) + 1], line[BASE64_SIZE(sizeof signature) + 1];
    EVP_EncodeBlock((uint8_t *)root, head->root, MERKLE_HASH_SIZE);
    int text = snprintf(note, HISTORY_NOTE_MAX, "%s\n%lu\n%s\n", h->origin, (unsigned long)head->size, root);
    ENSURE(text > 0 && (unsigned)text < HISTORY_NOTE_MAX);
    if (note_key_make(h->origin, NOTE_ED25519, h->public_key, &key) < 0)
        return -EIO;
    memcpy(signature, key.id, 4);
    if (history_key_sign(h->key, note, (size_t)text, signature + 4) < 0)
        return -EIO;
    EVP_EncodeBlock((uint8_t *)line, signature, sizeof signature);
    int more = snprintf(note + text, HISTORY_NOTE_MAX - (size_t)text, "\n\u2014 %s %s\n", h->origin, line);
    ENSURE(more > 0 && (unsigned)(text + more) < HISTORY_NOTE_MAX);
    return text + more;
}
