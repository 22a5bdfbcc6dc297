/* See recovery_text.h. */
#include "common/recovery_text.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/json.h"

static bool take_hex(const json_t *object, const char *name, uint8_t *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text && hex_read(text, strlen(text), out, size);
}

static bool take_shares(const json_t *list, struct recovery_text *out)
{
    size_t count = json_array_size(list);
    if (count == 0 || count > RECOVERY_HOLDERS_MAX)
        return false;
    out->of.count = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        const json_t *share = json_array_get(list, i);
        if (!take_hex(share, "holder", out->shares[i].holder, 32) ||
            !take_hex(share, "hash", out->shares[i].hash, 32) ||
            !take_hex(share, "sealed", out->shares[i].sealed, RECOVERY_SEALED_SIZE))
            return false;
    }
    return true;
}

bool recovery_text_read(const char *text, size_t size, struct recovery_text *out)
{
    json_t *whole = json_read(text, size, JSON_REJECT_DUPLICATES, NULL);
    const char *format = json_string_value(json_object_get(whole, "format"));
    json_int_t threshold = json_integer_value(json_object_get(whole, "threshold"));
    json_int_t epoch = json_integer_value(json_object_get(whole, "epoch"));
    *out = (struct recovery_text){0};
    bool ok = format && strcmp(format, RECOVERY_FORMAT) == 0 && take_hex(whole, "instance", out->of.instance, 32) &&
              take_shares(json_object_get(whole, "shares"), out) && threshold >= 1 && threshold <= out->of.count &&
              epoch >= 1 && epoch <= UINT32_MAX;
    out->of.threshold = (uint8_t)threshold;
    out->of.epoch = (uint32_t)epoch;
    json_decref(whole);
    return ok;
}

const char *const recovery_kept_names[KEPT_NAMES] = {[KEPT_TEXT] = "recovery",
                                                     [KEPT_TEXT_COPY] = "recovery-copy",
                                                     [KEPT_KEY] = "recovery.key",
                                                     [KEPT_KEY_COPY] = "recovery.key-copy",
                                                     [KEPT_SHA256] = "recovery.sha256"};

bool recovery_kept_is_hashed(const struct recovery_kept *kept, enum recovery_kept_name text)
{
    uint8_t sha256[SHA256_DIGEST_LENGTH];
    if (!kept->of[text].bytes || !kept->of[KEPT_SHA256].bytes || kept->of[KEPT_SHA256].size != sizeof sha256)
        return false;
    SHA256(kept->of[text].bytes, kept->of[text].size, sha256);
    return memcmp(sha256, kept->of[KEPT_SHA256].bytes, sizeof sha256) == 0;
}

enum recovery_kept_name recovery_kept_text(const struct recovery_kept *kept, struct recovery_text *out)
{
    static const enum recovery_kept_name texts[] = {KEPT_TEXT, KEPT_TEXT_COPY};
    for (int by_hash = 1; by_hash >= 0; by_hash--)
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            if (kept->of[texts[i]].bytes && (!by_hash || recovery_kept_is_hashed(kept, texts[i])) &&
                recovery_text_read((const char *)kept->of[texts[i]].bytes, kept->of[texts[i]].size, out))
                return texts[i];
    return KEPT_NAMES;
}

void recovery_kept_free(struct recovery_kept *kept)
{
    for (size_t i = 0; i < KEPT_NAMES; i++)
        free(kept->of[i].bytes);
    *kept = (struct recovery_kept){0};
}
