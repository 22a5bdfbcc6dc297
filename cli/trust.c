/*
 * Options to a policy, and the judgement. See trust.h.
 */
#include "common/json.h"
#include "cli/trust.h"

#include <errno.h>
#include <jansson.h>
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

#define PEM_MAX (1u << 20)
#define PROOF_PATH "/_enclave/proof/"

void trust_options_deinit(struct trust_options *t)
{
    verifier_policy_destroy(t->policy);
    t->policy = NULL;
}

/* ---- options --------------------------------------------------------------------------------------------------- */

static int measurement(struct trust_options *t, int id, const char *value)
{
    uint8_t hash[32];
    const char *name = id == TRUST_MRENCLAVE ? "mrenclave" : "mrsigner";
    if (!hex_read(value, strlen(value), hash, sizeof(hash)))
        return wrong("--%s %s: expected 64 hex digits", name, value);
    t->names_enclave = true;
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
    t->names_enclave = t->names_enclave || id == TRUST_ISSUER;
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
    t->names_enclave = true;
    memcpy(oid, value, oid_size);
    oid[oid_size] = '\0';
    if (!hex_read(value + oid_size + 1, digits, data, digits / 2) ||
        verifier_policy_expect_extension(t->policy, oid, data, digits / 2) != 0)
        return wrong("--extension %s: expected OID=HEX, at most 16 of them", value);
    return 0;
}

static int app(struct trust_options *t, const char *value)
{
    size_t name_size = strcspn(value, "=");
    if (t->app_count == TRUST_APPS_MAX)
        return wrong("--app %s: more than %u of them", value, TRUST_APPS_MAX);
    if (name_size == 0 || strspn(value, APP_NAME_LETTERS) != name_size || name_size >= sizeof(t->apps[0].name) ||
        !value[name_size] ||
        !hex_read(value + name_size + 1, strlen(value + name_size + 1), t->apps[t->app_count].sha256, 32))
        return wrong("--app %s: expected NAME=SHA256, with 64 hex digits", value);
    memcpy(t->apps[t->app_count].name, value, name_size);
    t->apps[t->app_count++].name[name_size] = '\0';
    return 0;
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
        return app(t, value);
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

int trust_options_read(struct trust_options *t, struct trust_command *command, int argc, char **argv)
{
    static const int repeatable[] = {TRUST_MRENCLAVE, TRUST_ACCEPT_TCB, TRUST_EXTENSION, TRUST_APP, 0};
    struct arguments a;
    int id, result = 0;
    *t = (struct trust_options){.policy = verifier_policy_create()};
    if (!t->policy)
        return complain("out of memory");
    arguments_init(&a, argc, argv, command->table, repeatable);
    while (result == 0 && (id = arguments_next(&a)) != ARGUMENTS_END)
        result = read_one(t, command, &a, id);
    if (result != 0)
        return result;
    command->rest = arguments_rest(&a, &command->count);
    if (command->count < command->least || command->count > command->most)
        return wrong_arguments(command->name, command->form, command->least, command->most, command->count,
                               command->rest);
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

/* {"leaf_index":1,"tree_size":3,"path":["hex",...]}, into the policy. */
static int expect_app(struct trust_options *t, size_t index, const char *body)
{
    uint8_t path[64][32];
    struct verifier_inclusion proof = {.path = path};
    json_t *json = json_read(body, strlen(body), JSON_REJECT_DUPLICATES, NULL), *list = json_object_get(json, "path"),
           *hash;
    json_t *leaf_index = json_object_get(json, "leaf_index"), *tree_size = json_object_get(json, "tree_size");
    bool ok =
        json_is_integer(leaf_index) && json_is_integer(tree_size) && json_is_array(list) && json_array_size(list) <= 64;
    size_t i;
    json_array_foreach(list, i, hash) ok =
        ok && hex_read(json_string_value(hash), json_string_length(hash), path[i], 32); /* size 0: no string */
    if (ok) {
        proof.leaf_index = (uint64_t)json_integer_value(leaf_index);
        proof.tree_size = (uint64_t)json_integer_value(tree_size);
        proof.path_count = json_array_size(list);
        ok = verifier_policy_expect_app(t->policy, t->apps[index].name, t->apps[index].sha256, &proof) == 0;
    }
    json_decref(json);
    return ok ? 0 : complain("%s: the server's proof for it cannot be read", t->apps[index].name);
}

/* The proofs are public and checked against the certificate, so the connection that brings them is not judged. */
static int get_proofs(struct trust_options *t, const char *url)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < t->app_count; i++) {
        struct connection c;
        char path[128];
        struct http_answer answer = {0};
        snprintf(path, sizeof(path), PROOF_PATH "%s", t->apps[i].name);
        struct http_request request = {.method = "GET", .path = path};
        if (connection_open(&c, url) != 0)
            return 1;
        result = http_exchange(&c, &request, &answer);
        connection_close(&c);
        if (result == 0 && answer.status == 404) /* a proof that cannot hold: the check says so, beside the others */
            result = expect_app(t, i, "{\"leaf_index\":0,\"tree_size\":0,\"path\":[]}");
        else if (result == 0)
            result = answer.status == 200 ? expect_app(t, i, answer.body)
                                          : complain("%s%s: the server answers %d", url, path, answer.status);
        free(answer.body);
    }
    return result;
}

struct verifier_result *trust_judge(struct trust_options *t, struct connection *c, const char *url)
{
    X509 *leaf = SSL_get0_peer_certificate(c->ssl);
    struct verifier_collateral *collateral = NULL;
    struct verifier_result *result = NULL;
    if (!leaf) {
        complain("%s: no certificate", url);
        return NULL;
    }
    verifier_policy_set_live(t->policy, !SSL_session_reused(c->ssl));
    if (get_collateral(t, leaf, &collateral) == 0 && get_proofs(t, url) == 0) {
        result = verifier_verify_certificate(t->policy, collateral, leaf);
        if (!result)
            complain("out of memory");
    }
    verifier_collateral_destroy(collateral);
    return result;
}

int trust_require(struct trust_options *t, struct connection *c, const char *url, uint8_t spki_sha256[32])
{
    struct verifier_result *result = trust_judge(t, c, url);
    bool ok = verifier_result_ok(result);
    if (ok && spki_sha256)
        memcpy(spki_sha256, verifier_result_claims(result)->spki_sha256, 32);
    for (size_t i = 0; result && i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (check.outcome == VERIFIER_FAILED)
            complain("%s: %s: %s", url, check.name, check.reason);
    }
    verifier_result_destroy(result);
    return ok ? 0 : 1;
}
