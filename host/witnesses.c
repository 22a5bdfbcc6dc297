/* See witnesses.h. */
#include "host/witnesses.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "common/hex.h"
#include "common/witness_option.h"

#define KEY_SIZE 33u    /* its type, 4, and an Ed25519 key */
#define BASE64_SIZE 44u /* of that */

/* "NAME+ID+KEY" of a witness (C2SP signed-note, tlog-cosignature): the ID is of name and key. */
static bool is_vkey(const char *text, size_t size)
{
    char id[9], hashed[1024];
    uint8_t key[BASE64_SIZE], hash[32];
    const char *first = memchr(text, '+', size);
    size_t name = first ? (size_t)(first - text) : 0;
    if (name == 0 || name > 255 || size != name + 1 + 8 + 1 + BASE64_SIZE || first[9] != '+')
        return false;
    const char *base64 = first + 10;
    if (EVP_DecodeBlock(key, (const unsigned char *)base64, BASE64_SIZE) != (int)KEY_SIZE || key[0] != 4)
        return false;
    memcpy(hashed, text, name);
    hashed[name] = '\n';
    memcpy(hashed + name + 1, key, KEY_SIZE);
    SHA256((const uint8_t *)hashed, name + 1 + KEY_SIZE, hash);
    hex_text(hash, 4, id);
    return memcmp(first + 1, id, 8) == 0;
}

/* Whether this one has the name or the key of one before. */
static const char *twice(const struct options *o, const struct witness_option *new)
{
    for (const char *at = o->witnesses, *end; at < o->witnesses + o->witnesses_size; at = end + 1) {
        struct witness_option old;
        end = memchr(at, '\n', (size_t)(o->witnesses + o->witnesses_size - at));
        if (!witness_option_split(at, (size_t)(end - at), &old))
            continue;
        if (old.name_size == new->name_size && memcmp(old.name, new->name, old.name_size) == 0)
            return "this name is given twice";
        if (memcmp(old.vkey + old.vkey_size - BASE64_SIZE, new->vkey + new->vkey_size - BASE64_SIZE, BASE64_SIZE) == 0)
            return "this key is given twice: it is one witness";
    }
    return NULL;
}

static const char *judge(const struct options *o, const char *text, size_t size)
{
    struct witness_option w;
    struct witness_url url;
    if (!witness_option_split(text, size, &w))
        return "expected NAME=URL,VKEY";
    if (!witness_name_ok(w.name, w.name_size))
        return "NAME is not 1 to 63 letters, digits, '-', '_' and '.'";
    if (!witness_url_read(w.url, w.url_size, &url))
        return "URL is not http:// or https://, a host, perhaps a port and a path, of 255 characters at most";
    if (!is_vkey(w.vkey, w.vkey_size))
        return "VKEY is not a verifier key of a witness (NAME+ID+KEY, of type 4)";
    if (o->witness_count == WITNESSES_MAX)
        return "there are more than 8";
    return twice(o, &w);
}

const char *witnesses_add(struct options *o, const char *text)
{
    size_t size = strlen(text);
    const char *why = judge(o, text, size);
    if (why)
        return why;
    if (o->witnesses_size + size + 1 > sizeof o->witnesses)
        return "the witnesses are too long, all together";
    memcpy(o->witnesses + o->witnesses_size, text, size);
    o->witnesses[o->witnesses_size + size] = '\n';
    o->witnesses_size += (uint32_t)size + 1;
    o->witness_count++;
    return NULL;
}
