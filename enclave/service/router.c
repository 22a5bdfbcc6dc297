/* See router.h. */
#include "enclave/service/router.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/hex.h"
#include "enclave/https/admin.h"
#include "enclave/https/answer.h"
#include "enclave/https/fields.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/service/log_public.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/settings.h"
#include "enclave/thread/worker.h"

#define HTTP_METHODS "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"

static void refuse_method(struct http_exchange *x, struct http_text allowed)
{
    http_refuse(x, 405, "Allow says which methods there are", (struct http_field){HTTP_TEXT("allow"), allowed});
}

static void healthz(struct http_server *server, struct http_exchange *x)
{
    http_answer_value(x, 200, json_pack("{s:s}", "status", "ok"));
}

static void readyz(struct http_server *server, struct http_exchange *x)
{
    char says[1024];
    http_exchange_check(x);
    const char *why = atomic_load(&server->stopping) ? "the server is stopping"
                      : server->not_ready && server->not_ready(server->user, says, sizeof says) ? says
                                                                                                : NULL;
    http_answer_value(x, why ? 503 : 200,
                      json_pack("{s:s,s:I,s:I,s:s*}", "status", why ? "not_ready" : "ready", "modules",
                                (json_int_t)app_table_count(x->site->apps), "generation", (json_int_t)x->site->number,
                                "reason", why));
}

static json_t *status_of(struct app *app)
{
    char hash[65];
    hex_text(app_sha256(app), 32, hash);
    json_t *lost = app_lost(app) ? json_integer((json_int_t)app_lost(app)) : NULL;
    const char *reset = app_stopped(app) ? NULL : app_marks(app) ? "marks" : "whole"; /* of its guests' memory */
    return json_pack(
        "{s:s,s:{s:s,s:s*,s:I,s:o,s:s*,s:s*,s:o*,s:s*}}", "name", app_name(app), "details", "sha256", hash, "code",
        app_stopped(app)    ? NULL
        : app_is_quick(app) ? "quick"
                            : "optimised",
        "calls", (json_int_t)app_calls(app), "hostnames", app_settings_hostnames_json(app_settings_of(app)), "reset",
        reset, "stopped", app_stopped(app), "lost_records", lost, "remedy",
        lost ? "the app is refused these: see which with enclavectl salvage ls" : NULL);
}

/* The server itself, by a name that no app has, and its apps. */
static void status(struct http_server *server, struct http_exchange *x)
{
    http_exchange_check(x);
    json_t *details = json_pack("{s:I}", "generation", (json_int_t)x->site->number);
    int error = server->more_status ? server->more_status(server->user, x->site, details) : 0;
    json_t *all = app_table_json(x->site->apps, status_of);
    json_t *own = json_pack("{s:s,s:o}", "name", "_enclave", "details", details);
    if (json_array_insert_new(all, 0, own) < 0 || error < 0) {
        json_decref(all);
        all = NULL;
    }
    http_answer_value(x, 200, all);
}

static void metrics(struct http_server *server, struct http_exchange *x)
{
    http_exchange_check(x);
    struct http_counters c;
    http_counters_sum(server, &c);
    const struct http_number numbers[] = {
        {"connections_total", c.connections},
        {"frames_total", c.requests},
        {"wasm_calls_total", c.app_calls},
        {"responses_2xx_total", c.responses[2]},
        {"responses_3xx_total", c.responses[3]},
        {"responses_4xx_total", c.responses[4]},
        {"responses_5xx_total", c.responses[5]},
        {"uptime_seconds", (x->worker->loop.now_ns - server->started_ns) / 1000000000u},
    };
    json_t *body = json_object();
    int error = http_add_numbers(body, numbers, sizeof numbers / sizeof *numbers);
    if (error == 0 && server->more_metrics)
        error = server->more_metrics(server->user, x->site, body);
    if (error < 0) {
        json_decref(body);
        body = NULL;
    }
    http_answer_value(x, 200, body);
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
    return http_text_is(x->request.method, method);
}

static bool reads(const struct http_exchange *x)
{
    return method_is(x, "GET") || method_is(x, "HEAD");
}

/* A token is for one method and one path, with its query. */
static bool may_monitor(struct http_server *server, const struct http_exchange *x)
{
    char authorization[4096], method[16], path[512];
    const struct http_text *target = &x->request.target.whole;
    if (!server->authorize_monitoring || x->request.method.size >= sizeof method || target->size >= sizeof path)
        return false;
    http_header(x, "authorization", authorization, sizeof authorization);
    snprintf(method, sizeof method, "%.*s", (int)x->request.method.size, x->request.method.data);
    snprintf(path, sizeof path, "%.*s", (int)target->size, target->data);
    return server->authorize_monitoring(server->user, method, path, authorization);
}

static void answer_route(struct http_server *server, const struct route *route, struct http_exchange *x)
{
    if (!reads(x))
        refuse_method(x, HTTP_TEXT("GET, HEAD"));
    else if (route->monitoring && !may_monitor(server, x))
        http_refuse(x, 401, "a token that an administrator's key signed for this method and path is wanted",
                    (struct http_field){HTTP_TEXT("www-authenticate"), HTTP_TEXT(HTTP_CHALLENGE)});
    else
        route->answer(server, x);
}

