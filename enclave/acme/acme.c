/* See acme.h. */
#include "enclave/acme/acme.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ensure.h"
#include "enclave/acme/held.h"
#include "enclave/acme/order.h"
#include "enclave/https/answer.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/ratls/certificate.h"
#include "enclave/ratls/tls_context.h"
#include "enclave/ratls/tls_names.h"
#include "enclave/service/acme_settings.h"
#include "enclave/service/attest.h"
#include "enclave/service/dial.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/settings.h"

#define ACCOUNT_KEY "acme-account" /* the account's key, DER, in the enclave's own namespace */
#define SECOND_NS UINT64_C(1000000000)
#define SHOWN_TRIES 3u
#define PLACES (2u * HOSTNAMES_MAX) /* wanted ones, and those whose records are about to go */

static struct {
    bool serving;
    EVP_PKEY *account;  /* its key; NULL: nobody has needed one yet */
    bool makes_account; /* it is being written; no order begins */
    struct acme_held names[PLACES];
    size_t count;
    struct acme_order_run *order;   /* under way; NULL: none is */
    struct keeping *keeping;        /* a certificate that came is being written; no order begins */
    struct acme_settings *settings; /* that failures were counted under */
    uint8_t trust[32];              /* and the CA bundle's hash */
    struct loop_timer timer;
} acme;

/* What others may read. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static json_t *report; /* NULL: there are no settings */
static atomic_uint_least64_t orders_total, failures_total, certificates, failing;

struct keeping {
    struct acme_held *held; /* what came; its own */
    char *record;
};

static struct loop *owners_loop(void)
{
    loop_check(&enclave_system.owner->loop);
    return &enclave_system.owner->loop;
}

static struct acme_held *find(const char *name)
{
    for (size_t i = 0; i < acme.count; i++)
        if (strcmp(acme.names[i].name, name) == 0)
            return &acme.names[i];
    return NULL;
}

static struct acme_held *add(const char *name)
{
    if (acme.count == PLACES || strlen(name) > NAME_SIZE_MAX)
        return NULL;
    struct acme_held *h = &acme.names[acme.count++];
    *h = (struct acme_held){.wanted = false};
    strcpy(h->name, name);
    return h;
}

static void key_of(const char *name, char key[ACME_HELD_KEY_SIZE])
{
    snprintf(key, ACME_HELD_KEY_SIZE, ACME_HELD_KEY "%s", name);
}

/* ---- what is shown ----------------------------------------------------------------------------------------------- */

/* For attest_names_by. */
static SSL_CTX *named(const struct generation *g, const char *name, X509 *peers)
{
    struct acme_held *h = find(name);
    owners_loop();
    if (!g->acme || !h || !acme_held_usable(h, g->acme->directory, time(NULL)))
        return NULL;
    return tls_context_of_chain(h->key, h->chain.certificates, peers);
}

/* Whether new connections are shown something else than they should be. */
static bool is_stale(const struct acme_held *h, const char *directory)
{
    SSL_CTX *own = tls_names_find(enclave_system.connections[0].tls, h->name);
    X509 *shown = own ? SSL_CTX_get0_certificate(own) : NULL;
    bool is_shown = shown && h->key && X509_cmp(shown, sk_X509_value(h->chain.certificates, 0)) == 0;
    return shown && is_shown != acme_held_usable(h, directory, time(NULL));
}

/* A renewal that came in between may have been begun before the certificate had come. What cannot be shown, is tried no
 * more than a few times. */
static void show(const char *directory)
{
    bool stale = false;
    ENSURE(acme.serving);
    for (size_t i = 0; i < acme.count; i++)
        if (is_stale(&acme.names[i], directory) && acme.names[i].shown < SHOWN_TRIES) {
            acme.names[i].shown++;
            stale = true;
        }
    if (stale)
        generations_renew();
}

/* ---- what is told ------------------------------------------------------------------------------------------------ */

