/*
 * From a request to what answers it: built-in routes, the admin hook, or the app named by the first path segment.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/hex.h"
#include "enclave/https/admin.h"
#include "enclave/https/h1.h"
#include "enclave/wasm/app.h"

#define PROOF_PATH "/_enclave/proof/"

void http_answer_json(struct http_exchange *x, int status, const char *json, size_t size)
{
    struct http_field fields[] = {
        {HTTP_TEXT("content-type"), HTTP_TEXT("application/json")},
        {HTTP_TEXT("cache-control"), HTTP_TEXT("no-store")},
    };
    if (x->ops->respond(x, status, fields, 2, (int64_t)size) != 0) {
        x->ops->fail(x, 503);
        return;
    }
    /* Small enough for the output buffer by construction, or it grows. */
    x->ops->write_body(x, json, size);
    x->ops->finish(x, NULL, 0);
}

void http_header(const struct http_exchange *x, const char *name, char *out, size_t size)
{
    out[0] = 0;
    for (size_t i = 0; i < x->request.field_count; i++) {
        const struct http_field *field = &x->request.fields[i];
        if (field->name.size != strlen(name) || memcmp(field->name.data, name, field->name.size) != 0)
            continue;
        if (field->value.size < size) {
            memcpy(out, field->value.data, field->value.size);
            out[field->value.size] = 0;
        }
        return;
    }
}

static void healthz(struct http_server *server, struct http_exchange *x)
{
    static const char json[] = "{\"status\":\"ok\"}";
    http_answer_json(x, 200, json, sizeof json - 1);
}

static void readyz(struct http_server *server, struct http_exchange *x)
{
    char json[80];
    bool stopping = atomic_load(&server->stopping);
    int size = snprintf(json, sizeof json, "{\"status\":\"%s\",\"modules\":%zu}", stopping ? "not_ready" : "ready",
                        app_table_count(server->apps));
    http_answer_json(x, stopping ? 503 : 200, json, (size_t)size);
}

struct text {
    char data[65536];
    size_t size;
};

static void add_status(void *user, struct app *app)
{
    struct text *text = user;
    char hash[65];
    hex_text(app_sha256(app), 32, hash);
    if (text->size + 256 > sizeof text->data)
        return;
    text->size += (size_t)snprintf(text->data + text->size, sizeof text->data - text->size,
                                   "%s{\"name\":\"%s\",\"details\":{\"sha256\":\"%s\",\"calls\":%llu}}",
                                   text->size > 1 ? "," : "", app_name(app), hash, (unsigned long long)app_calls(app));
}

static void status(struct http_server *server, struct http_exchange *x)
{
    static _Thread_local struct text text; /* too large for a stack */
    text.size = 1;
    text.data[0] = '[';
    app_table_each(server->apps, add_status, &text);
    text.data[text.size++] = ']';
    http_answer_json(x, 200, text.data, text.size);
}

static void metrics(struct http_server *server, struct http_exchange *x)
{
    char json[4096];
    struct http_counters *c = &server->counters;
    unsigned long long uptime = (x->worker->loop.now_ns - server->started_ns) / 1000000000u;
    int size =
        snprintf(json, sizeof json,
                 "{\"connections_total\":%llu,\"frames_total\":%llu,\"wasm_calls_total\":%llu,"
                 "\"responses_2xx_total\":%llu,\"responses_3xx_total\":%llu,\"responses_4xx_total\":%llu,"
                 "\"responses_5xx_total\":%llu,\"uptime_seconds\":%llu",
                 (unsigned long long)c->connections, (unsigned long long)c->requests, (unsigned long long)c->app_calls,
                 (unsigned long long)c->responses[2], (unsigned long long)c->responses[3],
                 (unsigned long long)c->responses[4], (unsigned long long)c->responses[5], uptime);
    if (server->more_metrics) {
        int more = server->more_metrics(server->user, json + size, sizeof json - (size_t)size - 2);
        if (more > 0 && (size_t)more < sizeof json - (size_t)size - 2)
            size += more;
    }
    json[size++] = '}';
    http_answer_json(x, 200, json, (size_t)size);
}

