/* For tests: a client on a transport in memory, and apps from the folder of built components. One thread. */
#ifndef ENCLAVE_OS_TESTS_NATIVE_MEMORY_CLIENT_H
#define ENCLAVE_OS_TESTS_NATIVE_MEMORY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/https/http.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/wasm/app.h"
#include "enclave/thread/worker.h"

/* What all of them are answered with: to be filled in by the test (http_site_init). */
extern struct http_site memory_client_site;

/* It sends what it is told to, and takes as much as it is allowed to. */
struct memory_client {
    struct transport t; /* first */
    const char *in;     /* and how much of it may be sent by now */
    size_t in_size, at;
    size_t allowed, taken;
    char out[8192];         /* the beginning of what it took, as text */
    bool half_closed, gone; /* what it ended: its side, then its stream */
    bool closed, aborted;
};

/* Connect, to send the first size bytes of text. 0, or as http_connection_start. */
int memory_client_start(struct memory_client *c, struct http_server *server, struct worker *worker, const char *text,
                        size_t size, size_t allowed);
static inline bool memory_client_over(const struct memory_client *c)
{
    return c->closed || c->aborted;
}
/* Of the last response; 0: there is none. */
int memory_client_status(const struct memory_client *c);

/* FOLDER/NAME.wasm as the app NAME; NULL, and why on stderr. */
struct app *built_app(struct wasm_runtime *runtime, const char *folder, const char *name, const char *settings,
                      uint32_t timeout_ms);
/* The same by another name than its component's. */
struct app *built_app_named(struct wasm_runtime *runtime, const char *folder, const char *component_name,
                            const char *name, const char *settings, uint32_t timeout_ms);
bool app_is_built(const char *folder, const char *name);

#endif
