/* See generations.h. */
#include "enclave/service/generations.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/ratls/certificate.h"
#include "enclave/ratls/connections.h"
#include "enclave/service/administrators.h"
#include "enclave/service/attest.h"
#include "enclave/service/generation.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/app.h"

#define RENEW_AFTER_NS (LEAF_LIFETIME_S / 2 * UINT64_C(1000000000))
#define RETRY_FIRST_NS (1 * UINT64_C(1000000000))
#define RETRY_MOST_NS (300 * UINT64_C(1000000000))

/* The owner writes both, any thread reads them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct generation *current;
static struct generations_report report;

static struct {
    struct loop_timer timer;
    uint64_t pause_ns; /* before the next attempt, should one fail */
    bool begun;        /* an attempt is under way */
} renewal = {.pause_ns = RETRY_FIRST_NS};

struct generation *generations_current(void)
{
    pthread_mutex_lock(&lock);
    struct generation *g = current;
    ENSURE(g);
    http_site_ref(&g->site);
    pthread_mutex_unlock(&lock);
    return g;
}

uint64_t generations_next(void)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(current);
    return current->site.number + 1;
}

struct generations_report generations_report(void)
{
    pthread_mutex_lock(&lock);
    struct generations_report copy = report;
    copy.number = current ? current->site.number : 0;
    pthread_mutex_unlock(&lock);
    return copy;
}

/* ---- on every worker --------------------------------------------------------------------------------------------- */

struct installation {
    struct loop_task over; /* on the owner's loop */
    struct generation *generation;
    SSL_CTX *tls;
    void (*done)(void *user);
    void *user;
    atomic_uint left; /* workers that do not have it yet */
    struct worker_switch {
        struct connections_switch change;
        struct installation *installation;
    } workers[PROTO_MAX_WORKERS];
};

struct installation *installation_new(struct generation *g, SSL_CTX *tls)
{
    ENSURE(g && tls);
    struct installation *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    http_site_ref(&g->site);
    SSL_CTX_up_ref(tls);
    i->generation = g;
    i->tls = tls;
    return i;
}

void installation_free(struct installation *i)
{
    if (!i)
        return;
    ENSURE(atomic_load(&i->left) == 0);
    http_site_unref(&i->generation->site);
    SSL_CTX_free(i->tls);
    free(i);
}

static void on_over(struct loop_task *task)
{
    struct installation *i = CONTAINER_OF(task, struct installation, over);
    loop_check(&enclave_system.owner->loop);
    if (i->done)
        i->done(i->user);
    installation_free(i);
}

static void on_switched(struct connections_switch *change)
{
    struct installation *i = CONTAINER_OF(change, struct worker_switch, change)->installation;
    unsigned left = atomic_fetch_sub(&i->left, 1);
    ENSURE(left > 0);
    if (left == 1)
        loop_post_remote(&enclave_system.owner->loop, &i->over);
}

/* In force for whoever asks: before any worker serves it, so that none is ahead of what is reported. */
static void make_current(struct generation *g)
{
    http_site_ref(&g->site);
    pthread_mutex_lock(&lock);
    struct generation *before = current;
    current = g;
    report.renewed_ns = enclave_system.owner->loop.now_ns;
    report.failing_since_ns = 0;
    pthread_mutex_unlock(&lock);
    http_site_unref(before ? &before->site : NULL);
}

static void plan_renewal(uint64_t after_ns);

void installation_begin(struct installation *i, uint64_t cut_ns, void (*done)(void *user), void *user)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(!current || i->generation == current || i->generation->site.number > current->site.number);
    if (current && i->generation != current)
        http_site_retire(&current->site, cut_ns);
    make_current(i->generation);
    renewal.pause_ns = RETRY_FIRST_NS;
    plan_renewal(RENEW_AFTER_NS);
    i->over.fn = on_over;
    i->done = done;
    i->user = user;
    atomic_store(&i->left, enclave_system.worker_count);
    for (uint32_t w = 0; w < enclave_system.worker_count; w++) {
        i->workers[w].installation = i;
        i->workers[w].change = (struct connections_switch){.connections = &enclave_system.connections[w],
                                                           .site = &i->generation->site,
                                                           .tls = i->tls,
                                                           .done = on_switched};
    }
    for (uint32_t w = 0; w < enclave_system.worker_count; w++)
        connections_switch(&i->workers[w].change);
}

/* ---- the certificate of the generation that is in force ---------------------------------------------------------- */

static void note_failure(int error)
{
    pthread_mutex_lock(&lock);
    report.renewals_failed++;
    if (report.failing_since_ns == 0)
        report.failing_since_ns = enclave_system.owner->loop.now_ns;
    pthread_mutex_unlock(&lock);
    rpc_log(enclave_system.owner->rpc, LOG_ERROR, "no new certificate: error %d; the next attempt is in %lu s", -error,
            (unsigned long)(renewal.pause_ns / 1000000000));
}

/* An attempt failed: the next one, after a pause. */
static uint64_t next_pause(int error)
{
    uint64_t pause_ns = renewal.pause_ns;
    note_failure(error);
    renewal.pause_ns = pause_ns * 2 < RETRY_MOST_NS ? pause_ns * 2 : RETRY_MOST_NS;
    return pause_ns;
}

