/*
 * The enclave's main: boot, then worker 0's life, then shutdown.
 *
 * Runs on the boot thread once libc is up. Each phase is timed and reported to the host; a failure is one line in the
 * host's log and the end.
 */
#include <errno.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/ensure.h"
#include "enclave/service/admin.h"
#include "enclave/service/administrators_change.h"
#include "enclave/service/apps.h"
#include "enclave/service/change.h"
#include "enclave/service/chronicle.h"
#include "enclave/service/compiler.h"
#include "enclave/ratls/connection.h"
#include "enclave/crypto/processor.h"
#include "enclave/early/ecall.h"
#include "enclave/service/dial.h"
#include "enclave/service/trust.h"
#include "enclave/evidence/evidence.h"
#include "enclave/fs/fs.h"
#include "enclave/handover/handover.h"
#include "enclave/handover/recover.h"
#include "enclave/https/http.h"
#include "enclave/service/identity.h"
#include "enclave/service/issuer.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/store.h"
#include "enclave/ohttp/ohttp.h"
#include "enclave/service/generations.h"
#include "enclave/service/lineage.h"
#include "enclave/service/log_public.h"
#include "enclave/service/page_public.h"
#include "enclave/service/public.h"
#include "enclave/service/recovery_record.h"
#include "enclave/service/optimiser.h"
#include "enclave/service/router.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/secrets/master.h"
#include "enclave/service/system.h"
#include "enclave/service/upgrade_record.h"
#include "enclave/service/witnessing.h"
#include "enclave/ratls/tls_memory.h"
#include "enclave/thread/threads.h"
#include "enclave/thread/ticks.h"
#include "enclave/wasi/wasi.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "enclave_os_t.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"

#define PHASE_MAX 8

static struct http_server server;
static pthread_t clock_thread, worker_threads[PROTO_MAX_WORKERS];

/* ---- phases ------------------------------------------------------------------------------------------------- */

static struct {
    const char *name;
    uint64_t start_ns;
} phases[PHASE_MAX];
static uint32_t phase_count;

static void phase(const char *name)
{
    phases[phase_count].name = name;
    phases[phase_count++].start_ns = clock_monotonic_ns();
}

static void report_phases(void)
{
    uint8_t payload[PHASE_MAX * 64], *at = payload;
    uint64_t end = clock_monotonic_ns();
    at = (uint8_t *)mempcpy(at, &phase_count, 4);
    for (uint32_t i = 0; i < phase_count; i++) {
        uint32_t size = (uint32_t)strlen(phases[i].name);
        uint64_t next = i + 1 < phase_count ? phases[i + 1].start_ns : end, us = (next - phases[i].start_ns) / 1000;
        at = (uint8_t *)mempcpy(at, &size, 4);
        at = (uint8_t *)mempcpy(at, phases[i].name, size);
        at = (uint8_t *)mempcpy(at, &us, 8);
    }
    /* without it the host lets nobody in: it ends us, or is ended */
    if (rpc_call(enclave_system.owner->rpc, RPC_READY, payload, (size_t)(at - payload), NULL, NULL) < 0)
        rpc_log(enclave_system.owner->rpc, LOG_ERROR, "the host cannot be told that the enclave is ready");
}

/* ---- threads ------------------------------------------------------------------------------------------------ */

static void *worker_body(void *argument)
{
    thread_runs_guests();
    worker_run(argument);
    return NULL;
}

/* Advances the epoch, at which guests that compute yield: at each tick, and once when the enclave has died, so that
 * they come back to where the worker looks whether it has. */
static uint64_t yield_guests(void)
{
    return wasm_runtime_tick(enclave_system.wasm);
}

static void stop_guests(void)
{
    yield_guests();
}

static void *clock_body(void *unused)
{
    (void)unused;
    ticks_run(enclave_system.workers, enclave_system.worker_count, yield_guests);
    return NULL;
}

static int start_threads(void)
{
    int result = compiler_serve();
    if (result == 0)
        result = thread_start(&clock_thread, ENCLAVE_STACK_THREAD, clock_body, NULL);
    for (uint32_t i = 1; i < enclave_system.worker_count && result == 0; i++)
        result = thread_start(&worker_threads[i], ENCLAVE_STACK_THREAD, worker_body, &enclave_system.workers[i]);
    return result;
}

/* The clients of what has not begun have their answers before connections drain. */
static void drain(struct worker *w)
{
    if (w == enclave_system.owner)
        change_stop();
    connections_handlers.drain(w);
}

