/*
 * What is attested is what answers: generations, changes and certificates as they are, over a host that refuses,
 * delays, reorders, replays and forges (testing/played.h), and kills. Clients connect and ask all the while, and judge
 * by what they see alone:
 *
 *     - whatever answers on a connection, code, settings, egress trust, is what the certificate of its handshake names;
 *     - where the settings give an app a name of its own, a certificate of that generation is there for it, else none;
 *     - a number means one content, for ever, also over restarts; who connects after a change was acknowledged sees
 *       its number, or a later one;
 *     - a certificate's log is on disk, no size of it has two roots, and a later generation's is longer;
 *     - who was revoked, or is too few, changes nothing, and who may is not refused for it;
 *     - what a number stands for is what there was before and the change that was answered with it: no acknowledged
 *       change is lost, and none that was refused is ever seen. One whose answer was lost to a kill may be either.
 *
 *     generations_test [SEED [HISTORIES]]
 *
 * A history is one store, with as many enclaves after one another as it takes: each boots, goes through schedules, and
 * is stopped or killed. SEED is the first history's; that of one that failed is printed.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/budget/budget.h"
#include "enclave/https/http.h"
#include "enclave/merkle/merkle.h"
#include "enclave/service/administrators.h"
#include "enclave/service/administrators_change.h"
#include "enclave/service/upgrade_rule.h"
#include "enclave/service/app_changes.h"
#include "enclave/service/apps.h"
#include "enclave/service/authority.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/system.h"
#include "enclave/service/testing/played.h"
#include "enclave/service/trust.h"
#include "enclave/service/trust_change.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"

#define APPS 3u
#define VALUES 4u /* of codes, settings and bundles: few, so that things come back to what they were */
#define NUMBERS 2048u
#define LOG_MAX 4096u /* entries of a history's log */
#define WISHES 6u
#define ENCLAVES 10u  /* of a history */
#define SCHEDULES 10u /* of an enclave */

/* Who may administer: one of few lists of the same keys, so that they come and go. */
#define KEYS 3u
#define LISTS (VALUES + 1u)
static const struct list {
    uint32_t threshold;
    const char *roles[KEYS]; /* NULL: it is not in the list */
} lists[LISTS] = {{1, {"admin"}},
                  {1, {"admin", "admin", "deploy"}},
                  {2, {"admin", "admin"}},
                  {2, {"admin", "admin", "admin"}},
                  {1, {"deploy", "admin", "monitor"}}};
static const char *const keys[KEYS] = {"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAESbtH4d4UNIu3e4+7ig1dK+1vQR+W\\n"
                                       "0VxWLNhuCl8jDxaSZLBB8nynrLkMq5dazFhHmdxhG7V46HOJjmUyjn59bQ==",
                                       "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIb6eHE6vlIFPwx9ml3mIFdqV+X4n\\n"
                                       "4yiObh5lyTqlgNm7D0JH1m+hewRe8nKzcZNzV7fucvMpY0lJZL01YUDEYg==",
                                       "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEtKjbe2ughGbL5KIkexyurof8MP16\\n"
                                       "6Aqc5c6BjuX8rntk19WIrnQ2FUiBAaMiJ5cTkLhKcM8tOqWckAqrmGezJw=="};
static uint8_t thumbprints[KEYS][32];
static struct administrators *first_administrators;

/* 0: none; of administrators the list of first boot. */
struct content {
    uint8_t code[APPS], setting[APPS], trust, administrators;
};

struct wish {
    enum { PUSH, SET, REMOVE, TRUST, ADMINISTER, KINDS } kind;
    uint8_t app, value;
    bool now, exclusive;
    uint8_t first, approvals; /* of keys: who asks, and how many behind it approve */
    struct authors authors;
    int status; /* 0: not answered */
    uint64_t number;
};

/* What there was to be seen of a generation. */
struct seen {
    bool any, setting_known[APPS];
    uint8_t root[32], settings_digest[APPS][32];
    struct content content;
    unsigned threshold;
    char roles[KEYS][8]; /* as the leaves say; empty: none */
};

