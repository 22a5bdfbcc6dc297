/*
 * Signed notes and checkpoints. See note.h.
 */
#include "verifier/note.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "verifier/internal.h"

#define ID_SIZE 4u
#define SIGNATURE_SIZE 64u
#define TIME_SIZE 8u
#define DASH "\xe2\x80\x94 " /* an em dash and a space */

/* ---- pieces of text -------------------------------------------------------------------------------------------- */

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* How many bytes the text stands for, up to room of them in out; 0: none, or not base64 in its one form (RFC 4648,
 * section 4, with padding, and nothing in the bits that are left over). */
static size_t base64_read(const char *text, size_t size, uint8_t *out, size_t room)
{
    if (size == 0 || size % 4 != 0)
        return 0;
    size_t padding = text[size - 1] != '=' ? 0 : text[size - 2] != '=' ? 1 : 2;
    size_t count = 0;
    for (size_t i = 0; i < size; i += 4) {
        size_t bytes = i + 4 < size ? 3 : 3 - padding;
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++) {
            int value = k <= bytes ? digit(text[i + k]) : 0;
            if (value < 0)
                return 0;
            bits = bits << 6 | (uint32_t)value;
        }
        if ((bits & ((1u << 8 * (3 - bytes)) - 1)) != 0)
            return 0;
        for (size_t k = 0; k < bytes; k++, count++)
            if (count < room)
                out[count] = (uint8_t)(bits >> (16 - 8 * k));
    }
    return count;
}

/* The code point of a UTF-8 character of size bytes. */
static uint32_t code_point(const uint8_t *s, uint32_t size)
{
    uint32_t code = size == 1 ? s[0] : s[0] & (0x7fu >> size);
    for (uint32_t i = 1; i < size; i++)
        code = code << 6 | (s[i] & 0x3fu);
    return code;
}

/* Unicode's property White_Space. */
static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* UTF-8 without control characters but LF. */
static bool is_text(const char *text, size_t size)
{
    for (size_t i = 0, length; i < size; i += length) {
        length = verifier__utf8_size((const uint8_t *)text + i, (uint32_t)(size - i));
        if (length == 0 || ((uint8_t)text[i] < 0x20 && text[i] != '\n'))
            return false;
    }
    return true;
}

static bool is_name(const char *name, size_t size)
{
    for (size_t i = 0, length; i < size; i += length) {
        const uint8_t *at = (const uint8_t *)name + i;
        length = verifier__utf8_size(at, (uint32_t)(size - i));
        if (length == 0 || *at < 0x20 || *at == '+' || is_space(code_point(at, (uint32_t)length)))
            return false;
    }
    return size > 0;
}

/* ---- lines of signatures --------------------------------------------------------------------------------------- */

struct line {
    const char *name;
    size_t name_size;
    uint8_t bytes[ID_SIZE + TIME_SIZE + SIGNATURE_SIZE]; /* the first of them */
    size_t size;                                         /* of all */
};

/* The line at *at, which lies before end, and *at behind it. False: it is malformed. */
static bool read_line(const char **at, const char *end, struct line *line)
{
    const char *start = *at, *stop = memchr(start, '\n', (size_t)(end - start));
    size_t dash = strlen(DASH);
    if (!stop || (size_t)(stop - start) <= dash || memcmp(start, DASH, dash) != 0)
        return false;
    line->name = start + dash;
    const char *space = memchr(line->name, ' ', (size_t)(stop - line->name));
    if (!space)
        return false;
    line->name_size = (size_t)(space - line->name);
    line->size = base64_read(space + 1, (size_t)(stop - space - 1), line->bytes, sizeof line->bytes);
    *at = stop + 1;
    return is_name(line->name, line->name_size) && line->size > ID_SIZE;
}

int note_parse(const char *data, size_t size, struct note *n)
{
    if (size > NOTE_SIZE_MAX || !is_text(data, size))
        return -EBADMSG;
    size_t split = size; /* behind the last empty line */
    while (split >= 2 && !(data[split - 2] == '\n' && data[split - 1] == '\n'))
        split--;
    if (split < 2 || split == size)
        return -EBADMSG;
    const char *at = data + split;
    for (unsigned count = 0; at < data + size; count++) {
        struct line line;
        if (count == NOTE_SIGNATURES_MAX || !read_line(&at, data + size, &line))
            return -EBADMSG;
    }
    *n = (struct note){data, split - 1, data + split, size - split};
    return 0;
}

/* ---- keys ------------------------------------------------------------------------------------------------------ */

int note_key_make(const char *name, uint8_t type, const uint8_t key[32], struct note_key *k)
{
    size_t size = strnlen(name, NOTE_NAME_SIZE_MAX + 1);
    if (size > NOTE_NAME_SIZE_MAX || !is_name(name, size) || (type != NOTE_ED25519 && type != NOTE_COSIGNATURE))
        return -EINVAL;
    uint8_t named[NOTE_NAME_SIZE_MAX + 2 + 32], hash[32];
    memcpy(named, name, size);
    named[size] = '\n';
    named[size + 1] = type;
    memcpy(named + size + 2, key, 32);
    if (!verifier__sha256(named, size + 2 + 32, hash))
        return -ENOMEM;
    *k = (struct note_key){.type = type};
    memcpy(k->name, name, size);
    memcpy(k->key, key, 32);
    memcpy(k->id, hash, ID_SIZE);
    return 0;
}

