/*
 * The changes that an administrator makes to apps: new code, new settings, none any more. change.h says how they go.
 *
 * Each is asked for on a worker's own thread, and answered there; what it needs is copied, or taken.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_APP_CHANGES_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_APP_CHANGES_H

#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"
#include "enclave/service/change.h"
#include "enclave/service/rule.h"

/* New code, if the app's rule (rule.h) lets it in, under the settings that the app has, or none. wasm, a charged block
 * (budget.h), is taken in any case; the rest is copied. 0; or -ENOMEM, and done never runs (common/callbacks.h). */
struct app_push {
    const char *name;
    uint8_t *wasm;
    size_t size;
    struct rule_wish wish;
    const char *publication; /* NULL: there is none */
};
MAY_REFUSE int app_push(const struct change_asker *asker, const struct app_push *push);
/* New settings (wasm/settings.h), if its rule allows them, which live until the app is removed or gets others; json is
 * copied. -EINVAL, too: error says which member is wrong and how. */
MAY_REFUSE int app_set(const struct change_asker *asker, const char *name, const char *json, size_t size, char *error,
                       size_t error_size);
/* None any more, and all that it has stored goes, too (spaces.h). */
MAY_REFUSE int app_remove(const struct change_asker *asker, const char *name);

#endif
