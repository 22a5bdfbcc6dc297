/* What /metrics says of the enclave itself; the HTTP server adds its own counters. */
#include <stdio.h>
#include <time.h>

#include "enclave/ratls/connection.h"
#include "enclave/https/client.h"
#include "enclave/https/site.h"
#include "enclave/kvstore/store.h"
#include "enclave/service/change.h"
#include "enclave/service/generations.h"
#include "enclave/service/system.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "sgx/trusted/bridge.h"

#define APP_TEXT_MAX 256u /* of an app's part: a name and four numbers */

struct text {
    char *data;
    size_t size, capacity;
};

/* What an app's guests hold, and how much they might: with many apps, of those that fit. */
static void add_app(void *user, struct app *app)
{
    struct text *text = user;
    const struct budget *memory = app_memory(app);
    if (text->capacity - text->size < APP_TEXT_MAX)
        return;
    text->size += (size_t)snprintf(
        text->data + text->size, text->capacity - text->size,
        "%s\"%s\":{\"memory_bytes\":%lu,\"memory_limit_bytes\":%lu,\"memory_refused_total\":%lu}",
        text->data[text->size - 1] == '{' ? "" : ",", app_name(app), (unsigned long)budget_used(memory),
        (unsigned long)memory->limit, (unsigned long)atomic_load(&memory->refused));
}

static uint64_t certificate_age_s(const struct generations_report *report)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t now_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    return now_ns > report->renewed_ns ? (now_ns - report->renewed_ns) / 1000000000u : 0;
}

int system_metrics(void *user, const struct http_site *site, char *buf, size_t size)
{
    (void)user;
    uint64_t syscalls, refused, used, total, exits = 0;
    const struct budget *memory = &connection_limits.memory, *count = &connection_limits.count;
    const struct generations_report report = generations_report();
    sgx_syscall_counts(&syscalls, &refused);
    sgx_heap_counts(&used, &total);
    for (uint32_t i = 0; i < enclave_system.worker_count; i++)
        exits += atomic_load_explicit(&enclave_system.workers[i].exits, memory_order_relaxed);
    int written = snprintf(
        buf, size,
        ",\"enclave_exits_total\":%lu,\"syscalls_total\":%lu,\"syscalls_refused_total\":%lu,"
        "\"heap_pages_used\":%lu,\"heap_pages_total\":%lu,\"store_records\":%lu,\"store_damaged\":%lu,"
        "\"store_stopped\":%u,"
        "\"guest_memory_bytes\":%lu,\"outgoing_requests_total\":%lu,\"outgoing_failures_total\":%lu,"
        "\"connections\":%lu,\"connections_limit\":%lu,\"connection_memory_bytes\":%lu,"
        "\"connection_memory_limit_bytes\":%lu,\"connection_memory_refused_total\":%lu,\"connections_cut_total\":%lu,"
        "\"app_changes_compiling\":%u,\"app_changes_waiting\":%u,"
        "\"generation\":%lu,\"certificate_age_seconds\":%lu,\"renewals_failed_total\":%lu,\"renewal_failing\":%u,"
        "\"apps\":{",
        (unsigned long)exits, (unsigned long)syscalls, (unsigned long)refused, (unsigned long)used,
        (unsigned long)total, (unsigned long)store_record_count(enclave_system.store),
        (unsigned long)store_damaged_count(enclave_system.store), (unsigned)store_has_stopped(enclave_system.store),
        (unsigned long)wasm_runtime_guest_memory(enclave_system.wasm),
        (unsigned long)atomic_load(&http_call_counters.requests),
        (unsigned long)atomic_load(&http_call_counters.failures), (unsigned long)budget_used(count),
        (unsigned long)count->limit, (unsigned long)budget_used(memory), (unsigned long)memory->limit,
        (unsigned long)atomic_load(&memory->refused), (unsigned long)atomic_load(&connection_limits.cut),
        (unsigned)change_is_preparing(), (unsigned)changes_waiting(), (unsigned long)report.number,
        (unsigned long)certificate_age_s(&report), (unsigned long)report.renewals_failed,
        (unsigned)(report.failing_since_ns != 0));
    if (written < 0 || (size_t)written + 2 >= size)
        return written;
    struct text text = {buf, (size_t)written, size - 2};
    app_table_each(site->apps, add_app, &text);
    text.data[text.size++] = '}';
    text.data[text.size] = 0;
    return (int)text.size;
}