/* Shared by all enclaves of a history. */
static struct world {
    struct played_store store;
    struct content content; /* acknowledged */
    uint64_t number, acknowledged, most_seen;
    struct wish wishes[WISHES];
    size_t wish_count;
    struct seen seen[NUMBERS];
    uint8_t log_roots[LOG_MAX][32]; /* that were seen, by size */
    uint64_t log_of[LOG_MAX];       /* the generation that a size was seen with first */
    uint32_t limits;
    struct {
        uint64_t schedules, made, refused, lost, boots, boots_refused, killed, connections, requests, renewals;
    } total;
} * world;

static uint64_t seed;

static _Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));
static _Noreturn void broken(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (seed %" PRIu64 ")\n", seed);
    _exit(1);
}

/* ---- what a client sees ------------------------------------------------------------------------------------------ */

/* Which of the few that there are has this hash: its number, or 0. */
static uint8_t known(const char *format, const uint8_t sha256[32])
{
    for (unsigned i = 1; i <= VALUES; i++) {
        char text[16];
        uint8_t hash[32];
        snprintf(text, sizeof text, format, i);
        SHA256((const uint8_t *)text, strlen(text), hash);
        if (memcmp(hash, sha256, 32) == 0)
            return (uint8_t)i;
    }
    return 0;
}

static void learn_leaf(struct seen *s, const char *label, const uint8_t *value, size_t size, uint64_t number)
{
    uint64_t told = 0;
    for (unsigned a = 0; a < APPS; a++) {
        char app[16], settings[16];
        snprintf(app, sizeof app, "app:a%u", a);
        snprintf(settings, sizeof settings, "settings:a%u", a);
        if (strcmp(label, app) == 0 && size == 32)
            s->content.code[a] = known("code%u", value);
        if (strcmp(label, settings) == 0 && size == 32)
            memcpy(s->settings_digest[a], value, 32);
    }
    if (strcmp(label, "egress-ca") == 0 && size == 32)
        s->content.trust = known("bundle%u", value);
    if (strcmp(label, "administrators") == 0)
        s->threshold = size == 11 ? value[10] - '0' : 0;
    for (unsigned k = 0; k < KEYS && strncmp(label, "admin:", 6) == 0; k++) {
        char thumbprint[65];
        hex_text(thumbprints[k], 32, thumbprint);
        if (strcmp(label + 6, thumbprint) == 0)
            snprintf(s->roles[k], sizeof s->roles[k], "%s", (const char *)value);
    }
    for (size_t i = 0; i < 8 && size == 8; i++)
        told = told << 8 | value[i];
    if (strcmp(label, "generation") == 0 && told != number)
        broken("the manifest of generation %" PRIu64 " says %" PRIu64, number, told);
}

/* Which list these leaves are. */
static uint8_t administrators_shown(const struct seen *s)
{
    for (uint8_t i = 0; i < LISTS; i++) {
        bool same = s->threshold == lists[i].threshold;
        for (unsigned k = 0; k < KEYS; k++)
            same = same && strcmp(s->roles[k], lists[i].roles[k] ? lists[i].roles[k] : "") == 0;
        if (same)
            return i;
    }
    broken("administrators whom nobody has wished for, threshold %u", s->threshold);
}

/* The manifest of a connection: its root is the certificate's. */
static void learn(struct seen *s, uint64_t number, const uint8_t root[32])
{
    struct merkle merkle = {0};
    uint8_t found[32];
    json_t *manifest = json_loads(played_body, 0, NULL), *leaf;
    size_t i;
    json_array_foreach(json_object_get(manifest, "leaves"), i, leaf)
    {
        uint8_t bytes[1024];
        const char *label = json_string_value(json_object_get(leaf, "label"));
        const char *value = json_string_value(json_object_get(leaf, "value"));
        size_t label_size = strlen(label) + 1, size = strlen(value) / 2;
        if (label_size + size > sizeof bytes)
            broken("a leaf is too long");
        memcpy(bytes, label, label_size);
        for (size_t b = 0; b < size; b++)
            bytes[label_size + b] = (uint8_t)strtoul((char[]){value[2 * b], value[2 * b + 1], 0}, NULL, 16);
        ENSURE(merkle_add(&merkle, bytes, label_size + size) == 0);
        learn_leaf(s, label, bytes + label_size, size, number);
    }
    merkle_root(&merkle, found);
    merkle_free(&merkle);
    json_decref(manifest);
    s->content.administrators = administrators_shown(s);
    if (memcmp(found, root, 32) != 0)
        broken("the manifest of generation %" PRIu64 " has another root than its certificate", number);
}

