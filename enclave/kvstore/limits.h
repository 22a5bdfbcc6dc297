/* The store's bounds, each by what it is for. Bytes unless said otherwise. */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_LIMITS_H

#include <assert.h>

#include "common/protocol.h"
#include "enclave/crypto/aead.h"

/* What callers may ask for ---------------------------------------------------------------------------------------- */

#define KV_KEY_MAX 512u         /* logical key */
#define KV_VALUE_MAX (4u << 20) /* value */
#define KV_NAMESPACE_MAX 160u   /* a namespace's name */
#define KV_LIST_MAX 1000u       /* keys that kv_list gives at once */

/* What an app may hold ----------------------------------------------------------------------------------------------
 * */

#define KV_MEMORY (256u << 20) /* of the enclave's, all apps together */
#define KV_RECORD_COST 256u    /* of a record beside its name: its place in the index, and room for the index to grow */
#define KV_OP_COST 512u        /* of an operation on its way, beside its key and value */
#define KV_DISK_DEFAULT (UINT64_C(8) << 30) /* of the host's disk, one app */

/* Removing all that an app has stored: how much at once ------------------------------------------------------------ */

#define KV_REMOVE_STEP 256u   /* records in a commit */
#define KV_REMOVE_WALK 16384u /* places of the index in a turn of the loop */

/* A record on the host's disk ------------------------------------------------------------------------------------ */

#define STORAGE_KEY_SIZE 32u
#define RECORD_HEADER_SIZE (8u + 2u) /* version, size of the sealed name */
#define RECORD_NAME_STEP 32u         /* names are padded to a multiple of it */
#define RECORD_NAME_HEADER_SIZE (1u + 2u)
#define RECORD_NAME_MAX (RECORD_NAME_HEADER_SIZE + 255u + KV_KEY_MAX + RECORD_NAME_STEP)
#define RECORD_OVERHEAD (RECORD_HEADER_SIZE + 2u * AEAD_OVERHEAD + RECORD_NAME_MAX)
static_assert(KV_NAMESPACE_MAX <= 255, "a name's size is one byte of a record");
static_assert(KV_KEY_MAX <= UINT16_MAX, "a key's size is two bytes of a record");
static_assert(RECORD_NAME_MAX + AEAD_OVERHEAD <= UINT16_MAX, "a sealed name's size is two bytes of a record");

/* Its twin: all of it once more where it is small, or not an app's (record.h); else what is known of it */
#define TWIN_KEY_SIZE (STORAGE_KEY_SIZE + 1u)
#define TWIN_WHOLE_MAX 1024u          /* bytes of a record of an app's */
#define TWIN_WHOLE_OWN_MAX (1u << 20) /* of the enclave's own */
#define TWIN_FACT_SIZE (16u + 8u)     /* tag, size of the record */
#define MARK_SIZE 8u                  /* of whose record it is */
#define TWIN_STUB_OVERHEAD (1u + MARK_SIZE + 8u + AEAD_OVERHEAD + TWIN_FACT_SIZE)
#define TWIN_STUB_MAX (TWIN_STUB_OVERHEAD + RECORD_NAME_MAX)
#define TWIN_MAX (1u + MARK_SIZE + TWIN_WHOLE_OWN_MAX)
static_assert(TWIN_MAX >= 1u + MARK_SIZE + TWIN_WHOLE_MAX && TWIN_MAX >= TWIN_STUB_MAX, "the largest twin");

#define STORE_MASTER_SIZE_MAX 1024u     /* of the sealed master key */
#define ROOT_PLAIN_SIZE (8u + 8u + 32u) /* epoch, count, digest */
#define ROOT_SIZE (ROOT_PLAIN_SIZE + AEAD_OVERHEAD)

/* What goes to the host and comes from it ------------------------------------------------------------------------- */

#define COMMIT_OP_SIZE 64u /* of an operation in a transaction beside its record: kind, storage key, two lengths */
static_assert(COMMIT_OP_SIZE >= 1 + 4 + TWIN_KEY_SIZE + 4, "an operation's framing");
#define COMMIT_ROOT_SIZE 65536u /* set aside for the root, the sealed master key, the count and the RPC's own header */
static_assert(COMMIT_ROOT_SIZE > 2 * (2 * COMMIT_OP_SIZE + STORE_MASTER_SIZE_MAX + ROOT_SIZE) + 64,
              "all of these, twice");
#define COMMIT_PAYLOAD_MAX (PROTO_RPC_MAX - COMMIT_ROOT_SIZE)
static_assert(COMMIT_PAYLOAD_MAX >= KV_VALUE_MAX + RECORD_OVERHEAD + TWIN_STUB_MAX + 2 * COMMIT_OP_SIZE,
              "the largest value fits");

#define OUTCOME_QUESTIONS_MAX 10u /* for the root, when it is not known whether a commit was made */

#define MEND_STEP \
    (2u << 20) /* bytes: what is mended at boot goes to the host in such transactions, or one record more */
static_assert(MEND_STEP + TWIN_MAX + RECORD_OVERHEAD + 2 * COMMIT_OP_SIZE <= PROTO_RPC_MAX, "and that fits");

#define SCAN_KEY_MAX 64u /* a key of the host's, ours or not */
#define SCAN_PAGE_RECORDS_MAX 4096u
static_assert(KV_VALUE_MAX + RECORD_OVERHEAD <= PROTO_RECORD_MAX, "the largest record is listed");
#define SCAN_PAGE_MAX (PROTO_RECORD_MAX + SCAN_KEY_MAX + 4u + 4u) /* the largest of the host's, two lengths */
static_assert(SCAN_PAGE_MAX + 4u + 1u <= PROTO_RPC_MAX, "a page travels as one answer: count, records, whether more");

#endif
