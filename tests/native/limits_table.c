/*
 * The limits' numbers, as docs/limits.md has them: one line for each constant that the document names, "NAME VALUE".
 * limits_table.sh compares.
 */
#include <stdio.h>

#include "common/protocol.h"
#include "enclave/acme/limits.h"
#include "enclave/fs/fs.h"
#include "enclave/evidence/limits.h"
#include "enclave/handover/limits.h"
#include "enclave/https/http.h"
#include "common/json.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/ratls/limits.h"
#include "enclave/ohttp/limits.h"
#include "enclave/service/change.h"
#include "enclave/service/lineage.h"
#include "common/recovery_share.h"
#include "enclave/service/upgrade_agreement.h"
#include "enclave/service/salvage.h"
#include "enclave/wasi/limits.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/settings.h"

struct limit {
    const char *name;
    uint64_t value;
    bool count; /* of things, not bytes */
};

#define LIMIT(constant)            \
    {                              \
#constant, constant, false \
    }

#define COUNT(constant)           \
    {                             \
#constant, constant, true \
    }

static const struct limit limits[] = {
    LIMIT(H1_METHOD_MAX),
    LIMIT(TWIN_WHOLE_MAX),
    LIMIT(TWIN_WHOLE_OWN_MAX),
    COUNT(SALVAGE_MAX),
    LIMIT(H1_EMPTY_MAX),
    LIMIT(H1_PIPELINE_MARK),
    LIMIT(H1_DRAIN_MAX),
    LIMIT(H1_EARLY_SIZE),
    LIMIT(COMPONENT_DEPTH_MAX),
    LIMIT(COMPONENT_ITEMS_MAX),
    LIMIT(COMPONENT_CORE_ITEMS_MAX),
    LIMIT(COMPONENT_FUNCTION_MAX),
    LIMIT(COMPONENT_LOOPS_MAX),
    LIMIT(COMPONENT_BLOCK_VALUES_MAX),
    LIMIT(COMPONENT_HANDLERS_MAX),
    LIMIT(COMPONENT_BULK_MAX),
    LIMIT(COMPONENT_FUNCTION_STEPS_MAX),
    LIMIT(COMPONENT_STEPS_MAX),
    LIMIT(COMPONENT_INSTANCES_MAX),
    LIMIT(GUEST_WASM_STACK),
    LIMIT(GUEST_STACK),
    LIMIT(GUEST_MEMORIES_MAX),
    LIMIT(GUEST_MARKS_FROM),
    LIMIT(GUEST_TABLES_MAX),
    LIMIT(GUEST_TABLE_MAX),
    LIMIT(GUEST_COPIED_MAX),
    LIMIT(GUEST_COLLECTED_MAX),
    COUNT(GUEST_GONE_MS),
    COUNT(GUEST_TURN_MIN_US),
    LIMIT(GUEST_FRAMES_FREE),
    COUNT(GUEST_QUANTUM_US),
    COUNT(GUEST_TICK_MS),
    COUNT(GUEST_TICK_QUEUED_MS),
    LIMIT(EARLY_SIZE),
    LIMIT(FIELDS_BYTES_MAX),
    LIMIT(FIELDS_COUNT_MAX),
    LIMIT(APP_CALLS_OUT_MAX),
    COUNT(APPS_KEPT_MAX),
    COUNT(KEPT_IDLE_MS),
    COUNT(KEPT_AGE_MS),
    LIMIT(APP_NAME_MAX),
    LIMIT(APP_HOSTNAMES_MAX),
    LIMIT(ACME_ANSWER_MAX),
    LIMIT(ACME_CERTIFICATES_MAX),
    LIMIT(ACME_REQUESTS_MAX),
    LIMIT(HOSTNAMES_MAX),
    LIMIT(TLS_NAMES_MEMORY),
    LIMIT(UPGRADE_MEASUREMENTS_MAX),
    COUNT(LINEAGE_MAX),
    LIMIT(UPGRADE_AGREEMENTS_MAX),
    LIMIT(HANDOVER_OFFERS_MAX),
    COUNT(HANDOVER_OFFER_S),
    LIMIT(HANDOVER_SESSIONS_MAX),
    LIMIT(HANDOVER_EVIDENCE_MAX),
    LIMIT(EVIDENCE_BODY_MAX),
    LIMIT(EVIDENCE_REQUESTS_MAX),
    LIMIT(EVIDENCE_QUOTES_MAX),
    LIMIT(EVIDENCE_CLIENT_MAX),
    LIMIT(OHTTP_REQUEST_MAX),
    LIMIT(OHTTP_ANSWER_MAX),
    LIMIT(OHTTP_MEMORY),
    LIMIT(OHTTP_KEYS_MAX),
    COUNT(OHTTP_DATE_WINDOW_S),
    COUNT(OHTTP_SEEN_MAX),
    LIMIT(HANDOVER_REQUESTS_MAX),
    LIMIT(RECOVERY_HOLDERS_MAX),
    LIMIT(SETTINGS_SIZE_MAX),
    LIMIT(LINE_MAX_SIZE),
    LIMIT(RANDOM_MAX),
    COUNT(KEYVALUE_KEYS_MAX),
    LIMIT(JSON_LEVELS_MAX),
    LIMIT(CALL_HEAD_MAX),
    LIMIT(CALL_LINES_MAX),
    LIMIT(CALL_INTERIM_MAX),
    COUNT(PROTO_MAX_CHANNELS),
    LIMIT(CHANGE_DRAIN_MS),
    LIMIT(KV_DISK_DEFAULT),
    LIMIT(KV_KEY_MAX),
    LIMIT(KV_VALUE_MAX),
    COUNT(FS_NODES_MAX),
    COUNT(FS_CHUNKS_MAX),
    LIMIT(FS_SIZE_MAX),
    LIMIT(FS_NAME_MAX),
    LIMIT(FS_PATH_MAX),
    LIMIT(FS_FOLLOWED_MAX),
    LIMIT(RESOURCES_MAX),
};