static struct seen *seen_of(uint64_t number)
{
    if (number == 0 || number >= NUMBERS)
        broken("a certificate of generation %" PRIu64, number);
    return &world->seen[number];
}

/* The log that its handshake showed. */
static void look_at_log(const struct played_certificate *c)
{
    static const uint8_t none[32];
    uint64_t size = c->log.size;
    if (size == 0 || size >= LOG_MAX || size > played_head().size)
        broken("a log of %" PRIu64 " entries, of which %" PRIu64 " are on disk", size, played_head().size);
    if (memcmp(world->log_roots[size], none, 32) != 0 && memcmp(world->log_roots[size], c->log.root, 32) != 0)
        broken("two logs of %" PRIu64 " entries", size);
    memcpy(world->log_roots[size], c->log.root, 32);
    for (uint64_t i = size; i > 0; i--) /* no shorter one shows a later generation */
        if (world->log_of[i] > c->generation)
            broken("generation %" PRIu64 " shows a longer log than %" PRIu64, c->generation, world->log_of[i]);
    if (world->log_of[size] == 0)
        world->log_of[size] = c->generation;
}

/* What its handshake showed, and what is told on it. */
static struct seen *look(struct connection *c)
{
    static char *manifests[NUMBERS];
    uint64_t number = c->certificate->generation;
    struct seen *s = seen_of(number);
    look_at_log(c->certificate);
    if (played_ask(c, "/_enclave/manifest") != 200)
        broken("no manifest of generation %" PRIu64, number);
    if (s->any && memcmp(s->root, c->certificate->root, 32) != 0)
        broken("two roots of generation %" PRIu64, number);
    if (!manifests[number] || strcmp(manifests[number], played_body) != 0) {
        learn(s, number, c->certificate->root);
        free(manifests[number]);
        manifests[number] = strdup(played_body);
    }
    memcpy(s->root, c->certificate->root, 32);
    s->any = true;
    if (number > world->most_seen)
        world->most_seen = number;
    return s;
}

static uint8_t trust_shown(bool any, const uint8_t sha256[32])
{
    return any ? known("bundle%u", sha256) : 0;
}

/* An app on it. */
static void ask(struct connection *c, unsigned a)
{
    static const uint8_t none[32];
    struct seen *s = look(c);
    struct played_answer answer;
    char path[16], code[16];
    uint64_t number = c->certificate->generation;
    snprintf(path, sizeof path, "/a%u/x", a);
    int status = played_ask(c, path);
    world->total.requests++;
    if (status != (s->content.code[a] ? 200 : 404))
        broken("status %d of a%u, code %u of generation %" PRIu64, status, a, s->content.code[a], number);
    if (trust_shown(c->certificate->has_trust, c->certificate->trust) != s->content.trust)
        broken("the bundle of the certificate is not the manifest's");
    if (status != 200)
        return;
    ENSURE(played_body_size == sizeof answer);
    memcpy(&answer, played_body, sizeof answer);
    snprintf(code, sizeof code, "code%u", s->content.code[a]);
    if (strcmp(answer.code, code) != 0)
        broken("%s answers in generation %" PRIu64 " instead of %s", answer.code, number, code);
    if (trust_shown(answer.has_trust, answer.trust) != s->content.trust)
        broken("another bundle than generation %" PRIu64 "'s", number);
    bool set = memcmp(s->settings_digest[a], none, 32) != 0;
    if (set != (answer.setting[0] != 0) || (set && memcmp(s->settings_digest[a], answer.settings_digest, 32) != 0))
        broken("a%u's settings are not generation %" PRIu64 "'s", a, number);
    if (set != ((c->certificate->names & 1u << a) != 0))
        broken("a%u's name has %s certificate in generation %" PRIu64, a, set ? "no" : "a", number);
    uint8_t setting = (uint8_t)strtoul(answer.setting, NULL, 10);
    if (s->setting_known[a] && s->content.setting[a] != setting)
        broken("a%u has had two settings in generation %" PRIu64, a, number);
    s->content.setting[a] = setting;
    s->setting_known[a] = true;
}

