/* See merkle.h. The old interface of SHA-256 on purpose: the new one takes memory for each hash, and where there is
 * none it gives none, which a tree could only remember as a wrong one. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "common/ensure.h"
#include "enclave/merkle/merkle.h"

static void hash(uint8_t prefix, const void *a, size_t a_size, const void *b, size_t b_size, uint8_t *out)
{
    SHA256_CTX sha;
    ENSURE(SHA256_Init(&sha) == 1);
    ENSURE(SHA256_Update(&sha, &prefix, 1) == 1);
    ENSURE(SHA256_Update(&sha, a, a_size) == 1);
    ENSURE(SHA256_Update(&sha, b, b_size) == 1);
    ENSURE(SHA256_Final(out, &sha) == 1);
}

void merkle_leaf_hash(const void *leaf, size_t size, uint8_t out[MERKLE_HASH_SIZE])
{
    hash(0x00, leaf, size, "", 0, out);
}

void merkle_node_hash(const uint8_t left[MERKLE_HASH_SIZE], const uint8_t right[MERKLE_HASH_SIZE],
                      uint8_t out[MERKLE_HASH_SIZE])
{
    hash(0x01, left, MERKLE_HASH_SIZE, right, MERKLE_HASH_SIZE, out);
}

void merkle_empty_hash(uint8_t out[MERKLE_HASH_SIZE])
{
    SHA256_CTX sha;
    ENSURE(SHA256_Init(&sha) == 1);
    ENSURE(SHA256_Final(out, &sha) == 1);
}
