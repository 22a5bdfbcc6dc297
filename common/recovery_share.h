/*
 * What enclave and holders both know of recovery shares: what a share is sealed with, and its hash.
 *
 * What is shared is a secret of the sharing's own, under which the master key is sealed: the key record, which the host
 * keeps beside the store and shows nobody. The next sharing has another secret, and takes the record's place.
 *
 * A sharing is public JSON (recovery_text.h), compact, with sorted members:
 *
 *     {"epoch":1,"format":"enclave-os-recovery/2","instance":HEX64,
 *      "shares":[{"hash":HEX64,"holder":HEX64,"sealed":HEX160},...],"threshold":K}
 *
 * Share x, from 1 on, is the x-th: 32 bytes, sealed to its holder's X25519 key (hpke.h) with recovery_share_info. hash
 * shows a holder that what he opened is what the enclave made. Freestanding but for the hash; any thread.
 */
#ifndef ENCLAVE_OS_COMMON_RECOVERY_SHARE_H
#define ENCLAVE_OS_COMMON_RECOVERY_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECOVERY_FORMAT "enclave-os-recovery/2"
#define RECOVERY_HOLDERS_MAX 16u
#define RECOVERY_SHARE_SIZE 32u
#define RECOVERY_WRAPPED_SIZE 60u /* the key record: 32 bytes, an IV and a tag */
#define RECOVERY_INFO_SIZE (32u + 32u + 4u + 3u)

struct recovery_sharing {
    uint8_t instance[32];
    uint32_t epoch;           /* of the instance's sharings, from 1 on */
    uint8_t threshold, count; /* 1 .. count; 1 .. RECOVERY_HOLDERS_MAX */
};

/* Whether a holder may be named by this X25519 key: only by the one spelling that a key has, below 2^255 - 19. Another
 * one of the same key (RFC 7748, section 5) would be a second holder, who is the first. */
bool recovery_is_holder(const uint8_t key[32]);
bool recovery_same_sharing(const struct recovery_sharing *a, const struct recovery_sharing *b);
void recovery_share_info(const struct recovery_sharing *s, unsigned x, uint8_t out[RECOVERY_INFO_SIZE]);
/* SHA-256 of the info and the share. */
void recovery_share_hash(const struct recovery_sharing *s, unsigned x, const uint8_t share[RECOVERY_SHARE_SIZE],
                         uint8_t out[32]);

/* ---- a share on its way to a new enclave ------------------------------------------------------------------------- */

/* What a new enclave asks with, as it lies in its host's folder: this, its X25519 key, a blob that is its quote, one
 * that is the quote's collateral, as RPC_QUOTE_COLLATERAL gives it, or empty, and one that is the text of the sharing
 * whose shares it asks for, as the host has it. The quote's report data are recovery_report_data. */
#define RECOVERY_REQUEST_MAGIC "EOSRECV\2"
#define RECOVERY_REQUEST_MAX (1u << 20)
void recovery_report_data(const uint8_t key[32], uint8_t out[64]);

/* What a holder seals to that key, with recovery_hand_info: the share, and of which sharing it is. */
#define RECOVERY_HANDED_SIZE (32u + 4u + 3u + RECOVERY_SHARE_SIZE)
#define RECOVERY_HAND_INFO_SIZE 64u
void recovery_hand_info(const uint8_t key[32], uint8_t out[RECOVERY_HAND_INFO_SIZE]);
/* For hpke_seal_same: the share in it is the secret. */
void recovery_hand_seed(const uint8_t key[32], const uint8_t handed[RECOVERY_HANDED_SIZE], uint8_t out[32]);
void recovery_handed_write(const struct recovery_sharing *s, unsigned x, const uint8_t share[RECOVERY_SHARE_SIZE],
                           uint8_t out[RECOVERY_HANDED_SIZE]);
/* The number of the share; 0: it is none. */
unsigned recovery_handed_read(const uint8_t in[RECOVERY_HANDED_SIZE], struct recovery_sharing *s,
                              uint8_t share[RECOVERY_SHARE_SIZE]);

#endif
