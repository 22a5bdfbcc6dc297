/*
 * A sharing's text (recovery_share.h has its form), read. Whoever reads it believes none of it: what a share is shows
 * when it is opened. Any thread.
 */
#ifndef ENCLAVE_OS_COMMON_RECOVERY_TEXT_H
#define ENCLAVE_OS_COMMON_RECOVERY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hpke.h"
#include "common/recovery_share.h"

#define RECOVERY_SEALED_SIZE (RECOVERY_SHARE_SIZE + HPKE_OVERHEAD)

struct recovery_text {
    struct recovery_sharing of;
    struct {
        uint8_t holder[32], hash[32], sealed[RECOVERY_SEALED_SIZE];
    } shares[RECOVERY_HOLDERS_MAX]; /* of.count */
};

/* False: it is none. */
bool recovery_text_read(const char *text, size_t size, struct recovery_text *out);

/* ---- what a host keeps of a sharing, beside its store ------------------------------------------------------------ */

/* The text and the key record, each of them twice, and SHA-256 of the text, which says of two that differ which one is
 * as it was. Of the key record that shows when it opens. */
enum recovery_kept_name { KEPT_TEXT, KEPT_TEXT_COPY, KEPT_KEY, KEPT_KEY_COPY, KEPT_SHA256, KEPT_NAMES };
extern const char *const recovery_kept_names[KEPT_NAMES];

struct recovery_kept {
    struct {
        uint8_t *bytes; /* malloc'ed; NULL: there is none */
        size_t size;
    } of[KEPT_NAMES];
};

/* Whether it is the text of the hash that is kept. */
bool recovery_kept_is_hashed(const struct recovery_kept *kept, enum recovery_kept_name text);
/* Which of both texts counts: the one of that hash; where neither is, one that can be read. KEPT_NAMES: neither can. */
enum recovery_kept_name recovery_kept_text(const struct recovery_kept *kept, struct recovery_text *out);
void recovery_kept_free(struct recovery_kept *kept);

#endif