static struct connection *client(uint32_t worker)
{
    static uint64_t last[PLAYED_WORKERS];
    struct connection *c = played_connect(worker);
    if (!c)
        return NULL;
    uint64_t number = c->certificate->generation;
    world->total.connections++;
    if (number < world->acknowledged || number < last[worker])
        broken("a new connection to generation %" PRIu64 ", behind %" PRIu64 " and %" PRIu64, number,
               world->acknowledged, last[worker]);
    last[worker] = number;
    look(c);
    return c;
}

/* ---- what was asked for, and what must have come of it ----------------------------------------------------------- */

static bool applies(const struct content *c, const struct wish *w)
{
    return w->kind == PUSH || w->kind == TRUST || w->kind == ADMINISTER || c->code[w->app];
}

/* By the roles that are in force when its turn comes. */
static bool may(const struct content *c, const struct wish *w)
{
    const struct list *list = &lists[c->administrators];
    const char *role = list->roles[w->first];
    unsigned admins = 0;
    for (unsigned i = 0; i <= w->approvals; i++) {
        const char *one = list->roles[(w->first + i) % KEYS];
        admins += one && strcmp(one, "admin") == 0;
    }
    if (w->kind == ADMINISTER && admins < list->threshold)
        return false;
    return role && (strcmp(role, "admin") == 0 || (strcmp(role, "deploy") == 0 && w->kind < TRUST));
}

static void apply(struct content *c, const struct wish *w)
{
    if (w->kind == TRUST)
        c->trust = w->value;
    else if (w->kind == ADMINISTER)
        c->administrators = w->value;
    else if (w->kind == SET)
        c->setting[w->app] = w->value;
    else
        c->code[w->app] = w->kind == PUSH ? w->value : 0;
    if (w->kind == REMOVE)
        c->setting[w->app] = 0;
}

static bool fits(uint64_t number, const struct content *c)
{
    const struct seen *s = seen_of(number);
    bool same = !s->any || (memcmp(s->content.code, c->code, sizeof c->code) == 0 && s->content.trust == c->trust &&
                            s->content.administrators == c->administrators);
    for (unsigned a = 0; a < APPS; a++)
        same = same && (!s->setting_known[a] || s->content.setting[a] == c->setting[a]);
    return same;
}

/* Does all that was seen fit, if of the unanswered wishes those with a bit set were made? Then that is what there
 * is. */
static bool explains(unsigned mask)
{
    struct content c = world->content;
    uint64_t number = world->number;
    for (size_t i = 0; i < world->wish_count; i++) {
        const struct wish *w = &world->wishes[i];
        bool made = w->status ? w->status < 300 : mask >> i & 1;
        if (made ? !applies(&c, w) || !may(&c, w) : w->status == 404 && applies(&c, w))
            return false;
        if (w->status == 403 && may(&c, w))
            return false;
        if (!made)
            continue;
        apply(&c, w);
        number++;
        if ((w->status && w->number != number) || !fits(number, &c))
            return false;
    }
    for (uint32_t i = 0; i < world->store.numbers; i++) /* boots that found other limits */
        if (!fits(++number, &c))
            return false;
    if (number < world->most_seen)
        return false;
    for (uint32_t w = 0; w < PLAYED_WORKERS; w++)
        if (enclave_system.connections[w].site->number != number)
            return false;
    world->content = c;
    world->number = world->acknowledged = number;
    world->store.numbers = 0;
    world->wish_count = 0;
    return true;
}

