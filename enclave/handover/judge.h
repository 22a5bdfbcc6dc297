/*
 * Whether a quote says the truth, judged inside the enclave: before an instance is given away, and before one is taken.
 *
 *     struct verifier_collateral *c = judge_read_collateral(blobs, size);
 *     int error = judge_quote(quote, size, c, report_data, time(NULL), &candidate, why, sizeof why);
 *     verifier_collateral_destroy(c);
 *
 * It is judged by the same verifier as clients use, and believed as peer_policy says (enclave/ratls/peer.h): a
 * production enclave believes Intel's root alone. Whose enclave it is, and whether it may have anything, is the upgrade
 * rule's question. Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_JUDGE_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_JUDGE_H

#include <stddef.h>
#include <stdint.h>

struct upgrade_candidate; /* enclave/service/upgrade_rule.h */
struct verifier_collateral;

/* Collateral as RPC_QUOTE_COLLATERAL answers it, and as who shows a quote sends it along: VERIFIER_DOCUMENTS blobs, in
 * the order of enum verifier_document. Nothing in it is believed before the judgement. NULL: it is not that, or memory
 * is short. To be destroyed by the caller. */
struct verifier_collateral *judge_read_collateral(const void *data, size_t size);

/* A peer's quote, with collateral from whoever showed it; NULL is enough only for a simulation, to a debug enclave. The
 * platform's TCB status must be UpToDate, or SWHardeningNeeded: what that asks for is a property of the peer's program,
 * which its measurement names. now_s is the host's word: a host can make stale collateral look fresh, as far as it sets
 * back the enclave's clock with it.
 *
 * 0, and what the quote says of the enclave; or -EACCES, -ENOMEM, with one line in why. */
int judge_quote(const void *quote, size_t size, const struct verifier_collateral *collateral,
                const uint8_t report_data[64], int64_t now_s, struct upgrade_candidate *out, char *why,
                size_t why_size);

#endif
