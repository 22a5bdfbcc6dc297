/* See generations.h. */
#include "enclave/service/generations.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/ratls/certificate.h"
#include "enclave/ratls/connections.h"
#include "enclave/ratls/tls_context.h"
#include "enclave/service/attest.h"
#include "enclave/service/chronicle.h"
#include "enclave/service/generation.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

#define RENEW_AFTER_NS (LEAF_LIFETIME_S / 2 * UINT64_C(1000000000))
#define RETRY_FIRST_NS (1 * UINT64_C(1000000000))
#define RETRY_MOST_NS (300 * UINT64_C(1000000000))
#define NEVER_NS UINT64_MAX

/* The owner writes both, any thread reads them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct generation *current;
static struct generations_report report;

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
    bool is_again; /* what it takes the place of is the same, and its certificate as old */
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

static void (*told)(void); /* boot fills it in */

void generations_tell(void (*by)(void))
{
    ENSURE(!told);
    told = by;
}

static void on_over(struct loop_task *task)
{
    struct installation *i = CONTAINER_OF(task, struct installation, over);
    loop_check(&enclave_system.owner->loop);
    if (i->done)
        i->done(i->user);
    installation_free(i);
    if (told)
        told();
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
static void make_current(struct generation *g, bool is_again)
{
    http_site_ref(&g->site);
    pthread_mutex_lock(&lock);
    struct generation *before = current;
    current = g;
    if (!is_again) {
        report.renewed_ns = enclave_system.owner->loop.now_ns;
        report.failing_since_ns = 0;
    }
    pthread_mutex_unlock(&lock);
    http_site_unref(before ? &before->site : NULL);
}

static void plan_renewal(void);

void installation_begin(struct installation *i, uint64_t cut_ns, void (*done)(void *user), void *user)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(!current || i->generation == current || i->is_again || i->generation->site.number > current->site.number);
    if (current && i->generation != current)
        http_site_retire(&current->site, cut_ns);
    if (cut_ns == SITE_CUT_AT_ONCE) /* and of those before, whose time would be over later */
        generation_hurry_retired();
    make_current(i->generation, i->is_again);
    if (!i->is_again)
        plan_renewal();
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

/* ---- the certificate of the generation that is in force, and of boot's ------------------------------------------ */

static struct {
    struct loop_timer timer;    /* the next attempt */
    uint64_t pause_ns;          /* before the one behind it, should that one fail */
    bool begun;                 /* an attempt is under way */
    struct generation *first;   /* boot's, until its certificate is there; borrowed */
    struct installation *ready; /* for it */
} attempts = {.pause_ns = RETRY_FIRST_NS};

static void plan_attempt(uint64_t after_ns)
{
    struct loop *loop = &enclave_system.owner->loop;
    uint64_t at_ns = after_ns == NEVER_NS ? NEVER_NS : loop->now_ns + after_ns;
    ENSURE(loop_timer_start(loop, &attempts.timer, at_ns) == 0); /* it is started already */
}

/* What failed is tried again, after a pause. */
static void plan_retry(int error)
{
    uint64_t pause_ns = attempts.pause_ns;
    pthread_mutex_lock(&lock);
    report.renewals_failed++;
    if (report.failing_since_ns == 0)
        report.failing_since_ns = enclave_system.owner->loop.now_ns;
    pthread_mutex_unlock(&lock);
    rpc_log(enclave_system.owner->rpc, LOG_ERROR, "no new certificate: error %d; the next attempt is in %lu s", -error,
            (unsigned long)(pause_ns / 1000000000));
    attempts.pause_ns = pause_ns * 2 < RETRY_MOST_NS ? pause_ns * 2 : RETRY_MOST_NS;
    plan_attempt(pause_ns);
}

static void plan_renewal(void)
{
    attempts.pause_ns = RETRY_FIRST_NS;
    plan_attempt(RENEW_AFTER_NS);
}

static void on_certificate(void *user, int error, SSL_CTX *tls)
{
    struct generation *g = user;
    bool is_first = g == attempts.first,
         wanted = is_first || g == current; /* else its successor has one, or none will */
    attempts.begun = false;
    struct installation *i = error == 0 && wanted ? installation_new(g, tls) : NULL;
    if (i && is_first) {
        attempts.first = NULL;
        attempts.ready = i;
    } else if (i) {
        installation_begin(i, 0, NULL, NULL);
    } else if (wanted) {
        plan_retry(error ? error : -ENOMEM);
    }
    http_site_unref(&g->site);
}

static void attempt(struct loop_timer *timer)
{
    plan_attempt(NEVER_NS); /* first of all: the timer's place is still there */
    if (attempts.begun) {
        plan_attempt(RETRY_FIRST_NS); /* for the generation before: its end says nothing of this one */
        return;
    }
    struct generation *g = attempts.first ? attempts.first : current;
    ENSURE(timer == &attempts.timer && g);
    http_site_ref(&g->site);
    const struct history_head head = history_head(enclave_system.history);
    int refused = attest(g, &head, on_certificate, g);
    attempts.begun = refused == 0;
    if (refused < 0) {
        http_site_unref(&g->site);
        plan_retry(refused);
    }
}

void generations_renew(void)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(current && !attempts.first);
    plan_attempt(attempts.begun ? RETRY_FIRST_NS : 0);
}

