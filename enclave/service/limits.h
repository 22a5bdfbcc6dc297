/*
 * What administration takes at most, each by what it is for. Bytes unless said otherwise. docs/limits.md names some of
 * them.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_LIMITS_H

#include <assert.h>
#include <stdint.h>

#include "enclave/history/limits.h"
#include "enclave/kvstore/limits.h"
#include "enclave/page/limits.h"
#include "enclave/witness/limits.h"

/* Who administers ------------------------------------------------------------------------------------------------- */

#define ADMINISTRATORS_MAX 16u         /* a bad token costs a check of a signature for each */
#define ADMINISTRATORS_JSON_MAX 16384u /* the whole list, as it is sent and kept */
#define ADMINISTRATOR_JSON_SIZE 512u   /* of one in it: its key as PEM, which has 178 bytes, and its role */
static_assert(ADMINISTRATORS_MAX * ADMINISTRATOR_JSON_SIZE < ADMINISTRATORS_JSON_MAX, "a full list fits");
static_assert(ADMINISTRATORS_MAX <= HISTORY_BY_MAX, "an entry has all who asked for it");

/* Tokens of a boot: an administrator who only deploys may use half of them, so that nobody locks an admin out. */
#ifndef AUTHORITY_USED_MAX /* a test has fewer */
#define AUTHORITY_USED_MAX 65536u
#define AUTHORITY_MONITORING_MAX 4096u /* of the last ten minutes */
#endif

#define ADMINISTRATORS_WHY_SIZE 200u /* of a sentence that says what is wrong, with its zero; the same for these: */
#define AUTHORITY_WHY_SIZE 200u

/* Apps, and their rules ------------------------------------------------------------------------------------------- */

#define DEPLOYED_CHUNK (2u << 20) /* of an artefact or a component, one record each */
static_assert(DEPLOYED_CHUNK <= KV_VALUE_MAX, "a chunk is a value of the store");
#define OPTIMISER_TRIES_MAX 3u         /* at optimising an app, from a start to the next */
#define RULE_VERSION_MAX (1ull << 53)  /* as far as every JSON parser counts */
#define RULE_MEMORY_MIB_MAX (1u << 20) /* of what a publication can fix */
#define RULE_TIMEOUT_MS_MAX (1u << 30)
#define ISSUER_JSON_MAX 16384u       /* a CA that is given, with its key */
#define EGRESS_BUNDLE_MAX (1u << 20) /* of PEM */
static_assert(EGRESS_BUNDLE_MAX <= KV_VALUE_MAX, "the bundle is a value of the store");

#define HOSTNAMES_MAX 64u /* names of apps' own, of all of them: each has a quote in each generation */

/* Changes, and what they are proven with -------------------------------------------------------------------------- */

/* How long connections of the generation before may take to end what they are at, and to be told to connect anew, where
 * the host does not say (run_args). */
#define CHANGE_DRAIN_MS 60000u
#define QUOTE_MAX 16384u
static_assert(WITNESSES_MAX * WITNESS_LINE_MAX <= HISTORY_COSIGNATURES_MAX,
              "a checkpoint carries a line of each witness");
static_assert(HISTORY_NOTE_MAX <= WITNESS_CHECKPOINT_MAX, "a witness can be asked about any checkpoint");

/* Public pages ---------------------------------------------------------------------------------------------------- */

#define LOG_MEMORY (16u << 20) /* of all requests for the log together: what they wait for, then their answers */
static_assert(HISTORY_READS_AT_ONCE * HISTORY_PART_MAX < LOG_MEMORY / 2u, "those that are read at once fit");
/* Of one request for the page: two parts of the log, one behind the other, what is taken of them, and the page. */
#define PAGE_COST (HISTORY_READ_COST + HISTORY_PART_MAX + PAGE_ENTRIES_MAX * 4u * HISTORY_ENTRY_MAX + PAGE_SIZE_MAX)
#define PAGE_MEMORY (24u << 20) /* of all requests for the page together */
#define LABEL_SENT_MAX 512u     /* no leaf's label is so long, however it is encoded */

/* Connections to elsewhere ---------------------------------------------------------------------------------------- */

/* Of one worker at once: each waits for the host for seconds perhaps, and storage must have room among its RPCs. */
#define DIALS_MAX 256u

#endif
