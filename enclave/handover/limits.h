/* What a hand-over holds for those who are not known yet: the bounds, each by what it is for. Bytes unless
 * said otherwise. */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_LIMITS_H

#include <assert.h>
#include <stdint.h>

#include "enclave/kvstore/limits.h"

/* The old side, of anybody who asks: a nonce each. */
#define HANDOVER_OFFERS_MAX 16u
#define HANDOVER_OFFER_S 60u
/* Of those who have shown a quote that the rule lets have the instance. */
#define HANDOVER_SESSIONS_MAX 8u
#define HANDOVER_SESSION_S 120u /* of silence; the new one asks every ten seconds */
/* A pause may be long. Who asked for it hears after so many seconds that it goes on, and is to ask again within so
 * many: so neither side takes a silence of the other's for work. */
#define HANDOVER_SPEAK_S 15u
#define HANDOVER_ASK_AGAIN_S 30u
/* A pause that came to nothing is followed by so many times its length of serving, unless somebody approves anew:
 * whatever keeps it from its end, a guest that goes on, or who cuts in between, does not keep clients away. */
#define HANDOVER_REST_TIMES 4u

#define HANDOVER_QUOTE_MAX 16384u
#define HANDOVER_EVIDENCE_MAX (1u << 20) /* a quote and its collateral */
#define HANDOVER_REQUESTS_MAX 4u         /* at once: of those who show themselves, and of those who have */
#define HANDOVER_REQUEST_AROUND 4096u    /* of an evidence: nonces, a key, lengths */
#define HANDOVER_ANSWER_AROUND 4096u     /* of a page of records: its header, sealed */
#define HANDOVER_REQUEST_MAX (HANDOVER_EVIDENCE_MAX + HANDOVER_REQUEST_AROUND)
#define HANDOVER_ANSWER_MAX (SCAN_PAGE_MAX + HANDOVER_ANSWER_AROUND)
static_assert(HANDOVER_QUOTE_MAX < HANDOVER_EVIDENCE_MAX, "a quote leaves room for what vouches for it");

#endif