/* Workers leave together: a change that is under way is installed on each of them before it is answered. */
static struct {
    atomic_uint undrained; /* workers that still had connections when they last looked */
    bool is_drained[PROTO_MAX_WORKERS];
    struct loop_task wakes[PROTO_MAX_WORKERS];
} leaving;

static void only_wake(struct loop_task *task)
{
    (void)task;
}

static bool drained(struct worker *w)
{
    if (!leaving.is_drained[w->index] && connections_handlers.drained(w)) {
        leaving.is_drained[w->index] = true;
        unsigned before = atomic_fetch_sub(&leaving.undrained, 1);
        ENSURE(before > 0);
        for (uint32_t i = 0; before == 1 && i < enclave_system.worker_count; i++)
            loop_post_remote(&enclave_system.workers[i].loop, &leaving.wakes[i]);
    }
    return atomic_load(&leaving.undrained) == 0;
}

/* All of them but the compiler's, where it is compiling: nobody waits for that any more. Returns whether it is. */
static bool stop_threads(void)
{
    for (uint32_t i = 1; i < enclave_system.worker_count; i++)
        pthread_join(worker_threads[i], NULL);
    bool computing = change_is_preparing(), optimising = optimiser_stop();
    compiler_stop(computing);
    return computing || optimising;
}

/* Last of all: while the store is closed the owner's loop still turns, and a guest whose client is gone may compute on
 * it until its time is up; without ticks it would never yield. */
static void stop_clock(void)
{
    ticks_stop();
    pthread_join(clock_thread, NULL);
}

/* ---- boot --------------------------------------------------------------------------------------------------- */

static void guest_log(struct worker *worker, const char *app, bool error, const char *line, size_t size)
{
    /* Guests' output may hold anything: it stays inside unless this is a debug enclave, which keeps no secrets. */
    if (sgx_is_debug())
        rpc_log(worker->rpc, error ? LOG_WARN : LOG_INFO, "app %s: %.*s", app, (int)size, line);
}

static void *guest_stack_take(size_t *size)
{
    return sgx_stack_take(ENCLAVE_STACK_GUEST, size);
}

static void guest_stack_give(void *stack, size_t size)
{
    (void)size;
    sgx_stack_give(stack);
}

static uint64_t memory_left(void)
{
    uint64_t used, pages;
    sgx_heap_counts(&used, &pages);
    return (pages - used) * SGX_PAGE_SIZE + mallinfo2().fordblks;
}

/* What a hand-over has to say, before all others. */

static bool more_routes(void *user, struct http_exchange *x)
{
    return handover_answer(user, x) || evidence_answer(user, x) || ohttp_answer(&server, x) || public_answer(user, x);
}

static bool not_ready(void *user, char *why, size_t size)
{
    return handover_withholds(why, size) || system_not_ready(user, why, size);
}

static int more_status(void *user, const struct http_site *site, struct json_t *into)
{
    int error = system_status(user, site, into);
    return error == 0 ? handover_status(into) : error;
}

static void configure_http(void)
{
    const struct run_args *a = ecall_run_args();
    http_server_init(&server, route_request, clock_monotonic_ns());
    if (a->http_max_header_bytes)
        server.limits.header_bytes = a->http_max_header_bytes;
    if (a->http_max_headers)
        server.limits.header_count = a->http_max_headers;
    if (a->http_max_body_bytes)
        server.limits.streamed_body = a->http_max_body_bytes;
    if (a->http_header_timeout_ms)
        server.limits.header_timeout_ms = a->http_header_timeout_ms;
    if (a->http_idle_timeout_ms)
        server.limits.idle_timeout_ms = a->http_idle_timeout_ms;
    if (a->http_min_rate)
        server.limits.min_rate = a->http_min_rate == PROTO_RATE_ANY ? 0 : a->http_min_rate;
    if (a->http_rate_grace_ms)
        server.limits.rate_grace_ms = a->http_rate_grace_ms;
    server.admin = admin_hook();
    server.authorize_monitoring = admin_authorize_monitoring;
    server.more_metrics = system_metrics;
    server.more_status = more_status;
    server.more_routes = more_routes;
    server.not_ready = not_ready;
    admin_hand_over_by(handover_approve, handover_show);
    log_public_open();
    page_public_open();
    for (uint32_t i = 0; i < enclave_system.worker_count; i++)
        enclave_system.connections[i].http = &server;
}

