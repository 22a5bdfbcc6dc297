/*
 * enclavectl publish: the publisher of an app signs that some code may be pushed as it (docs/apps.md). It connects to
 * nobody: the key can stay where it is, and what comes out is for whoever pushes.
 */
#include <jansson.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/input.h"
#include "cli/jws.h"
#include "cli/key.h"
#include "cli/output.h"
#include "cli/report.h"
#include "common/arguments.h"
#include "common/hex.h"

#define VERSION_MAX (1ull << 53)
#define MEMORY_MIB_MAX (1u << 20)
#define TIMEOUT_MS_MAX (1u << 30)
#define ID_DIGITS 32u
#define BUNDLE_MAX (1u << 20)
#define PUBLICATION_MAX 4096u /* of a server */

static const char usage[] =
    "usage: enclavectl publish NAME FILE.wasm --key FILE --version N [options]\n"
    "Signs that this code may be pushed as the app NAME, for enclavectl app push --publication.\n"
    "  --key FILE               the publisher's private key, P-256 (enclavectl keygen), or pkcs11:URI\n"
    "  --pkcs11-module FILE     the library that a pkcs11:URI is for; default: as OpenSSL is configured\n"
    "  --version N              above the version that runs; 1 or more\n"
    "  --app-id HEX             the app that there is (enclavectl app list); left out for its first push\n"
    "  --egress HOSTS           where it may connect at most: HOST, *.HOST, HOST:PORT, with commas; or none; default: "
    "as "
    "settings say\n"
    "  --egress-ca FILE.pem     the bundle of CAs that alone it believes there; default: whichever the server has\n"
    "  --memory-mib N           what a request may take at most; default: as the server has it\n"
    "  --timeout-ms N           how long a request may take at most; default: as the server has it\n"
    "  --settings NAMES         what else the administrator may set: arguments, config, durable, environment, "
    "hostnames, "
    "peers;\n"
    "                           default: nothing\n"
    "  --out FILE               where to; default: standard output\n";

struct publish_options {
    struct key_options key;
    const char *app_id, *egress, *egress_ca, *settings, *out;
    uint64_t version, memory_mib, timeout_ms;
    const char *name, *file;
};

enum { KEY = 1, MODULE, VERSION, APP_ID, EGRESS, EGRESS_CA, MEMORY, TIMEOUT, SETTINGS, OUT, HELP };

static int number(const struct arguments *a, uint64_t most, uint64_t *out)
{
    return arguments_number(a->value, 1, most, out)
               ? 0
               : wrong("--%s %s: expected a number from 1 to %llu", a->name, a->value, (unsigned long long)most);
}

/* 0, or what wrong returned. */
static int set_option(struct publish_options *o, int id, const struct arguments *a)
{
    uint8_t unused[ID_DIGITS / 2];
    const char **const texts[] = {
        [KEY] = &o->key.name,        [MODULE] = &o->key.module, [APP_ID] = &o->app_id, [EGRESS] = &o->egress,
        [EGRESS_CA] = &o->egress_ca, [SETTINGS] = &o->settings, [OUT] = &o->out};
    if (id == VERSION)
        return number(a, VERSION_MAX, &o->version);
    if (id == MEMORY)
        return number(a, MEMORY_MIB_MAX, &o->memory_mib);
    if (id == TIMEOUT)
        return number(a, TIMEOUT_MS_MAX, &o->timeout_ms);
    if (id == APP_ID && !hex_read(a->value, strlen(a->value), unused, sizeof unused))
        return wrong("--app-id %s: expected %u hexadecimal digits", a->value, ID_DIGITS);
    *texts[id] = a->value;
    return 0;
}

/* ---- what can be judged before anything is signed ---------------------------------------------------------------- */

#define HOST_MAX 253u

static bool port_ok(const char *text, size_t size)
{
    uint64_t port;
    char copy[8];
    if (size == 0 || size >= sizeof copy)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return arguments_number(copy, 1, 65535, &port);
}

/* As servers judge it: HOST, *.HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT. */
static bool server_ok(const char *text, size_t size)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t start = size > 0 && text[0] == '[' ? 1 : size > 1 && memcmp(text, "*.", 2) == 0 ? 2 : 0;
    const char *host = text + start;
    size_t host_size = start == 1 ? strspn(host, "abcdefABCDEF0123456789:.") : strspn(host, letters);
    size_t end = start + host_size + (start == 1);
    if (host_size == 0 || host_size > HOST_MAX || host[0] == '.' || memmem(host, host_size, "..", 2) || end > size ||
        (start == 1 && host[host_size] != ']'))
        return false;
    return end == size || (text[end] == ':' && port_ok(text + end + 1, size - end - 1));
}

static bool egress_ok(const char *list)
{
    for (const char *at = list;; at++) {
        size_t size = strcspn(at, ",");
        if (!server_ok(at, size))
            return false;
        at += size;
        if (!*at)
            return true;
    }
}

static bool settings_ok(const char *list)
{
    static const char *const known[] = {"arguments", "config", "durable", "environment", "hostnames", "peers"};
    unsigned seen = 0;
    for (const char *at = list;; at++) {
        unsigned bit = 0;
        size_t size = strcspn(at, ",");
        for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
            if (strlen(known[i]) == size && memcmp(at, known[i], size) == 0)
                bit = 1u << i;
        if (!bit || (seen & bit))
            return false;
        seen |= bit;
        at += size;
        if (!*at)
            return true;
    }
}

