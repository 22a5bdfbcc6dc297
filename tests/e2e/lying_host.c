/* A host that is asked to take permissions from pages and does not: LIE=success says that it did, LIE=refuse says no;
 * if LIE_WHILE names a file, only while it is there. KEEP_SERVING=1 goes on with an enclave that has died.
 * NO_TICKS_WHILE names a file: while it is there, no thread's wait with a time-out ends, which the clock's ticks are.
 * LIE_NUMBERS="FIELD=VALUE ..." are what the enclave is told at its start instead of the options (struct run_args).
 * Linked in place of the loader's own functions (--wrap); all else is the real host. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/protocol.h"
#include "sgx/loader/enclave.h"

int __real_enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length);
int __wrap_enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length);

int __wrap_enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length)
{
    const char *lie = getenv("LIE"), *file = getenv("LIE_WHILE");
    if (!lie || (file && access(file, F_OK) != 0))
        return __real_enclave_restrict_pages(e, offset_and_permissions, length);
    return strcmp(lie, "success") == 0 ? 0 : -EBUSY;
}

int32_t __real_ocall_notify(uint32_t op, uint64_t arg, uint64_t timeout_ns);
int32_t __wrap_ocall_notify(uint32_t op, uint64_t arg, uint64_t timeout_ns);

int32_t __wrap_ocall_notify(uint32_t op, uint64_t arg, uint64_t timeout_ns)
{
    static const struct timespec pause = {.tv_nsec = 5000000};
    const char *file = getenv("NO_TICKS_WHILE");
    int32_t result = __real_ocall_notify(op, arg, timeout_ns);
    while (op == NOTIFY_THREAD_WAIT && timeout_ns != UINT64_MAX && file && access(file, F_OK) == 0)
        nanosleep(&pause, NULL);
    return result;
}

static const struct {
    const char *name;
    size_t offset, size;
} numbers[] = {
#define NUMBER(field)                                                                 \
    {                                                                                 \
#field, offsetof(struct run_args, field), sizeof((struct run_args *)0)->field \
    }
    NUMBER(http_max_header_bytes),
    NUMBER(http_max_headers),
    NUMBER(http_max_body_bytes),
    NUMBER(http_header_timeout_ms),
    NUMBER(http_idle_timeout_ms),
    NUMBER(http_request_timeout_ms),
    NUMBER(http_min_rate),
    NUMBER(http_rate_grace_ms),
    NUMBER(drain_timeout_ms),
    NUMBER(app_memory_max_mib),
    NUMBER(app_disk_max_mib),
    NUMBER(request_client_certificates),
    NUMBER(ratls),
};

static void lie_about_numbers(struct run_args *args)
{
    char text[1024], *rest = text;
    snprintf(text, sizeof text, "%s", getenv("LIE_NUMBERS") ? getenv("LIE_NUMBERS") : "");
    for (char *one; (one = strsep(&rest, " "));) {
        char *value = strchr(one, '=');
        bool found = !*one;
        for (size_t i = 0; value && i < sizeof numbers / sizeof *numbers; i++) {
            if (strncmp(one, numbers[i].name, (size_t)(value - one)) != 0 || numbers[i].name[value - one])
                continue;
            uint64_t number = strtoull(value + 1, NULL, 0);
            memcpy((char *)args + numbers[i].offset, &number, numbers[i].size);
            found = true;
        }
        if (!found)
            abort();
    }
}

int __real_ecall_run_u(struct enclave *e, int32_t *result, const struct run_args *args);
int __wrap_ecall_run_u(struct enclave *e, int32_t *result, const struct run_args *args);

int __wrap_ecall_run_u(struct enclave *e, int32_t *result, const struct run_args *args)
{
    struct run_args lie = *args;
    lie_about_numbers(&lie);
    return __real_ecall_run_u(e, result, &lie);
}

bool __real_enclave_is_dead(const struct enclave *e);
bool __wrap_enclave_is_dead(const struct enclave *e);

bool __wrap_enclave_is_dead(const struct enclave *e)
{
    return !getenv("KEEP_SERVING") && __real_enclave_is_dead(e);
}
