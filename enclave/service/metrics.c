/* What /metrics and /status say of the enclave itself; the HTTP server adds its own counters. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/ensure.h"
#include "enclave/ratls/certificate.h"
#include "enclave/ratls/connections.h"
#include "enclave/https/answer.h"
#include "enclave/https/client.h"
#include "enclave/https/kept.h"
#include "enclave/https/site.h"
#include "enclave/kvstore/store.h"
#include "enclave/service/change.h"
#include "enclave/service/chronicle.h"
#include "enclave/service/generations.h"
#include "enclave/service/optimiser.h"
#include "enclave/service/system.h"
#include "enclave/service/witnessing.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "sgx/trusted/bridge.h"

struct apps {
    json_t *of; /* by name */
    uint64_t stopped, quick;
    int error;
};

/* What an app's guests hold, and how much they might. */
static void add_app(void *user, struct app *app)
{
    struct apps *apps = user;
    const struct budget *memory = app_memory(app);
    ENSURE(memory && apps->of);
    ENSURE(memory->limit > 0);
    apps->stopped += app_stopped(app) != NULL;
    apps->quick += app_is_quick(app);
    const struct app_refusals refused = app_refusals(app);
    const struct http_number numbers[] = {{"stopped", app_stopped(app) != NULL},
                                          {"quick", app_is_quick(app)},
                                          {"lost_records", app_lost(app)},
                                          {"memory_bytes", budget_used(memory)},
                                          {"memory_limit_bytes", memory->limit},
                                          {"requests_running", app_running(app)},
                                          {"requests_in_used_memory_total", app_recycled(app)},
                                          {"requests_refused_busy_total", refused.busy},
                                          {"requests_refused_fast_total", refused.fast},
                                          {"requests_refused_large_total", refused.large},
                                          {"requests_over_cpu_total", app_over_cpu(app)},
                                          {"cpu_microseconds_total", app_cpu_ns(app) / 1000},
                                          {"memory_refused_total", atomic_load(&memory->refused)}};
    json_t *entry = json_object();
    if (http_add_numbers(entry, numbers, sizeof numbers / sizeof *numbers) < 0 ||
        json_object_set(apps->of, app_name(app), entry) < 0)
        apps->error = -ENOMEM;
    json_decref(entry);
}

static uint64_t certificate_age_s(const struct generations_report *report)
{
    uint64_t now_ns = clock_monotonic_ns();
    return now_ns > report->renewed_ns ? (now_ns - report->renewed_ns) / 1000000000u : 0;
}

/* How long the history is, and how far witnesses have proven it. */
static int add_history(json_t *into)
{
    return json_object_set_new(into, "log", chronicle_head_json()) < 0 ||
                   json_object_set_new(into, "witness", witnessing_json()) < 0
               ? -ENOMEM
               : 0;
}

int system_status(void *user, const struct http_site *site, json_t *into)
{
    (void)user, (void)site;
    return add_history(into);
}

static int add_runtime(json_t *into)
{
    uint64_t syscalls, refused, used, total, exits = 0, quiet = 0;
    sgx_syscall_counts(&syscalls, &refused);
    sgx_heap_counts(&used, &total);
    for (uint32_t i = 0; i < enclave_system.worker_count; i++) {
        exits += atomic_load_explicit(&enclave_system.workers[i].exits, memory_order_relaxed);
        quiet += atomic_load_explicit(&enclave_system.workers[i].quiet, memory_order_relaxed);
    }
    const struct http_number numbers[] = {
        {"enclave_exits_total", exits},
        {"quiet_turns_total", quiet},
        {"syscalls_total", syscalls},
        {"syscalls_refused_total", refused},
        {"heap_pages_used", used},
        {"heap_pages_total", total},
        {"store_records", store_record_count(enclave_system.store)},
        {"store_damaged", store_damaged_count(enclave_system.store)},
        {"store_mended", store_mended_count(enclave_system.store)},
        {"store_stopped", store_has_stopped(enclave_system.store)},
        {"guest_memory_bytes", wasm_runtime_guest_memory(enclave_system.wasm)},
        {"guest_stacks_put_away_total", wasm_runtime_stacks_put_away()},
        {"kept_memory_bytes", wasm_runtime_kept_memory(enclave_system.wasm)},
        {"outgoing_requests_total", atomic_load(&http_call_counters.requests)},
        {"outgoing_failures_total", atomic_load(&http_call_counters.failures)},
        {"outgoing_connections_total", atomic_load(&http_call_counters.connections)},
        {"outgoing_reused_total", atomic_load(&kept_counters.taken)},
        {"outgoing_kept", atomic_load(&kept_counters.waiting)},
    };
    return http_add_numbers(into, numbers, sizeof numbers / sizeof *numbers);
}

static int add_connections(json_t *into)
{
    const struct budget *memory = &connection_limits.memory, *count = &connection_limits.count;
    uint64_t handshakes = 0;
    ENSURE(memory->limit > 0 && count->limit > 0);
    ENSURE(enclave_system.worker_count <= PROTO_MAX_WORKERS);
    for (uint32_t i = 0; i < enclave_system.worker_count; i++)
        handshakes +=
            atomic_load_explicit(&connections_of(&enclave_system.workers[i])->handshakes, memory_order_relaxed);
    const struct http_number numbers[] = {
        {"connections", budget_used(count)},
        {"connections_limit", count->limit},
        {"connection_memory_bytes", budget_used(memory)},
        {"connection_memory_limit_bytes", memory->limit},
        {"connection_memory_refused_total", atomic_load(&memory->refused)},
        {"connections_cut_total", atomic_load(&connection_limits.cut)},
        {"handshakes_total", handshakes},
        {"certificates_made_total", certificate_leaves_made()},
    };
    return http_add_numbers(into, numbers, sizeof numbers / sizeof *numbers);
}

static int add_generation(json_t *into)
{
    const struct generations_report report = generations_report();
    const struct http_number numbers[] = {
        {"app_changes_compiling", change_is_preparing()},
        {"apps_optimising", optimiser_is_busy()},
        {"app_changes_waiting", changes_waiting()},
        {"generation", report.number},
        {"certificate_age_seconds", certificate_age_s(&report)},
        {"renewals_failed_total", report.renewals_failed},
        {"renewal_failing", report.failing_since_ns != 0},
    };
    int error = http_add_numbers(into, numbers, sizeof numbers / sizeof *numbers);
    return error < 0 ? error : add_history(into);
}

int system_metrics(void *user, const struct http_site *site, json_t *into)
{
    (void)user;
    struct apps apps = {.of = json_object()};
    app_table_each(site->apps, add_app, &apps);
    if (json_object_set_new(into, "apps", apps.of) < 0 ||
        json_object_set_new(into, "apps_stopped", json_integer((json_int_t)apps.stopped)) < 0 ||
        json_object_set_new(into, "apps_quick", json_integer((json_int_t)apps.quick)) < 0)
        apps.error = -ENOMEM;
    int error = apps.error ? apps.error : add_runtime(into);
    if (error == 0)
        error = add_connections(into);
    return error == 0 ? add_generation(into) : error;
}

bool system_not_ready(void *user, char *why, size_t size)
{
    (void)user;
    if (!store_has_stopped(enclave_system.store))
        return witnessing_withholds(why, size);
    snprintf(why, size, "the store has stopped: nothing is written before the next start");
    return true;
}
