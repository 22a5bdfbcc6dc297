/*
 * The limits' numbers, as docs/limits.md has them: one line for each constant that the document names, "NAME VALUE".
 * limits_table.sh compares.
 */
#include <stdio.h>

#include "enclave/https/h1.h"
#include "enclave/wasm/internal.h"

struct limit {
    const char *name;
    uint64_t value;
};

#define LIMIT(constant)     \
    {                       \
#constant, constant \
    }

static const struct limit limits[] = {
    LIMIT(H1_METHOD_MAX),
    LIMIT(H1_EMPTY_MAX),
    LIMIT(H1_PIPELINE_MARK),
    LIMIT(H1_DRAIN_MAX),
    LIMIT(H1_EARLY_SIZE),
    LIMIT(COMPONENT_DEPTH_MAX),
    LIMIT(COMPONENT_ITEMS_MAX),
    LIMIT(COMPONENT_CORE_ITEMS_MAX),
    LIMIT(COMPONENT_FUNCTION_MAX),
    LIMIT(COMPONENT_INSTANCES_MAX),
    LIMIT(GUEST_WASM_STACK),
    LIMIT(GUEST_STACK),
    LIMIT(GUEST_MEMORIES_MAX),
    LIMIT(GUEST_TABLES_MAX),
    LIMIT(GUEST_TABLE_MAX),
    LIMIT(GUEST_COPIED_MAX),
    LIMIT(EARLY_SIZE),
    LIMIT(FIELDS_BYTES_MAX),
    LIMIT(FIELDS_COUNT_MAX),
    LIMIT(APP_CALLS_OUT_MAX),
    LIMIT(APP_NAME_MAX),
    LIMIT(SETTINGS_SIZE_MAX),
    LIMIT(LINE_MAX_SIZE),
    {"RESOURCES_MAX", RESOURCE_FIRST *((1u << RESOURCE_CHUNKS) - 1)},
};

/* As the document writes numbers: whole MiB and KiB, and commas. */
static void print(const struct limit *limit)
{
    uint64_t n = limit->value;
    printf("%s ", limit->name);
    if (n >= UINT64_C(1) << 40 && n % (UINT64_C(1) << 40) == 0)
        printf("%lu TiB\n", (unsigned long)(n >> 40));
    else if (n >= 1u << 20 && n % (1u << 20) == 0)
        printf("%lu MiB\n", (unsigned long)(n >> 20));
    else if (n >= 1u << 10 && n % (1u << 10) == 0)
        printf("%lu KiB\n", (unsigned long)(n >> 10));
    else if (n >= 1000000)
        printf("%lu,%03lu,%03lu\n", (unsigned long)(n / 1000000), (unsigned long)(n / 1000 % 1000),
               (unsigned long)(n % 1000));
    else if (n >= 1000)
        printf("%lu,%03lu\n", (unsigned long)(n / 1000), (unsigned long)(n % 1000));
    else
        printf("%lu\n", (unsigned long)n);
}

int main(void)
{
    const struct http_limits *http = &http_limits_default; /* which options change */
    const struct limit defaults[] = {
        {"header_bytes", http->header_bytes},
        {"header_count", http->header_count},
        {"buffered_body", http->buffered_body},
        {"streamed_body", http->streamed_body},
        {"header_timeout_ms", http->header_timeout_ms},
        {"idle_timeout_ms", http->idle_timeout_ms},
        {"progress_timeout_ms", http->progress_timeout_ms},
        {"requests", http->requests},
        {"min_rate", http->min_rate},
        {"rate_grace_ms", http->rate_grace_ms},
    };
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        print(&defaults[i]);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        print(&limits[i]);
    return 0;
}
