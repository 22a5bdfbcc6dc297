/*
 * Options to a policy. See trust.h; judge.c has the judgement.
 */
#include "cli/trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/report.h"
#include "common/hex.h"
#include "verifier/http_get.h"
#include "verifier/verifier_openssl.h"

#define PEM_MAX (1u << 20)
#define POLICY_MAX (1u << 20)

void trust_options_deinit(struct trust_options *t)
{
    verifier_policy_destroy(t->policy);
    t->policy = NULL;
    trust_forget(t);
}

/* ---- options --------------------------------------------------------------------------------------------------- */

static int measurement(struct trust_options *t, int id, const char *value)
{
    uint8_t hash[32];
    const char *name = id == TRUST_MRENCLAVE ? "mrenclave" : "mrsigner";
    if (!hex_read(value, strlen(value), hash, sizeof hash))
        return wrong("--%s %s: expected 64 hex digits", name, value);
    if (id == TRUST_MRSIGNER)
        verifier_policy_set_mrsigner(t->policy, hash);
    else if (verifier_policy_add_mrenclave(t->policy, hash) != 0)
        return wrong("--mrenclave %s: too many of them", value);
    return 0;
}

static int number(struct trust_options *t, int id, const char *value)
{
    uint64_t v;
    if (!arguments_number(value, 0, 65535, &v))
        return wrong("--%s %s: expected a number from 0 to 65535", id == TRUST_PROD_ID ? "prod-id" : "min-svn", value);
    if (id == TRUST_PROD_ID)
        verifier_policy_set_prod_id(t->policy, (uint16_t)v);
    else
        verifier_policy_set_min_svn(t->policy, (uint16_t)v);
    return 0;
}

static int certificates(struct trust_options *t, int id, const char *path)
{
    size_t size;
    const char *name = id == TRUST_ROOT ? "--root" : "--issuer";
    char *pem = read_input(name, path, PEM_MAX, &size);
    if (!pem)
        return 2;
    if (judge_certificates(name, path, pem, size) != 0) {
        OPENSSL_clear_free(pem, size);
        return 2;
    }
    int result = id == TRUST_ROOT ? verifier_policy_set_roots(t->policy, pem, size)
                                  : verifier_policy_set_issuer(t->policy, pem, size);
    free(pem);
    if (result == 0)
        return 0;
    return wrong("%s %s: expected %s, in at most 64 KiB, and it is more, or one cannot be read", name, path,
                 id == TRUST_ROOT ? "1 to 8 certificates" : "one certificate");
}

static int judge_ca_file(const char *path)
{
    size_t size;
    char *pem = read_input("--pccs-ca", path, PEM_MAX, &size);
    int result = pem ? judge_certificates("--pccs-ca", path, pem, size) : 2;
    OPENSSL_clear_free(pem, pem ? size : 0);
    return result;
}

static int extension(struct trust_options *t, const char *value)
{
    char oid[64];
    uint8_t data[1024];
    size_t oid_size = strcspn(value, "="), digits = value[oid_size] ? strlen(value + oid_size + 1) : 1;
    if (oid_size >= sizeof oid || digits % 2 != 0 || digits / 2 > sizeof data)
        return wrong("--extension %s: expected OID=HEX, such as 1.3.6.1.4.1.65230.2.4=00ff", value);
    memcpy(oid, value, oid_size);
    oid[oid_size] = '\0';
    if (!hex_read(value + oid_size + 1, digits, data, digits / 2) ||
        verifier_policy_expect_extension(t->policy, oid, data, digits / 2) != 0)
        return wrong("--extension %s: expected OID=HEX, at most 16 of them", value);
    return 0;
}

/* What a setter of the policy said about --NAME VALUE. */
static int judge_expectation(const char *option, const char *value, int result, const char *expected)
{
    if (result == -EEXIST)
        return wrong("--%s %s: the policy, or another option, expects something else", option, value);
    if (result == -E2BIG)
        return wrong("--%s %s: there are too many", option, value);
    return result == 0 ? 0 : wrong("--%s %s: expected %s", option, value, expected);
}

/* NAME=VALUE, of an app: its name to name; what stands behind the sign; NULL: not so. */
static const char *split_app(const char *text, char name[APP_NAME_SIZE_MAX + 1])
{
    size_t size = strcspn(text, "=");
    if (size == 0 || size > APP_NAME_SIZE_MAX || strspn(text, APP_NAME_LETTERS) != size || !text[size])
        return NULL;
    memcpy(name, text, size);
    name[size] = '\0';
    return text + size + 1;
}

