/*
 * Who can recover this instance where no enclave has it any more: k of n holders, among whom a secret is shared that
 * opens the master key (enclave/recovery/sharing.h). Part of a generation: its leaf, "recovery", is there where there
 * are holders, and GET /_enclave/recovery/shares is the same text. The first boot makes a sharing if its options name
 * holders, and a change (recovery_change.h) makes the next one.
 *
 * It is kept twice: sealed, in the enclave's own namespace, which says which sharing is in force; and by the host as it
 * is, beside the store, for whoever has lost the enclave. No tree with twins stands behind that, so that each record of
 * it has a copy (common/recovery_text.h): one changed bit on a disk is not to cost the data.
 *
 * A recovery is immutable and counted; any thread, but for what is marked. NULL: nobody can. Nothing in it is a secret,
 * but the wrapped key is shown to nobody: what an old sharing's holders can do without it is nothing.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_RECOVERY_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_RECOVERY_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/recovery_text.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/raw.h"
#include "enclave/recovery/sharing.h"

#define RECOVERY_KEY "recovery"             /* the text, in the enclave's own namespace */
#define RECOVERY_WRAPPED_KEY "recovery.key" /* the wrapped key, likewise */
#define RECOVERED_KEY "recovered"           /* by which shares, until the history says so (chronicle.c) */
#define RECOVERED_SIZE 200u
#define RECOVERY_SHARES_PATH "/_enclave/recovery/shares"

struct recovery {
    atomic_uint references;
    struct recovery_sharing of;
    uint8_t holders[RECOVERY_HOLDERS_MAX][32]; /* of.count */
    char *text;
    uint8_t wrapped[SHARING_WRAPPED_SIZE];
    uint8_t sha256[32]; /* of the text */
};

/* What is known of a sharing. Takes the text. One reference; NULL: there is no text, or no memory. */
struct recovery *recovery_new(char *text, const struct recovery_sharing *of, const uint8_t (*holders)[32],
                              const uint8_t wrapped[SHARING_WRAPPED_SIZE]);
/* A new sharing of this key. One reference; NULL with a line in why. */
struct recovery *recovery_make(const uint8_t master[32], const struct recovery_sharing *of,
                               const uint8_t (*holders)[32], char why[SHARING_WHY_SIZE]);
struct recovery *recovery_ref(struct recovery *r); /* NULL is nothing, here and below */
void recovery_unref(struct recovery *r);

/* What keeps it, in both places. They borrow from r, which is not NULL. */
#define RECOVERY_OPS 2u
void recovery_ops(const struct recovery *r, struct kv_op ops[RECOVERY_OPS]);
void recovery_beside(const struct recovery *r, struct raw_op ops[KEPT_NAMES]);

/* For who asks: {"epoch","holders":[HEX,...],"sha256","threshold"}; of nobody {"holders":[],"threshold":0}. NULL: no
 * memory. */
json_t *recovery_json(const struct recovery *r);

#endif