static json_t *describe(const struct acme_held *h, const char *directory, int64_t now_s)
{
    bool usable = acme_held_usable(h, directory, now_s);
    bool under_way = acme.order && strcmp(acme_order_name(acme.order), h->name) == 0;
    return json_pack("{s:s,s:o,s:b,s:b,s:I,s:s*}", "name", h->name, "until",
                     usable ? json_integer(h->chain.until_s) : json_null(), "served", usable && !is_stale(h, directory),
                     "under_way", under_way, "failures", (json_int_t)h->failures, "error", h->failures ? h->why : NULL);
}

/* NULL where there is no memory for it: then there is less to read. */
static void publish(const struct acme_settings *s)
{
    int64_t now_s = time(NULL);
    uint64_t valid = 0, failed = 0;
    json_t *names = json_array(), *next = NULL;
    for (size_t i = 0; i < acme.count; i++) {
        const struct acme_held *h = &acme.names[i];
        if (!h->wanted)
            continue;
        valid += s && acme_held_usable(h, s->directory, now_s);
        failed += h->failures > 0;
        json_array_append_new(names, s ? describe(h, s->directory, now_s) : NULL);
    }
    if (s)
        next = json_pack("{s:s,s:O}", "directory", s->directory, "names", names);
    json_decref(names);
    atomic_store(&certificates, valid);
    atomic_store(&failing, failed);
    pthread_mutex_lock(&lock);
    json_t *before = report;
    report = next;
    pthread_mutex_unlock(&lock);
    json_decref(before);
}

int acme_status(json_t *into)
{
    pthread_mutex_lock(&lock);
    json_t *copy = json_deep_copy(report);
    pthread_mutex_unlock(&lock);
    return !copy ? 0 : json_object_set_new(into, "acme", copy) < 0 ? -ENOMEM : 0;
}

int acme_metrics(json_t *into)
{
    const struct http_number numbers[] = {{"acme_certificates", atomic_load(&certificates)},
                                          {"acme_orders_total", atomic_load(&orders_total)},
                                          {"acme_failures_total", atomic_load(&failures_total)},
                                          {"acme_names_failing", atomic_load(&failing)}};
    return http_add_numbers(into, numbers, sizeof numbers / sizeof *numbers);
}

/* ---- orders ------------------------------------------------------------------------------------------------------ */

static void look(void);

static void fail(const char *name, uint32_t wait_s, const char *why)
{
    struct acme_held *h = find(name);
    uint32_t chance = 0;
    atomic_fetch_add(&failures_total, 1);
    rpc_log(enclave_system.owner->rpc, LOG_ERROR, "no certificate of a public authority for %s: %s", name, why);
    RAND_bytes((uint8_t *)&chance, sizeof chance);
    if (h)
        acme_held_failed(h, owners_loop()->now_ns, wait_s, chance, why);
}

/* The certificate is in the store: it takes the place of the one before. */
static void take(struct acme_held *new)
{
    struct acme_held *h = find(new->name);
    if (!h) {
        h = add(new->name); /* unwanted by now: its record goes */
        if (!h)
            return;
    }
    acme_held_clear(h);
    h->key = new->key;
    h->directory = new->directory;
    h->chain = new->chain;
    h->stored = true;
    h->failures = 0;
    h->next_ns = 0;
    new->key = NULL;
    new->directory = NULL;
    new->chain.certificates = NULL;
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "a certificate of a public authority for %s has come", h->name);
}

static void keeping_free(struct keeping *k)
{
    if (k->held)
        acme_held_clear(k->held);
    free(k->held);
    if (k->record)
        OPENSSL_clear_free(k->record, strlen(k->record));
    free(k);
}

static void on_kept(void *user, int error)
{
    struct keeping *k = user;
    ENSURE(acme.keeping == k && !acme.order);
    acme.keeping = NULL;
    if (error == 0)
        take(k->held);
    else
        fail(k->held->name, 0, "it came, but cannot be kept");
    keeping_free(k);
    if (acme.serving)
        look();
}