static int app(struct trust_options *t, int id, const char *value)
{
    static const char *const options[] = {"app", "app-settings", "egress"};
    static const char *const forms[] = {"NAME=SHA256, with 64 hex digits",
                                        "NAME=HASH, with 64 hex digits, or NAME=none",
                                        "NAME=HOST[:PORT],..., or NAME= for nowhere"};
    char name[APP_NAME_SIZE_MAX + 1];
    uint8_t hash[32];
    const char *what = split_app(value, name);
    bool hashed = what && hex_read(what, strlen(what), hash, sizeof hash);
    int result = -EINVAL;
    if (id == TRUST_APP && hashed)
        result = verifier_policy_expect_code(t->policy, name, hash);
    else if (id == TRUST_APP_SETTINGS && (hashed || (what && strcmp(what, "none") == 0)))
        result = verifier_policy_expect_settings(t->policy, name, hashed ? hash : NULL);
    else if (id == TRUST_EGRESS && what)
        result = verifier_policy_expect_egress(t->policy, name, what);
    return judge_expectation(options[id - TRUST_APP], value, result, forms[id - TRUST_APP]);
}

static int instance(struct trust_options *t, const char *value)
{
    uint8_t hash[32];
    int result =
        hex_read(value, strlen(value), hash, sizeof hash) ? verifier_policy_expect_instance(t->policy, hash) : -EINVAL;
    return judge_expectation("instance", value, result, "64 hex digits");
}

static int policy_file(struct trust_options *t, const char *path)
{
    size_t size;
    char error[256], *text = read_input("--policy", path, POLICY_MAX, &size);
    if (!text)
        return 2;
    int result = verifier_policy_read(t->policy, text, size, error, sizeof error);
    free(text);
    return result == 0 ? 0 : wrong("--policy %s: %s", path, error);
}

/* Those without a value; false: it is none of them. */
static bool set_flag(struct trust_options *t, int id)
{
    switch (id) {
    case TRUST_ALLOW_SIMULATION:
        verifier_policy_allow_simulation(t->policy, true);
        return true;
    case TRUST_ALLOW_DEBUG:
        verifier_policy_allow_debug(t->policy, true);
        return true;
    case TRUST_REQUIRE_COLLATERAL:
        verifier_policy_require_collateral(t->policy, true);
        return true;
    case TRUST_FRESH:
        t->fresh = true;
        verifier_policy_require_fresh(t->policy, true);
        return true;
    case TRUST_ONLY_APPS:
        t->only_apps = true;
        return true;
    default:
        return false;
    }
}

static int set_option(struct trust_options *t, int id, const char *value)
{
    struct http_url ignored;
    if (set_flag(t, id))
        return 0;
    switch (id) {
    case TRUST_MRENCLAVE:
    case TRUST_MRSIGNER:
        return measurement(t, id, value);
    case TRUST_PROD_ID:
    case TRUST_MIN_SVN:
        return number(t, id, value);
    case TRUST_ROOT:
    case TRUST_ISSUER:
        return certificates(t, id, value);
    case TRUST_EXTENSION:
        return extension(t, value);
    case TRUST_APP:
    case TRUST_APP_SETTINGS:
    case TRUST_EGRESS:
        return app(t, id, value);
    case TRUST_INSTANCE:
        return instance(t, value);
    case TRUST_ADMIN:
        return expected_admins_add(&t->admins, value);
    case TRUST_ADMIN_THRESHOLD:
        return expected_admins_threshold(&t->admins, value);
    case TRUST_POLICY: /* was read first: read_policy */
        return 0;
    case TRUST_LOG_STATE:
        t->log_state = value;
        return 0;
    case TRUST_ACCEPT_TCB:
        t->tcb_accepted = true;
        if (verifier_policy_accept_tcb(t->policy, verifier_tcb_status_from_name(value)) == 0)
            return 0;
        return wrong("--accept-tcb %s: not a status that can be accepted: SWHardeningNeeded, ConfigurationNeeded, "
                     "ConfigurationAndSWHardeningNeeded, OutOfDate, OutOfDateConfigurationNeeded",
                     value);
    case TRUST_COLLATERAL:
        if (!is_folder(value))
            return wrong("--collateral %s: not a folder%s%s", value, errno ? ": " : "", errno ? strerror(errno) : "");
        t->collateral_folder = value;
        return 0;
    case TRUST_SAVE_COLLATERAL:
        if (!is_folder(value))
            return wrong("--save-collateral %s: not a folder%s%s", value, errno ? ": " : "",
                         errno ? strerror(errno) : "");
        t->save_folder = value;
        return 0;
    case TRUST_PCCS:
        if (!verifier__parse_url(value, &ignored))
            return wrong("--pccs %s: expected http[s]://HOST[:PORT][/PATH]", value);
        t->pccs_url = value;
        return 0;
    default:
        t->fetch.ca_file = value;
        return judge_ca_file(value);
    }
}

