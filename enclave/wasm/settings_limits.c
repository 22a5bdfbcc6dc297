/* See settings_limits.h. */
#include "enclave/wasm/settings_limits.h"

#include <stdio.h>
#include <string.h>

#include "common/ensure.h"

static const struct member {
    const char *name;
    size_t offset;
    uint64_t most;
} members[] = {
    {"memory_mib", offsetof(struct app_limits, memory_mib), UINT64_C(1) << 20},
    {"timeout_ms", offsetof(struct app_limits, timeout_ms), UINT64_C(1) << 30},
    {"cpu_ms", offsetof(struct app_limits, cpu_ms), UINT64_C(1) << 30},
    {"requests", offsetof(struct app_limits, requests), UINT64_C(1) << 20},
    {"requests_per_second", offsetof(struct app_limits, requests_per_second), 1000000},
    {"body_bytes", offsetof(struct app_limits, body_bytes), UINT64_C(1) << 40},
};

static const struct member *find(const char *name)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

bool settings_limits_take(const json_t *object, struct app_limits *out, char *why, size_t why_size)
{
    const char *name;
    json_t *value;
    ENSURE(object && out);
    ENSURE(why_size > 0);
    if (!json_is_object(object)) {
        snprintf(why, why_size, "limits: not an object: expected {\"requests\": 100}");
        return false;
    }
    json_object_foreach((json_t *)object, name, value)
    {
        const struct member *m = find(name);
        if (!m) {
            snprintf(why, why_size,
                     "limits: %.64s: there is no such limit; there are memory_mib, timeout_ms, cpu_ms, requests, "
                     "requests_per_second and body_bytes",
                     name);
            return false;
        }
        if (!json_is_integer(value) || json_integer_value(value) < 1 || (uint64_t)json_integer_value(value) > m->most) {
            snprintf(why, why_size, "limits: %s: expected a whole number from 1 to %llu; leave it out for the server's",
                     name, (unsigned long long)m->most);
            return false;
        }
        memcpy((char *)out + m->offset, &(uint64_t){(uint64_t)json_integer_value(value)}, sizeof(uint64_t));
    }
    return true;
}
