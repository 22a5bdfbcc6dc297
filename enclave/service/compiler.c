/* See compiler.h. */
#include "enclave/service/compiler.h"

#include <pthread.h>
#include <stdio.h>

#include "common/ensure.h"
#include "enclave/service/change.h"
#include "enclave/service/system.h"
#include "enclave/thread/threads.h"
#include "enclave/wasm/runtime.h"

struct job {
    const uint8_t *wasm;
    size_t size;
    char *why;
    size_t why_size;
    struct wasm_component *made;
    bool over;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static bool started; /* the owner's */
static enum { AT_BOOT, SERVES, ENDS } phase;
static struct job *job; /* while at boot */

/* With the lock held. */
static void work(struct job *j)
{
    pthread_mutex_unlock(&lock);
    j->made = wasm_compile_quick(enclave_system.wasm, j->wasm, j->size, j->why, j->why_size);
    pthread_mutex_lock(&lock);
    ENSURE(job == j && !j->over);
    job = NULL;
    j->over = true;
    pthread_cond_broadcast(&wake);
}

static void *body(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    while (phase == AT_BOOT) {
        if (job)
            work(job);
        else
            pthread_cond_wait(&wake, &lock);
    }
    bool serves = phase == SERVES;
    pthread_mutex_unlock(&lock);
    return serves ? change_thread(NULL) : NULL;
}

static int start(void)
{
    loop_check(&enclave_system.owner->loop);
    int error = started ? 0 : thread_start(&thread, ENCLAVE_STACK_COMPILER, body, NULL);
    started = started || error == 0;
    return error;
}

struct wasm_component *compiler_compile(const uint8_t *wasm, size_t size, char *why, size_t why_size)
{
    struct job own = {.wasm = wasm, .size = size, .why = why, .why_size = why_size};
    ENSURE(wasm && why);
    ENSURE(phase == AT_BOOT);
    if (start() < 0) {
        snprintf(why, why_size, "there is no thread to compile it");
        return NULL;
    }
    pthread_mutex_lock(&lock);
    ENSURE(!job);
    job = &own;
    pthread_cond_broadcast(&wake);
    while (!own.over)
        pthread_cond_wait(&wake, &lock);
    pthread_mutex_unlock(&lock);
    return own.made;
}

static void enter(int next)
{
    pthread_mutex_lock(&lock);
    ENSURE(!job);
    phase = next;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
}

int compiler_serve(void)
{
    int error = start();
    ENSURE(phase == AT_BOOT);
    if (error == 0)
        enter(SERVES);
    return error;
}

void compiler_stop(bool computing)
{
    if (!started)
        return;
    if (phase == AT_BOOT)
        enter(ENDS);
    if (computing)
        pthread_detach(thread);
    else
        pthread_join(thread, NULL);
    started = false;
}
