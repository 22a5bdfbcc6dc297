/* See optimiser.h. A job's steps, each of which leads to the next: read, compile, write, list. */
#include "enclave/service/optimiser.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/service/change.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/thread/threads.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "sgx/trusted/bridge.h"

#define AGAIN_NS (60 * UINT64_C(1000000000))

struct job {
    struct deployed *app;  /* a copy of the list's; with the artefact's name and size once there is one */
    struct deployed *next; /* as it is to be in the list */
    uint8_t *wasm;
    size_t read;    /* bytes of it */
    size_t records; /* read; then, of the artefact, asked to be written */
    uint8_t *artefact;
    struct wasm_component *component; /* NULL: there is no room for it beside the quick one; why says so */
    int error;
    char why[300];
    struct loop_task compiled;
    struct change_turn turn;
};

static atomic_bool busy; /* written by the owner's thread */
static struct loop_timer again;

/* Shared with the compiling thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static bool started; /* the owner's */
static struct job *handed;
static bool ending;

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void job_free(struct job *j)
{
    deployed_free(j->app);
    deployed_free(j->next);
    free(j->wasm);
    free(j->artefact);
    wasm_component_delete(j->component);
    free(j);
}

static void on_again(struct loop_timer *timer)
{
    (void)timer;
    optimiser_look();
}

/* What was written and no list names goes. */
static void forget(const struct job *j)
{
    for (size_t i = 0; i < j->records && j->artefact; i++) {
        char key[DEPLOYED_KEY_SIZE];
        deployed_chunk_key(j->app, i, key);
        const struct kv_op op = {KV_DELETE, enclave_system.settings, key, strlen(key), NULL, 0};
        int ignored = kv_commit(enclave_system.owner, &op, 1, NULL, NULL);
        (void)ignored; /* what stays goes at the next boot */
    }
}

static void end(struct job *j)
{
    ENSURE(atomic_load(&busy));
    job_free(j);
    atomic_store(&busy, false);
    optimiser_look();
}

/* It serves as before: error is a negative errno; why says more, or nothing. */
static void fail(struct job *j, int error)
{
    struct loop *loop = &enclave_system.owner->loop;
    bool stopping = change_is_stopping();
    ENSURE(error < 0);
    if (!stopping) {
        rpc_log(enclave_system.owner->rpc, LOG_WARN,
                "app %s: it is served with quick code, since optimising it failed (error %d): %s", j->app->name, -error,
                j->why);
        forget(j);
        deployed_tried(j->app->name);
        again.fn = on_again;
        int ignored = loop_timer_start(loop, &again, loop->now_ns + AGAIN_NS);
        (void)ignored; /* then after the next change */
    }
    end(j);
}

/* The app as it is listed now, if it is the same code and still has no artefact. NULL: nobody needs this one's. */
static const struct deployed *still_wanted(const struct job *j)
{
    const struct deployed *d = deployed_find(j->app->name);
    return d && !d->artefact[0] && strcmp(d->wasm, j->app->wasm) == 0 ? d : NULL;
}

/* Replaced, or removed, or all ends: no failure. */
static bool given_up(struct job *j)
{
    bool stopping = change_is_stopping();
    if (!stopping && still_wanted(j))
        return false;
    if (!stopping)
        forget(j);
    end(j);
    return true;
}

/* ---- listing, and serving ---------------------------------------------------------------------------------------- */

static void serve(struct job *j)
{
    struct generation *now = generations_current();
    struct app *app = app_table_find(now->site.apps, j->app->name, strlen(j->app->name));
    ENSURE(app);
    int error = -ENOSPC;
    if (j->component && app_is_quick(app)) {
        error = app_improve(app, j->component, j->why, sizeof j->why);
        j->component = NULL;
    }
    http_site_unref(&now->site);
    if (error == 0)
        rpc_log(enclave_system.owner->rpc, LOG_INFO, "app %s: it is served with optimised code", j->app->name);
    else
        rpc_log(enclave_system.owner->rpc, LOG_WARN,
                "app %s: it is served with quick code until the next start, from which on it is optimised: %s",
                j->app->name, j->why);
}

static void on_listed(void *user, int error)
{
    struct job *j = user;
    if (error == 0) {
        deployed_put(j->next);
        j->next = NULL;
        serve(j);
    }
    change_turn_end();
    if (error < 0)
        fail(j, error);
    else
        end(j);
}

static int list(struct job *j, const struct deployed *now)
{
    j->next = deployed_copy(now);
    if (!j->next)
        return -ENOMEM;
    snprintf(j->next->artefact, sizeof j->next->artefact, "%s", j->app->artefact);
    j->next->size = j->app->size;
    memcpy(j->next->engine, wasm_engine_id, sizeof j->next->engine);
    char *text = deployed_text(j->app->name, j->next);
    if (!text)
        return -ENOMEM;
    const struct kv_op op = {KV_PUT, enclave_system.settings, "apps", 4, text, strlen(text)};
    int error = kv_commit(enclave_system.owner, &op, 1, on_listed, j);
    OPENSSL_clear_free(text, strlen(text)); /* settings may be secrets */
    return error;
}