static const struct route {
    const char *path;
    bool monitoring; /* needs the monitoring right */
    void (*answer)(struct http_server *server, struct http_exchange *x);
} routes[] = {
    {"/healthz", false, healthz},
    {"/readyz", true, readyz},
    {"/status", true, status},
    {"/metrics", true, metrics},
};

static bool method_is(const struct http_exchange *x, const char *method)
{
    return x->request.method.size == strlen(method) &&
           memcmp(x->request.method.data, method, x->request.method.size) == 0;
}

static void answer_route(struct http_server *server, const struct route *route, struct http_exchange *x)
{
    char authorization[4096];
    http_header(x, "authorization", authorization, sizeof authorization);
    if (!method_is(x, "GET") && !method_is(x, "HEAD"))
        x->ops->fail(x, 405);
    else if (route->monitoring &&
             (!server->authorize_monitoring || !server->authorize_monitoring(server->user, authorization)))
        x->ops->fail(x, 401);
    else
        route->answer(server, x);
}

/* Public: a proof says nothing but that an app whose hash one knows is there. */
static void answer_proof(struct http_server *server, struct http_exchange *x, const char *name, size_t size)
{
    char json[8192];
    if (!method_is(x, "GET") && !method_is(x, "HEAD")) {
        x->ops->fail(x, 405);
        return;
    }
    int written = server->inclusion_proof ? server->inclusion_proof(server->user, name, size, json, sizeof json) : -1;
    if (written < 0)
        x->ops->fail(x, 404);
    else
        http_answer_json(x, 200, json, (size_t)written);
}

/* What only the server may say; a client's own is dropped. */
static bool is_ours(const struct http_field *field)
{
    static const struct http_text names[] = {HTTP_TEXT("x-forwarded-prefix"), HTTP_TEXT("x-enclave-client")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (field->name.size == names[i].size && memcmp(field->name.data, names[i].data, names[i].size) == 0)
            return true;
    return false;
}

/* The app gets the rest of the path, and is told what was cut off, and who the client proved to be. */
static void forward(struct http_exchange *x, struct app *app, size_t prefix)
{
    struct http_request *request = &x->request;
    struct http_field *fields = (struct http_field *)request->fields; /* has room for two more */
    size_t kept = 0;
    for (size_t i = 0; i < request->field_count; i++)
        if (!is_ours(&fields[i]))
            fields[kept++] = fields[i];
    fields[kept++] = (struct http_field){HTTP_TEXT("x-forwarded-prefix"), {app_prefix(app), prefix}};
    if (x->client)
        fields[kept++] = (struct http_field){HTTP_TEXT("x-enclave-client"), {x->client, strlen(x->client)}};
    request->field_count = kept;
    request->path.data += prefix;
    request->path.size -= prefix;
    if (request->path.size == 0 || request->path.data[0] == '?') {
        /* "/app-a?x" is "/?x" to the app: the last letter of the name makes room for the slash. */
        request->path.data--;
        request->path.size++;
        *(char *)request->path.data = '/';
    }
    app_handle(app, x);
}

void http_route(struct http_server *server, struct http_exchange *x)
{
    struct http_text path = x->request.path;
    const char *query = memchr(path.data, '?', path.size);
    size_t size = query ? (size_t)(query - path.data) : path.size;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strlen(routes[i].path) == size && memcmp(routes[i].path, path.data, size) == 0) {
            answer_route(server, &routes[i], x);
            return;
        }
    }
    if (size >= sizeof PROOF_PATH - 1 && memcmp(path.data, PROOF_PATH, sizeof PROOF_PATH - 1) == 0) {
        answer_proof(server, x, path.data + sizeof PROOF_PATH - 1, size - (sizeof PROOF_PATH - 1));
        return;
    }
    if (size >= 10 && memcmp(path.data, "/_enclave/", 10) == 0) {
        http_admin_start(server, x);
        return;
    }
    const char *slash = size > 1 ? memchr(path.data + 1, '/', size - 1) : NULL;
    size_t prefix = slash ? (size_t)(slash - path.data) : size;
    struct app *app = prefix > 1 ? app_table_find(server->apps, path.data + 1, prefix - 1) : NULL;
    if (!app) {
        x->ops->fail(x, 404);
        return;
    }
    atomic_fetch_add_explicit(&server->counters.app_calls, 1, memory_order_relaxed);
    forward(x, app, prefix);
    app_unref(app);
}
