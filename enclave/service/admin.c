/* See admin.h. */
#include "enclave/service/admin.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/hex.h"
#include "enclave/service/acme_change.h"
#include "enclave/service/administrators_change.h"
#include "enclave/service/app_changes.h"
#include "enclave/service/apps.h"
#include "enclave/service/authority.h"
#include "enclave/service/change_query.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/trust.h"
#include "enclave/service/trust_change.h"
#include "enclave/service/witness_change.h"
#include "enclave/https/http.h"
#include "enclave/service/identity.h"
#include "enclave/service/issuer_change.h"
#include "enclave/service/recovery_change.h"
#include "enclave/service/rule.h"
#include "enclave/service/salvage.h"
#include "enclave/service/upgrade_rule_change.h"
#include "enclave/wasm/app.h"

#define APPS_PATH "/_enclave/apps"
#define EGRESS_CA_PATH "/_enclave/egress-ca"
#define ISSUER_PATH "/_enclave/issuer"
#define ACME_PATH "/_enclave/acme"
#define ADMINISTRATORS_PATH "/_enclave/administrators"
#define RECOVERY_PATH "/_enclave/recovery"
#define UPGRADE_RULE_PATH "/_enclave/upgrade-rule"
#define HAND_OVER_PATH "/_enclave/hand-over"
#define WITNESSES_PATH "/_enclave/witnesses"
#define SALVAGE_PATH "/_enclave/salvage"

static void reply_error(struct http_admin_reply *reply, int status, const char *why)
{
    http_admin_reply_value(reply, status, json_pack("{s:s}", "error", why));
}

/* A change was asked for: its own answer comes later, unless it was refused. */
static void reply_refused(struct http_admin_reply *reply, int result, const char *why)
{
    if (result < 0)
        reply_error(reply, result == -EINVAL ? 422 : 503, result == -EINVAL ? why : "out of memory");
}

static void on_changed(void *user, int status, json_t *body)
{
    http_admin_reply_value(user, status, body);
}

/* Whoever asked, as authorize has kept it with the reply. */
static struct change_asker asker_of(struct worker *worker, struct http_admin_reply *reply,
                                    const struct change_query *query)
{
    return (struct change_asker){.worker = worker,
                                 .done = on_changed,
                                 .user = reply,
                                 .authors = http_admin_kept(reply),
                                 .now = query->now,
                                 .exclusive = query->exclusive};
}

/* What a path names: all apps, one app, its settings, the CA bundle of outgoing requests, who issues certificates,
 * which public CA does for names, who administers, which enclave may have the instance next, who can recover it, who
 * cosigns, what is lost, or that the instance be given to one that has shown itself. */
enum target {
    NO_TARGET,
    APPS,
    APP,
    SETTINGS,
    EGRESS_CA,
    ISSUER,
    ACME,
    ADMINISTRATORS,
    UPGRADE_RULE,
    RECOVERY,
    WITNESSES,
    SALVAGE,
    HAND_OVER
};

static bool path_is(const char *path, const char *wanted)
{
    size_t size = strlen(wanted);
    return strncmp(path, wanted, size) == 0 && (path[size] == 0 || path[size] == '?');
}

