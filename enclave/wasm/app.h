/*
 * Apps: a name, a component, its limits. And tables that find an app by its name.
 *
 * An app is immutable and counted: a replaced or removed app lives until its last request is answered.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_APP_H
#define ENCLAVE_OS_ENCLAVE_WASM_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/budget/budget.h"
#include "enclave/https/exchange.h"

struct wasm_runtime;
struct wasm_component;
struct app_settings;

#define APP_NAME_MAX 63u /* letters, digits, '-', '_'; begins with a letter or digit */

bool app_name_ok(const char *name, size_t size);

#define APP_MEMORY_MIB 256u
#define APP_TIMEOUT_MS 30000u

struct app_config {
    const char *name;
    const char *space;             /* what its data is kept under, at most APP_NAME_MAX letters; NULL: its name */
    const char *rule;              /* its leaf's value (service/rule.h), for app_rule; NULL: "" */
    uint8_t sha256[32];            /* of the .wasm */
    uint64_t memory_limit;         /* bytes of linear memory for one request; 0: APP_MEMORY_MIB */
    uint32_t timeout_ms;           /* for one request; 0: APP_TIMEOUT_MS */
    struct app_settings *settings; /* a reference is taken; NULL: empty ones */
    bool closed;                   /* requests are refused until app_open */
    const char *stopped;           /* it has no code to run: this sentence, without quotes, says why, and what helps;
                                    * NULL: it has */
    const _Atomic uint64_t *lost;  /* how many of its records are (kvstore/damage.h); lives on; NULL: none */
};

struct app;

/* Make an app; takes the component in any case; one that is stopped has none. Every import is checked: NULL, with why
 * naming the interface and function, if the enclave does not serve one of them, or if no handler is exported. Config is
 * copied. */
struct app *app_new(struct wasm_runtime *rt, const struct app_config *config, struct wasm_component *component,
                    char *why, size_t why_size);
struct app *app_ref(struct app *app);
void app_unref(struct app *app);

const char *app_name(const struct app *app);
const char *app_prefix(const struct app *app); /* "/NAME": where it is reached */
const uint8_t *app_sha256(const struct app *app);
const char *app_rule(const struct app *app); /* as its config had it */
/* NULL: it is stopped. As long as the app, but quick code only as long as nobody calls app_improve. */
const struct wasm_component *app_component(const struct app *app);
const char *app_stopped(const struct app *app);              /* why it is; NULL: it runs */
uint64_t app_lost(const struct app *app);                    /* of its records */
struct app_settings *app_settings_of(const struct app *app); /* lives as long as the app */
uint64_t app_calls(const struct app *app);
unsigned app_running(const struct app *app); /* guests, at this moment */
/* Whether it marks what it writes, so that its memories are put back to what they were and used again; and how many
 * requests had one that was used before. */
bool app_marks(const struct app *app);
uint64_t app_recycled(const struct app *app);
/* Requests that its settings' limits have refused: too many at once, too many in a second, too large. */
struct app_refusals {
    uint64_t busy, fast, large;
};
struct app_refusals app_refusals(const struct app *app);
/* What its guests have kept their workers busy with, in nanoseconds of the workers' clock (GUEST_TURN_MIN_US); and how
 * many of its requests were ended since they would not come to an end of it (its settings' limits, cpu_ms). */
uint64_t app_cpu_ns(const struct app *app);
uint64_t app_over_cpu(const struct app *app);
const struct budget *app_memory(const struct app *app); /* what its guests hold */

/* Whether it runs quick code (runtime.h) so far. */
bool app_is_quick(const struct app *app);
/* Optimised code of the same component for an app that is: requests that begin from here on run it, those that run end
 * in the code that they began with, which goes with the last of them. Takes the component in any case. 0, or -EINVAL
 * with why: it runs as before. Any thread, but once. */
int app_improve(struct app *app, struct wasm_component *better, char *why, size_t why_size);

/* Answer the request with a fresh instance; one that is closed refuses it with 503 and retry-after, one that is stopped
 * with 503 and why. Called on the
 * exchange's worker; keeps its own reference. */
void app_handle(struct app *app, struct http_exchange *x);

/*
 * One after the other. An app that is replaced lives on as long as it is used, and runs beside what has taken its
 * place, over the same data. Where that must not be, the new one is made closed, and
 *
 *     app_close_others(space, next);           from here on none of those before begins anything
 *     while (app_others_run(space, next)) ...  what they have begun ends; look again later
 *     app_open(next);
 *
 * next NULL: nothing takes their place. Any thread.
 */
void app_close_others(const char *space, const struct app *next);
bool app_others_run(const char *space, const struct app *next);
void app_open(struct app *app);
/* Whether a guest of any app runs, those of apps that were replaced among them. Any thread. */
bool apps_run(void);

/*
 * A table of apps, sorted by name. Whoever makes one may change it until others see it (as part of an http_site,
 * site.h); from then on it is only read, from any thread, and without a lock.
 */
struct app_table;
struct json_t;
struct app_table *app_table_new(void); /* empty; NULL: no memory */
/* One of its own with the same apps, to be changed. NULL: no memory. */
struct app_table *app_table_copy(const struct app_table *table);
void app_table_free(struct app_table *table); /* gives the references back; NULL is nothing */
/* Add or replace; takes the caller's reference. -ENOMEM (the reference is then dropped). */
int app_table_put(struct app_table *table, struct app *app);
int app_table_remove(struct app_table *table, const char *name); /* -ENOENT */
/* Borrowed: it lives as long as it is in the table. NULL: there is none. */
struct app *app_table_find(const struct app_table *table, const char *name, size_t name_size);
/* Calls visit for each app, sorted by name. */
void app_table_each(const struct app_table *table, void (*visit)(void *user, struct app *app), void *user);
size_t app_table_count(const struct app_table *table);
/* An array, the caller's, of what of makes of each app, in the table's order. NULL: no memory, or of gave NULL for
 * one. */
struct json_t *app_table_json(const struct app_table *table, struct json_t *(*of)(struct app *app));

#endif