static void on_turn(struct change_turn *turn)
{
    struct job *j = CONTAINER_OF(turn, struct job, turn);
    const struct deployed *now = change_is_stopping() ? NULL : still_wanted(j);
    int error = now ? list(j, now) : 0;
    if (now && error == 0)
        return; /* on_listed */
    change_turn_end();
    if (error < 0)
        fail(j, error);
    else
        given_up(j);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void write_next(void *user, int error)
{
    struct job *j = user;
    loop_check(&enclave_system.owner->loop);
    if (error < 0) {
        fail(j, error);
        return;
    }
    if (given_up(j))
        return;
    if (j->records == deployed_chunks(j->app)) {
        j->turn.run = on_turn;
        change_turn_take(&j->turn);
        return;
    }
    char key[DEPLOYED_KEY_SIZE];
    size_t at = j->records * DEPLOYED_CHUNK, left = j->app->size - at;
    deployed_chunk_key(j->app, j->records, key);
    const struct kv_op op = {KV_PUT,      enclave_system.settings, key,
                             strlen(key), j->artefact + at,        left < DEPLOYED_CHUNK ? left : DEPLOYED_CHUNK};
    j->records++;
    int refused = kv_commit(enclave_system.owner, &op, 1, write_next, j);
    if (refused < 0)
        fail(j, refused);
}

static void on_compiled(struct loop_task *task)
{
    struct job *j = CONTAINER_OF(task, struct job, compiled);
    uint8_t name[16];
    loop_check(&enclave_system.owner->loop);
    ENSURE(!j->error == (j->artefact != NULL));
    j->records = 0;
    if (j->error < 0) {
        fail(j, j->error);
        return;
    }
    sgx_random(name, sizeof name);
    hex_text(name, sizeof name, j->app->artefact);
    write_next(j, 0);
}

/* ---- compiling, on its thread ------------------------------------------------------------------------------------ */

static void compile(struct job *j)
{
    uint8_t sha256[32];
    SHA256(j->wasm, j->app->wasm_size, sha256);
    snprintf(j->why, sizeof j->why, "the component that was kept is another one");
    j->error = memcmp(sha256, j->app->sha256, sizeof sha256) == 0
                   ? wasm_optimise(enclave_system.wasm, j->wasm, j->app->wasm_size, &j->artefact, &j->app->size, j->why,
                                   sizeof j->why)
                   : -EBADMSG;
    free(j->wasm);
    j->wasm = NULL;
    if (j->error == 0)
        j->component = wasm_deserialize(enclave_system.wasm, j->artefact, j->app->size, j->why, sizeof j->why);
}

static void *body(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    while (!ending) {
        struct job *j = handed;
        if (!j) {
            pthread_cond_wait(&wake, &lock);
            continue;
        }
        pthread_mutex_unlock(&lock);
        compile(j);
        pthread_mutex_lock(&lock);
        ENSURE(handed == j);
        handed = NULL;
        if (!ending) /* otherwise its memory goes with the enclave */
            loop_post_remote(&enclave_system.owner->loop, &j->compiled);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void hand_over(struct job *j)
{
    int error = started ? 0 : thread_start(&thread, ENCLAVE_STACK_COMPILER, body, NULL);
    started = started || error == 0;
    if (error < 0) {
        snprintf(j->why, sizeof j->why, "there is no thread for it");
        fail(j, error);
        return;
    }
    j->compiled.fn = on_compiled;
    pthread_mutex_lock(&lock);
    ENSURE(!handed && !ending);
    handed = j;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void read_next(struct job *j);

static void on_read(void *user, int error, const uint8_t *value, size_t size)
{
    struct job *j = user;
    if (given_up(j)) /* its records may be gone */
        return;
    if (error == 0 && size > j->app->wasm_size - j->read)
        error = -EBADMSG;
    if (error < 0) {
        snprintf(j->why, sizeof j->why, "its component cannot be read");
        fail(j, error);
        return;
    }
    memcpy(j->wasm + j->read, value, size);
    j->read += size;
    j->records++;
    read_next(j);
}

static void read_next(struct job *j)
{
    char key[DEPLOYED_KEY_SIZE];
    int error = j->read == j->app->wasm_size ? 0 : -EBADMSG;
    if (j->records == deployed_records(j->app) && error == 0) {
        hand_over(j);
        return;
    }
    if (j->records < deployed_records(j->app)) {
        deployed_chunk_key(j->app, j->records, key);
        error = kv_get(enclave_system.owner, enclave_system.settings, key, strlen(key), on_read, j);
    }
    if (error < 0)
        fail(j, error);
}

/* ---- which one --------------------------------------------------------------------------------------------------- */

static const struct deployed *next_one(void)
{
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        if (!d->artefact[0] && d->tries < OPTIMISER_TRIES_MAX)
            return d;
    return NULL;
}

void optimiser_look(void)
{
    loop_check(&enclave_system.owner->loop);
    const struct deployed *d = atomic_load(&busy) || change_is_stopping() ? NULL : next_one();
    if (!d)
        return;
    struct job *j = calloc(1, sizeof *j);
    if (j) {
        j->app = deployed_copy(d);
        j->wasm = malloc(d->wasm_size);
    }
    if (!j || !j->app || !j->wasm) { /* after the next change */
        if (j)
            job_free(j);
        return;
    }
    atomic_store(&busy, true);
    loop_timer_stop(&enclave_system.owner->loop, &again);
    read_next(j);
}

bool optimiser_is_busy(void)
{
    return atomic_load(&busy);
}

bool optimiser_stop(void)
{
    pthread_mutex_lock(&lock);
    bool computes = handed != NULL;
    ending = true;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
    if (started && computes)
        pthread_detach(thread);
    else if (started)
        pthread_join(thread, NULL);
    started = false;
    return computes;
}