/* Read last, since it is to be of the instance that the others say. */
static int log_state(struct trust_options *t)
{
    char error[256];
    int result = t->log_state ? verifier_log_remembered(t->policy, t->log_state, &t->log_from, error, sizeof error) : 0;
    return result == 0 || result == -ENOENT ? 0 : wrong("--log-state %s: %s", t->log_state, error);
}

/* What would have no effect beside the others is refused. */
static int judge_together(const struct trust_options *t)
{
    if (t->pccs_url && t->collateral_folder)
        return wrong("--pccs and --collateral: one of them");
    if (t->save_folder && !t->pccs_url)
        return wrong("--save-collateral keeps what --pccs gave: give that, too");
    if (t->fetch.ca_file && (!t->pccs_url || strncmp(t->pccs_url, "https://", 8) != 0))
        return wrong("--pccs-ca is for a --pccs with https");
    if (t->tcb_accepted && !t->pccs_url && !t->collateral_folder)
        return wrong("--accept-tcb needs --pccs or --collateral: without collateral no TCB status is known");
    return expected_admins_tell(&t->admins, t->policy);
}

static int read_one(struct trust_options *t, struct trust_command *command, struct arguments *a, int id)
{
    if (id == ARGUMENTS_WRONG)
        return wrong("%s", a->error);
    if (id != TRUST_HELP)
        return id >= TRUST_MRENCLAVE ? set_option(t, id, a->value) : command->other(command->user, id, a->value);
    command->help = true;
    return show_usage(command->usage, true) + 1;
}

/* As arguments_init has it: those that every command has, and the command's own. */
#define REPEATABLE(command)                                                                                         \
    ((const int[]){TRUST_MRENCLAVE, TRUST_ACCEPT_TCB, TRUST_EXTENSION, TRUST_APP, TRUST_APP_SETTINGS, TRUST_EGRESS, \
                   TRUST_ADMIN, (command)->repeats[0], (command)->repeats[1], 0})

/* The policy's file comes before the options that add to it, wherever it stands. */
static int read_policy(struct trust_options *t, const struct trust_command *command, int argc, char **argv)
{
    struct arguments a;
    int id;
    const char *path = NULL;
    arguments_init(&a, argc, argv, command->table, REPEATABLE(command));
    while ((id = arguments_next(&a)) != ARGUMENTS_END && id != ARGUMENTS_WRONG && id != TRUST_HELP)
        path = id == TRUST_POLICY ? a.value : path;
    return id == ARGUMENTS_END && path ? policy_file(t, path) : 0;
}

int trust_options_read(struct trust_options *t, struct trust_command *command, int argc, char **argv)
{
    struct arguments a;
    int id, result;
    *t = (struct trust_options){.policy = verifier_policy_create()};
    if (!t->policy)
        return complain("out of memory");
    result = read_policy(t, command, argc, argv);
    arguments_init(&a, argc, argv, command->table, REPEATABLE(command));
    while (result == 0 && (id = arguments_next(&a)) != ARGUMENTS_END)
        result = read_one(t, command, &a, id);
    if (result != 0)
        return result;
    command->rest = arguments_rest(&a, &command->count);
    if (command->count < command->least || command->count > command->most)
        return wrong_arguments(command->name, command->form, command->least, command->most, command->count,
                               command->rest);
    if (t->only_apps && !command->names_apps)
        verifier_policy_only_apps(t->policy, true);
    result = judge_together(t);
    return result ? result : log_state(t);
}