/* NULL: no memory, or it cannot be read back. */
static struct keeping *keeping_new(const char *name, const char *directory, const struct acme_order_result *r)
{
    struct keeping *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->held = calloc(1, sizeof *k->held);
    char *record = acme_held_record(r->key, directory, r->pem, r->size);
    k->record = record ? OPENSSL_strdup(record) : NULL;
    if (record)
        OPENSSL_cleanse(record, strlen(record));
    free(record);
    if (k->held && k->record) {
        strcpy(k->held->name, name);
        if (acme_held_read(k->held, k->record, strlen(k->record)) == 0)
            return k;
    }
    keeping_free(k);
    return NULL;
}

static void keep(const char *name, const struct acme_order_result *r)
{
    char key[ACME_HELD_KEY_SIZE];
    ENSURE(!acme.keeping && acme.settings);
    key_of(name, key);
    struct keeping *k = keeping_new(name, acme.settings->directory, r);
    const struct kv_op op = {KV_PUT,      enclave_system.settings, key,
                             strlen(key), k ? k->record : NULL,    k ? strlen(k->record) : 0};
    acme.keeping = k;
    if (k && kv_commit(enclave_system.owner, &op, 1, on_kept, k) == 0)
        return;
    acme.keeping = NULL;
    if (k)
        keeping_free(k);
    fail(name, 0, "it came, but there is no memory to keep it");
}

static void on_ordered(void *user, const struct acme_order_result *r)
{
    char name[NAME_SIZE_MAX + 1];
    (void)user;
    ENSURE(acme.order && acme.serving);
    strcpy(name, acme_order_name(acme.order));
    acme.order = NULL; /* gone behind this call */
    if (r->key)
        keep(name, r);
    else
        fail(name, r->wait_s, r->why);
    look();
}

static void on_account_kept(void *user, int error)
{
    EVP_PKEY *key = user;
    ENSURE(acme.makes_account && !acme.account);
    acme.makes_account = false;
    if (error == 0)
        acme.account = key;
    else
        EVP_PKEY_free(key);
    if (acme.serving)
        look();
}

/* Its key must be in the store before anybody knows it. False: it cannot be had now. */
static bool make_account(void)
{
    uint8_t *der = NULL;
    EVP_PKEY *key = certificate_make_key();
    int size = key ? i2d_PrivateKey(key, &der) : 0;
    const struct kv_op op = {KV_PUT, enclave_system.settings,      ACCOUNT_KEY, sizeof ACCOUNT_KEY - 1,
                             der,    (size_t)(size > 0 ? size : 0)};
    ENSURE(!acme.account && !acme.makes_account);
    acme.makes_account = size > 0 && kv_commit(enclave_system.owner, &op, 1, on_account_kept, key) == 0;
    if (!acme.makes_account)
        EVP_PKEY_free(key);
    if (size > 0)
        OPENSSL_clear_free(der, (size_t)size);
    return acme.makes_account;
}

static void begin(struct generation *g, struct acme_held *h)
{
    ENSURE(!acme.order && g->acme);
    if (!acme.account) {
        if (!make_account())
            fail(h->name, 0, "there is no memory for an account");
        return;
    }
    const struct acme_order_wanted wanted = {.worker = enclave_system.owner,
                                             .dialer = &egress_dialer,
                                             .site = &g->site,
                                             .directory = g->acme->directory,
                                             .name = h->name,
                                             .contact = g->acme->contact,
                                             .account = acme.account,
                                             .done = on_ordered};
    acme.order = acme_order_start(&wanted);
    atomic_fetch_add(&orders_total, 1);
    if (!acme.order)
        fail(h->name, 0, "out of memory");
}

/* ---- whose turn it is -------------------------------------------------------------------------------------------- */

static void want(void *user, struct app *app)
{
    const struct app_hostnames *names = &app_settings_of(app)->hostnames;
    (void)user;
    for (size_t i = 0; i < names->count; i++) {
        struct acme_held *h = find(names->names[i]);
        if (!h)
            h = add(names->names[i]);
        if (h)
            h->wanted = true;
    }
}

