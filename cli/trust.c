/*
 * Options to a policy, and the judgement. See trust.h.
 */
#include "cli/trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/input.h"
#include "cli/report.h"
#include "common/hex.h"
#include "verifier/http_get.h"
#include "verifier/verifier_openssl.h"

#define PEM_MAX (1u << 20)
#define POLICY_MAX (1u << 20)
#define ATTEMPTS_MAX 5 /* of connecting, while the server's configuration changes */

/* What was seen of another connection. */
static void forget(struct trust_options *t)
{
    OPENSSL_free(t->seen.certificate);
    OPENSSL_free(t->seen.issuer);
    free(t->seen.manifest);
    memset(&t->seen, 0, sizeof(t->seen));
}

void trust_options_deinit(struct trust_options *t)
{
    verifier_policy_destroy(t->policy);
    t->policy = NULL;
    forget(t);
}

/* ---- options --------------------------------------------------------------------------------------------------- */

static int measurement(struct trust_options *t, int id, const char *value)
{
    uint8_t hash[32];
    const char *name = id == TRUST_MRENCLAVE ? "mrenclave" : "mrsigner";
    if (!hex_read(value, strlen(value), hash, sizeof(hash)))
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
    if (oid_size >= sizeof(oid) || digits % 2 != 0 || digits / 2 > sizeof(data))
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
    bool hashed = what && hex_read(what, strlen(what), hash, sizeof(hash));
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
        hex_read(value, strlen(value), hash, sizeof(hash)) ? verifier_policy_expect_instance(t->policy, hash) : -EINVAL;
    return judge_expectation("instance", value, result, "64 hex digits");
}

static int policy_file(struct trust_options *t, const char *path)
{
    size_t size;
    char error[256], *text = read_input("--policy", path, POLICY_MAX, &size);
    if (!text)
        return 2;
    int result = verifier_policy_read(t->policy, text, size, error, sizeof(error));
    free(text);
    return result == 0 ? 0 : wrong("--policy %s: %s", path, error);
}

