/* See manifest.h. */
#include "enclave/service/manifest.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"

static int grow(struct manifest *m)
{
    if (m->count < m->capacity)
        return 0;
    size_t capacity = m->capacity ? 2 * m->capacity : 16;
    struct manifest_leaf *grown = realloc(m->leaves, capacity * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    m->leaves = grown;
    m->capacity = capacity;
    return 0;
}

int manifest_add(struct manifest *m, const char *label, const void *value, size_t size)
{
    size_t label_size = strlen(label) + 1;
    ENSURE(m->count <= m->capacity && m->count == m->merkle.count);
    ENSURE(value || size == 0);
    uint8_t *leaf = malloc(label_size + size);
    int error = leaf ? grow(m) : -ENOMEM;
    if (error == 0) {
        memcpy(leaf, label, label_size);
        if (size)
            memcpy(leaf + label_size, value, size);
        error = merkle_add(&m->merkle, leaf, label_size + size);
    }
    if (error < 0) {
        free(leaf);
        return error;
    }
    m->leaves[m->count++] = (struct manifest_leaf){(char *)leaf, leaf + label_size, size};
    return 0;
}

void manifest_root(const struct manifest *m, uint8_t root[MERKLE_HASH_SIZE])
{
    ENSURE(m->count == m->merkle.count);
    merkle_root(&m->merkle, root);
}

/* Labels are KIND:NAME, and other things than apps have names, too. */
static bool is_of_app(const char *label, const char *app)
{
    static const char *const kinds[] = {"app:", "settings:", "egress:", "rule:", "hostnames:"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(label, kinds[i], strlen(kinds[i])) == 0)
            return strcmp(label + strlen(kinds[i]), app) == 0;
    return false;
}

int manifest_app_root(const struct manifest *m, const char *app, uint8_t root[MERKLE_HASH_SIZE])
{
    struct merkle of_app = {0};
    int error = 0;
    ENSURE(m->count == m->merkle.count);
    ENSURE(app[0]);
    for (size_t i = 0; i < m->count && error == 0; i++) {
        const struct manifest_leaf *leaf = &m->leaves[i];
        if (is_of_app(leaf->label, app)) /* the value stands behind it, and its zero */
            error = merkle_add(&of_app, leaf->label, strlen(leaf->label) + 1 + leaf->size);
    }
    merkle_root(&of_app, root);
    merkle_free(&of_app);
    return error;
}

void manifest_free(struct manifest *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->leaves[i].label); /* the value, too */
    free(m->leaves);
    merkle_free(&m->merkle);
    *m = (struct manifest){0};
}

/* ---- as JSON ----------------------------------------------------------------------------------------------------- */

/* prefix and text together are the label. Its index, or the count. */
static size_t find(const struct manifest *m, const char *prefix, const char *text, size_t size)
{
    size_t skip = strlen(prefix), i = 0;
    while (i < m->count &&
           (strlen(m->leaves[i].label) != skip + size || memcmp(m->leaves[i].label, prefix, skip) != 0 ||
            memcmp(m->leaves[i].label + skip, text, size) != 0))
        i++;
    return i;
}

json_t *manifest_proof_json(const struct manifest *m, const char *label, size_t label_size, int *error)
{
    uint8_t path[64][MERKLE_HASH_SIZE];
    ENSURE(m && label && error);
    ENSURE(m->count == m->merkle.count);
    size_t index = find(m, "", label, label_size);
    if (index == m->count)
        index = find(m, "app:", label, label_size);
    *error = index == m->count ? -ENOENT : 0;
    if (*error)
        return NULL;
    int count = merkle_proof(&m->merkle, index, path);
    json_t *hashes = json_array();
    int failed = count < 0;
    for (int i = 0; i < count && !failed; i++) {
        char hash[2 * MERKLE_HASH_SIZE + 1];
        hex_text(path[i], MERKLE_HASH_SIZE, hash);
        failed = json_array_append_new(hashes, json_string(hash));
    }
    json_t *body =
        json_pack("{s:I,s:I,s:o}", "leaf_index", (json_int_t)index, "tree_size", (json_int_t)m->count, "path", hashes);
    if (failed) {
        json_decref(body);
        body = NULL;
    }
    *error = body ? 0 : -ENOMEM;
    return body;
}

static json_t *leaf_json(const struct manifest_leaf *leaf)
{
    char *value = malloc(2 * leaf->size + 1);
    if (!value)
        return NULL;
    hex_text(leaf->value, leaf->size, value);
    json_t *json = json_pack("{s:s,s:s}", "label", leaf->label, "value", value);
    free(value);
    return json;
}

char *manifest_json(const struct manifest *m, uint64_t generation, const uint8_t instance[32], size_t *size)
{
    char who[65], root_text[65];
    uint8_t root[MERKLE_HASH_SIZE];
    json_t *leaves = json_array();
    int failed = !leaves;
    for (size_t i = 0; i < m->count && !failed; i++)
        failed = json_array_append_new(leaves, leaf_json(&m->leaves[i]));
    manifest_root(m, root);
    hex_text(root, sizeof root, root_text);
    hex_text(instance, 32, who);
    json_t *body = json_pack("{s:s,s:I,s:s,s:s,s:o}", "format", "enclave-os-manifest/1", "generation",
                             (json_int_t)generation, "instance", who, "merkle_root", root_text, "leaves", leaves);
    char *text = body && !failed ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    *size = text ? strlen(text) : 0;
    return text;
}
