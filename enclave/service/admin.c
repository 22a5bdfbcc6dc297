/* See admin.h. */
#include "enclave/service/admin.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/hex.h"
#include "enclave/secrets/jwt.h"
#include "enclave/service/app_changes.h"
#include "enclave/service/apps.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/trust.h"
#include "enclave/service/trust_change.h"
#include "enclave/https/http.h"
#include "enclave/service/identity.h"
#include "enclave/wasm/app.h"

#define APPS_PATH "/_enclave/apps"
#define EGRESS_CA_PATH "/_enclave/egress-ca"
#define USED_MAX 65536u
#define MONITORING_MAX 4096u

/* Tokens used since boot, by the hash of their jti. A token of an earlier boot names another audience, and the clock
 * is the host's: so none is ever forgotten, and when the table is full nothing more is administered. */
static pthread_mutex_t used_lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t (*used)[16];
static size_t used_count, used_capacity;

static bool use_once(const char *jti)
{
    uint8_t hash[32];
    SHA256((const uint8_t *)jti, strlen(jti), hash);
    bool fresh = strlen(jti) >= 16;
    pthread_mutex_lock(&used_lock);
    for (size_t i = 0; i < used_count && fresh; i++)
        fresh = memcmp(used[i], hash, 16) != 0;
    if (fresh && used_count == used_capacity) {
        size_t capacity = used_capacity ? 2 * used_capacity : 64;
        void *grown = capacity <= USED_MAX ? realloc(used, capacity * sizeof *used) : NULL;
        fresh = grown != NULL;
        if (grown) {
            used = grown;
            used_capacity = capacity;
        }
    }
    if (fresh)
        memcpy(used[used_count++], hash, 16);
    pthread_mutex_unlock(&used_lock);
    return fresh;
}

/* A valid token for this enclave and boot; everything else is the caller's to check. */
static const char *verify_token(const char *authorization, int64_t asked_s, struct jwt_claims *claims)
{
    struct jwt_key key;
    char audience[65];
    key.spki = identity_admin_key(&key.size);
    if (strncasecmp(authorization, "Bearer ", 7) != 0)
        return "no bearer token";
    const char *token = authorization + 7;
    switch (jwt_verify(token, strlen(token), &key, key.size ? 1 : 0, asked_s, claims)) {
    case 0:
        break;
    case -EACCES:
        return "the token is not signed by the admin key";
    case -ETIME:
        return "the token has expired, is from the future, or is valid for too long";
    default:
        return "the token is malformed";
    }
    hex_text(identity_spki_sha256(), 32, audience);
    return CRYPTO_memcmp(claims->audience, audience, 65) == 0 ? NULL : "the token is for another enclave or boot (aud)";
}

/* All but the body. Time is judged as it was when the head came, however long the body takes. */
static const char *check_head(const struct http_admin_request *r, struct jwt_claims *claims)
{
    const char *why = verify_token(r->authorization, r->asked_s, claims);
    if (!why && claims->scope[0])
        why = "the token is for monitoring alone (scope)";
    if (!why && (strcmp(claims->method, r->method) != 0 || strcmp(claims->path, r->path) != 0))
        why = "the token is for another request (method, path)";
    return why;
}

static const char *authorize(const struct http_admin_request *r)
{
    struct jwt_claims claims;
    const char *why = check_head(r, &claims);
    if (why)
        return why;
    uint8_t hash[32];
    char body[65];
    SHA256(r->body, r->body_size, hash);
    hex_text(hash, 32, body);
    if (strcmp(claims.body_sha256, body) != 0)
        return "the token is for another body (body_sha256)";
    return use_once(claims.jti) ? NULL : "the token was used before (jti)";
}