/* A certificate that is on its way was for the one before, so that its end says nothing: another one is asked for. */
int generations_again(uint64_t cut_ns, void (*done)(void *user), void *user)
{
    struct generation_parts parts;
    loop_check(&enclave_system.owner->loop);
    ENSURE(current && enclave_system.connections[0].tls);
    if (generation_parts_of(current, &parts) < 0)
        return -ENOMEM;
    struct generation *g = generation_make(current->site.number, &parts);
    struct installation *i = g ? installation_new(g, enclave_system.connections[0].tls) : NULL;
    if (i) {
        ENSURE(memcmp(g->root, current->root, sizeof g->root) == 0); /* what is shown is what it was */
        i->is_again = true;
        if (attempts.begun)
            plan_attempt(RETRY_FIRST_NS);
        installation_begin(i, cut_ns, done, user);
    }
    http_site_unref(g ? &g->site : NULL);
    return i ? 0 : -ENOMEM;
}

/* ---- boot -------------------------------------------------------------------------------------------------------- */

static bool first_installed;

/* Asked for until there is one: 0; -ECANCELED: the host wants to stop; -ENOMEM. */
static int await_certificate(struct generation *g, struct installation **out)
{
    struct worker *owner = enclave_system.owner;
    uint64_t ignored;
    loop_check(&owner->loop);
    ENSURE(!attempts.first && !attempts.ready);
    attempts.timer.fn = attempt;
    if (loop_timer_start(&owner->loop, &attempts.timer, NEVER_NS) != 0)
        return -ENOMEM;
    attempts.first = g;
    attempt(&attempts.timer);
    while (!attempts.ready && !ecall_shutdown_requested(&ignored))
        worker_turn(owner);
    attempts.first = NULL; /* what comes of an attempt that is left, nobody waits for */
    *out = attempts.ready;
    attempts.ready = NULL;
    return *out ? 0 : -ECANCELED;
}

static void on_installed(void *user)
{
    (void)user;
    first_installed = true;
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
    struct generation_parts parts;
    struct generation *next = generation_parts_of(g, &parts) == 0 ? generation_make(g->site.number + 1, &parts) : NULL;
    http_site_unref(&g->site);
    return next;
}

/* In the log first, so that its certificate can show that. */
static int serve_first(struct generation *g, bool is_new, generations_gate gate, char *error, size_t error_size)
{
    struct installation *i;
    int result = chronicle_boot(g, is_new, error, error_size);
    if (result < 0)
        return result;
    result = gate ? gate(g->witnesses, error, error_size) : 0;
    if (result < 0)
        return result;
    result = await_certificate(g, &i);
    if (result < 0) {
        snprintf(error, error_size, "boot: no certificate (error %d)", -result);
        return result;
    }
    installation_begin(i, 0, on_installed, NULL);
    return 0;
}

int generations_boot(struct generation_parts *parts, generations_gate gate, char *error, size_t error_size)
{
    uint64_t number;
    uint8_t root[32];
    loop_check(&enclave_system.owner->loop);
    ENSURE(parts->apps && !current);
    int result = read_record(&number, root);
    if (result < 0) {
        snprintf(error, error_size, "boot: the record of the last generation cannot be read (error %d)", -result);
        generation_parts_release(parts);
        return result;
    }
    struct generation *g = generation_make(number ? number : 1, parts);
    bool is_new = number == 0;
    if (g && !is_new && memcmp(g->root, root, sizeof root) != 0) {
        g = successor(g);
        is_new = true;
    }
    if (!g) {
        snprintf(error, error_size, "boot: out of memory");
        return -ENOMEM;
    }
    result = serve_first(g, is_new, gate, error, error_size);
    http_site_unref(&g->site);
    return result;
}

/* Who asks knows by other means who is here (enclave/handover). */
static SSL_CTX *mute_context(void)
{
    EVP_PKEY *key = certificate_make_key();
    X509 *own = key ? certificate_make_ca(key, time(NULL)) : NULL;
    SSL_CTX *tls = own ? tls_context_new(key, own, own, false) : NULL;
    X509_free(own);
    EVP_PKEY_free(key);
    return tls;
}

int generations_boot_mute(struct generation_parts *parts, char *error, size_t error_size)
{
    uint64_t number;
    uint8_t root[32];
    loop_check(&enclave_system.owner->loop);
    ENSURE(parts->apps && !current);
    int result = read_record(&number, root);
    struct generation *g = generation_make(number ? number : 1, parts);
    SSL_CTX *tls = g ? mute_context() : NULL;
    struct installation *i = tls ? installation_new(g, tls) : NULL;
    attempts.timer.fn = attempt;
    if (result == 0 && (!i || loop_timer_start(&enclave_system.owner->loop, &attempts.timer, NEVER_NS) < 0))
        result = -ENOMEM;
    if (result == 0) {
        i->is_again = true;
        installation_begin(i, 0, on_installed, NULL);
    } else {
        installation_free(i);
        snprintf(error, error_size, "boot: what was served last cannot be read (error %d)", -result);
    }
    SSL_CTX_free(tls);
    http_site_unref(g ? &g->site : NULL);
    return result;
}

bool generations_installed(void)
{
    loop_check(&enclave_system.owner->loop);
    return first_installed;
}
