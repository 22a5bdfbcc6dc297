/* See tls_memory.h. */
#include "enclave/ratls/tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"

static _Thread_local struct {
    int64_t bytes, max;
} meter = {0, INT64_MAX};

/* As malloc counts: with its header. */
static int64_t size_of(void *block)
{
    return block ? (int64_t)(malloc_usable_size(block) + sizeof(size_t)) : 0;
}

static void *take(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    if (size > INT32_MAX || meter.bytes > meter.max - (int64_t)size)
        return NULL;
    void *block = malloc(size);
    meter.bytes += size_of(block);
    return block;
}

static void give(void *block, const char *file, int line)
{
    (void)file, (void)line;
    meter.bytes -= size_of(block);
    free(block);
}

static void *change(void *block, size_t size, const char *file, int line)
{
    if (!block)
        return take(size, file, line);
    if (size == 0) {
        give(block, file, line);
        return NULL;
    }
    int64_t before = size_of(block);
    if (size > INT32_MAX || meter.bytes > meter.max - (int64_t)size) /* for a moment there are both */
        return NULL;
    void *changed = realloc(block, size);
    if (changed)
        meter.bytes += size_of(changed) - before;
    return changed;
}

void tls_memory_init(void)
{
    ENSURE(CRYPTO_set_mem_functions(take, change, give) == 1);
}

void tls_memory_begin(int64_t bytes, int64_t max)
{
    meter.bytes = bytes;
    meter.max = max;
}

int64_t tls_memory_end(void)
{
    int64_t bytes = meter.bytes;
    meter.bytes = 0;
    meter.max = INT64_MAX;
    return bytes;
}
