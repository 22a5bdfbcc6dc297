/* See witnessing.h. */
#include "enclave/service/witnessing.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/container.h"
#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/history/history.h"
#include "enclave/https/http.h"
#include "enclave/kvstore/store.h"
#include "enclave/ratls/connections.h"
#include "enclave/service/dial.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/system.h"
#include "enclave/service/witness_record.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/witness/ask.h"

#define TRIAL_NS UINT64_C(5000000000) /* of a trial, beside the time for one question: for another one */

static struct {
    struct witnesses *engine;    /* NULL: there are none, and never were since boot */
    struct witness_set *former;  /* must cosign, too */
    struct loop_task committed;  /* the store has */
    bool waited;                 /* for a commit to be proven */
    struct witness_wait handing; /* from the former set to the present one */
    struct loop_task cuts[PROTO_MAX_WORKERS];
} witnessing;

/* Why nothing is served: the owner writes it, any thread reads it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char reason[1024];

/* ---- the log, as they are shown it ------------------------------------------------------------------------------- */

static uint64_t log_size(void *user)
{
    (void)user;
    return history_head(enclave_system.history).size;
}

/* The text, the empty line, and the first signature: the log's own. */
static size_t log_checkpoint(void *user, char text[WITNESS_CHECKPOINT_MAX], uint64_t *entries)
{
    static char whole[HISTORY_CHECKPOINT_MAX]; /* the owner's alone; too large for a stack */
    struct history_head head;
    (void)user;
    loop_check(&enclave_system.owner->loop);
    size_t size = history_checkpoint(enclave_system.history, whole, &head);
    if (size == 0)
        return 0;
    char *signatures = memmem(whole, size, "\n\n", 2);
    ENSURE(signatures);
    char *end = memchr(signatures + 2, '\n', (size_t)(whole + size - signatures - 2));
    ENSURE(end && end + 1 - whole <= (ptrdiff_t)WITNESS_CHECKPOINT_MAX);
    *entries = head.size;
    memcpy(text, whole, (size_t)(end + 1 - whole));
    return (size_t)(end + 1 - whole);
}

static int log_prove(void *user, uint64_t from, uint64_t to, witness_proof_done done, void *done_user)
{
    (void)user;
    return history_consistency(enclave_system.history, from, to, done, done_user);
}

struct appending {
    witness_appended done;
    void *user;
};

static void on_appended(void *user, int error, const struct history_head *head)
{
    struct appending a = *(struct appending *)user;
    (void)head;
    free(user);
    if (error < 0)
        rpc_log(enclave_system.owner->rpc, LOG_ERROR, "the store refused a state entry of the history (error %d)",
                -error);
    a.done(a.user, error);
}

static int log_append(void *user, witness_appended done, void *done_user)
{
    struct appending *a = malloc(sizeof *a);
    (void)user;
    if (!a)
        return -ENOMEM;
    *a = (struct appending){done, done_user};
    struct generation *now = generations_current();
    const struct history_entry entry = {
        .kind = "state", .what = "state", .generation = now->site.number, .root = now->root};
    int refused = history_append(enclave_system.history, &entry, on_appended, a);
    http_site_unref(&now->site);
    if (refused < 0)
        free(a);
    return refused;
}

static uint64_t log_epoch(void *user)
{
    (void)user;
    return store_epoch(enclave_system.store);
}

/* ---- what comes of it -------------------------------------------------------------------------------------------- */

static void on_reached(void *user, uint64_t size, uint64_t epoch)
{
    static char lines[HISTORY_COSIGNATURES_MAX]; /* the owner's alone */
    (void)user;
    size_t used = witnesses_lines(witnessing.engine, size, lines, sizeof lines);
    if (used > 0)
        (void)history_cosigned(enclave_system.history, size, lines, used); /* or it has grown meanwhile */
    store_proven(enclave_system.store, epoch);
}

static void on_allow(void *user, uint64_t epoch)
{
    (void)user;
    store_allow(enclave_system.store, epoch);
}

static void cut(struct loop_task *task)
{
    connections_cut_clients(&enclave_system.connections[task - witnessing.cuts]);
}

static void on_stop(void *user, const char *why)
{
    (void)user;
    rpc_log(enclave_system.owner->rpc, LOG_ERROR, "serving has stopped: %s", why);
    pthread_mutex_lock(&lock);
    snprintf(reason, sizeof reason, "%s", why);
    pthread_mutex_unlock(&lock);
    atomic_store(&enclave_system.connections[0].http->withheld, true);
    for (uint32_t i = 0; i < enclave_system.worker_count; i++) {
        witnessing.cuts[i].fn = cut;
        loop_post_remote(&enclave_system.workers[i].loop, &witnessing.cuts[i]);
    }
}

static void hand_over(void);