static void explain(void)
{
    unsigned unanswered = 0;
    ENSURE(world->wish_count <= WISHES);
    for (uint32_t w = 0; w < PLAYED_WORKERS; w++) {
        struct connection *c = client(w);
        for (unsigned a = 0; a < APPS; a++)
            ask(c, a);
    }
    for (size_t i = 0; i < world->wish_count && i < WISHES; i++) {
        const struct wish *w = &world->wishes[i];
        unanswered |= (unsigned)(w->status == 0) << i;
        world->total.made += w->status == 200 || w->status == 201;
        world->total.refused += w->status >= 300;
        world->total.lost += w->status == 0;
    }
    for (unsigned mask = 0; mask <= unanswered; mask++)
        if ((mask & ~unanswered) == 0 && explains(mask))
            return;
    for (size_t i = 0; i < world->wish_count && i < WISHES; i++)
        fprintf(stderr, "kind %d of a%u to %u: %d, generation %" PRIu64 "\n", world->wishes[i].kind,
                world->wishes[i].app, world->wishes[i].value, world->wishes[i].status, world->wishes[i].number);
    broken("behind generation %" PRIu64 " that does not explain what was seen up to %" PRIu64, world->number,
           world->most_seen);
}

static void on_answer(void *user, int status, json_t *body)
{
    struct wish *w = user;
    const char *error = json_string_value(json_object_get(body, "error"));
    uint64_t number = (uint64_t)json_integer_value(json_object_get(body, "generation"));
    if (w->status ||
        (status != 200 && status != 201 && status != 403 && status != 404 && status != 422 && status != 503))
        broken("a change is answered with %d after %d: %s", status, w->status, error ? error : "");
    json_decref(body);
    w->status = status;
    if (status >= 300)
        return;
    w->number = number;
    if (w->number > world->acknowledged)
        world->acknowledged = w->number;
    for (const struct connection *c = played_connections; c && w->now; c = c->next)
        if (c->certificate->generation < w->number)
            broken("a connection of generation %" PRIu64 " has outlived the change to %" PRIu64 " at once",
                   c->certificate->generation, w->number);
}

/* The order that puts a list in force. */
static const char *list_json(unsigned list)
{
    static char json[2048];
    int at = snprintf(json, sizeof json, "{\"threshold\":%u,\"administrators\":[", lists[list].threshold);
    for (unsigned k = 0; k < KEYS; k++)
        if (lists[list].roles[k])
            at += snprintf(json + at, sizeof json - (size_t)at,
                           "{\"role\":\"%s\",\"public_key\":\"-----BEGIN PUBLIC KEY-----\\n%s\\n-----END PUBLIC "
                           "KEY-----\\n\"},",
                           lists[list].roles[k], keys[k]);
    snprintf(json + at - 1, sizeof json - (size_t)at + 1, "]}");
    return json;
}

/* Tokens of whichever keys: what comes with a request is judged before, elsewhere (authority_test.c). */
static void authorize(struct wish *w)
{
    const char *role = lists[world->content.administrators].roles[0]; /* mostly of somebody who may */
    w->first = (uint8_t)(chance(4) == 0 ? chance(KEYS) : strcmp(role, "admin") != 0);
    w->approvals = (uint8_t)(w->kind == ADMINISTER ? chance(KEYS) : 0);
    w->authors = (struct authors){.needs = w->kind < TRUST ? ADMIN_ROLE_DEPLOY : ADMIN_ROLE_ADMIN,
                                  .together = w->kind == ADMINISTER ? AUTHORITY_TOGETHER : AUTHORITY_ALONE,
                                  .count = w->approvals + 1u};
    for (unsigned i = 0; i <= w->approvals; i++)
        memcpy(w->authors.thumbprints[i], thumbprints[(w->first + i) % KEYS], 32);
}

static bool still_may(const struct authors *authors, char *why, size_t why_size)
{
    struct generation *now = generations_current();
    char text[AUTHORITY_WHY_SIZE];
    bool may = authors_still_may(authors, now->administrators, text);
    http_site_unref(&now->site);
    snprintf(why, why_size, "%s", may ? "" : text);
    return may;
}

