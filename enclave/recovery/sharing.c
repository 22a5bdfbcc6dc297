/* See sharing.h. */
#include "enclave/recovery/sharing.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "common/hpke.h"
#include "enclave/recovery/shamir.h"

static_assert(SHAMIR_SIZE == RECOVERY_SHARE_SIZE, "a share is the secret's size");
static_assert(SHARING_WRAPPED_SIZE == RECOVERY_WRAPPED_SIZE, "what a drill looks for");

static json_t *text_of(const uint8_t *bytes, size_t size)
{
    char text[2 * (RECOVERY_SHARE_SIZE + HPKE_OVERHEAD) + 1];
    ENSURE(2 * size < sizeof text);
    hex_text(bytes, size, text);
    return json_string(text);
}

/* NULL with why: no memory, or no key. */
static json_t *one_share(const struct recovery_sharing *s, unsigned x, const uint8_t share[RECOVERY_SHARE_SIZE],
                         const uint8_t holder[32], char why[SHARING_WHY_SIZE])
{
    uint8_t info[RECOVERY_INFO_SIZE], hash[32], sealed[RECOVERY_SHARE_SIZE + HPKE_OVERHEAD];
    recovery_share_info(s, x, info);
    recovery_share_hash(s, x, share, hash);
    if (hpke_seal(holder, info, sizeof info, share, RECOVERY_SHARE_SIZE, sealed) < 0) {
        snprintf(why, SHARING_WHY_SIZE, "nothing can be sealed to holder %u's key", x);
        return NULL;
    }
    return json_pack("{s:o, s:o, s:o}", "hash", text_of(hash, sizeof hash), "holder", text_of(holder, 32), "sealed",
                     text_of(sealed, sizeof sealed));
}

/* The reference to shares is taken. */
static char *whole_text(const struct recovery_sharing *s, json_t *shares)
{
    json_t *whole =
        json_pack("{s:I, s:s, s:o, s:o, s:i}", "epoch", (json_int_t)s->epoch, "format", RECOVERY_FORMAT, "instance",
                  text_of(s->instance, sizeof s->instance), "shares", shares, "threshold", (int)s->threshold);
    char *text = whole ? json_dumps(whole, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(whole);
    return text;
}

/* Sealing to a key twice would give one holder two shares of those that he alone should not have. */
static bool all_differ(const uint8_t (*holders)[32], unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < i; j++)
            if (memcmp(holders[i], holders[j], sizeof *holders) == 0)
                return false;
    return true;
}

/* What the key is sealed with: all that the sharing is, as a share's, but of no number. */
static int wrapping_key(const struct recovery_sharing *s, const uint8_t secret[RECOVERY_SHARE_SIZE],
                        uint8_t info[RECOVERY_INFO_SIZE], uint8_t key[AEAD_KEY_SIZE])
{
    recovery_share_info(s, 0, info);
    return kdf(secret, RECOVERY_SHARE_SIZE, "enclave-os recovery key/2", info, RECOVERY_INFO_SIZE, key);
}

static int wrap(const struct recovery_sharing *s, const uint8_t secret[RECOVERY_SHARE_SIZE],
                const uint8_t master[SHARING_KEY_SIZE], uint8_t wrapped[SHARING_WRAPPED_SIZE])
{
    uint8_t info[RECOVERY_INFO_SIZE], key[AEAD_KEY_SIZE];
    int error = wrapping_key(s, secret, info, key);
    if (error == 0)
        error = aead_seal(key, info, sizeof info, master, SHARING_KEY_SIZE, wrapped);
    OPENSSL_cleanse(key, sizeof key);
    return error;
}

int sharing_unwrap(const struct recovery_sharing *s, const uint8_t secret[RECOVERY_SHARE_SIZE], const uint8_t *wrapped,
                   size_t size, uint8_t master[SHARING_KEY_SIZE])
{
    uint8_t info[RECOVERY_INFO_SIZE], key[AEAD_KEY_SIZE];
    ENSURE(s && secret);
    ENSURE(master);
    if (size != SHARING_WRAPPED_SIZE)
        return -EBADMSG;
    int error = wrapping_key(s, secret, info, key);
    if (error == 0)
        error = aead_open(key, info, sizeof info, wrapped, size, master);
    OPENSSL_cleanse(key, sizeof key);
    return error;
}

char *sharing_make(const uint8_t master[SHARING_KEY_SIZE], const struct recovery_sharing *s,
                   const uint8_t (*holders)[32], void (*random)(void *bytes, size_t size),
                   uint8_t wrapped[SHARING_WRAPPED_SIZE], char why[SHARING_WHY_SIZE])
{
    uint8_t secret[SHAMIR_SIZE], shares[RECOVERY_HOLDERS_MAX][SHAMIR_SIZE];
    ENSURE(master && holders && why);
    ENSURE(s->threshold >= 1 && s->threshold <= s->count && s->count <= RECOVERY_HOLDERS_MAX);
    snprintf(why, SHARING_WHY_SIZE, "out of memory");
    if (!all_differ(holders, s->count)) {
        snprintf(why, SHARING_WHY_SIZE, "one key is there twice");
        return NULL;
    }
    for (unsigned i = 0; i < s->count; i++)
        if (!recovery_is_holder(holders[i])) {
            snprintf(why, SHARING_WHY_SIZE, "holder %u's key is not as X25519 keys are written", i + 1);
            return NULL;
        }
    json_t *list = json_array();
    random(secret, sizeof secret);
    bool ok = list && wrap(s, secret, master, wrapped) == 0;
    shamir_split(secret, s->threshold, s->count, random, shares);
    OPENSSL_cleanse(secret, sizeof secret);
    for (unsigned i = 0; i < s->count && ok; i++)
        ok = json_array_append_new(list, one_share(s, i + 1, shares[i], holders[i], why)) == 0;
    OPENSSL_cleanse(shares, sizeof shares);
    if (!ok)
        json_decref(list);
    return ok ? whole_text(s, list) : NULL;
}
