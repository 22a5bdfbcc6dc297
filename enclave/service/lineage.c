/* See lineage.h. */
#include "enclave/service/lineage.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/references.h"
#include "enclave/service/system.h"

static void check(const struct lineage *l)
{
    ENSURE(atomic_load_explicit(&((struct lineage *)l)->references, memory_order_relaxed) > 0);
    ENSURE(l->count > 0 && l->count <= LINEAGE_MAX);
}

static bool has(const struct lineage *l, const uint8_t mrenclave[32])
{
    for (size_t i = 0; i < l->count; i++)
        if (memcmp(l->of[i], mrenclave, 32) == 0)
            return true;
    return false;
}

/* NULL with *error. */
static struct lineage *make(const uint8_t *record, size_t size, int *error)
{
    *error = size > 0 && size % 32 == 0 && size / 32 <= LINEAGE_MAX ? -ENOMEM : -EBADMSG;
    struct lineage *l = *error == -ENOMEM ? calloc(1, sizeof *l) : NULL;
    if (!l)
        return NULL;
    atomic_store(&l->references, 1);
    for (size_t i = 0; i < size; i += 32) {
        if (has(l, record + i)) {
            free(l);
            *error = -EBADMSG;
            return NULL;
        }
        memcpy(l->of[l->count++], record + i, 32);
    }
    *error = 0;
    check(l);
    return l;
}

int lineage_boot(struct lineage **out, char *error, size_t error_size)
{
    uint8_t *record = NULL;
    size_t size;
    loop_check(&enclave_system.owner->loop);
    *out = NULL;
    int result = system_get(LINEAGE_KEY, &record, &size);
    if (result == 0)
        *out = make(record, size, &result);
    free(record);
    if (result == -ENOENT)
        return 0;
    if (result < 0)
        snprintf(error, error_size, "lineage: the store does not say which images have held this instance (error %d)",
                 -result);
    return result;
}

struct lineage *lineage_with(const struct lineage *l, const uint8_t mrenclave[32], int *error)
{
    bool is_new = !l || !has(l, mrenclave);
    if (l)
        check(l);
    *error = -ENOSPC;
    if (l && is_new && l->count == LINEAGE_MAX)
        return NULL;
    *error = -ENOMEM;
    struct lineage *next = calloc(1, sizeof *next);
    if (!next)
        return NULL;
    atomic_store(&next->references, 1);
    next->count = l ? l->count : 0;
    if (l)
        memcpy(next->of, l->of, l->count * sizeof *l->of);
    if (is_new)
        memcpy(next->of[next->count++], mrenclave, 32);
    *error = 0;
    check(next);
    return next;
}

struct kv_op lineage_op(const struct lineage *l)
{
    check(l);
    return (struct kv_op){KV_PUT,   enclave_system.settings, LINEAGE_KEY, strlen(LINEAGE_KEY),
                          l->of[0], l->count * sizeof *l->of};
}

struct lineage *lineage_ref(struct lineage *l)
{
    if (l)
        references_take(&l->references);
    return l;
}

void lineage_unref(struct lineage *l)
{
    if (l && references_give(&l->references))
        free(l);
}