static int set_option(struct trust_options *t, int id, const char *value)
{
    struct http_url ignored;
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
    case TRUST_ONLY_APPS:
        t->only_apps = true;
        return 0;
    case TRUST_INSTANCE:
        return instance(t, value);
    case TRUST_POLICY: /* was read first: read_policy */
        return 0;
    case TRUST_ALLOW_SIMULATION:
        verifier_policy_allow_simulation(t->policy, true);
        return 0;
    case TRUST_ALLOW_DEBUG:
        verifier_policy_allow_debug(t->policy, true);
        return 0;
    case TRUST_REQUIRE_COLLATERAL:
        verifier_policy_require_collateral(t->policy, true);
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
    return 0;
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

static const int repeatable[] = {
    TRUST_MRENCLAVE, TRUST_ACCEPT_TCB, TRUST_EXTENSION, TRUST_APP, TRUST_APP_SETTINGS, TRUST_EGRESS, 0};

/* The policy's file comes before the options that add to it, wherever it stands. */
static int read_policy(struct trust_options *t, const struct trust_command *command, int argc, char **argv)
{
    struct arguments a;
    int id;
    const char *path = NULL;
    arguments_init(&a, argc, argv, command->table, repeatable);
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
    arguments_init(&a, argc, argv, command->table, repeatable);
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
    return judge_together(t);
}

/* ---- the judgement --------------------------------------------------------------------------------------------- */

/* *out stays NULL if no option asks for collateral. */
static int get_collateral(const struct trust_options *t, X509 *leaf, struct verifier_collateral **out)
{
    char error[512];
    if (!t->collateral_folder && !t->pccs_url)
        return 0;
    struct verifier_collateral *c = verifier_collateral_create();
    uint8_t *der = NULL;
    int size = i2d_X509(leaf, &der), result = c && size > 0 ? 0 : -ENOMEM;
    snprintf(error, sizeof(error), "out of memory");
    if (result == 0)
        result = t->pccs_url
                     ? verifier_collateral_fetch_for(c, t->pccs_url, der, (size_t)size, &t->fetch, error, sizeof(error))
                     : verifier_collateral_load(c, t->collateral_folder, error, sizeof(error));
    if (result == 0 && t->save_folder)
        result = verifier_collateral_save(c, t->save_folder, error, sizeof(error));
    OPENSSL_free(der);
    if (result != 0) {
        verifier_collateral_destroy(c);
        return complain("collateral: %s", error);
    }
    *out = c;
    return 0;
}

/* The manifest, over the connection that is judged. Without one, the check says what of it. */
static void get_manifest(struct trust_options *t, struct connection *c, const char *url)
{
    char error[256];
    bool reusable;
    if (verifier_openssl_manifest(c->ssl, c->authority, &t->seen.manifest, &t->seen.manifest_size, &reusable, error,
                                  sizeof(error)) != 0)
        complain("%s: no manifest: %s", url, error);
    t->seen.spent = !reusable;
}

struct verifier_result *trust_judge(struct trust_options *t, struct connection *c, const char *url, bool manifest)
{
    X509 *leaf = SSL_get0_peer_certificate(c->ssl);
    struct verifier_collateral *collateral = NULL;
    struct verifier_result *result = NULL;
    forget(t);
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(c->ssl);
    t->seen.certificate_size = leaf ? i2d_X509(leaf, &t->seen.certificate) : 0;
    t->seen.issuer_size = sk_X509_num(chain) == 2 ? i2d_X509(sk_X509_value(chain, 1), &t->seen.issuer) : 0;
    if (t->seen.certificate_size <= 0) {
        complain("%s: no certificate", url);
        return NULL;
    }
    verifier_policy_set_live(t->policy, !SSL_session_reused(c->ssl));
    if (get_collateral(t, leaf, &collateral) == 0) {
        if (manifest || verifier_policy_needs_manifest(t->policy))
            get_manifest(t, c, url);
        const struct verifier_evidence evidence = trust_evidence(t);
        result = verifier_verify(t->policy, collateral, &evidence);
        if (!result)
            complain("out of memory");
    }
    verifier_collateral_destroy(collateral);
    return result;
}

struct verifier_evidence trust_evidence(const struct trust_options *t)
{
    return (struct verifier_evidence){.certificate = t->seen.certificate,
                                      .certificate_size = (size_t)t->seen.certificate_size,
                                      .issuer = t->seen.issuer_size > 0 ? t->seen.issuer : NULL,
                                      .issuer_size = t->seen.issuer_size > 0 ? (size_t)t->seen.issuer_size : 0,
                                      .manifest = t->seen.manifest,
                                      .manifest_size = t->seen.manifest_size};
}

void trust_tell(const struct verifier_result *result, const char *url)
{
    for (size_t i = 0; result && i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (check.outcome == VERIFIER_FAILED)
            complain("%s: %s: %s", url, check.name, check.reason);
    }
}

int trust_require_pin(const struct trust_options *t)
{
    if (verifier_policy_names_instance(t->policy))
        return 0;
    if (verifier_policy_names_enclave(t->policy))
        return wrong(
            "nothing says whose enclave this is to be, and anybody can run such a program: give --policy (which "
            "enclavectl policy from URL writes), --issuer, or --instance with --mrenclave or --mrsigner; or "
            "--any-instance if any will do. Nothing was sent");
    return wrong(
        "nothing says which enclave this is to be: give --policy (which enclavectl policy from URL writes), "
        "--issuer, or --instance with --mrenclave or --mrsigner; or --any-instance if any will do. Nothing was "
        "sent");
}

int trust_connect(struct trust_options *t, struct connection *c, const char *url, uint8_t spki_sha256[32])
{
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        int opened = connection_open(c, url);
        if (opened != 0)
            return opened;
        struct verifier_result *result = trust_judge(t, c, url, false);
        bool ok = verifier_result_ok(result);
        if (ok && spki_sha256)
            memcpy(spki_sha256, verifier_result_claims(result)->spki_sha256, 32);
        trust_tell(result, url);
        verifier_result_destroy(result);
        if (ok && !t->seen.spent)
            return 0;
        connection_close(c);
        if (!ok)
            return 1;
    }
    return complain("%s: its configuration changed each time before it could be used", url);
}