/* Nobody's any more: its record goes, then its place. True: it is gone. */
static bool drop(struct acme_held *h)
{
    char key[ACME_HELD_KEY_SIZE];
    key_of(h->name, key);
    const struct kv_op op = {KV_DELETE, enclave_system.settings, key, strlen(key), NULL, 0};
    if (h->stored && kv_commit(enclave_system.owner, &op, 1, NULL, NULL) < 0)
        return false;
    acme_held_clear(h);
    return true;
}

static void settle_names(const struct generation *g)
{
    for (size_t i = 0; i < acme.count; i++)
        acme.names[i].wanted = false;
    if (g->acme)
        app_table_each(g->site.apps, want, NULL);
    for (size_t i = 0; i < acme.count;) {
        if (acme.names[i].wanted || !drop(&acme.names[i]))
            i++;
        else
            acme.names[i] = acme.names[--acme.count];
    }
}

/* Other settings, or another bundle, may be what helps: failures before say nothing any more. */
static void settle_settings(const struct generation *g)
{
    static const uint8_t nobody[32];
    const uint8_t *trust = g->trust ? g->trust->sha256 : nobody;
    bool same = g->acme && acme.settings && strcmp(g->acme->record, acme.settings->record) == 0 &&
                memcmp(trust, acme.trust, sizeof acme.trust) == 0;
    struct acme_held *under_way = acme.order ? find(acme_order_name(acme.order)) : NULL;
    if (acme.order && (!same || !under_way)) {
        acme_order_cancel(acme.order);
        acme.order = NULL;
    }
    for (size_t i = 0; !same && i < acme.count; i++) {
        acme.names[i].failures = 0;
        acme.names[i].next_ns = 0;
    }
    memcpy(acme.trust, trust, sizeof acme.trust);
    acme_settings_unref(acme.settings);
    acme.settings = acme_settings_ref(g->acme);
}

/* When its next order is due, of the loop's clock. */
static uint64_t due_ns(const struct acme_held *h, int64_t now_s)
{
    int64_t due_s = acme_held_due_s(h, acme.settings->directory), left_s = due_s - now_s;
    uint64_t now_ns = owners_loop()->now_ns;
    uint64_t at_ns = left_s <= 0 ? now_ns : now_ns + (uint64_t)left_s * SECOND_NS;
    return at_ns > h->next_ns ? at_ns : h->next_ns;
}

/* The first that is due; NULL: there is none. */
static struct acme_held *first_due(int64_t now_s, uint64_t *at_ns)
{
    struct acme_held *first = NULL;
    for (size_t i = 0; i < acme.count; i++) {
        uint64_t its_ns = acme.names[i].wanted ? due_ns(&acme.names[i], now_s) : UINT64_MAX;
        if (its_ns < UINT64_MAX && (!first || its_ns < *at_ns)) {
            first = &acme.names[i];
            *at_ns = its_ns;
        }
    }
    return first;
}

/* A certificate whose time is over must not be shown on: seen to at that time. */
static uint64_t next_end_ns(int64_t now_s)
{
    uint64_t now_ns = owners_loop()->now_ns, first_ns = UINT64_MAX;
    for (size_t i = 0; i < acme.count; i++) {
        int64_t left_s = acme.names[i].key ? acme.names[i].chain.until_s - now_s : 0;
        uint64_t its_ns = left_s > 0 ? now_ns + (uint64_t)left_s * SECOND_NS : UINT64_MAX;
        first_ns = its_ns < first_ns ? its_ns : first_ns;
    }
    return first_ns;
}

static void plan(uint64_t at_ns)
{
    struct loop *loop = owners_loop();
    uint64_t latest_ns = loop->now_ns + ACME_LOOK_MAX_S * SECOND_NS;
    ENSURE(loop_timer_start(loop, &acme.timer, at_ns < latest_ns ? at_ns : latest_ns) == 0); /* it has a place */
}

