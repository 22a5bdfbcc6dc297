/*
 * Merkle trees: RFC 9162, sections 2.1.1 (hashes), 2.1.3.2 (inclusion) and 2.1.4.2 (consistency), with SHA-256.
 */
#include <string.h>

#include "verifier/internal.h"

void verifier__merkle_leaf(const void *leaf, size_t size, uint8_t out[32])
{
    static const uint8_t prefix = 0x00;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1 || EVP_DigestUpdate(hash, &prefix, 1) != 1 ||
        EVP_DigestUpdate(hash, leaf, size) != 1 || EVP_DigestFinal_ex(hash, out, NULL) != 1)
        memset(out, 0, 32); /* no leaf has this hash: the proof will not hold */
    EVP_MD_CTX_free(hash);
}

void verifier__merkle_node(const uint8_t left[32], const uint8_t right[32], uint8_t out[32])
{
    uint8_t input[65] = {0x01};
    memcpy(input + 1, left, 32);
    memcpy(input + 33, right, 32);
    if (!verifier__sha256(input, sizeof input, out))
        memset(out, 0, 32);
}

void verifier__merkle_root(uint8_t (*hashes)[32], size_t count, uint8_t out[32])
{
    /* Level by level, from the leaves up; the last of an odd number goes up as it is. That is the same tree as RFC
     * 9162's, which splits at the largest power of two. */
    for (; count > 1; count = (count + 1) / 2) {
        for (size_t i = 0; i + 1 < count; i += 2)
            verifier__merkle_node(hashes[i], hashes[i + 1], hashes[i / 2]);
        if (count % 2 == 1)
            memmove(hashes[count / 2], hashes[count - 1], 32);
    }
    memcpy(out, hashes[0], 32);
}

bool verifier_inclusion_holds(const struct verifier_inclusion *proof, const void *leaf, size_t leaf_size,
                              const uint8_t root[32])
{
    if (proof->leaf_index >= proof->tree_size || proof->path_count > 64)
        return false;
    uint64_t at = proof->leaf_index, last = proof->tree_size - 1;
    uint8_t hash[32], above[32];
    verifier__merkle_leaf(leaf, leaf_size, hash);
    for (size_t i = 0; i < proof->path_count; i++) {
        if (last == 0)
            return false; /* a path longer than the tree is high */
        if (at % 2 == 1 || at == last) {
            verifier__merkle_node(proof->path[i], hash, above);
            while (at % 2 == 0 && at != 0) { /* a right edge that has no sibling on these levels */
                at /= 2;
                last /= 2;
            }
        } else {
            verifier__merkle_node(hash, proof->path[i], above);
        }
        memcpy(hash, above, 32);
        at /= 2;
        last /= 2;
    }
    return last == 0 && memcmp(hash, root, 32) == 0;
}

bool verifier_consistency_roots(const struct verifier_consistency *proof, uint8_t old_root[32], uint8_t new_root[32])
{
    if (proof->old_size == 0 || proof->new_size < proof->old_size || proof->new_size > INT64_MAX ||
        proof->path_count == 0 || proof->path_count > VERIFIER_CONSISTENCY_MAX)
        return false;
    uint64_t at = proof->old_size - 1, last = proof->new_size - 1;
    for (; at % 2 == 1; at /= 2) /* up to the largest subtree that ends where the old tree does */
        last /= 2;
    memcpy(old_root, proof->path[0], 32);
    memcpy(new_root, proof->path[0], 32);
    for (size_t i = 1; i < proof->path_count; i++) {
        const uint8_t *hash = proof->path[i];
        if (last == 0)
            return false;
        if (at % 2 == 1 || at == last) {
            verifier__merkle_node(hash, old_root, old_root);
            verifier__merkle_node(hash, new_root, new_root);
            for (; at % 2 == 0 && at != 0; at /= 2) /* no sibling on these levels */
                last /= 2;
        } else {
            verifier__merkle_node(new_root, hash, new_root);
        }
        at /= 2;
        last /= 2;
    }
    return last == 0;
}