static void on_resume(void *user)
{
    (void)user;
    atomic_store(&enclave_system.connections[0].http->withheld, false);
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "serving goes on: a quorum of witnesses has cosigned");
    hand_over(); /* whose wait has ended where serving has */
}

static void on_tell(void *user, bool bad, const char *line)
{
    (void)user;
    rpc_log(enclave_system.owner->rpc, bad ? LOG_WARN : LOG_INFO, "%s", line);
}

static void on_grown(void *user)
{
    (void)user;
    witnesses_grown(witnessing.engine);
}

static void on_committed(struct loop_task *task)
{
    (void)task;
    bool waited = witnessing.waited;
    witnessing.waited = false;
    witnesses_committed(witnessing.engine, waited);
}

static void on_store(void *user, bool waited)
{
    (void)user;
    witnessing.waited |= waited;
    loop_post(&enclave_system.owner->loop, &witnessing.committed);
}

int witnessing_boot(struct witness_set **out, char *error, size_t error_size)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(!witnessing.former);
    return witness_record_boot(out, &witnessing.former, error, error_size);
}

/* ---- at work ----------------------------------------------------------------------------------------------------- */

static const struct witness_config engine_config = {
    .plain = &witness_dialer,
    .tls = &witness_tls_dialer,
    .log = {NULL, log_size, log_checkpoint, log_prove, log_append, log_epoch},
    .events = {NULL, on_reached, on_allow, on_stop, on_resume, on_tell}};

static int open_engine(void)
{
    struct witness_config config = engine_config;
    config.worker = enclave_system.owner;
    witnessing.engine = witnesses_new(&config);
    return witnessing.engine ? 0 : -ENOMEM;
}

static void watch(void)
{
    witnessing.committed.fn = on_committed;
    history_watch(enclave_system.history, on_grown, NULL);
    store_watch(enclave_system.store, on_store, NULL);
}

/* What a witness's operator must know to let it cosign. */
static void announce(const struct witness_set *set)
{
    struct note_key key;
    char vkey[NOTE_KEY_TEXT_SIZE] = "";
    const char *origin = history_origin(enclave_system.history);
    if (note_key_make(origin, NOTE_ED25519, history_public_key(enclave_system.history), &key) == 0)
        (void)note_key_text(&key, vkey, sizeof vkey);
    rpc_log(enclave_system.owner->rpc, LOG_INFO,
            "witnesses: %u of %zu must cosign the log %s before anybody is served: its key is %s", set->quorum,
            set->count, origin, vkey);
}

/* The former ones have cosigned the change: they are wanted no more. */
static void on_handed(struct witness_wait *wait, size_t count)
{
    (void)count;
    loop_check(&enclave_system.owner->loop);
    ENSURE(witnessing.engine && !wait->waits);
    if (!witnessing.former || witnesses_reached(witnessing.engine) < wait->size)
        return; /* serving has stopped: when it goes on, or at the next boot, there are both */
    struct generation *now = generations_current();
    const struct kv_op op = {
        KV_DELETE, enclave_system.settings, WITNESSES_FORMER_KEY, strlen(WITNESSES_FORMER_KEY), NULL, 0};
    if (kv_commit(enclave_system.owner, &op, 1, NULL, NULL) == 0 &&
        witnesses_are(witnessing.engine, now->witnesses, NULL) == 0) {
        witness_set_unref(witnessing.former);
        witnessing.former = NULL;
    } /* else both must cosign until the next boot */
    http_site_unref(&now->site);
}

static void hand_over(void)
{
    witnessing.handing.fn = on_handed;
    if (witnessing.former && !witnessing.handing.waits)
        witnesses_await(witnessing.engine, &witnessing.handing, log_size(NULL));
}

int witnessing_gate(struct witness_set *set, char *error, size_t error_size)
{
    uint64_t ignored, size = log_size(NULL);
    loop_check(&enclave_system.owner->loop);
    ENSURE(!witnessing.engine);
    if ((!set || set->count == 0) && !witnessing.former)
        return 0;
    int result = open_engine();
    announce(set);
    watch();
    if (result == 0)
        result = witnesses_are(witnessing.engine, set, witnessing.former);
    if (result < 0) {
        snprintf(error, error_size, "boot: no memory is left for witnesses");
        return result;
    }
    while (witnesses_reached(witnessing.engine) < size && !witnesses_refused(witnessing.engine) &&
           !ecall_shutdown_requested(&ignored))
        worker_turn(enclave_system.owner);
    if (witnesses_refused(witnessing.engine)) {
        snprintf(error, error_size, "boot: %s", witnesses_refused(witnessing.engine));
        return -EPERM;
    }
    if (witnesses_reached(witnessing.engine) < size)
        return -ECANCELED;
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "witnesses: a quorum has cosigned %lu entries", (unsigned long)size);
    return 0;
}

void witnessing_serve(void)
{
    loop_check(&enclave_system.owner->loop);
    if (!witnessing.engine)
        return;
    witnesses_serve(witnessing.engine);
    hand_over();
}

