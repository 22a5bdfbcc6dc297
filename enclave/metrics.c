/* What /metrics says of the enclave itself; the HTTP server adds its own counters. */
#include <stdio.h>

#include "enclave/https/client.h"
#include "enclave/kvstore/store.h"
#include "enclave/system.h"
#include "enclave/wasm/runtime.h"
#include "sgx/trusted/bridge.h"

int system_metrics(void *user, char *buf, size_t size)
{
    (void)user;
    uint64_t syscalls, refused, used, total, exits = 0;
    sgx_syscall_counts(&syscalls, &refused);
    sgx_heap_counts(&used, &total);
    for (uint32_t i = 0; i < enclave_system.worker_count; i++)
        exits += enclave_system.workers[i].exits; /* a racy read of a counter is good enough */
    return snprintf(buf, size,
                    ",\"enclave_exits_total\":%lu,\"syscalls_total\":%lu,\"syscalls_refused_total\":%lu,"
                    "\"heap_pages_used\":%lu,\"heap_pages_total\":%lu,\"store_records\":%lu,\"store_damaged\":%lu,"
                    "\"guest_memory_bytes\":%lu,\"outgoing_requests_total\":%lu,\"outgoing_failures_total\":%lu",
                    (unsigned long)exits, (unsigned long)syscalls, (unsigned long)refused, (unsigned long)used,
                    (unsigned long)total, (unsigned long)store_record_count(), (unsigned long)store_damaged_count(),
                    (unsigned long)wasm_runtime_guest_memory(enclave_system.wasm),
                    (unsigned long)atomic_load(&http_call_counters.requests),
                    (unsigned long)atomic_load(&http_call_counters.failures));
}