static void print_thousands(uint64_t n)
{
    if (n >= 1000000)
        printf("%lu,%03lu,%03lu\n", (unsigned long)(n / 1000000), (unsigned long)(n / 1000 % 1000),
               (unsigned long)(n % 1000));
    else if (n >= 1000)
        printf("%lu,%03lu\n", (unsigned long)(n / 1000), (unsigned long)(n % 1000));
    else
        printf("%lu\n", (unsigned long)n);
}

/* As the document writes numbers: whole TiB, GiB, MiB and KiB unless things are counted, and commas. */
static void print(const struct limit *limit)
{
    static const struct {
        unsigned shift;
        const char *name;
    } units[] = {{40, "TiB"}, {30, "GiB"}, {20, "MiB"}, {10, "KiB"}};
    printf("%s ", limit->name);
    for (size_t i = 0; i < sizeof units / sizeof *units && !limit->count; i++) {
        uint64_t unit = UINT64_C(1) << units[i].shift;
        if (limit->value < unit || limit->value % unit != 0)
            continue;
        printf("%lu %s\n", (unsigned long)(limit->value / unit), units[i].name);
        return;
    }
    print_thousands(limit->value);
}

int main(void)
{
    const struct http_limits *http = &http_limits_default; /* which options change */
    const struct limit defaults[] = {
        {"header_bytes", http->header_bytes, false},
        {"header_count", http->header_count, true},
        {"buffered_body", http->buffered_body, false},
        {"streamed_body", http->streamed_body, false},
        {"header_timeout_ms", http->header_timeout_ms, false},
        {"idle_timeout_ms", http->idle_timeout_ms, false},
        {"progress_timeout_ms", http->progress_timeout_ms, false},
        {"requests", http->requests, true},
        {"min_rate", http->min_rate, false},
        {"rate_grace_ms", http->rate_grace_ms, false},
    };
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        print(&defaults[i]);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        print(&limits[i]);
    return 0;
}
