/* What witnesses are asked, and may answer: the bounds, each by what it is for. Bytes unless said otherwise. */
#ifndef ENCLAVE_OS_ENCLAVE_WITNESS_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_WITNESS_LIMITS_H

#include <assert.h>
#include <stdint.h>

#include "common/witness_option.h"
#include "verifier/note.h"

/* A set ----------------------------------------------------------------------------------------------------------- */

#define WITNESSES_MAX 8u
#define WITNESS_SECONDS 60u /* where nothing else is said */
#define WITNESS_COMMITS 1000u
#define WITNESS_SECONDS_MAX 86400u
#define WITNESS_COMMITS_MAX 1000000000u
#define WITNESS_JSON_MAX 16384u
#define WITNESS_JSON_AROUND 64u /* of one witness: the names of its members, quotes and commas */
static_assert(WITNESSES_MAX * (WITNESS_NAME_MAX + WITNESS_URL_MAX + NOTE_KEY_TEXT_SIZE + WITNESS_JSON_AROUND) <=
                  WITNESS_JSON_MAX / 2,
              "a full set fits, with white space as people write it");

/* A question, and its answer -------------------------------------------------------------------------------------- */

#define WITNESS_PROOF_MAX 63u        /* hashes of a consistency proof: what tlog-witness allows */
#define WITNESS_HASH_LINE 45u        /* one of them in base64, with its line feed */
#define WITNESS_OLD_LINE 32u         /* "old FROM", and the empty line */
#define WITNESS_CHECKPOINT_MAX 2048u /* the text and the log's own signature */
#define WITNESS_REQUEST_MAX (WITNESS_OLD_LINE + WITNESS_PROOF_MAX * WITNESS_HASH_LINE + WITNESS_CHECKPOINT_MAX)
#define WITNESS_ANSWER_MAX 4096u /* of a body that is read */
#define WITNESS_LINE_MAX 420u    /* of one signature line, with its line feed */
static_assert(WITNESS_LINE_MAX <= WITNESS_ANSWER_MAX, "an answer has room for the line that is wanted");
static_assert(WITNESS_HASH_LINE == (32u + 2u) / 3u * 4u + 1u, "base64 of 32 bytes");
static_assert(WITNESS_OLD_LINE >= sizeof "old 18446744073709551615\n\n" - 1u, "the largest size fits");

/* Time, and patience ---------------------------------------------------------------------------------------------- */

#define WITNESS_ASK_NS UINT64_C(15000000000) /* for one question */
#define WITNESS_PAUSE_FIRST_NS UINT64_C(1000000000)
#define WITNESS_PAUSE_MAX_NS UINT64_C(60000000000)
#define WITNESS_CORRECTIONS_MAX 3u /* sizes that one may name in a row, before it is asked after a pause only */
#define WITNESS_MARKS_MAX 16u      /* heads that wait to be proven; a commit beyond is proven with the next */

/* Sentences, with their zero -------------------------------------------------------------------------------------- */

#define WITNESS_WHY_SIZE 400u    /* what is wrong with a set */
#define WITNESS_TEXT_SIZE 200u   /* what one has answered */
#define WITNESS_REASON_SIZE 900u /* why nobody is served, with what they have answered; cut short at its end */
static_assert(WITNESS_TEXT_SIZE <= WITNESS_REASON_SIZE / 2u, "what one of them has answered has room beside the rest");

#endif