static void wish(void)
{
    struct wish *w = &world->wishes[world->wish_count];
    if (world->wish_count == WISHES)
        return;
    *w = (struct wish){.kind = chance(3) ? chance(ADMINISTER) : chance(KINDS),
                       .app = (uint8_t)chance(APPS),
                       .value = (uint8_t)(1 + chance(VALUES)),
                       .now = chance(4) == 0,
                       .exclusive = chance(4) == 0};
    authorize(w);
    const struct change_asker asker = {.worker = &enclave_system.workers[chance(PLAYED_WORKERS)],
                                       .done = on_answer,
                                       .user = w,
                                       .authors = &w->authors,
                                       .now = w->now,
                                       .exclusive = w->exclusive && w->kind < TRUST};
    char name[8], text[120], why[256];
    int error = 0;
    snprintf(name, sizeof name, "a%u", w->app);
    if (w->kind != PUSH && chance(4) == 0)
        w->value = 0; /* none */
    world->wish_count++;
    if (w->kind == PUSH) {
        snprintf(text, sizeof text, "code%u", w->value);
        struct app_push push = {.name = name, .wasm = charged_alloc(NULL, strlen(text)), .size = strlen(text)};
        memcpy(push.wasm, text, push.size);
        error = app_push(&asker, &push);
    } else if (w->kind == SET) {
        snprintf(text, sizeof text,
                 "{\"config\":{\"v\":\"%u\"},\"egress\":[\"h%u.example\"],\"hostnames\":[\"a%u.example\"]}", w->value,
                 w->value, w->app);
        const char *json = w->value ? text : "{}";
        error = app_set(&asker, name, json, strlen(json), why, sizeof why);
    } else if (w->kind == REMOVE) {
        error = app_remove(&asker, name);
    } else if (w->kind == ADMINISTER) {
        const char *json = list_json(w->value);
        error = administrators_set(&asker, json, strlen(json), why);
    } else {
        snprintf(text, sizeof text, "bundle%u", w->value);
        error = egress_trust_set(&asker, text, w->value ? strlen(text) : 0, why, sizeof why);
    }
    ENSURE(error == 0);
}

/* ---- schedules --------------------------------------------------------------------------------------------------- */

static void turn(uint32_t worker)
{
    loop_run_once(&enclave_system.workers[worker].loop, played_clock_ns);
}

static struct connection *some_connection(void)
{
    uint32_t skip = chance(8);
    struct connection *c = played_connections;
    while (c && c->next && skip-- > 0)
        c = c->next;
    return c;
}

static void pass_time(void)
{
    static const uint64_t spans_ms[] = {1, 1500, 61000, 13 * 3600000};
    played_clock_ns += spans_ms[chance(4)] * UINT64_C(1000000);
}

static void step(void)
{
    struct connection *c;
    switch (chance(16)) {
    case 0 ... 4:
        turn(chance(PLAYED_WORKERS));
        break;
    case 5 ... 6:
        played_compile();
        break;
    case 7 ... 8:
        played_answer();
        break;
    case 9 ... 10:
        played_store_step();
        break;
    case 11:
        client(chance(PLAYED_WORKERS));
        break;
    case 12 ... 13:
        if ((c = some_connection()))
            ask(c, chance(APPS));
        break;
    case 14:
        wish();
        break;
    default:
        if (chance(3) == 0)
            pass_time();
        else if ((c = some_connection()) && chance(2) == 0)
            played_close(c);
    }
}

/* An enclave that boots has nothing to answer: what is unanswered was asked of the one before. */
static bool all_answered(bool boots)
{
    for (size_t i = 0; i < world->wish_count && !boots; i++)
        if (world->wishes[i].status == 0)
            return false;
    return true;
}

/* The host does what it ought to, until there is nothing left to do. */
static void settle(bool boots)
{
    played_malice = 0;
    for (unsigned quiet = 0, turns = 0; quiet < 4 || !all_answered(boots); turns++) {
        played_compile();
        bool busy = played_answer();
        busy |= played_store_step();
        for (uint32_t w = 0; w < PLAYED_WORKERS; w++)
            busy |= loop_run_once(&enclave_system.workers[w].loop, played_clock_ns);
        quiet = busy ? 0 : quiet + 1;
        if (!busy)
            played_clock_ns += 10000000; /* exclusive changes look again */
        if (turns == 100000)
            broken("it does not come to rest");
    }
    while (played_connections && chance(3))
        played_close(played_connections);
}