void witnessing_rest(void)
{
    loop_check(&enclave_system.owner->loop);
    if (witnessing.engine)
        witnesses_rest(witnessing.engine);
}

bool witnessing_is_handing(void)
{
    loop_check(&enclave_system.owner->loop);
    return witnessing.former != NULL;
}

void witnessing_changed(struct witness_set *set, struct witness_set *former)
{
    bool is_new = !witnessing.engine;
    loop_check(&enclave_system.owner->loop);
    ENSURE(!witnessing.former);
    witnessing.former = witness_set_ref(former);
    int error = is_new ? open_engine() : 0;
    if (error == 0)
        error = witnesses_are(witnessing.engine, set, former);
    if (error < 0) {
        on_stop(NULL, "no memory is left for the new witnesses");
        return;
    }
    if (is_new) {
        watch();
        witnesses_serve(witnessing.engine);
    }
    hand_over();
}

/* ---- whether others would do ------------------------------------------------------------------------------------- */

struct trial {
    struct witnesses *engine;
    struct witness_wait wait;
    struct loop_timer timer;
    struct loop_task end; /* the engine is freed where it does not run */
    witnessing_tried done;
    void *user;
    bool reached;
};

static void end_trial(struct loop_task *task)
{
    struct trial *t = CONTAINER_OF(task, struct trial, end);
    char why[900] = "no quorum of these witnesses cosigns the log";
    witnesses_describe(t->engine, why, sizeof why);
    witnesses_unwait(t->engine, &t->wait);
    loop_timer_stop(&enclave_system.owner->loop, &t->timer);
    witnesses_free(t->engine);
    t->done(t->user, t->reached ? NULL : why);
    free(t);
}

static void on_trial(struct witness_wait *wait, size_t count)
{
    struct trial *t = CONTAINER_OF(wait, struct trial, wait);
    t->reached = witnesses_reached(t->engine) >= wait->size;
    (void)count;
    loop_post(&enclave_system.owner->loop, &t->end);
}

static void on_trial_timeout(struct loop_timer *timer)
{
    struct trial *t = CONTAINER_OF(timer, struct trial, timer);
    loop_post(&enclave_system.owner->loop, &t->end);
}

static void ignore_reached(void *user, uint64_t size, uint64_t epoch)
{
    (void)user, (void)size, (void)epoch;
}

static void ignore_allow(void *user, uint64_t epoch)
{
    (void)user, (void)epoch;
}

int witnessing_try(struct witness_set *set, witnessing_tried done, void *user)
{
    static const struct witness_events events = {.reached = ignore_reached, .allow = ignore_allow, .tell = on_tell};
    struct loop *loop = &enclave_system.owner->loop;
    loop_check(loop);
    ENSURE(set && done);
    struct trial *t = calloc(1, sizeof *t);
    struct witness_config config = engine_config;
    config.worker = enclave_system.owner;
    config.events = events;
    if (t)
        *t = (struct trial){.engine = witnesses_new(&config),
                            .wait.fn = on_trial,
                            .timer.fn = on_trial_timeout,
                            .end.fn = end_trial,
                            .done = done,
                            .user = user};
    if (t && t->engine && loop_timer_start(loop, &t->timer, loop->now_ns + WITNESS_ASK_NS + TRIAL_NS) == 0 &&
        witnesses_are(t->engine, set, NULL) == 0) {
        witnesses_await(t->engine, &t->wait, log_size(NULL));
        return 0;
    }
    if (t)
        loop_timer_stop(loop, &t->timer);
    if (t)
        witnesses_free(t->engine);
    free(t);
    return -ENOMEM;
}

bool witnessing_await(struct witness_wait *wait, uint64_t size)
{
    loop_check(&enclave_system.owner->loop);
    if (!witnessing.engine)
        return false;
    witnesses_await(witnessing.engine, wait, size);
    return true;
}

int witnessing_app(const char *space, bool witnessed)
{
    char name[KV_NAMESPACE_MAX + 1];
    loop_check(&enclave_system.owner->loop);
    snprintf(name, sizeof name, "app:%s", space);
    struct kv_namespace *ns = kv_namespace_open(enclave_system.store, name);
    int error = ns ? store_acknowledge_proven(enclave_system.store, ns, witnessed) : -ENOMEM;
    kv_namespace_close(ns);
    return error;
}

/* ---- for monitoring ---------------------------------------------------------------------------------------------- */

json_t *witnessing_json(void)
{
    return witnessing.engine ? witnesses_report(witnessing.engine, clock_monotonic_ns())
                             : json_pack("{s:i}", "quorum", 0);
}

bool witnessing_withholds(char *why, size_t size)
{
    pthread_mutex_lock(&lock);
    snprintf(why, size, "%s", reason);
    pthread_mutex_unlock(&lock);
    return atomic_load(&enclave_system.connections[0].http->withheld);
}