static void on_renewed(void *user, int error, SSL_CTX *tls)
{
    struct generation *g = user;
    renewal.begun = false;
    struct installation *i = error == 0 && g == current ? installation_new(g, tls) : NULL;
    if (i)
        installation_begin(i, 0, NULL, NULL);
    else if (g == current) /* else its successor has a new one */
        plan_renewal(next_pause(error ? error : -ENOMEM));
    http_site_unref(&g->site);
}

static void on_renewal(struct loop_timer *timer)
{
    ENSURE(loop_timer_start(&enclave_system.owner->loop, timer, UINT64_MAX) == 0); /* its place is still there */
    if (renewal.begun) {
        plan_renewal(RETRY_FIRST_NS); /* of the generation before: its end says nothing of this one */
        return;
    }
    struct generation *g = generations_current();
    int refused = attest(g, on_renewed, g);
    renewal.begun = refused == 0;
    if (refused < 0) {
        http_site_unref(&g->site);
        plan_renewal(next_pause(refused));
    }
}

static void plan_renewal(uint64_t after_ns)
{
    struct loop *loop = &enclave_system.owner->loop;
    ENSURE(loop_timer_start(loop, &renewal.timer, loop->now_ns + after_ns) == 0); /* it is started already */
}

/* ---- boot -------------------------------------------------------------------------------------------------------- */

static struct {
    struct loop_timer retry;
    struct generation *generation;
    struct installation *installation;
    bool given_up, installed;
} first;

static void ask_first(void);

static void on_first(void *user, int error, SSL_CTX *tls)
{
    (void)user;
    struct loop *loop = &enclave_system.owner->loop;
    if (first.given_up)
        return;
    ENSURE(!first.installation);
    first.installation = error == 0 ? installation_new(first.generation, tls) : NULL;
    if (!first.installation)
        ENSURE(loop_timer_start(loop, &first.retry, loop->now_ns + next_pause(error ? error : -ENOMEM)) == 0);
}

static void on_retry(struct loop_timer *timer)
{
    ENSURE(loop_timer_start(&enclave_system.owner->loop, timer, UINT64_MAX) == 0); /* its place is still there */
    ask_first();
}

static void ask_first(void)
{
    int refused = attest(first.generation, on_first, NULL);
    if (refused < 0)
        on_first(NULL, refused, NULL);
}

/* Asked for until there is one, or the host wants to stop. */
static struct installation *await_certificate(struct generation *g)
{
    struct worker *owner = enclave_system.owner;
    uint64_t ignored;
    first.generation = g;
    first.retry.fn = on_retry;
    renewal.timer.fn = on_renewal;
    if (loop_timer_start(&owner->loop, &first.retry, UINT64_MAX) != 0 ||
        loop_timer_start(&owner->loop, &renewal.timer, UINT64_MAX) != 0)
        return NULL;
    ask_first();
    while (!first.installation && !ecall_shutdown_requested(&ignored))
        worker_turn(owner);
    first.given_up = !first.installation;
    loop_timer_stop(&owner->loop, &first.retry);
    return first.installation;
}

static void on_installed(void *user)
{
    (void)user;
    first.installed = true;
}

/* What was served last: *number 0 where nothing was. */
static int read_record(uint64_t *number, uint8_t root[32])
{
    uint8_t *record;
    size_t size;
    *number = 0;
    int error = system_get(GENERATION_KEY, &record, &size);
    if (error == -ENOENT)
        return 0;
    if (error == 0)
        error = generation_record_read(record, size, number, root);
    free(record);
    return error;
}

/* The same parts under the next number. */
static struct generation *successor(struct generation *g)
{
    struct app_table *apps = app_table_copy(g->site.apps);
    struct generation *next = apps ? generation_make(g->site.number + 1, apps, egress_trust_ref(g->trust),
                                                     administrators_ref(g->administrators))
                                   : NULL;
    http_site_unref(&g->site);
    return next;
}

static int serve_first(struct generation *g, bool is_new, char *error, size_t error_size)
{
    uint8_t record[GENERATION_RECORD_SIZE];
    struct installation *i = await_certificate(g);
    if (!i)
        return -ECANCELED;
    generation_record(g, record);
    int result = is_new ? system_put(GENERATION_KEY, record, sizeof record) : 0;
    if (result == 0) {
        installation_begin(i, 0, on_installed, NULL);
        return 0;
    }
    snprintf(error, error_size, "boot: the store refused generation %lu (error %d)", (unsigned long)g->site.number,
             -result);
    installation_free(i);
    return result;
}

int generations_boot(struct app_table *apps, struct egress_trust *trust, struct administrators *administrators,
                     char *error, size_t error_size)
{
    uint64_t number;
    uint8_t root[32];
    loop_check(&enclave_system.owner->loop);
    ENSURE(apps && !current);
    int result = read_record(&number, root);
    if (result < 0) {
        snprintf(error, error_size, "boot: the record of the last generation cannot be read (error %d)", -result);
        app_table_free(apps);
        egress_trust_unref(trust);
        administrators_unref(administrators);
        return result;
    }
    struct generation *g = generation_make(number ? number : 1, apps, trust, administrators);
    bool is_new = number == 0;
    if (g && !is_new && memcmp(g->root, root, sizeof root) != 0) {
        g = successor(g);
        is_new = true;
    }
    if (!g)
        return -ENOMEM;
    result = serve_first(g, is_new, error, error_size);
    http_site_unref(&g->site);
    return result;
}

bool generations_installed(void)
{
    loop_check(&enclave_system.owner->loop);
    return first.installed;
}
