/* Whose names they are: among all apps, and beside the server's own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/early/ecall.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/service/deployed.h"
#include "enclave/service/hostnames.h"
#include "enclave/service/limits.h"
#include "enclave/service/rule.h"
#include "enclave/service/system.h"

struct system enclave_system;

static struct run_args args = {.san = "localhost,Box.example.com,*.wild.example.com,10.0.0.1"};

const struct run_args *ecall_run_args(void)
{
    return &args;
}

/* ---- what the list of apps would need, if it were read or written ------------------------------------------------ */

int system_get(const char *key, uint8_t **value, size_t *size)
{
    (void)key, (void)value, (void)size;
    return -EIO;
}

int kv_commit_wait(struct worker *w, const struct kv_op *ops, size_t count)
{
    (void)w, (void)ops, (void)count;
    return -EIO;
}

bool change_is_preparing(void)
{
    return false;
}

void sgx_random(void *out, size_t size)
{
    memset(out, 7, size);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static int begin(void **state)
{
    (void)state;
    enclave_system.owner = &enclave_system.workers[0];
    return loop_init(&enclave_system.owner->loop, NULL);
}

static int forget_all(void **state)
{
    (void)state;
    while (deployed_first())
        deployed_remove(deployed_first()->name);
    return 0;
}

static struct app_settings *settings_of(const char *json)
{
    static const uint8_t salt[SETTINGS_SALT_SIZE];
    char why[200];
    struct app_settings *s = app_settings_parse(json, strlen(json), salt, why, sizeof why);
    if (!s)
        fail_msg("%s: %s", json, why);
    return s;
}

static void deploy(const char *name, const char *json)
{
    static const uint8_t id[RULE_ID_SIZE] = {1};
    struct deployed *d = deployed_new(name);
    strcpy(d->artefact, "33333333333333333333333333333333");
    d->size = 1;
    d->settings = settings_of(json);
    deployed_found(d, rule_operator(id));
    deployed_put(d);
}

static void judged(const char *app, const char *json, int expected, const char *says)
{
    char why[400] = "";
    struct app_settings *s = settings_of(json);
    int error = hostnames_judge(app, s, why, sizeof why);
    if (error != expected || strcmp(why, says) != 0)
        fail_msg("%s: %s: %d, %s", app, json, error, why);
    app_settings_unref(s);
}

static void a_name_is_one_apps(void **state)
{
    (void)state;
    deploy("shop", "{\"hostnames\":[\"shop.example.com\",\"example.com\"]}");
    deploy("plain", "{}");
    judged("plain", "{\"hostnames\":[\"plain.example.com\"]}", 0, "");
    judged("new", "{\"hostnames\":[\"a.shop.example.com\",\"shop.example\"]}", 0, "");
    judged("shop", "{\"hostnames\":[\"shop.example.com\",\"other.example.com\"]}", 0, ""); /* it is its own */
    judged("plain", "{\"hostnames\":[\"a.example.com\",\"EXAMPLE.com\"]}", -EEXIST,
           "hostnames: \"example.com\" is already a name of the app shop");
    judged("plain", "{}", 0, "");
    forget_all(NULL);
    judged("plain", "{\"hostnames\":[\"example.com\"]}", 0, "");
}

static void the_servers_own_stay_its_own(void **state)
{
    (void)state;
    judged("a", "{\"hostnames\":[\"localhost\"]}", -EEXIST,
           "hostnames: \"localhost\" is the server's own (serve --san)");
    judged("a", "{\"hostnames\":[\"box.example.com\"]}", -EEXIST,
           "hostnames: \"box.example.com\" is the server's own (serve --san)");
    judged("a", "{\"hostnames\":[\"ox.example.com\",\"one.wild.example.com\",\"x.localhost\"]}", 0, "");
}

static void there_is_a_bound(void **state)
{
    (void)state;
    for (unsigned app = 0; app < HOSTNAMES_MAX / APP_HOSTNAMES_MAX; app++) {
        char json[600] = "{\"hostnames\":[", name[16];
        for (unsigned i = 0; i < APP_HOSTNAMES_MAX; i++)
            sprintf(json + strlen(json), "%s\"n%u.a%u.example\"", i ? "," : "", i, app);
        strcat(json, "]}");
        sprintf(name, "a%u", app);
        judged(name, json, 0, "");
        deploy(name, json);
    }
    judged("more", "{\"hostnames\":[\"more.example\"]}", -E2BIG,
           "hostnames: with other apps' there would be 65, and there are 64 at most");
    judged("a0", "{\"hostnames\":[\"more.example\"]}", 0, ""); /* seven fewer, one more */
    judged("more", "{}", 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(a_name_is_one_apps, forget_all),
                                       cmocka_unit_test_teardown(the_servers_own_stay_its_own, forget_all),
                                       cmocka_unit_test_teardown(there_is_a_bound, forget_all)};
    return cmocka_run_group_tests(tests, begin, NULL);
}
