/* See system.h. */
#include "enclave/service/system.h"

#include <string.h>

#include "enclave/kvstore/kvstore.h"

struct system enclave_system;

int system_get(const char *key, uint8_t **value, size_t *size)
{
    return kv_get_wait(enclave_system.owner, enclave_system.settings, key, value, size);
}

int system_put(const char *key, const void *value, size_t size)
{
    struct kv_op op = {KV_PUT, enclave_system.settings, key, strlen(key), value, size};
    return kv_commit_wait(enclave_system.owner, &op, 1);
}
