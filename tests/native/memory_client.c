/* See memory_client.h. */
#include "tests/native/memory_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "enclave/wasm/runtime.h"
#include "enclave/wasm/settings.h"

struct http_site memory_client_site;

static ssize_t client_read(struct transport *t, void *buf, size_t size)
{
    struct memory_client *c = CONTAINER_OF(t, struct memory_client, t);
    size_t left = c->in_size - c->at, count = size < left ? size : left;
    if (c->t.broken)
        return -ECONNRESET;
    memcpy(buf, c->in + c->at, count);
    c->at += count;
    return count ? (ssize_t)count : c->gone ? -EPIPE : c->half_closed ? 0 : -EAGAIN;
}

static ssize_t client_write(struct transport *t, const void *buf, size_t size)
{
    struct memory_client *c = CONTAINER_OF(t, struct memory_client, t);
    size_t count = size < c->allowed ? size : c->allowed;
    if (c->t.broken)
        return -ECONNRESET;
    for (size_t i = 0; i < count && c->taken + i + 1 < sizeof c->out; i++)
        c->out[c->taken + i] = ((const char *)buf)[i];
    c->allowed -= count;
    c->taken += count;
    return count ? (ssize_t)count : -EAGAIN;
}

static void client_flush(struct transport *t)
{
}

static void client_close(struct transport *t)
{
    CONTAINER_OF(t, struct memory_client, t)->closed = true;
}

static void client_abort(struct transport *t)
{
    CONTAINER_OF(t, struct memory_client, t)->aborted = true;
}

int memory_client_start(struct memory_client *c, struct http_server *server, struct worker *worker, const char *text,
                        size_t size, size_t allowed)
{
    static const struct transport_ops ops = {.read = client_read,
                                             .write = client_write,
                                             .flush = client_flush,
                                             .close = client_close,
                                             .abort = client_abort};
    *c = (struct memory_client){
        .t.ops = &ops, .t.site = &memory_client_site, .in = text, .in_size = size, .allowed = allowed};
    return http_connection_start(server, worker, &c->t);
}

int memory_client_status(const struct memory_client *c)
{
    const char *at = c->out, *found = NULL;
    while ((at = strstr(at, "HTTP/1.1 ")))
        found = at += 9;
    return found ? atoi(found) : 0;
}

static FILE *open_built(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.wasm", folder, name);
    return fopen(path, "rb");
}

bool app_is_built(const char *folder, const char *name)
{
    FILE *file = open_built(folder, name);
    if (file)
        fclose(file);
    return file;
}

struct app *built_app(struct wasm_runtime *runtime, const char *folder, const char *name, const char *settings,
                      uint32_t timeout_ms)
{
    return built_app_named(runtime, folder, name, name, settings, timeout_ms);
}

struct app *built_app_named(struct wasm_runtime *runtime, const char *folder, const char *component_name,
                            const char *name, const char *settings, uint32_t timeout_ms)
{
    char error[256] = "";
    static uint8_t wasm[1 << 20];
    static const uint8_t salt[SETTINGS_SALT_SIZE];
    FILE *file = open_built(folder, component_name);
    size_t size = file ? fread(wasm, 1, sizeof wasm, file) : 0;
    if (file)
        fclose(file);
    struct app_config config = {.name = name, .timeout_ms = timeout_ms};
    config.settings = app_settings_parse(settings, strlen(settings), salt, error, sizeof error);
    struct wasm_component *component = wasm_compile(runtime, wasm, size, error, sizeof error);
    struct app *app = component ? app_new(runtime, &config, component, error, sizeof error) : NULL;
    app_settings_unref(config.settings); /* the app counts them itself */
    if (!app)
        fprintf(stderr, "%s: %s\n", name, error);
    return app;
}
