/* See admin.h. */
#include "enclave/service/admin.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/hex.h"
#include "enclave/service/administrators_change.h"
#include "enclave/service/app_changes.h"
#include "enclave/service/apps.h"
#include "enclave/service/authority.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/trust.h"
#include "enclave/service/trust_change.h"
#include "enclave/https/http.h"
#include "enclave/service/identity.h"
#include "enclave/service/rule.h"
#include "enclave/wasm/app.h"

#define APPS_PATH "/_enclave/apps"
#define EGRESS_CA_PATH "/_enclave/egress-ca"
#define ADMINISTRATORS_PATH "/_enclave/administrators"

static void reply_error(struct http_admin_reply *reply, int status, const char *why)
{
    http_admin_reply_value(reply, status, json_pack("{s:s}", "error", why));
}

/* json is malloc'ed, and taken; NULL: there was no memory for it. */
static void reply_text(struct http_admin_reply *reply, char *json)
{
    if (json)
        http_admin_reply(reply, 200, json, strlen(json));
    else
        reply_error(reply, 503, "out of memory");
    free(json);
}

/* A change was asked for: its own answer comes later, unless it was refused. */
static void reply_refused(struct http_admin_reply *reply, int result, const char *why)
{
    if (result < 0)
        reply_error(reply, result == -EINVAL ? 422 : 503, result == -EINVAL ? why : "out of memory");
}

static void on_changed(void *user, int status, const char *json)
{
    http_admin_reply(user, status, json, strlen(json));
}

/* What a path names: all apps, one app, its settings, the CA bundle of outgoing requests, or who administers. */
enum target { NO_TARGET, APPS, APP, SETTINGS, EGRESS_CA, ADMINISTRATORS };

static enum target target_of(const char *path, char name[APP_NAME_MAX + 1])
{
    static const char settings[] = "/settings";
    size_t size = strlen(APPS_PATH);
    if (strcmp(path, EGRESS_CA_PATH) == 0)
        return EGRESS_CA;
    if (strcmp(path, ADMINISTRATORS_PATH) == 0)
        return ADMINISTRATORS;
    if (strncmp(path, APPS_PATH, size) != 0)
        return NO_TARGET;
    if (path[size] == 0)
        return APPS;
    const char *at = path + size + 1;
    size_t name_size = strcspn(at, "/?"), part_size = sizeof settings - 1;
    bool is_app = at[name_size] == 0 || at[name_size] == '?';
    bool is_settings = strncmp(at + name_size, settings, part_size) == 0 &&
                       (at[name_size + part_size] == 0 || at[name_size + part_size] == '?');
    if (path[size] != '/' || (!is_app && !is_settings))
        return NO_TARGET;
    /* A longer name is refused as any other that is none. */
    snprintf(name, APP_NAME_MAX + 1, "%.*s", (int)name_size, name_size <= APP_NAME_MAX ? at : "");
    return is_app ? APP : SETTINGS;
}

/* A reference of the caller's own. */
static struct administrators *administrators_in_force(void)
{
    struct generation *now = generations_current();
    struct administrators *a = administrators_ref(now->administrators);
    http_site_unref(&now->site);
    return a;
}

/* What a request takes, whether its method exists or not, and all that it is judged by; the administrators are a
 * reference of the caller's own. */
static struct authority_asked asked_of(const struct http_admin_request *r, enum target target)
{
    bool reads = strcmp(r->method, "GET") == 0, whole = target == EGRESS_CA || target == ADMINISTRATORS;
    return (struct authority_asked){.administrators = administrators_in_force(),
                                    .audience = identity_spki_sha256(),
                                    .method = r->method,
                                    .path = r->path,
                                    .authorization = r->authorization,
                                    .approvals = r->approvals,
                                    .approval_count = r->approval_count,
                                    .asked_s = r->asked_s,
                                    .needs = whole && !reads ? ADMIN_ROLE_ADMIN : ADMIN_ROLE_DEPLOY,
                                    .together = target == ADMINISTRATORS && !reads};
}

