/*
 * enclavectl upgrade-rule: which other enclaves may ever have an enclave's data. Changing that is one request with the
 * whole new rule; what a publisher has to say to it, he signs where his key is, and connects to nobody.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/jws.h"
#include "cli/key.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/whole.h"
#include "common/arguments.h"
#include "common/hex.h"

static const char usage[] =
    "usage: enclavectl upgrade-rule show | set FILE.json, with --url, --admin-key and options\n"
    "       enclavectl upgrade-rule agree --key FILE --instance HEX --measurement HEX [--out FILE]\n"
    "Which other enclaves may ever have this one's data. FILE.json, as show --json prints it, is one of\n"
    "{\"rule\": \"none\"}, and nothing changes that; {\"rule\": \"measurements\", \"measurements\": [HEX, ...]};\n"
    "{\"rule\": \"signer\", \"mrsigner\": HEX, \"product\": N, \"svn\": N}. With \"publishers\": true those of apps "
    "must "
    "agree, too:\n"
    "agree makes a publisher's statement, for enclavectl upgrade --agreement.\n" WHOLE_USAGE AUTHORISED_USAGE
        TRUST_USAGE;

/* ---- the rule ---------------------------------------------------------------------------------------------------- */

static bool is_rule(const json_t *rule)
{
    return json_is_string(json_object_get(rule, "rule"));
}

static void print_rule(const json_t *rule)
{
    const char *kind = json_string_value(json_object_get(rule, "rule"));
    const json_t *list = json_object_get(rule, "measurements");
    if (strcmp(kind, "measurements") == 0)
        printf("measurements: %zu may have the data\n", json_array_size(list));
    else if (strcmp(kind, "signer") == 0)
        printf("signer: what %s signs as product %lld, from SVN %lld on, may have the data\n",
               json_string_value(json_object_get(rule, "mrsigner")),
               (long long)json_integer_value(json_object_get(rule, "product")),
               (long long)json_integer_value(json_object_get(rule, "svn")));
    else
        printf("%s: no other enclave may have the data\n", kind);
    for (size_t i = 0; i < json_array_size(list); i++)
        printf("%s\n", json_string_value(json_array_get(list, i)));
    if (json_is_true(json_object_get(rule, "publishers")))
        printf("the publishers of its apps have to agree\n");
}

/* ---- a publisher's statement ------------------------------------------------------------------------------------- */

static const char agree_usage[] =
    "usage: enclavectl upgrade-rule agree --key FILE --instance HEX --measurement HEX [options]\n"
    "Signs that the data of a publisher's apps may be given to another image, for enclavectl upgrade --agreement.\n"
    "  --key FILE               the publisher's private key, P-256 (enclavectl keygen), or pkcs11:URI\n"
    "  --pkcs11-module FILE     the library that a pkcs11:URI is for; default: as OpenSSL is configured\n"
    "  --instance HEX           the instance that has the data now (enclavectl verify)\n"
    "  --measurement HEX        of the image that may have it (enclavectl measure)\n"
    "  --out FILE               where to; default: standard output\n";

struct agree_options {
    struct key_options key;
    const char *instance, *measurement, *out;
};

enum { KEY = 1, MODULE, INSTANCE, MEASUREMENT, OUT, HELP };

static int set_option(struct agree_options *o, int id, const struct arguments *a)
{
    const char **const texts[] = {[KEY] = &o->key.name,
                                  [MODULE] = &o->key.module,
                                  [INSTANCE] = &o->instance,
                                  [MEASUREMENT] = &o->measurement,
                                  [OUT] = &o->out};
    uint8_t unused[32];
    if ((id == INSTANCE || id == MEASUREMENT) && !hex_read(a->value, strlen(a->value), unused, sizeof unused))
        return wrong("--%s %s: expected 64 hexadecimal digits", a->name, a->value);
    *texts[id] = a->value;
    return 0;
}

/* 0; -1: help was shown; else the exit status, and why was told. */
static int read_arguments(struct agree_options *o, int argc, char **argv)
{
    static const struct option table[] = {{"key", 1, 0, KEY},
                                          {"pkcs11-module", 1, 0, MODULE},
                                          {"instance", 1, 0, INSTANCE},
                                          {"measurement", 1, 0, MEASUREMENT},
                                          {"out", 1, 0, OUT},
                                          {"help", 0, 0, HELP},
                                          {0, 0, 0, 0}};
    struct arguments a;
    int id, count, result = 0;
    arguments_init(&a, argc, argv, table, NULL);
    while (result == 0 && (id = arguments_next(&a)) != ARGUMENTS_END) {
        if (id == ARGUMENTS_WRONG)
            return wrong("%s", a.error);
        if (id == HELP) {
            show_usage(agree_usage, true);
            return -1;
        }
        result = set_option(o, id, &a);
    }
    char **rest = arguments_rest(&a, &count);
    if (result == 0 && count > 0)
        result = wrong_arguments("upgrade-rule agree", "", 0, 0, count, rest);
    if (result == 0 && (!o->key.name || !o->instance || !o->measurement))
        result = wrong("--%s is missing (see enclavectl upgrade-rule agree --help)", !o->key.name   ? "key"
                                                                                     : !o->instance ? "instance"
                                                                                                    : "measurement");
    return result;
}

/* malloc'ed; NULL: why was told, and *result is the exit status. */
static char *make_statement(const struct agree_options *o, int *result)
{
    json_t *claims = json_pack("{s:s,s:s,s:s}", "format", "enclave-os-upgrade/1", "instance", o->instance,
                               "measurement", o->measurement);
    char *text = claims ? json_dumps(claims, JSON_COMPACT | JSON_SORT_KEYS) : NULL, *statement = NULL;
    EVP_PKEY *key = text ? key_open(&o->key) : NULL;
    *result = 2;
    if (key && !(statement = jws_sign(key, "{\"alg\":\"ES256\",\"typ\":\"enclave-os-upgrade\"}", text)))
        *result = complain("--key: the key does not sign");
    EVP_PKEY_free(key);
    free(text);
    json_decref(claims);
    return statement;
}

static int agree(int argc, char **argv)
{
    struct agree_options o = {.key = {.option = "--key"}};
    int result = read_arguments(&o, argc, argv);
    if (result != 0)
        return result < 0 ? 0 : result;
    char *statement = make_statement(&o, &result);
    if (!statement)
        return result;
    result = output_text("--out", o.out, statement);
    free(statement);
    return result;
}

int upgrade_rule_main(int argc, char **argv)
{
    static const struct whole rule = {.command = "upgrade-rule",
                                      .show = "show",
                                      .path = "/_enclave/upgrade-rule",
                                      .name = "upgrade rule",
                                      .lacks = "there is no \"rule\" in it",
                                      .is = is_rule,
                                      .print = print_rule};
    if (argc > 1 && strcmp(argv[1], "agree") == 0)
        return agree(argc - 1, argv + 1);
    return whole_command(&rule, argc, argv, usage);
}