/* ---- an enclave -------------------------------------------------------------------------------------------------- */

static void load_apps(struct app_table *apps)
{
    ENSURE(deployed_load() == 0);
    for (const struct deployed *d = deployed_first(); d; d = d->next) {
        char key[64], why[256];
        deployed_chunk_key(d, 0, key);
        const struct played_record *r = played_find(key);
        uint8_t sha256[32];
        if (!r)
            broken("the code of %s is lost", d->name);
        SHA256(r->value, r->size, sha256);
        if (memcmp(sha256, d->sha256, 32) != 0)
            broken("the code of %s is another", d->name);
        struct wasm_component *component = wasm_compile_quick(NULL, r->value, r->size, why, sizeof why);
        ENSURE(app_table_put(apps, app_make(d, component, false, why, sizeof why)) == 0);
    }
}

/* As boot does: what no list names. */
static void sweep(void)
{
    for (size_t i = 0; i < PLAYED_RECORDS; i++) {
        struct played_record *r = &world->store.records[i];
        bool named = strcmp(r->key, "apps") == 0 || strcmp(r->key, "generation") == 0 || !strcmp(r->key, "egress-ca") ||
                     strcmp(r->key, PLAYED_HEAD) == 0 || strcmp(r->key, ADMINISTRATORS_KEY) == 0;
        for (const struct deployed *d = deployed_first(); d && !named; d = d->next) {
            char key[64];
            for (size_t i = 0; i < deployed_records(d) && !named; i++) {
                deployed_chunk_key(d, i, key);
                named = strcmp(r->key, key) == 0;
            }
        }
        if (!named)
            memset(r, 0, sizeof *r);
    }
}

static void begin_workers(void)
{
    static struct http_server server;
    crowd_limits_init(&connection_limits, 1u << 30, PROTO_MAX_CHANNELS);
    enclave_system.worker_count = PLAYED_WORKERS;
    enclave_system.owner = &enclave_system.workers[0];
    for (uint32_t w = 0; w < PLAYED_WORKERS; w++) {
        struct connections *cs = &enclave_system.connections[w];
        enclave_system.workers[w].user = cs;
        enclave_system.workers[w].index = w;
        ENSURE(loop_init(&enclave_system.workers[w].loop, NULL) == 0);
        ENSURE(connections_init(cs, &enclave_system.workers[w], &enclave_system.connections[0]) == 0);
        cs->http = &server;
    }
    change_judge_by(still_may);
}

static struct administrators *load_administrators(void)
{
    const struct played_record *r = played_find(ADMINISTRATORS_KEY);
    char why[ADMINISTRATORS_WHY_SIZE];
    struct administrators *a =
        r ? administrators_load((const char *)r->value, r->size, why) : administrators_ref(first_administrators);
    if (!a)
        broken("the administrators are lost: %s", why);
    return a;
}

static struct upgrade_rule *no_upgrades(void)
{
    char why[UPGRADE_WHY_SIZE];
    const struct upgrade_candidate self = {0};
    return upgrade_rule_first(UPGRADE_NONE, &self, why);
}

static bool boot(void)
{
    char why[256];
    struct generation_parts parts = {
        .apps = app_table_new(), .administrators = load_administrators(), .upgrade_rule = no_upgrades()};
    world->total.boots++;
    begin_workers();
    played_malice = 0;
    load_apps(parts.apps);
    sweep();
    const struct played_record *bundle = played_find(EGRESS_BUNDLE_KEY);
    if (bundle)
        ENSURE(egress_trust_make(&parts.trust, bundle->value, bundle->size, why, sizeof why) == 0);
    world->limits += chance(4) == 0;
    played_args.http_max_headers = 100 + world->limits;
    played_malice = 100 * chance(6);
    int error = generations_boot(&parts, NULL, why, sizeof why);
    world->total.boots_refused += error < 0;
    if (error < 0)
        return false;
    played_compiler_start();
    settle(true);
    if (!generations_installed())
        broken("boot's generation is not there");
    explain();
    return true;
}

