/*
 * Requests that the admin key authorises. See authorised.h.
 */
#include "cli/authorised.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/token.h"

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
static int open_verified(struct connection *c, struct authorised_options *o, uint8_t spki_sha256[32])
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

int authorised_exchange(struct authorised_options *o, struct http_request *request, struct http_answer *answer)
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
                                  .scope = o->scope,
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

int authorised_complain(const struct http_answer *a)
{
    json_t *json = json_loads(a->body, 0, NULL);
    const char *error = json_string_value(json_object_get(json, "error"));
    int result = complain("the server answers %d: %s", a->status, error ? error : a->body);
    json_decref(json);
    return result;
}

static int parse_options(struct authorised_options *o, int argc, char **argv, int (*usage)(void))
{
    static const struct option table[] = {
        TRUST_OPTIONS, {"url", 1, 0, 'u'}, {"admin-key", 1, 0, 'k'}, {"json", 0, 0, 'j'}, {0, 0, 0, 0}};
    int result = trust_options_init(&o->trust);
    for (int id; result == 0 && (id = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (id == '?')
            result = usage();
        else if (id == 'u')
            o->url = optarg;
        else if (id == 'k')
            o->admin_key = optarg;
        else if (id == 'j')
            o->json = true;
        else
            result = trust_option(&o->trust, id, optarg);
    }
    return result == 0 && (!o->url || !o->admin_key) ? usage() : result;
}

int authorised_command(struct authorised_options *o, int argc, char **argv, int (*usage)(void),
                       int (*run)(struct authorised_options *o, int argc, char **argv))
{
    int result = parse_options(o, argc, argv, usage);
    if (result == 0)
        result = run(o, argc - optind, argv + optind);
    trust_options_deinit(&o->trust);
    return result;
}

int authorised_print(struct authorised_options *o, struct http_request *request)
{
    struct http_answer answer = {0};
    int result = authorised_exchange(o, request, &answer);
    if (result == 0 && answer.status != 200)
        result = authorised_complain(&answer);
    else if (result == 0)
        printf("%s\n", answer.body);
    free(answer.body);
    return result;
}
