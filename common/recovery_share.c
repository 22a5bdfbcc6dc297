/* See recovery_share.h. */
#include "common/recovery_share.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

bool recovery_is_holder(const uint8_t key[32])
{
    static const uint8_t p[32] = {[0] = 0xed, [1 ... 30] = 0xff, [31] = 0x7f}; /* little endian, as keys are */
    int i = 31;
    while (i > 0 && key[i] == p[i])
        i--;
    return key[i] < p[i];
}

bool recovery_same_sharing(const struct recovery_sharing *a, const struct recovery_sharing *b)
{
    return memcmp(a->instance, b->instance, sizeof a->instance) == 0 && a->epoch == b->epoch &&
           a->threshold == b->threshold && a->count == b->count;
}

void recovery_share_info(const struct recovery_sharing *s, unsigned x, uint8_t out[RECOVERY_INFO_SIZE])
{
    static const char label[32] = "enclave-os recovery share/2";
    memcpy(out, label, sizeof label);
    memcpy(out + 32, s->instance, 32);
    for (int i = 0; i < 4; i++)
        out[64 + i] = (uint8_t)(s->epoch >> (24 - 8 * i));
    out[68] = s->threshold;
    out[69] = s->count;
    out[70] = (uint8_t)x;
}

void recovery_share_hash(const struct recovery_sharing *s, unsigned x, const uint8_t share[RECOVERY_SHARE_SIZE],
                         uint8_t out[32])
{
    uint8_t text[RECOVERY_INFO_SIZE + RECOVERY_SHARE_SIZE];
    recovery_share_info(s, x, text);
    memcpy(text + RECOVERY_INFO_SIZE, share, RECOVERY_SHARE_SIZE);
    SHA256(text, sizeof text, out);
    OPENSSL_cleanse(text, sizeof text);
}

void recovery_hand_info(const uint8_t key[32], uint8_t out[RECOVERY_HAND_INFO_SIZE])
{
    static const char label[32] = "enclave-os recovery hand/1";
    memcpy(out, label, sizeof label);
    memcpy(out + 32, key, 32);
}

void recovery_hand_seed(const uint8_t key[32], const uint8_t handed[RECOVERY_HANDED_SIZE], uint8_t out[32])
{
    static const char label[32] = "enclave-os recovery seed/1";
    uint8_t text[32 + 32 + RECOVERY_HANDED_SIZE];
    memcpy(text, label, sizeof label);
    memcpy(text + 32, key, 32);
    memcpy(text + 64, handed, RECOVERY_HANDED_SIZE);
    SHA256(text, sizeof text, out);
    OPENSSL_cleanse(text, sizeof text);
}

void recovery_report_data(const uint8_t key[32], uint8_t out[64])
{
    static const char label[32] = "enclave-os recovery ask/1";
    uint8_t text[64];
    memcpy(text, label, sizeof label);
    memcpy(text + 32, key, 32);
    SHA512(text, sizeof text, out);
}

/* The info without its label, and the share. */
void recovery_handed_write(const struct recovery_sharing *s, unsigned x, const uint8_t share[RECOVERY_SHARE_SIZE],
                           uint8_t out[RECOVERY_HANDED_SIZE])
{
    uint8_t info[RECOVERY_INFO_SIZE];
    recovery_share_info(s, x, info);
    memcpy(out, info + 32, sizeof info - 32);
    memcpy(out + sizeof info - 32, share, RECOVERY_SHARE_SIZE);
}

unsigned recovery_handed_read(const uint8_t in[RECOVERY_HANDED_SIZE], struct recovery_sharing *s,
                              uint8_t share[RECOVERY_SHARE_SIZE])
{
    *s = (struct recovery_sharing){.threshold = in[36], .count = in[37]};
    memcpy(s->instance, in, 32);
    for (int i = 0; i < 4; i++)
        s->epoch = s->epoch << 8 | in[32 + i];
    unsigned x = in[38];
    memcpy(share, in + 39, RECOVERY_SHARE_SIZE);
    bool ok =
        s->threshold >= 1 && s->threshold <= s->count && s->count <= RECOVERY_HOLDERS_MAX && x >= 1 && x <= s->count;
    return ok ? x : 0;
}