static int open_worker(struct worker *w, uint32_t index)
{
    static struct worker_handlers handlers;
    ENSURE(index < enclave_system.worker_count && enclave_system.worker_count <= PROTO_MAX_WORKERS);
    ENSURE(!w->rpc);
    struct connections *connections = &enclave_system.connections[index];
    struct channel_desc control;
    handlers = connections_handlers;
    handlers.drain = drain;
    handlers.drained = drained;
    leaving.wakes[index].fn = only_wake;
    int result = worker_init(w, index, &handlers, connections, &control);
    if (result < 0)
        return result;
    w->rpc = rpc_client_create(w, &control);
    if (!w->rpc)
        return -ENOMEM;
    return connections_init(connections, w, &enclave_system.connections[0]);
}

static int open_workers(char *error, size_t error_size)
{
    enclave_system.worker_count = ecall_run_args()->workers;
    enclave_system.owner = &enclave_system.workers[0];
    atomic_store(&leaving.undrained, enclave_system.worker_count);
    for (uint32_t i = 0; i < enclave_system.worker_count; i++) {
        int result = open_worker(&enclave_system.workers[i], i);
        if (result < 0) {
            snprintf(error, error_size, "boot: worker %u has no control channel (error %d)", i, -result);
            return result;
        }
    }
    return 0;
}

static uint64_t heap_size; /* bytes; docs/memory.md says for what */

/* The steps of boot: each 0, or negative errno, mostly with a line in error. */

static int open_libraries(char *error, size_t error_size)
{
    uint64_t used, pages;
    sgx_heap_counts(&used, &pages);
    heap_size = pages * SGX_PAGE_SIZE;
    crowd_limits_init(&connection_limits, heap_size / 6, PROTO_MAX_CHANNELS);
    phase("libraries");
    tls_memory_init();
    /* At the end nothing is taken down: the compiler's thread may still use it. */
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
    int result = open_workers(error, error_size);
    if (result < 0)
        return result;
    const char *lacks = processor_lacks_for_openssl();
    if (!lacks)
        return 0;
    snprintf(error, error_size, "boot: by what the host says of this processor OpenSSL would do without %s", lacks);
    return -ENODEV;
}

static void say_renewed(int renewed)
{
    static const char why[] = "the security version of microcode (CPUSVN) or image (ISVSVN) has risen";
    if (renewed > 0)
        rpc_log(enclave_system.owner->rpc, LOG_INFO,
                "store: %s: the master key is sealed again, and the older blob gone", why);
    else if (renewed < 0)
        rpc_log(enclave_system.owner->rpc, LOG_ERROR,
                "store: %s, but the master key cannot be sealed again (error %d): the next start tries it again", why,
                -renewed);
}

static bool handed_over; /* nobody is served any more */

static int open_state(char *error, size_t error_size)
{
    int first_boot = 0, renewed = 0;
    phase("store");
    enclave_system.store = store_new(enclave_system.owner);
    bool taken = false, recovered = false;
    int result = enclave_system.store ? handover_take(enclave_system.store, &taken, error, error_size) : -ENOMEM;
    if (result == 0 && !taken)
        result = recover_take(enclave_system.store, &recovered, error, error_size);
    if (result == 0 && !taken && !recovered)
        result = master_open_store(enclave_system.store, &first_boot, &renewed, identity_begin, error, error_size);
    if (result < 0)
        return result;
    say_renewed(renewed);
    if (ecall_run_args()->app_disk_max_mib)
        store_limit_disk(enclave_system.store, (uint64_t)ecall_run_args()->app_disk_max_mib << 20);
    enclave_system.files = fs_home_new(enclave_system.owner, enclave_system.store);
    enclave_system.settings = kv_namespace_open(enclave_system.store, "system");
    if (!enclave_system.files || !enclave_system.settings)
        return -ENOMEM;
    if (recovered)
        result = recover_keep(enclave_system.store, error, error_size);
    if (result < 0)
        return result;
    result = identity_open(first_boot, error, error_size);
    if (result == 0)
        result = chronicle_open(error, error_size);
    return result == 0 ? handover_boot(&handed_over, error, error_size) : result;
}

