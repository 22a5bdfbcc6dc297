/*
 * A quote of this enclave over what the other side is to believe, with its collateral: what is shown to judge.h on the
 * other side. The host makes both, and is believed in neither here: the other side judges.
 *
 * On the owner's thread. 0, and done comes once, later, from its loop; or a negative errno, and it never comes.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_EVIDENCE_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"

/* evidence as wire.h has it, at most HANDOVER_EVIDENCE_MAX bytes, valid during done; NULL where there is an error:
 * -EBADMSG, the host's quote is not over this report. */
typedef void (*handover_evidence_done)(void *user, int error, const uint8_t *evidence, size_t size);
MAY_REFUSE int handover_evidence_make(const uint8_t report_data[64], handover_evidence_done done, void *user);

#endif