/* All of it, from the generation in force: as often as something may have changed. */
static void look(void)
{
    struct generation *g = generations_current();
    int64_t now_s = time(NULL);
    uint64_t at_ns = UINT64_MAX, end_ns;
    ENSURE(acme.serving);
    settle_names(g);
    settle_settings(g);
    struct acme_held *h =
        g->acme && !acme.order && !acme.keeping && !acme.makes_account ? first_due(now_s, &at_ns) : NULL;
    if (h && at_ns <= owners_loop()->now_ns) {
        begin(g, h);
        at_ns = acme.order || acme.makes_account ? UINT64_MAX : owners_loop()->now_ns + SECOND_NS;
    }
    show(g->acme ? g->acme->directory : NULL);
    end_ns = next_end_ns(now_s);
    if (g->acme)
        plan(at_ns < end_ns ? at_ns : end_ns);
    publish(g->acme);
    http_site_unref(&g->site);
}

static void on_time(struct loop_timer *timer)
{
    struct loop *loop = owners_loop();
    ENSURE(loop_timer_start(loop, timer, UINT64_MAX) == 0); /* its place is still there */
    look();
}

static void on_installed(void)
{
    if (acme.serving)
        look();
}

/* ---- boot, and the end ------------------------------------------------------------------------------------------- */

/* One that is damaged is as none: another account will do. */
static int open_account(void)
{
    uint8_t *kept = NULL;
    size_t size = 0;
    int result = system_get(ACCOUNT_KEY, &kept, &size);
    const uint8_t *at = kept;
    if (result == 0)
        acme.account = d2i_AutoPrivateKey(NULL, &at, (long)size);
    if (kept)
        OPENSSL_cleanse(kept, size);
    free(kept);
    return result == -ENOENT || result == -EBADMSG ? 0 : result;
}

static bool take_name(void *user, const uint8_t *key, size_t size)
{
    char name[NAME_SIZE_MAX + 1];
    size_t prefix = sizeof ACME_HELD_KEY - 1;
    (void)user;
    if (size <= prefix || size - prefix > NAME_SIZE_MAX || memcmp(key, ACME_HELD_KEY, prefix) != 0)
        return true;
    memcpy(name, key + prefix, size - prefix);
    name[size - prefix] = 0;
    struct acme_held *h = add(name);
    if (h)
        h->stored = true;
    return h != NULL;
}

/* One that cannot be read is ordered again, and written over. */
static void load(struct acme_held *h)
{
    char key[ACME_HELD_KEY_SIZE];
    uint8_t *record = NULL;
    size_t size = 0;
    key_of(h->name, key);
    int result = system_get(key, &record, &size);
    if (result == 0)
        result = acme_held_read(h, (const char *)record, size);
    if (result < 0)
        rpc_log(enclave_system.owner->rpc, LOG_WARN,
                "the certificate that was kept for %s cannot be taken up (error %d): another one is ordered", h->name,
                -result);
    if (record)
        OPENSSL_cleanse(record, size);
    free(record);
}

int acme_open(struct acme_settings **settings, char *error, size_t error_size)
{
    struct loop *loop = owners_loop();
    ENSURE(acme.count == 0 && !acme.serving);
    int result = acme_settings_load(settings, error, error_size);
    if (result < 0)
        return result;
    result = open_account();
    if (result < 0) {
        snprintf(error, error_size, "boot: the key of ACME's account cannot be loaded (error %d)", -result);
        return result;
    }
    kv_each(enclave_system.settings, take_name, NULL); /* names that are damaged are not there */
    for (size_t i = 0; i < acme.count; i++)
        load(&acme.names[i]);
    acme.timer.fn = on_time;
    if (loop_timer_start(loop, &acme.timer, UINT64_MAX) < 0)
        return -ENOMEM;
    attest_names_by(named);
    generations_tell(on_installed);
    return 0;
}

void acme_serve(void)
{
    owners_loop();
    ENSURE(!acme.serving);
    acme.serving = true;
    look();
}

void acme_stop(void)
{
    owners_loop();
    acme.serving = false;
    if (acme.order)
        acme_order_cancel(acme.order);
    acme.order = NULL;
    loop_timer_stop(&enclave_system.owner->loop, &acme.timer);
}
