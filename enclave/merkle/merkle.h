/*
 * The configuration's Merkle tree: RFC 9162 section 2.1 with SHA-256 (leaf prefix 0x00, node prefix 0x01). Order of
 * leaves: docs/attestation.md.
 */
#ifndef ENCLAVE_OS_ENCLAVE_MERKLE_H
#define ENCLAVE_OS_ENCLAVE_MERKLE_H

#include <stddef.h>
#include <stdint.h>

#define MERKLE_HASH_SIZE 32u

/* Of a leaf's bytes, and of two subtrees side by side. They take no memory and cannot fail. out may be one of the
 * two. */
void merkle_leaf_hash(const void *leaf, size_t size, uint8_t out[MERKLE_HASH_SIZE]);
void merkle_node_hash(const uint8_t left[MERKLE_HASH_SIZE], const uint8_t right[MERKLE_HASH_SIZE],
                      uint8_t out[MERKLE_HASH_SIZE]);
/* Of a tree without leaves: SHA-256 of nothing, as the RFC says. */
void merkle_empty_hash(uint8_t out[MERKLE_HASH_SIZE]);

/* Collects leaves; only their hashes are kept. Zero-initialise; merkle_free at the end. */
struct merkle {
    uint8_t (*hashes)[MERKLE_HASH_SIZE];
    size_t count, capacity;
};

int merkle_add(struct merkle *m, const void *leaf, size_t size); /* 0 or -ENOMEM */
/* The tree head; of no leaves: SHA-256 of nothing, as the RFC says. */
void merkle_root(const struct merkle *m, uint8_t root[MERKLE_HASH_SIZE]);
/* The inclusion proof of leaf index: up to 64 hashes, bottom up; returns how many, or -EINVAL. */
int merkle_proof(const struct merkle *m, size_t index, uint8_t proof[64][MERKLE_HASH_SIZE]);
void merkle_free(struct merkle *m);

#endif