static void reply_error(struct http_admin_reply *reply, int status, const char *why)
{
    json_t *body = json_pack("{s:s}", "error", why);
    char *text = json_dumps(body, JSON_COMPACT);
    http_admin_reply(reply, status, text ? text : "{}", text ? strlen(text) : 2);
    free(text);
    json_decref(body);
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

static void list(const struct generation *g, struct http_admin_reply *reply)
{
    char *json = apps_list_json(g);
    if (json)
        http_admin_reply(reply, 200, json, strlen(json));
    else
        reply_error(reply, 503, "out of memory");
    free(json);
}

/* What a path names: the list of apps, one app, its settings, or the CA bundle of outgoing requests. */
enum target { NO_TARGET, APPS, APP, SETTINGS, EGRESS_CA };

static enum target target_of(const char *path, char name[APP_NAME_MAX + 1])
{
    static const char settings[] = "/settings";
    size_t size = strlen(APPS_PATH);
    if (strcmp(path, EGRESS_CA_PATH) == 0)
        return EGRESS_CA;
    if (strncmp(path, APPS_PATH, size) != 0)
        return NO_TARGET;
    if (path[size] == 0)
        return APPS;
    const char *at = path + size + 1;
    size_t name_size = strcspn(at, "/");
    if (path[size] != '/' || (at[name_size] && strcmp(at + name_size, settings) != 0))
        return NO_TARGET;
    /* A longer name is refused as any other that is none. */
    snprintf(name, APP_NAME_MAX + 1, "%.*s", (int)name_size, name_size <= APP_NAME_MAX ? at : "");
    return at[name_size] ? SETTINGS : APP;
}

static int admit(struct http_admin_hook *hook, const struct http_admin_request *r, const char **why)
{
    (void)hook;
    size_t key_size;
    struct jwt_claims claims;
    char name[APP_NAME_MAX + 1];
    identity_admin_key(&key_size);
    if (target_of(r->path, name) == NO_TARGET) {
        *why = "no such route";
        return 404;
    }
    if (key_size == 0) {
        *why = "this enclave was first booted without an admin key: nobody may administer it. Begin anew with an empty "
               "--data folder and --admin-key";
        return 403;
    }
    *why = check_head(r, &claims);
    return *why ? 401 : 0;
}

static const char *methods(struct http_admin_hook *hook, const char *path)
{
    static const char *const of[] = {
        [APPS] = "GET", [APP] = "PUT, DELETE", [SETTINGS] = "GET, PUT", [EGRESS_CA] = "GET, PUT, DELETE"};
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

static void handle_app(struct worker *worker, enum target target, const char *name, const struct http_admin_request *r,
                       struct http_admin_reply *reply)
{
    bool put = !strcmp(r->method, "PUT");
    char why[200] = "";
    if (!deployed_name_ok(name, strlen(name)))
        reply_error(reply, 400, "an app's name is 1 to 63 letters, digits, '-' or '_', and not a path of the server");
    else if (put && target == APP)
        reply_refused(reply, app_push(worker, name, http_admin_take_body(reply), r->body_size, on_changed, reply), why);
    else if (put)
        reply_refused(
            reply, app_set(worker, name, (const char *)r->body, r->body_size, on_changed, reply, why, sizeof why), why);
    else if (target == APP && !strcmp(r->method, "DELETE"))
        reply_refused(reply, app_remove(worker, name, on_changed, reply), why);
    else if (target == SETTINGS && !strcmp(r->method, "GET"))
        show_settings(generation_of(r->site), name, reply);
    else
        reply_error(reply, 405, "method not allowed");
}

static void show_egress_ca(const struct egress_trust *trust, struct http_admin_reply *reply)
{
    char text[65], json[128];
    if (!trust) {
        reply_error(reply, 404, "there is no CA bundle: no app can connect anywhere");
        return;
    }
    hex_text(trust->sha256, 32, text);
    http_admin_reply(reply, 200, json, (size_t)snprintf(json, sizeof json, "{\"sha256\":\"%s\"}", text));
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

static void handle(struct http_admin_hook *hook, struct worker *worker, const struct http_admin_request *r,
                   struct http_admin_reply *reply)
{
    (void)hook;
    char name[APP_NAME_MAX + 1];
    enum target target = target_of(r->path, name);
    const char *why = authorize(r);
    if (why)
        reply_error(reply, 401, why);
    else if (target == EGRESS_CA)
        handle_egress_ca(worker, r, reply);
    else if (target != APPS)
        handle_app(worker, target, name, r, reply);
    else if (!strcmp(r->method, "GET"))
        list(generation_of(r->site), reply);
    else
        reply_error(reply, 405, "method not allowed");
}

static struct http_admin_hook hook = {.admit = admit, .methods = methods, .handle = handle};

struct http_admin_hook *admin_hook(void)
{
    return &hook;
}

/* Tokens for monitoring come for ever, so they are remembered only until they expire: time does not go back inside
 * (sgx/trusted/time.c), so what was forgotten stays expired. More than these in ten minutes are refused. */
static struct {
    uint8_t hash[16];
    int64_t until_s;
} seen[MONITORING_MAX];

static bool see_once(const struct jwt_claims *claims, int64_t now_s)
{
    uint8_t hash[32];
    SHA256((const uint8_t *)claims->jti, strlen(claims->jti), hash);
    bool fresh = strlen(claims->jti) >= 16;
    size_t free_at = MONITORING_MAX;
    pthread_mutex_lock(&used_lock);
    for (size_t i = 0; i < MONITORING_MAX && fresh; i++) {
        if (seen[i].until_s < now_s)
            free_at = i;
        else
            fresh = memcmp(seen[i].hash, hash, sizeof seen[i].hash) != 0;
    }
    fresh = fresh && free_at < MONITORING_MAX;
    if (fresh) {
        memcpy(seen[free_at].hash, hash, sizeof seen[free_at].hash);
        seen[free_at].until_s = claims->expires_at + JWT_LEEWAY_S;
    }
    pthread_mutex_unlock(&used_lock);
    return fresh;
}

bool admin_authorize_monitoring(void *user, const char *method, const char *path, const char *authorization)
{
    (void)user;
    struct jwt_claims claims;
    uint8_t hash[32];
    char nothing[65];
    int64_t now_s = time(NULL);
    SHA256((const uint8_t *)"", 0, hash);
    hex_text(hash, 32, nothing);
    return verify_token(authorization, now_s, &claims) == NULL && strcmp(claims.scope, "monitoring") == 0 &&
           strcmp(claims.method, method) == 0 && strcmp(claims.path, path) == 0 &&
           strcmp(claims.body_sha256, nothing) == 0 && see_once(&claims, now_s);
}
