/* See hostnames.h. */
#include "enclave/service/hostnames.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/service/deployed.h"
#include "enclave/service/limits.h"
#include "enclave/wasm/settings.h"

static bool has(const struct app_hostnames *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->names[i], name) == 0)
            return true;
    return false;
}

/* Whether it is in the list of the server's certificate, by which the server is asked for whatever else there is. */
static bool is_servers(const char *name)
{
    size_t size = strlen(name);
    for (const char *at = ecall_run_args()->san; *at; at += at[0] == ',') {
        size_t length = strcspn(at, ",");
        if (length == size && strncasecmp(at, name, size) == 0)
            return true;
        at += length;
    }
    return false;
}

/* Whose it is, other than the app's: a sentence's beginning, or NULL. */
static const char *owner(const char *app, const char *name)
{
    if (is_servers(name))
        return "the server's own (serve --san)";
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        if (strcmp(d->name, app) != 0 && has(&d->settings->hostnames, name))
            return d->name;
    return NULL;
}

int hostnames_judge(const char *app, const struct app_settings *settings, char *why, size_t why_size)
{
    const struct app_hostnames *wanted = &settings->hostnames;
    size_t count = wanted->count;
    ENSURE(app && why_size > 0);
    ENSURE(wanted->count <= APP_HOSTNAMES_MAX);
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        count += strcmp(d->name, app) != 0 ? d->settings->hostnames.count : 0;
    if (wanted->count > 0 && count > HOSTNAMES_MAX) {
        snprintf(why, why_size, "hostnames: with other apps' there would be %zu, and there are %u at most", count,
                 HOSTNAMES_MAX);
        return -E2BIG;
    }
    for (size_t i = 0; i < wanted->count; i++) {
        const char *whose = owner(app, wanted->names[i]);
        if (!whose)
            continue;
        bool is_app = deployed_find(whose) != NULL;
        snprintf(why, why_size, "hostnames: \"%.253s\" is %s%s", wanted->names[i],
                 is_app ? "already a name of the app " : "", whose);
        return -EEXIST;
    }
    return 0;
}
