/*
 * Which apps are alive, those that were replaced among them, and who of them may begin something: app.h, "One after the
 * other".
 */
#include <pthread.h>
#include <string.h>

#include "enclave/wasm/app.h"
#include "enclave/wasm/internal.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct app *living;

void living_add(struct app *app)
{
    ENSURE(app && !app->is_listed);
    pthread_mutex_lock(&lock);
    app->is_listed = true;
    app->next_living = living;
    living = app;
    pthread_mutex_unlock(&lock);
}

void living_remove(struct app *app)
{
    ENSURE(atomic_load(&app->running) == 0);
    if (!app->is_listed)
        return; /* it was never made whole */
    pthread_mutex_lock(&lock);
    struct app **at = &living;
    while (*at != app) {
        ENSURE(*at); /* it is among them */
        at = &(*at)->next_living;
    }
    *at = app->next_living;
    pthread_mutex_unlock(&lock);
}

static bool is_other(const struct app *app, const char *space, const struct app *next)
{
    return app != next && strcmp(app->space, space) == 0;
}

void app_close_others(const char *space, const struct app *next)
{
    pthread_mutex_lock(&lock);
    for (struct app *app = living; app; app = app->next_living)
        if (is_other(app, space, next))
            atomic_store(&app->closed, true);
    pthread_mutex_unlock(&lock);
}

bool app_others_run(const char *space, const struct app *next)
{
    bool run = false;
    pthread_mutex_lock(&lock);
    for (const struct app *app = living; app && !run; app = app->next_living)
        run = is_other(app, space, next) && atomic_load(&((struct app *)app)->running) > 0;
    pthread_mutex_unlock(&lock);
    return run;
}

bool apps_run(void)
{
    bool run = false;
    pthread_mutex_lock(&lock);
    for (const struct app *app = living; app && !run; app = app->next_living)
        run = atomic_load(&((struct app *)app)->running) > 0;
    pthread_mutex_unlock(&lock);
    return run;
}

void app_open(struct app *app)
{
    ENSURE(app && app->is_listed);
    atomic_store(&app->closed, false);
}