static _Noreturn void enclave(void)
{
    static const uint32_t malice[] = {0, 100, 300, 600};
    if (!boot())
        _exit(0);
    for (unsigned i = 0; i < SCHEDULES; i++) {
        played_malice = malice[chance(4)];
        world->total.schedules++;
        for (unsigned left = 30 + chance(120); left > 0; left--)
            step();
        if (i == SCHEDULES - 1 && chance(2)) {
            world->total.killed++;
            break;
        }
        settle(false);
        explain();
    }
    world->total.renewals += played_renewals;
    _exit(0);
}

static bool no_timer;

int __real_loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t deadline_ns);
int __wrap_loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t deadline_ns);
int __wrap_loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t deadline_ns)
{
    return no_timer ? -ENOMEM : __real_loop_timer_start(l, t, deadline_ns);
}

/* A boot that has no memory to ask for its certificate again fails, and says so: nobody wants it to stop. */
static _Noreturn void boot_without_memory(void)
{
    char why[256] = "";
    struct generation_parts parts = {
        .apps = app_table_new(), .administrators = administrators_of_key(NULL, 0, why), .upgrade_rule = no_upgrades()};
    memset(world, 0, sizeof *world);
    begin_workers();
    no_timer = true;
    int error = generations_boot(&parts, NULL, why, sizeof why);
    no_timer = false;
    if (error != -ENOMEM || !strstr(why, "no certificate"))
        broken("a boot without memory: %d, %s", error, why);
    _exit(0);
}

static bool ended_well(pid_t child)
{
    int how;
    return child > 0 && waitpid(child, &how, 0) == child && how == 0;
}

static bool history(void)
{
    uint64_t state = seed;
    memset(world, 0, offsetof(struct world, total));
    for (unsigned i = 0; i < ENCLAVES; i++) {
        pid_t child = fork();
        chance_state = state + ((uint64_t)i << 48);
        if (child == 0)
            enclave();
        if (!ended_well(child)) {
            fprintf(stderr, "history %" PRIu64 ", enclave %u: it failed\n", seed, i);
            return false;
        }
    }
    return true;
}

/* A thumbprint is the SHA-256 of the key's DER, which is what the base64 stands for. */
static void learn_keys(void)
{
    for (unsigned k = 0; k < KEYS; k++) {
        char text[160], *end = text;
        uint8_t der[128];
        for (const char *from = keys[k]; *from; from += from[0] == '\\' ? 2 : 1)
            if (*from != '\\')
                *end++ = *from;
        *end = 0;
        ENSURE(EVP_DecodeBlock(der, (const uint8_t *)text, (int)strlen(text)) >= (int)ADMINISTRATOR_KEY_SIZE);
        SHA256(der, ADMINISTRATOR_KEY_SIZE, thumbprints[k]);
    }
    /* Here, so that not every enclave has OpenSSL look for its decoders. */
    char why[ADMINISTRATORS_WHY_SIZE];
    uint8_t replaces[32];
    bool conditional;
    const char *json = list_json(0);
    first_administrators = administrators_parse(json, strlen(json), &conditional, replaces, why);
    ENSURE(first_administrators);
}

int main(int argc, char **argv)
{
#ifdef __SANITIZE_THREAD__
    return 77; /* it does not know coroutines, and there is one thread only */
#endif
    unsigned histories = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 150; /* more than 10,000 schedules */
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ENSURE(world != MAP_FAILED);
    played_store = &world->store;
    learn_keys();
    pid_t child = fork();
    if (child == 0)
        boot_without_memory();
    if (!ended_well(child))
        return 1;
    for (unsigned i = 0; i < histories; i++, seed++)
        if (!history())
            return 1;
    printf("schedules %" PRIu64 ", changes made %" PRIu64 ", refused %" PRIu64 ", lost %" PRIu64 ", renewals %" PRIu64
           ", boots %" PRIu64 ", refused %" PRIu64 ", killed %" PRIu64 ", connections %" PRIu64 ", requests %" PRIu64
           "\n",
           world->total.schedules, world->total.made, world->total.refused, world->total.lost, world->total.renewals,
           world->total.boots, world->total.boots_refused, world->total.killed, world->total.connections,
           world->total.requests);
    return 0;
}