static enum target target_of(const char *path, char name[APP_NAME_MAX + 1])
{
    static const char settings[] = "/settings";
    size_t size = strlen(APPS_PATH);
    if (path_is(path, EGRESS_CA_PATH))
        return EGRESS_CA;
    if (path_is(path, ISSUER_PATH))
        return ISSUER;
    if (path_is(path, ACME_PATH))
        return ACME;
    if (path_is(path, ADMINISTRATORS_PATH))
        return ADMINISTRATORS;
    if (path_is(path, UPGRADE_RULE_PATH))
        return UPGRADE_RULE;
    if (path_is(path, RECOVERY_PATH))
        return RECOVERY;
    if (path_is(path, WITNESSES_PATH))
        return WITNESSES;
    if (path_is(path, HAND_OVER_PATH))
        return HAND_OVER;
    if (path_is(path, SALVAGE_PATH))
        return SALVAGE;
    if (strncmp(path, APPS_PATH, size) != 0)
        return NO_TARGET;
    if (path_is(path, APPS_PATH))
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

/* Whether it asks for a rule that binds administrators from then on. */
static bool fixes(const char *path)
{
    for (const char *at = strchr(path, '?'); at; at = strchr(at + 1, '&'))
        if (strncmp(at + 1, "rule=", 5) == 0 && strcmp(at + 6, "operator") != 0 && strncmp(at + 6, "operator&", 9) != 0)
            return true;
    return false;
}

/* Whether as many admins as the threshold says change it. */
static bool is_together(enum target target)
{
    return target == ADMINISTRATORS || target == UPGRADE_RULE || target == RECOVERY || target == WITNESSES ||
           target == SALVAGE || target == HAND_OVER;
}

/* What a request takes, whether its method exists or not, and all that it is judged by; the administrators are a
 * reference of the caller's own. */
static struct authority_asked asked_of(const struct http_admin_request *r, enum target target)
{
    bool reads = strcmp(r->method, "GET") == 0, together = is_together(target);
    bool whole = target == EGRESS_CA || target == ISSUER || target == ACME || together;
    return (struct authority_asked){.administrators = administrators_in_force(),
                                    .audience = identity_spki_sha256(),
                                    .method = r->method,
                                    .path = r->path,
                                    .authorization = r->authorization,
                                    .approvals = r->approvals,
                                    .approval_count = r->approval_count,
                                    .publication = r->publication,
                                    .asked_s = r->asked_s,
                                    .needs = whole && !reads ? ADMIN_ROLE_ADMIN : ADMIN_ROLE_DEPLOY,
                                    .together = reads                             ? AUTHORITY_ALONE
                                                : together                        ? AUTHORITY_TOGETHER
                                                : target == APP && fixes(r->path) ? AUTHORITY_RULES
                                                                                  : AUTHORITY_ALONE};
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
                                     [ISSUER] = "GET, PUT, DELETE",
                                     [ACME] = "GET, PUT, DELETE",
                                     [ADMINISTRATORS] = "GET, PUT",
                                     [UPGRADE_RULE] = "GET, PUT",
                                     [RECOVERY] = "GET, PUT",
                                     [WITNESSES] = "GET, PUT",
                                     [SALVAGE] = "GET, PUT",
                                     [HAND_OVER] = "GET, POST"};
    (void)hook;
    char name[APP_NAME_MAX + 1];
    return of[target_of(path, name)];
}

static void show_settings(const struct generation *g, const char *name, struct http_admin_reply *reply)
{
    int error;
    json_t *settings = apps_settings_json(g, name, &error);
    if (error == -ENOENT)
        reply_error(reply, 404, "no app has that name");
    else
        http_admin_reply_value(reply, 200, settings);
}

static void push(const struct change_asker *asker, const char *name, const struct change_query *query,
                 const struct http_admin_request *r, struct http_admin_reply *reply)
{
    char why[200];
    struct app_push p = {.name = name, .size = r->body_size, .publication = r->publication};
    if (rule_wish_read(query->rest, &p.wish, why, sizeof why) < 0) {
        reply_error(reply, 422, why);
        return;
    }
    p.wasm = http_admin_take_body(reply);
    reply_refused(reply, app_push(asker, &p), why);
}

