/* See system.h. */
#include "enclave/service/system.h"

#include <string.h>

#include "enclave/kvstore/kvstore.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"

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

bool system_is_debug(void)
{
    static const uint8_t nothing[64];
    static _Atomic int debug = -1;
    if (debug < 0) {
        struct sgx_report report;
        sgx_report(NULL, nothing, &report);
        debug = (report.body.attributes.flags & SGX_FLAGS_DEBUG) != 0;
    }
    return debug;
}
