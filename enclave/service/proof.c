/* See proof.h. */
#include "enclave/service/proof.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct proof_tree served;

int proof_tree_name(struct proof_tree *tree, const char *name)
{
    void *grown = realloc(tree->names, (tree->name_count + 1) * sizeof *tree->names);
    if (!grown)
        return -ENOMEM;
    tree->names = grown;
    if (tree->name_count == 0)
        tree->first_app = tree->merkle.count - 1;
    snprintf(tree->names[tree->name_count++], sizeof *tree->names, "%s", name);
    return 0;
}

void proof_tree_free(struct proof_tree *tree)
{
    merkle_free(&tree->merkle);
    free(tree->names);
    *tree = (struct proof_tree){0};
}

void proof_publish(struct proof_tree *tree)
{
    pthread_mutex_lock(&lock);
    struct proof_tree before = served;
    served = *tree;
    pthread_mutex_unlock(&lock);
    proof_tree_free(&before);
    *tree = (struct proof_tree){0};
}

static int find(const char *name, size_t size)
{
    for (size_t i = 0; i < served.name_count; i++)
        if (strlen(served.names[i]) == size && memcmp(served.names[i], name, size) == 0)
            return (int)(served.first_app + i);
    return -ENOENT;
}

static int write_json(size_t index, size_t tree_size, uint8_t path[64][MERKLE_HASH_SIZE], int count, char *json,
                      size_t capacity)
{
    if (capacity < 128 + (size_t)count * 67)
        return -ENOSPC;
    int size = sprintf(json, "{\"leaf_index\":%zu,\"tree_size\":%zu,\"path\":[", index, tree_size);
    for (int i = 0; i < count; i++) {
        char hash[2 * MERKLE_HASH_SIZE + 1];
        hex_text(path[i], MERKLE_HASH_SIZE, hash);
        size += sprintf(json + size, "%s\"%s\"", i ? "," : "", hash);
    }
    return size + sprintf(json + size, "]}");
}

int proof_json(void *user, const char *name, size_t name_size, char *json, size_t capacity)
{
    uint8_t path[64][MERKLE_HASH_SIZE];
    (void)user;
    pthread_mutex_lock(&lock);
    int index = find(name, name_size);
    size_t tree_size = served.merkle.count;
    int count = index < 0 ? index : merkle_proof(&served.merkle, (size_t)index, path);
    pthread_mutex_unlock(&lock);
    return count < 0 ? count : write_json((size_t)index, tree_size, path, count, json, capacity);
}
