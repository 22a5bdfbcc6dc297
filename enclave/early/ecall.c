/* The three ECALLs. They run on a bare TCS stack, perhaps before libc is up: nothing here uses libc or TLS. */
#include "enclave/early/ecall.h"

#include <errno.h>

#include "enclave/early/channel.h"
#include "enclave_os_t.h"
#include "sgx/trusted/bridge.h"

static struct run_args args;
static atomic_uint args_state; /* 0 none, 1 being set, 2 set */
static atomic_bool shutting_down;
static _Atomic uint64_t shutdown_deadline_ns;

/* 0 stands for a default. */
static bool limit_ok(uint64_t value, uint64_t least, uint64_t most)
{
    return value == 0 || (value >= least && value <= most);
}

static bool limits_ok(const struct run_args *a)
{
    return limit_ok(a->http_max_header_bytes, PROTO_HEADER_BYTES_MIN, PROTO_HEADER_BYTES_MAX) &&
           limit_ok(a->http_max_headers, 1, PROTO_HEADERS_MAX) &&
           limit_ok(a->http_max_body_bytes, 1, PROTO_BODY_BYTES_MAX) &&
           limit_ok(a->http_header_timeout_ms, 1, PROTO_TIMEOUT_MS_MAX) &&
           limit_ok(a->http_idle_timeout_ms, 1, PROTO_TIMEOUT_MS_MAX) &&
           limit_ok(a->http_request_timeout_ms, 1, PROTO_TIMEOUT_MS_MAX) &&
           (a->http_min_rate == PROTO_RATE_ANY || limit_ok(a->http_min_rate, 1, PROTO_RATE_MAX)) &&
           limit_ok(a->http_rate_grace_ms, 1, PROTO_TIMEOUT_MS_MAX) &&
           limit_ok(a->drain_timeout_ms, 1, PROTO_TIMEOUT_MS_MAX) &&
           limit_ok(a->app_memory_max_mib, 1, PROTO_APP_MEMORY_MIB_MAX) &&
           limit_ok(a->app_disk_max_mib, 1, PROTO_APP_DISK_MIB_MAX) &&
           limit_ok(a->witness_seconds, 1, PROTO_WITNESS_SECONDS_MAX) &&
           limit_ok(a->witness_commits, 1, PROTO_WITNESS_COMMITS_MAX);
}

static bool run_args_ok(const struct run_args *a)
{
    return a->version == PROTO_VERSION && a->workers >= 1 && a->workers <= PROTO_MAX_WORKERS &&
           a->cpuid_count <= PROTO_CPUID_MAX && a->admin_key_size <= PROTO_ADMIN_KEY_MAX &&
           a->san[PROTO_SAN_MAX - 1] == 0 && a->take_over[PROTO_TAKE_OVER_MAX - 1] == 0 && limits_ok(a) &&
           a->request_client_certificates <= 1 && a->ratls <= 2 && a->witnesses_size <= PROTO_WITNESSES_MAX &&
           a->upgrade_rule <= PROTO_UPGRADE_SIGNER && a->recovery_count <= PROTO_RECOVERY_KEYS_MAX &&
           a->recovery_threshold <= PROTO_RECOVERY_KEYS_MAX && a->recover <= 1 &&
           a->recover_share_count <= PROTO_RECOVERY_KEYS_MAX && a->time_page % 8 == 0 &&
           sgx_is_outside_enclave((const void *)a->time_page, sizeof(struct time_page));
}

int32_t ecall_init_channel(const struct channel_desc *desc)
{
    return channel_post(desc);
}

int32_t ecall_run(const struct run_args *in)
{
    if (!run_args_ok(in))
        return -EINVAL;
    unsigned expected = 0;
    if (atomic_compare_exchange_strong(&args_state, &expected, 1)) {
        args = *in;
        atomic_store(&args_state, 2);
    }
    if (atomic_load(&args_state) != 2)
        return -EAGAIN;
    return sgx_run_thread(args.cpuid, args.cpuid_count, (const struct time_page *)args.time_page, args.edmm != 0);
}

int32_t ecall_shutdown(uint32_t grace_ms)
{
    if (atomic_load(&args_state) != 2)
        return -EAGAIN;
    const struct time_page *page = (const struct time_page *)args.time_page;
    atomic_store(&shutdown_deadline_ns, atomic_load(&page->monotonic_ns) + grace_ms * 1000000ull);
    atomic_store(&shutting_down, true);
    channel_stop_accepting();
    for (uint32_t i = 0; i < args.workers; i++) {
        int32_t ignored;
        ocall_notify(&ignored, NOTIFY_WAKE_WORKER, i, 0);
    }
    return 0;
}

const struct run_args *ecall_run_args(void)
{
    return &args;
}

bool ecall_shutdown_requested(uint64_t *deadline_ns)
{
    if (!atomic_load(&shutting_down)) /* not before the caller has said that it will sleep */
        return false;
    *deadline_ns = atomic_load(&shutdown_deadline_ns);
    return true;
}