int note_key_parse(const char *vkey, size_t size, struct note_key *k)
{
    char name[NOTE_NAME_SIZE_MAX + 1], id[2 * ID_SIZE + 1];
    uint8_t typed[1 + 32];
    const char *plus = memchr(vkey, '+', size);
    size_t name_size = plus ? (size_t)(plus - vkey) : 0, rest = size - name_size;
    if (!plus || name_size > NOTE_NAME_SIZE_MAX || memchr(vkey, '\0', name_size) || rest < 2 + 2 * ID_SIZE ||
        plus[1 + 2 * ID_SIZE] != '+')
        return -EBADMSG;
    memcpy(name, vkey, name_size);
    name[name_size] = '\0';
    const char *key = plus + 2 + 2 * ID_SIZE;
    if (base64_read(key, (size_t)(vkey + size - key), typed, sizeof typed) != sizeof typed)
        return -EBADMSG;
    int error = note_key_make(name, typed[0], typed + 1, k);
    if (error)
        return error == -EINVAL ? -EBADMSG : error;
    hex_text(k->id, ID_SIZE, id);
    return memcmp(id, plus + 1, 2 * ID_SIZE) == 0 ? 0 : -EBADMSG;
}

int note_key_text(const struct note_key *k, char *text, size_t size)
{
    uint8_t typed[1 + 32] = {k->type};
    char id[2 * ID_SIZE + 1], key[48];
    memcpy(typed + 1, k->key, 32);
    hex_text(k->id, ID_SIZE, id);
    EVP_EncodeBlock((uint8_t *)key, typed, sizeof typed);
    int written = snprintf(text, size, "%s+%s+%s", k->name, id, key);
    return written > 0 && (size_t)written < size ? 0 : -EINVAL;
}

/* ---- signatures ------------------------------------------------------------------------------------------------ */

static int verify_ed25519(const uint8_t key[32], const uint8_t signature[SIGNATURE_SIZE], const char *text, size_t size)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int error = -ENOMEM;
    if (pkey && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1)
        error = EVP_DigestVerify(context, signature, SIGNATURE_SIZE, (const uint8_t *)text, size) == 1 ? 0 : -EBADMSG;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    return error;
}

/* A witness signs the text behind two lines of its own: what this is, and when. */
static int verify_cosignature(const struct note *n, const struct note_key *k, const uint8_t *bytes, uint64_t *time)
{
    char message[64 + NOTE_COSIGNED_SIZE_MAX];
    *time = 0;
    for (unsigned i = 0; i < TIME_SIZE; i++)
        *time = *time << 8 | bytes[i];
    if (*time > INT64_MAX || n->text_size > NOTE_COSIGNED_SIZE_MAX)
        return -EBADMSG;
    int head = snprintf(message, 64, "cosignature/v1\ntime %llu\n", (unsigned long long)*time);
    memcpy(message + head, n->text, n->text_size);
    return verify_ed25519(k->key, bytes + TIME_SIZE, message, (size_t)head + n->text_size);
}

int note_verify(const struct note *n, const struct note_key *k, uint64_t *time)
{
    const char *at = n->signatures, *end = at + n->signatures_size;
    size_t name_size = strlen(k->name), own = k->type == NOTE_COSIGNATURE ? TIME_SIZE + SIGNATURE_SIZE : SIGNATURE_SIZE;
    struct line line;
    while (at < end) {
        if (!read_line(&at, end, &line))
            return -EBADMSG;
        if (line.name_size != name_size || memcmp(line.name, k->name, name_size) != 0 ||
            memcmp(line.bytes, k->id, ID_SIZE) != 0)
            continue;
        uint64_t signed_at = 0;
        if (line.size != ID_SIZE + own)
            return -EBADMSG;
        int error = k->type == NOTE_COSIGNATURE ? verify_cosignature(n, k, line.bytes + ID_SIZE, &signed_at)
                                                : verify_ed25519(k->key, line.bytes + ID_SIZE, n->text, n->text_size);
        if (!error && time)
            *time = signed_at;
        return error;
    }
    return -ENOENT;
}

/* ---- checkpoints ----------------------------------------------------------------------------------------------- */

/* The line at *at, which is not empty, and *at behind its LF. 0: there is none. */
static size_t next_line(const char **at, const char *end, const char **line)
{
    const char *stop = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
    if (!stop)
        return 0;
    *line = *at;
    *at = stop + 1;
    return (size_t)(stop - *line);
}

static bool read_size(const char *text, size_t length, uint64_t *size)
{
    if (length == 0 || length > 19 || (text[0] == '0' && length > 1))
        return false;
    *size = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *size = *size * 10 + (uint64_t)(text[i] - '0');
    }
    return *size <= INT64_MAX;
}

int note_checkpoint_parse(const struct note *n, struct note_checkpoint *c)
{
    const char *at = n->text, *end = at + n->text_size, *line = NULL;
    size_t length = next_line(&at, end, &line);
    if (length == 0 || length > NOTE_NAME_SIZE_MAX || memchr(line, '\0', length))
        return -EBADMSG;
    struct note_checkpoint read = {0};
    memcpy(read.origin, line, length);
    length = next_line(&at, end, &line);
    if (!read_size(line, length, &read.size))
        return -EBADMSG;
    length = next_line(&at, end, &line);
    if (base64_read(line, length, read.root, sizeof read.root) != sizeof read.root)
        return -EBADMSG;
    while (at < end)
        if (next_line(&at, end, &line) == 0)
            return -EBADMSG;
    *c = read;
    return 0;
}
