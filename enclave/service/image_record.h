/*
 * Which image has this instance: what of it counts where another is to have it (upgrade_rule.h), as each start of
 * another image writes it with its entry in the history. An enclave that is there knows who it is; one that has
 * recovered the instance where none is left (docs/recovery.md) learns here whom it comes after.
 *
 * On the owner's thread, at boot.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_IMAGE_RECORD_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_IMAGE_RECORD_H

#include "enclave/kvstore/kvstore.h"
#include "enclave/service/upgrade_rule.h"

#define IMAGE_KEY "image" /* in the enclave's own namespace */
#define IMAGE_RECORD_SIZE (32u + 32u + 2u + 2u + 1u)

/* As the store says. 0; -ENOENT: it is of an image that wrote nothing of this; -EBADMSG; other negative errno. Turns
 * the loop. */
int image_record_load(struct upgrade_candidate *out);
/* What says so of c; borrows record. */
struct kv_op image_record_op(const struct upgrade_candidate *c, uint8_t record[IMAGE_RECORD_SIZE]);
/* Whether the store says it of this one already. */
bool image_record_is(const struct upgrade_candidate *c);

#endif
