/*
 * enclavectl app: push, list and remove the components that an enclave runs.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/token.h"
#include "cli/trust.h"

#define APPS_PATH "/_enclave/apps"
#define WASM_MAX (256u << 20)
#define NAME_MAX_SIZE 64u

struct app_options {
    struct trust_options trust;
    const char *url, *admin_key;
    bool json;
};

static int usage(void)
{
    fputs("usage: enclavectl app push NAME FILE.wasm | app list | app rm NAME\n"
          "       --url https://HOST:PORT --admin-key FILE [--json] [options]\n" TRUST_USAGE,
          stderr);
    return 2;
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        complain("admin key %s: %s", path, strerror(errno));
        return NULL;
    }
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    char group[32] = "";
    if (!key || !EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) || strcmp(group, "prime256v1") != 0) {
        complain("admin key %s: not a P-256 private key in PEM", path);
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

/* Verify first; what failed is told, and nothing is sent. */
static int open_verified(struct connection *c, struct app_options *o, uint8_t spki_sha256[32])
{
    if (connection_open(c, o->url) != 0)
        return 1;
    struct verifier_result *result = trust_judge(&o->trust, c, o->url);
    bool ok = verifier_result_ok(result);
    if (ok)
        memcpy(spki_sha256, verifier_result_claims(result)->spki_sha256, 32);
    for (size_t i = 0; result && i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (check.outcome == VERIFIER_FAILED)
            complain("%s: %s: %s", o->url, check.name, check.reason);
    }
    verifier_result_destroy(result);
    if (ok)
        return 0;
    connection_close(c);
    return complain("%s is not verified: nothing was sent", o->url);
}

static int exchange(struct app_options *o, struct http_request *request, struct http_answer *answer)
{
    struct connection c;
    uint8_t spki_sha256[32];
    EVP_PKEY *key = read_key(o->admin_key);
    if (!key)
        return 1;
    int result = open_verified(&c, o, spki_sha256);
    if (result == 0) {
        struct token_request t = {.spki_sha256 = spki_sha256,
                                  .method = request->method,
                                  .path = request->path,
                                  .body = request->body,
                                  .body_size = request->body_size};
        char *token = token_make(key, &t);
        request->token = token;
        result = token ? http_exchange(&c, request, answer) : complain("cannot make a token");
        free(token);
        connection_close(&c);
    }
    EVP_PKEY_free(key);
    return result;
}

/* The server's "error", or its whole body. */
static int complain_status(const struct http_answer *a)
{
    json_t *json = json_loads(a->body, 0, NULL);
    const char *error = json_string_value(json_object_get(json, "error"));
    int result = complain("the server answers %d: %s", a->status, error ? error : a->body);
    json_decref(json);
    return result;
}

static void print_list(const char *body)
{
    json_t *json = json_loads(body, 0, NULL), *app;
    size_t i;
    json_array_foreach(json_object_get(json, "apps"), i, app)
        printf("%-24s %s\n", json_string_value(json_object_get(app, "name")),
               json_string_value(json_object_get(app, "sha256")));
    const char *root = json_string_value(json_object_get(json, "merkle_root"));
    if (root)
        printf("configuration root: %s\n", root);
    json_decref(json);
}

static int run(struct app_options *o, const char *method, const char *name, const char *file)
{
    char path[128] = APPS_PATH;
    size_t size = 0;
    char *body = NULL;
    if (name && (strlen(name) == 0 || strlen(name) > NAME_MAX_SIZE ||
                 strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name)))
        return complain("%s: a name has 1 to %u of a-z, 0-9 and -", name, NAME_MAX_SIZE);
    if (name)
        snprintf(path, sizeof(path), APPS_PATH "/%s", name);
    if (file && !(body = read_whole_file(file, WASM_MAX, &size)))
        return complain("%s: %s", file, strerror(errno));
    struct http_request request = {.method = method, .path = path, .body = body, .body_size = size};
    struct http_answer answer = {0};
    int result = exchange(o, &request, &answer);
    if (result == 0 && (answer.status < 200 || answer.status > 299))
        result = complain_status(&answer);
    else if (result == 0 && o->json)
        printf("%s\n", answer.body);
    else if (result == 0 && !name)
        print_list(answer.body);
    else if (result == 0)
        printf("%s %s\n", file ? "pushed" : "removed", name);
    free(answer.body);
    free(body);
    return result;
}

static int dispatch(struct app_options *o, int argc, char **argv)
{
    if (!o->url || !o->admin_key || argc < 1)
        return usage();
    if (strcmp(argv[0], "push") == 0 && argc == 3)
        return run(o, "PUT", argv[1], argv[2]);
    if (strcmp(argv[0], "list") == 0 && argc == 1)
        return run(o, "GET", NULL, NULL);
    if (strcmp(argv[0], "rm") == 0 && argc == 2)
        return run(o, "DELETE", argv[1], NULL);
    return usage();
}

int app_main(int argc, char **argv)
{
    static const struct option table[] = {
        TRUST_OPTIONS, {"url", 1, 0, 'u'}, {"admin-key", 1, 0, 'k'}, {"json", 0, 0, 'j'}, {0, 0, 0, 0}};
    struct app_options o = {0};
    int result = trust_options_init(&o.trust);
    for (int id; result == 0 && (id = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (id == '?')
            result = usage();
        else if (id == 'u')
            o.url = optarg;
        else if (id == 'k')
            o.admin_key = optarg;
        else if (id == 'j')
            o.json = true;
        else
            result = trust_option(&o.trust, id, optarg);
    }
    if (result == 0)
        result = dispatch(&o, argc - optind, argv + optind);
    trust_options_deinit(&o.trust);
    return result;
}