static int admit(struct http_admin_hook *hook, const struct http_admin_request *r, const char **why)
{
    static _Thread_local char text[AUTHORITY_WHY_SIZE]; /* until the caller has used it */
    (void)hook;
    char name[APP_NAME_MAX + 1];
    enum target target = target_of(r->path, name);
    *why = "no such route";
    if (target == NO_TARGET)
        return 404;
    struct authority_asked asked = asked_of(r, target);
    *why = text;
    int status = authority_admit(&asked, text);
    administrators_unref(asked.administrators);
    return status;
}

static const char *methods(struct http_admin_hook *hook, const char *path)
{
    static const char *const of[] = {[APPS] = "GET",
                                     [APP] = "PUT, DELETE",
                                     [SETTINGS] = "GET, PUT",
                                     [EGRESS_CA] = "GET, PUT, DELETE",
                                     [ADMINISTRATORS] = "GET, PUT"};
    (void)hook;
    char name[APP_NAME_MAX + 1];
    return of[target_of(path, name)];
}

static void show_settings(const struct generation *g, const char *name, struct http_admin_reply *reply)
{
    char *json = apps_settings_json(g, name);
    if (json)
        http_admin_reply(reply, 200, json, strlen(json));
    else
        reply_error(reply, 404, "no app has that name");
    if (json)
        OPENSSL_clear_free(json, strlen(json));
}

/* A change's query, without the parameter that says that connections of the generation before are cut at once; NULL:
 * nothing is left of it. */
#define NOW "now=true"
struct query {
    char *rest; /* malloc'ed */
    bool now;
};

static int query_read(const char *path, struct query *out)
{
    const char *query = strchr(path, '?');
    *out = (struct query){0};
    if (!query)
        return 0;
    size_t size = strlen(++query), now = sizeof NOW - 1;
    out->now = size >= now && strcmp(query + size - now, NOW) == 0 && (size == now || query[size - now - 1] == '&');
    if (out->now)
        size -= size == now ? now : now + 1;
    if (out->now && size == 0)
        return 0;
    out->rest = strndup(query, size);
    return out->rest ? 0 : -ENOMEM;
}

static void push(struct worker *worker, const char *name, const struct query *query, const struct http_admin_request *r,
                 struct http_admin_reply *reply)
{
    char why[200];
    struct app_push p = {.name = name, .size = r->body_size, .publication = r->publication, .now = query->now};
    if (rule_wish_read(query->rest, &p.wish, why, sizeof why) < 0) {
        reply_error(reply, 422, why);
        return;
    }
    p.wasm = http_admin_take_body(reply);
    reply_refused(reply, app_push(worker, &p, on_changed, reply), why);
}

static void handle_app(struct worker *worker, enum target target, const char *name, const struct query *query,
                       const struct http_admin_request *r, struct http_admin_reply *reply)
{
    bool put = !strcmp(r->method, "PUT");
    char why[200] = "";
    if (!deployed_name_ok(name, strlen(name)))
        reply_error(reply, 400, "an app's name is 1 to 63 letters, digits, '-' or '_', and not a path of the server");
    else if (put && target == APP)
        push(worker, name, query, r, reply);
    else if (r->publication || query->rest || (query->now && !strcmp(r->method, "GET")))
        reply_error(reply, 400, "a rule and a publication come with an app's code, and with nothing else");
    else if (put)
        reply_refused(
            reply,
            app_set(worker, name, query->now, (const char *)r->body, r->body_size, on_changed, reply, why, sizeof why),
            why);
    else if (target == APP && !strcmp(r->method, "DELETE"))
        reply_refused(reply, app_remove(worker, name, query->now, on_changed, reply), why);
    else if (target == SETTINGS && !strcmp(r->method, "GET"))
        show_settings(generation_of(r->site), name, reply);
    else
        reply_error(reply, 405, "method not allowed");
}

static void handle_app_query(struct worker *worker, enum target target, const char *name,
                             const struct http_admin_request *r, struct http_admin_reply *reply)
{
    struct query query;
    if (query_read(r->path, &query) == 0)
        handle_app(worker, target, name, &query, r, reply);
    else
        reply_error(reply, 503, "out of memory");
    free(query.rest);
}

static void show_egress_ca(const struct egress_trust *trust, struct http_admin_reply *reply)
{
    char text[65];
    if (!trust) {
        reply_error(reply, 404, "there is no CA bundle: no app can connect anywhere");
        return;
    }
    hex_text(trust->sha256, 32, text);
    http_admin_reply_value(reply, 200, json_pack("{s:s}", "sha256", text));
}

