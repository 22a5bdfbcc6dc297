/* The file systems' bounds, each by what it is for. Bytes unless said otherwise. docs/limits.md names some of them. */
#ifndef ENCLAVE_OS_ENCLAVE_FS_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_FS_LIMITS_H

#include <assert.h>
#include <stdint.h>

#include "enclave/kvstore/limits.h"

/* What guests may have ----------------------------------------------------------------------------------------------
 * */

#define FS_CHUNK_SIZE 65536u
#define FS_IO_MAX FS_CHUNK_SIZE         /* one read or write; longer ones are done in part */
#define FS_NAME_MAX 255u                /* one name */
#define FS_PATH_MAX 4095u               /* Linux counts 4,096 with a NUL */
#define FS_NODES_MAX 131072u            /* files and directories of one app: -EDQUOT beyond */
#define FS_CHUNKS_MAX 65536u            /* 4 GiB of one app, not counting each file's first chunk: -EDQUOT beyond */
#define FS_FOLLOWED_MAX 40u             /* symbolic links on the way of one path: -ELOOP beyond */
#define FS_SIZE_MAX (UINT64_C(1) << 40) /* of a file, holes included: -EFBIG beyond */
static_assert(FS_SIZE_MAX / FS_CHUNK_SIZE <= UINT32_MAX, "a chunk's index is 32 bits");
static_assert(FS_NAME_MAX <= UINT8_MAX, "a name's size is one byte of a listing");

/* Keys and values in the store (fs.h) -------------------------------------------------------------------------------
 * */

#define DENTRY_HEADER_SIZE (1u + 8u + 1u + 8u) /* 'd', parent, type, id */
#define DENTRY_KEY_MAX (DENTRY_HEADER_SIZE + FS_NAME_MAX)
#define INODE_KEY_SIZE (1u + 8u)             /* 'i', id */
#define CHUNK_KEY_SIZE (1u + 8u + 4u)        /* 'c', id, index */
#define INODE_SIZE (1u + 8u + 3u * 8u)       /* version, size, three times */
#define INODE_MAX (INODE_SIZE + FS_PATH_MAX) /* and where a symbolic link leads */
static_assert(DENTRY_KEY_MAX <= KV_KEY_MAX, "a name is a key of the store");
static_assert(FS_CHUNK_SIZE <= KV_VALUE_MAX, "a chunk is a value of the store");

/* Memory ------------------------------------------------------------------------------------------------------------
 * */

#define CACHE_CHUNKS_MAX 384u /* 24 MiB of all apps, as far as what is not on disk yet allows; a number */
#define CACHE_APP_MAX 96u     /* 6 MiB of one; a number */
#define CACHE_DIRTY_MAX 32u   /* of one file system: beyond this they are written; a number */
#define CACHE_SLOTS_BITS 10u
#define CACHE_SLOTS (1u << CACHE_SLOTS_BITS)
static_assert(CACHE_SLOTS >= 2 * CACHE_CHUNKS_MAX, "chains stay short");

#define JOURNAL_CHANGE_COST 1024u                  /* what the store adds to a change */
#define JOURNAL_TRANSACTION_MAX (4u << 20)         /* at once to the store, but for the first group */
#define JOURNAL_PENDING_MAX (24u << 20)            /* of one app; beyond this operations wait */
#define JOURNAL_PENDING_LEAST (1u << 20)           /* whatever other apps take */
#define JOURNAL_ALL_MAX (4u * JOURNAL_PENDING_MAX) /* of all apps, but for the least of each */
static_assert(JOURNAL_TRANSACTION_MAX <= COMMIT_PAYLOAD_MAX, "the store takes it");

#endif
