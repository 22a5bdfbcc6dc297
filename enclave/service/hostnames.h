/*
 * Names under which an app is all that there is (wasm/settings.h), among all apps: each is one app's, none is the
 * server's own, and there are HOSTNAMES_MAX at most, since each has a quote in each generation.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_HOSTNAMES_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_HOSTNAMES_H

#include <stddef.h>

struct app_settings;

/* Whether the app of that name, which may be there already, may have these beside the others that are deployed. 0; or
 * with a sentence in why -EEXIST: one of them is somebody else's, -E2BIG: there are too many. The owner's thread. */
int hostnames_judge(const char *app, const struct app_settings *settings, char *why, size_t why_size);

#endif