static int open_engine(void)
{
    phase("engine");
    const struct wasm_runtime_config config = {
        .world = &wasi_world,
        .random = sgx_random,
        .log = guest_log,
        .dialer = &egress_dialer,
        .store = enclave_system.store,
        .files = enclave_system.files,
        .guest_memory = heap_size / 2,
        .workers = enclave_system.worker_count,
        .memory_left = memory_left,
        .guest_runs = ticks_wanted,
        .code_is_fixed = !sgx_pages_can_change(),
        .stacks = {guest_stack_take, guest_stack_give, (unsigned)sgx_stack_count(ENCLAVE_STACK_GUEST)}};
    enclave_system.wasm = wasm_runtime_new(&config);
    if (!enclave_system.wasm)
        return -ENOMEM;
    sgx_at_death(stop_guests);
    return 0;
}

/* What is stored, into the first generation, which has its certificate from here on. */
static int load_generation(char *error, size_t error_size)
{
    phase("apps");
    struct generation_parts parts = {.apps = app_table_new()};
    int result = !parts.apps ? -ENOMEM : handed_over ? 0 : apps_load(parts.apps, error, error_size);
    if (result == 0)
        result = egress_trust_load(&parts.trust, error, error_size);
    if (result == 0)
        result = issuer_load(&parts.issuer, error, error_size);
    if (result == 0)
        result = administrators_boot(&parts.administrators, error, error_size);
    if (result == 0)
        result = upgrade_rule_boot(&parts.upgrade_rule, error, error_size);
    if (result == 0)
        result = lineage_boot(&parts.lineage, error, error_size);
    if (result == 0)
        result = recovery_boot(&parts.recovery, error, error_size);
    if (result == 0 && !handed_over)
        result = witnessing_boot(&parts.witnesses, error, error_size);
    if (result < 0) {
        generation_parts_release(&parts);
        return result;
    }
    phase("certificate");
    if (handed_over)
        return generations_boot_mute(&parts, error, error_size);
    return generations_boot(&parts, witnessing_gate, error, error_size);
}

/* 0; -ECANCELED: the host wants to stop; other negative errno with a line in error. */
static int boot(char *error, size_t error_size)
{
    int result = open_libraries(error, error_size);
    if (result == 0)
        result = open_state(error, error_size);
    if (result == 0)
        result = open_engine();
    if (result == 0)
        result = load_generation(error, error_size);
    if (result < 0)
        return result;
    phase("threads");
    configure_http();
    result = ohttp_open(&enclave_system.owner->loop);
    if (result == 0)
        result = start_threads();
    if (result < 0)
        snprintf(error, error_size, "boot: a thread cannot be made (error %d)", -result);
    while (result == 0 && !generations_installed())
        worker_turn(enclave_system.owner);
    if (result == 0)
        witnessing_serve();
    if (result == 0)
        handover_taken();
    if (result == 0)
        optimiser_look();
    return result;
}

static void close_store(void)
{
    store_flush(enclave_system.store);                             /* what was asked for before now has arrived */
    while (enclave_system.files && fs_flush(enclave_system.files)) /* there are none before the store was opened */
        worker_turn(enclave_system.owner);
    store_flush(enclave_system.store);
    store_close(enclave_system.store);
}

int main(void)
{
    char error[1024] = "boot: out of memory";
    int result = boot(error, sizeof error);
    if (result < 0)
        compiler_stop(false);   /* the one thread that there may be */
    if (result == -ECANCELED) { /* nobody was let in */
        close_store();
        return 0;
    }
    if (result < 0) {
        if (enclave_system.owner && enclave_system.owner->rpc) {
            rpc_log(enclave_system.owner->rpc, LOG_ERROR, "%s", error);
            /* an answer to what comes after the line shows that the line was read */
            rpc_call_wait(enclave_system.owner->rpc, RPC_TIME, NULL, 0, NULL, NULL);
        }
        return 1;
    }
    if (store_damaged_count(enclave_system.store) > 0)
        rpc_log(
            enclave_system.owner->rpc, LOG_ERROR,
            "store: %lu of %lu records are damaged; reading them is refused (which, and what is left to do: enclavectl "
            "salvage ls; of what it cannot name, another copy of the folder)",
            (unsigned long)store_damaged_count(enclave_system.store),
            (unsigned long)store_record_count(enclave_system.store));
    report_phases();
    thread_runs_guests();
    worker_run(enclave_system.owner);
    bool computing = stop_threads();
    ohttp_close();
    close_store();
    stop_clock();
    return computing ? PROTO_RUN_COMPUTING : 0;
}