static int judge(struct publish_options *o, int count, char **rest)
{
    if (count != 2)
        return wrong_arguments("publish", "NAME FILE.wasm", 2, 2, count, rest);
    o->name = rest[0];
    o->file = rest[1];
    if (!app_name_ok(o->name))
        return 2;
    if (!o->key.name || !o->version)
        return wrong("--%s is missing (see enclavectl publish --help)", o->key.name ? "version" : "key");
    if (o->egress && !egress_ok(o->egress))
        return wrong("--egress %s: expected HOST, *.HOST or HOST:PORT, joined by commas, or none", o->egress);
    if (o->settings && !settings_ok(o->settings))
        return wrong(
            "--settings %s: expected some of arguments, config, durable, environment, hostnames, peers, joined "
            "by commas",
            o->settings);
    return output_judge("--out", o->out);
}

/* 0; -1: help was shown; else the exit status, and why was told. */
static int read_arguments(struct publish_options *o, int argc, char **argv)
{
    static const struct option table[] = {{"key", 1, 0, KEY},           {"pkcs11-module", 1, 0, MODULE},
                                          {"version", 1, 0, VERSION},   {"app-id", 1, 0, APP_ID},
                                          {"egress", 1, 0, EGRESS},     {"egress-ca", 1, 0, EGRESS_CA},
                                          {"memory-mib", 1, 0, MEMORY}, {"timeout-ms", 1, 0, TIMEOUT},
                                          {"settings", 1, 0, SETTINGS}, {"out", 1, 0, OUT},
                                          {"help", 0, 0, HELP},         {0, 0, 0, 0}};
    struct arguments a;
    int id, count, result = 0;
    arguments_init(&a, argc, argv, table, NULL);
    while (result == 0 && (id = arguments_next(&a)) != ARGUMENTS_END) {
        if (id == ARGUMENTS_WRONG)
            return wrong("%s", a.error);
        if (id == HELP) {
            show_usage(usage, true);
            return -1;
        }
        result = set_option(o, id, &a);
    }
    char **rest = arguments_rest(&a, &count);
    return result ? result : judge(o, count, rest);
}

/* "a,b" as ["a","b"]; of NULL, NULL. */
static json_t *split(const char *list)
{
    json_t *array = list ? json_array() : NULL;
    for (const char *at = list; at && *at;) {
        size_t size = strcspn(at, ",");
        json_array_append_new(array, json_stringn(at, size));
        at += size + (at[size] == ',');
    }
    return array;
}

static void hash_hex(const void *data, size_t size, char out[65])
{
    uint8_t hash[32];
    SHA256(data, size, hash);
    hex_text(hash, sizeof hash, out);
}

/* NULL: why was told. */
static json_t *make_claims(const struct publish_options *o, const char *wasm, size_t size)
{
    char code[65], bundle[65];
    size_t pem_size;
    char *pem = o->egress_ca ? read_input("--egress-ca", o->egress_ca, BUNDLE_MAX, &pem_size) : NULL;
    if (o->egress_ca && (!pem || judge_certificates("--egress-ca", o->egress_ca, pem, pem_size) != 0)) {
        free(pem);
        return NULL;
    }
    hash_hex(wasm, size, code);
    if (pem)
        hash_hex(pem, pem_size, bundle);
    bool nowhere = o->egress && strcmp(o->egress, "none") == 0;
    json_t *claims =
        json_pack("{s:s, s:s, s:I, s:s*, s:o*, s:s*, s:o*}", "name", o->name, "sha256", code, "version",
                  (json_int_t)o->version, "app_id", o->app_id, "egress", nowhere ? json_array() : split(o->egress),
                  "egress_ca", pem ? bundle : NULL, "settings", split(o->settings));
    free(pem);
    if (claims && o->memory_mib)
        json_object_set_new(claims, "memory_mib", json_integer((json_int_t)o->memory_mib));
    if (claims && o->timeout_ms)
        json_object_set_new(claims, "timeout_ms", json_integer((json_int_t)o->timeout_ms));
    if (!claims)
        complain("out of memory");
    return claims;
}

/* malloc'ed; NULL, and *result is the exit status: why was told. */
static char *make(const struct publish_options *o, int *result)
{
    size_t size;
    char *wasm = read_input(NULL, o->file, APP_CODE_MAX, &size);
    json_t *claims = wasm ? make_claims(o, wasm, size) : NULL;
    char *text = claims ? json_dumps(claims, JSON_COMPACT | JSON_SORT_KEYS) : NULL, *publication = NULL;
    EVP_PKEY *key = text ? key_open(&o->key) : NULL;
    *result = 2;
    if (key && !(publication = jws_sign(key, "{\"alg\":\"ES256\",\"typ\":\"enclave-os-publication\"}", text)))
        *result = complain("--key: the key does not sign");
    if (publication && strlen(publication) > PUBLICATION_MAX) {
        *result = complain("the publication has %zu bytes, and a server takes %u: name fewer servers",
                           strlen(publication), PUBLICATION_MAX);
        free(publication);
        publication = NULL;
    }
    EVP_PKEY_free(key);
    free(text);
    json_decref(claims);
    free(wasm);
    return publication;
}

int publish_main(int argc, char **argv)
{
    struct publish_options o = {.key = {.option = "--key"}};
    int result = read_arguments(&o, argc, argv);
    if (result != 0)
        return result < 0 ? 0 : result;
    char *publication = make(&o, &result);
    if (!publication)
        return result;
    result = output_text("--out", o.out, publication);
    free(publication);
    return result;
}