static void set_egress_ca(struct worker *worker, const void *pem, size_t size, struct http_admin_reply *reply)
{
    char why[200] = "";
    int result = egress_trust_set(worker, pem, size, on_changed, reply, why, sizeof why);
    reply_refused(reply, result, why);
}

static void handle_egress_ca(struct worker *worker, const struct http_admin_request *r, struct http_admin_reply *reply)
{
    if (!strcmp(r->method, "PUT") && r->body_size > 0)
        set_egress_ca(worker, r->body, r->body_size, reply);
    else if (!strcmp(r->method, "PUT"))
        reply_error(reply, 422, "the bundle is empty; to trust nobody, remove it");
    else if (!strcmp(r->method, "DELETE"))
        set_egress_ca(worker, NULL, 0, reply);
    else if (!strcmp(r->method, "GET"))
        show_egress_ca(generation_of(r->site)->trust, reply);
    else
        reply_error(reply, 405, "PUT a PEM bundle, GET its hash, or DELETE it");
}

static void handle_administrators(struct worker *worker, const struct http_admin_request *r,
                                  struct http_admin_reply *reply)
{
    char why[ADMINISTRATORS_WHY_SIZE];
    if (!strcmp(r->method, "PUT"))
        reply_refused(reply, administrators_set(worker, r->body, r->body_size, on_changed, reply, why), why);
    else if (!strcmp(r->method, "GET"))
        reply_text(reply, administrators_json(generation_of(r->site)->administrators));
    else
        reply_error(reply, 405, "PUT the whole list, or GET it");
}

/* By the administrators in force. 0: who asked is kept with the reply, for when a change's turn comes; or a status. */
static int authorize(const struct http_admin_request *r, enum target target, struct http_admin_reply *reply,
                     char why[AUTHORITY_WHY_SIZE])
{
    struct authors *authors = calloc(1, sizeof *authors);
    snprintf(why, AUTHORITY_WHY_SIZE, "out of memory");
    if (!authors)
        return 503;
    struct authority_asked asked = asked_of(r, target);
    int status = authority_use(&asked, r->body, r->body_size, authors, why);
    administrators_unref(asked.administrators);
    http_admin_keep(reply, authors);
    return status;
}

/* For change_judge_by: user is the reply, as of every change that is asked for here. */
static bool still_may(const void *user, char *why, size_t why_size)
{
    struct administrators *now = administrators_in_force();
    char text[AUTHORITY_WHY_SIZE];
    bool may = authors_still_may(http_admin_kept(user), now, text);
    administrators_unref(now);
    if (!may)
        snprintf(why, why_size, "%s", text);
    return may;
}

static void handle(struct http_admin_hook *hook, struct worker *worker, const struct http_admin_request *r,
                   struct http_admin_reply *reply)
{
    (void)hook;
    char name[APP_NAME_MAX + 1], why[AUTHORITY_WHY_SIZE];
    enum target target = target_of(r->path, name);
    int status = authorize(r, target, reply, why);
    if (status)
        reply_error(reply, status, why);
    else if (target == ADMINISTRATORS)
        handle_administrators(worker, r, reply);
    else if (target == EGRESS_CA)
        handle_egress_ca(worker, r, reply);
    else if (target != APPS)
        handle_app_query(worker, target, name, r, reply);
    else if (!strcmp(r->method, "GET"))
        reply_text(reply, apps_list_json(generation_of(r->site)));
    else
        reply_error(reply, 405, "method not allowed");
}

static struct http_admin_hook hook = {.admit = admit, .methods = methods, .handle = handle};

struct http_admin_hook *admin_hook(void)
{
    change_judge_by(still_may);
    return &hook;
}

bool admin_authorize_monitoring(void *user, const char *method, const char *path, const char *authorization)
{
    (void)user;
    struct authority_asked asked = {.administrators = administrators_in_force(),
                                    .audience = identity_spki_sha256(),
                                    .method = method,
                                    .path = path,
                                    .authorization = authorization,
                                    .asked_s = time(NULL)};
    bool may = authority_may_monitor(&asked);
    administrators_unref(asked.administrators);
    return may;
}