static void handle_app(const struct change_asker *asker, enum target target, const char *name,
                       const struct change_query *query, const struct http_admin_request *r,
                       struct http_admin_reply *reply)
{
    bool put = !strcmp(r->method, "PUT");
    char why[200] = "";
    if (!deployed_name_ok(name, strlen(name)))
        reply_error(reply, 400, "an app's name is 1 to 63 letters, digits, '-' or '_', and not a path of the server");
    else if (put && target == APP)
        push(asker, name, query, r, reply);
    else if (r->publication || query->rest)
        reply_error(reply, 400, "a rule and a publication come with an app's code, and with nothing else");
    else if (put)
        reply_refused(reply, app_set(asker, name, (const char *)r->body, r->body_size, why, sizeof why), why);
    else if (target == APP && !strcmp(r->method, "DELETE"))
        reply_refused(reply, app_remove(asker, name), why);
    else if (target == SETTINGS && !strcmp(r->method, "GET"))
        show_settings(generation_of(r->site), name, reply);
    else
        reply_error(reply, 405, "method not allowed");
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

static void set_egress_ca(const struct change_asker *asker, const void *pem, size_t size,
                          struct http_admin_reply *reply)
{
    char why[200] = "";
    reply_refused(reply, egress_trust_set(asker, pem, size, why, sizeof why), why);
}

static void handle_egress_ca(const struct change_asker *asker, const struct http_admin_request *r,
                             struct http_admin_reply *reply)
{
    if (!strcmp(r->method, "PUT") && r->body_size > 0)
        set_egress_ca(asker, r->body, r->body_size, reply);
    else if (!strcmp(r->method, "PUT"))
        reply_error(reply, 422, "the bundle is empty; to trust nobody, remove it");
    else if (!strcmp(r->method, "DELETE"))
        set_egress_ca(asker, NULL, 0, reply);
    else if (!strcmp(r->method, "GET"))
        show_egress_ca(generation_of(r->site)->trust, reply);
    else
        reply_error(reply, 405, "PUT a PEM bundle, GET its hash, or DELETE it");
}

static void handle_issuer(const struct change_asker *asker, const struct http_admin_request *r,
                          struct http_admin_reply *reply)
{
    char why[ISSUER_WHY_SIZE];
    bool put = !strcmp(r->method, "PUT");
    if (put && r->body_size == 0)
        reply_error(reply, 422, "it is empty; for the enclave's own CA, remove the one that was given");
    else if (put || !strcmp(r->method, "DELETE"))
        reply_refused(reply, issuer_set(asker, (const char *)r->body, put ? r->body_size : 0, why), why);
    else
        http_admin_reply_value(reply, 200, issuer_json(generation_of(r->site)->issuer));
}

static void handle_acme(const struct change_asker *asker, const struct http_admin_request *r,
                        struct http_admin_reply *reply)
{
    char why[ACME_SETTINGS_WHY_SIZE];
    const struct acme_settings *now = generation_of(r->site)->acme;
    bool put = !strcmp(r->method, "PUT");
    if (put && r->body_size == 0)
        reply_error(reply, 422, "it is empty; to have no public CA, remove the one there is");
    else if (put || !strcmp(r->method, "DELETE"))
        reply_refused(reply, acme_settings_set(asker, (const char *)r->body, put ? r->body_size : 0, why), why);
    else
        http_admin_reply_value(reply, 200, now ? json_deep_copy(now->json) : json_pack("{s:n}", "directory"));
}

static void handle_administrators(const struct change_asker *asker, const struct http_admin_request *r,
                                  struct http_admin_reply *reply)
{
    char why[ADMINISTRATORS_WHY_SIZE];
    if (!strcmp(r->method, "PUT"))
        reply_refused(reply, administrators_set(asker, r->body, r->body_size, why), why);
    else if (!strcmp(r->method, "GET"))
        http_admin_reply_value(reply, 200, administrators_json(generation_of(r->site)->administrators));
    else
        reply_error(reply, 405, "PUT the whole list, or GET it");
}

static void handle_upgrade_rule(const struct change_asker *asker, const struct http_admin_request *r,
                                struct http_admin_reply *reply)
{
    char why[UPGRADE_WHY_SIZE];
    if (!strcmp(r->method, "PUT"))
        reply_refused(reply, upgrade_rule_set(asker, r->body, r->body_size, why), why);
    else if (!strcmp(r->method, "GET"))
        http_admin_reply_value(reply, 200, upgrade_rule_json(generation_of(r->site)->upgrade_rule));
    else
        reply_error(reply, 405, "PUT the whole rule, or GET it");
}

static void handle_recovery(const struct change_asker *asker, const struct http_admin_request *r,
                            struct http_admin_reply *reply)
{
    char why[SHARING_WHY_SIZE];
    if (!strcmp(r->method, "PUT"))
        reply_refused(reply, recovery_set(asker, r->body, r->body_size, why), why);
    else if (!strcmp(r->method, "GET"))
        http_admin_reply_value(reply, 200, recovery_json(generation_of(r->site)->recovery));
    else
        reply_error(reply, 405, "PUT all of the holders and the threshold, or GET them");
}

static void handle_witnesses(const struct change_asker *asker, const struct http_admin_request *r,
                             struct http_admin_reply *reply)
{
    char why[WITNESS_WHY_SIZE];
    const struct witness_set *set = generation_of(r->site)->witnesses;
    if (!strcmp(r->method, "PUT"))
        reply_refused(reply, witnesses_set(asker, r->body, r->body_size, why), why);
    else if (!strcmp(r->method, "GET"))
        http_admin_reply_value(reply, 200, set ? witness_set_json(set) : json_pack("{s:[]}", "witnesses"));
    else
        reply_error(reply, 405, "PUT the whole set, or GET it");
}

static void on_listed(void *user, json_t *list)
{
    http_admin_reply_value(user, 200, list);
}

static void handle_salvage(const struct change_asker *asker, const struct http_admin_request *r,
                           struct http_admin_reply *reply)
{
    char why[SALVAGE_WHY_SIZE] = "";
    if (!strcmp(r->method, "PUT"))
        reply_refused(reply, salvage_give_up(asker, r->body, r->body_size, why), why);
    else if (!strcmp(r->method, "GET"))
        reply_refused(reply, salvage_list(asker->worker, on_listed, reply), why);
    else
        reply_error(reply, 405, "GET what is lost, or PUT which list of it is to be given up");
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

/* For change_judge_by. */
static bool still_may(const struct authors *authors, char *why, size_t why_size)
{
    struct administrators *now = administrators_in_force();
    char text[AUTHORITY_WHY_SIZE];
    bool may = authors_still_may(authors, now, text);
    administrators_unref(now);
    if (!may)
        snprintf(why, why_size, "%s", text);
    return may;
}

static admin_approve approve; /* boot fills them in */
static admin_show show_recipient;

static void handle_recipient(struct worker *worker, const char *query, struct http_admin_reply *reply)
{
    int refused;
    if (!show_recipient)
        reply_error(reply, 404, "no such route");
    else if ((refused = show_recipient(worker, query, on_changed, reply)) < 0)
        reply_refused(reply, refused, "expected ?recipient=HEX64: which one");
}

static void handle_hand_over(struct worker *worker, const struct http_admin_request *r, struct http_admin_reply *reply)
{
    int refused;
    if (strcmp(r->method, "POST") != 0)
        reply_error(reply, 405, "GET a recipient, or POST the one that is to have the instance");
    else if (!approve)
        reply_error(reply, 404, "no such route");
    else if ((refused = approve(worker, http_admin_kept(reply), r->body, r->body_size, on_changed, reply)) < 0)
        reply_refused(reply, refused, "expected {\"recipient\":HEX64}, perhaps with \"statements\":[JWS,...]");
}

void admin_hand_over_by(admin_approve by, admin_show show)
{
    approve = by;
    show_recipient = show;
}

/* By who may: only a push has a query of its own, beside what says how any change is made. */
static void handle_query(struct worker *worker, enum target target, const char *name, const struct change_query *query,
                         const struct http_admin_request *r, struct http_admin_reply *reply)
{
    const struct change_asker asker = asker_of(worker, reply, query);
    bool says_how = query->now || query->exclusive;
    if (says_how && (target == APPS || !strcmp(r->method, "GET")))
        reply_error(reply, 400, "nothing is changed by this: the query says how a change is made");
    else if (target == APP || target == SETTINGS)
        handle_app(&asker, target, name, query, r, reply);
    else if (target == HAND_OVER && !strcmp(r->method, "GET") && !r->publication)
        handle_recipient(worker, query->rest, reply);
    else if (query->rest || query->exclusive || r->publication)
        reply_error(reply, 400, "there is a query or a publication that says nothing here");
    else if (target == HAND_OVER)
        handle_hand_over(worker, r, reply);
    else if (target == ADMINISTRATORS)
        handle_administrators(&asker, r, reply);
    else if (target == UPGRADE_RULE)
        handle_upgrade_rule(&asker, r, reply);
    else if (target == RECOVERY)
        handle_recovery(&asker, r, reply);
    else if (target == WITNESSES)
        handle_witnesses(&asker, r, reply);
    else if (target == SALVAGE)
        handle_salvage(&asker, r, reply);
    else if (target == ISSUER)
        handle_issuer(&asker, r, reply);
    else if (target == ACME)
        handle_acme(&asker, r, reply);
    else if (target == EGRESS_CA)
        handle_egress_ca(&asker, r, reply);
    else if (!strcmp(r->method, "GET"))
        http_admin_reply_value(reply, 200, apps_list_json(generation_of(r->site)));
    else
        reply_error(reply, 405, "method not allowed");
}

static void handle(struct http_admin_hook *hook, struct worker *worker, const struct http_admin_request *r,
                   struct http_admin_reply *reply)
{
    (void)hook;
    char name[APP_NAME_MAX + 1], why[AUTHORITY_WHY_SIZE];
    struct change_query query;
    enum target target = target_of(r->path, name);
    int status = authorize(r, target, reply, why);
    if (status)
        reply_error(reply, status, why);
    else if (change_query_read(r->path, &query) < 0)
        reply_error(reply, 503, "out of memory");
    else
        handle_query(worker, target, name, &query, r, reply);
    if (!status)
        free(query.rest);
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
