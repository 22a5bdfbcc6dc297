/*
 * What getting certificates takes at most, each by what it is for. Bytes unless said otherwise. docs/limits.md and
 * docs/memory.md name some of them.
 */
#ifndef ENCLAVE_OS_ENCLAVE_ACME_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_ACME_LIMITS_H

#include <stdint.h>

/* What the directory says ------------------------------------------------------------------------------------------ */

#define ACME_ANSWER_MAX 32768u   /* one answer's body; a chain has 4 KB */
#define ACME_NONCE_MAX 128u      /* characters */
#define ACME_TOKEN_MAX 128u      /* characters, of a challenge */
#define ACME_CERTIFICATES_MAX 4u /* in a chain: the name's own, and those that vouch for it */
#define ACME_AUTHORIZATION_CHALLENGES_MAX 16u

/* What is sent ----------------------------------------------------------------------------------------------------- */

#define ACME_REQUEST_MAX 12288u
#define ACME_CSR_MAX 1024u

/* Time and number -------------------------------------------------------------------------------------------------- */

#define ACME_REQUESTS_MAX 64u                      /* of one order, from the directory to the chain */
#define ACME_NONCES_MAX 8u                         /* nonces that may be refused on the way */
#define ACME_ASK_NS (30 * UINT64_C(1000000000))    /* one request */
#define ACME_ORDER_NS (600 * UINT64_C(1000000000)) /* all of an order: afterwards it is the next name's turn */
#define ACME_POLL_S 2u                             /* between two looks, where the directory does not say */
#define ACME_POLL_MAX_S 60u                        /* whatever it says */
#define ACME_RETRY_FIRST_S 60u         /* behind an order that failed; then three times as long each time, */
#define ACME_RETRY_MAX_S 43200u        /* up to this, or as long as the directory says, */
#define ACME_RETRY_AFTER_MAX_S 604800u /* which is believed up to a week */
#define ACME_LOOK_MAX_S 21600u         /* how long the clock is not looked at */

#define ACME_WHY_SIZE 256u /* of a sentence for people, with its zero */

#endif