/* OPTIONS for the server as a whole (RFC 9110, section 9.3.7): what may be allowed somewhere. */
static void answer_server(struct http_exchange *x)
{
    http_answer_options(x, HTTP_METHODS);
}

/* An app's own name was asked for: nothing of the path says which app it is. */
static bool is_at_root(const struct http_exchange *x)
{
    return x->transport && x->transport->app;
}

/* The app gets the rest of the path, and is told what was cut off, and who the client proved to be. */
static void forward(struct http_exchange *x, struct app *app)
{
    struct http_request *request = &x->request;
    http_exchange_check(x);
    ENSURE(app);
    struct http_field *fields = (struct http_field *)request->fields; /* has room for two more */
    size_t kept = 0;
    for (size_t i = 0; i < request->field_count; i++)
        if (!http_is_ours(fields[i].name))
            fields[kept++] = fields[i];
    const char *prefix = app_prefix(app);
    if (!is_at_root(x))
        fields[kept++] = (struct http_field){HTTP_TEXT("x-forwarded-prefix"), {prefix, strlen(prefix)}};
    if (x->client)
        fields[kept++] = (struct http_field){HTTP_TEXT("x-enclave-client"), {x->client, strlen(x->client)}};
    request->field_count = kept;
    if (!is_at_root(x))
        http_target_cut(&request->target);
    app_handle(app, x);
}

/* Neither apps nor administrators may have an answer: then this is it. */
static bool withheld(struct http_server *server, struct http_exchange *x)
{
    if (!atomic_load_explicit(&server->withheld, memory_order_relaxed))
        return false;
    x->ops->fail(x, 503, "nothing is served, since witnesses do not vouch for this server: /readyz says why");
    return true;
}

/* One of the server's own paths? */
static bool route_own(struct http_server *server, struct http_exchange *x)
{
    struct http_text path = x->request.target.path;
    ENSURE(server && x->site);
    ENSURE(path.data || path.size == 0);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (http_text_is(path, routes[i].path)) {
            answer_route(server, &routes[i], x);
            return true;
        }
    }
    if (server->more_routes && server->more_routes(server->user, x))
        return true;
    if (withheld(server, x))
        return true;
    if (http_text_begins(path, "/_enclave/"))
        http_admin_start(server, x);
    else
        return false;
    return true;
}

/* To the app, whose the request is. */
static void route_app(struct http_server *server, struct http_exchange *x, struct app *app)
{
    http_count(&http_counters_of(server, x->worker)->app_calls);
    forward(x, app);
}

/* ---- under an app's own name ------------------------------------------------------------------------------------- */

/* Whether the request is for the host that the handshake was for, on whatever port. */
static bool is_for_host(const struct http_exchange *x)
{
    struct http_text host = x->request.target.authority;
    const char *colon = host.size ? memchr(host.data, ':', host.size) : NULL;
    ENSURE(x->transport->server_name);
    host.size = colon ? (size_t)(colon - host.data) : host.size;
    return http_name_is(host, x->transport->server_name);
}

/* What proves that it is this app, in this enclave: everybody may have that, and it changes nothing. */
static bool is_proof(struct http_text path)
{
    return http_text_is(path, "/_enclave/manifest") || http_text_begins(path, "/_enclave/proof/") ||
           http_text_begins(path, LOG_PATH) || http_text_is(path, "/__privasys/attest") ||
           http_text_is(path, "/_enclave/evidence");
}

static void route_named(struct http_server *server, struct http_exchange *x)
{
    struct http_text first = http_target_first(&x->request.target), path = x->request.target.path;
    const char *name = x->transport->app;
    ENSURE(name && x->transport->server_name);
    struct app *app = app_table_find(x->site->apps, name, strlen(name));
    ENSURE(app); /* its generation's certificate is what was shown */
    bool is_servers = http_text_is(first, "_enclave") || http_text_is(first, "__privasys");
    if (!is_for_host(x))
        x->ops->fail(x, 421, "this connection was opened for another host, whose certificate it has shown");
    else if (http_text_is(path, "*"))
        answer_server(x);
    else if (is_servers && !is_proof(path))
        x->ops->fail(x, 404, "under an app's own name the server has nothing but what proves it");
    else if ((!server->more_routes || !server->more_routes(server->user, x)) && !withheld(server, x))
        route_app(server, x, app);
}

void route_request(struct http_server *server, struct http_exchange *x)
{
    http_exchange_check(x);
    /* TRACE would show an app's cookies to scripts, CONNECT makes a proxy: nobody gets them. */
    if (method_is(x, "TRACE") || method_is(x, "CONNECT")) {
        refuse_method(x, HTTP_TEXT(HTTP_METHODS));
        return;
    }
    if (is_at_root(x)) {
        route_named(server, x);
        return;
    }
    if (http_text_is(x->request.target.path, "*")) {
        answer_server(x);
        return;
    }
    if (route_own(server, x))
        return;
    struct http_text name = http_target_first(&x->request.target);
    struct app *app = name.size ? app_table_find(x->site->apps, name.data, name.size) : NULL;
    if (app)
        route_app(server, x, app);
    else
        x->ops->fail(x, 404, "no app is deployed under the first part of this path");
}
