/*
 * Requests that the admin key authorises. See authorised.h.
 */
#include "cli/authorised.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/token.h"

#define KEY_FILE_MAX 65536u

static EVP_PKEY *read_key(const char *path)
{
    size_t size;
    char *pem = read_whole_file(path, KEY_FILE_MAX, &size);
    BIO *bio = pem ? BIO_new_mem_buf(pem, (int)size) : NULL;
    if (!bio) {
        complain("--admin-key %s: %s", path, strerror(errno));
        return NULL;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    OPENSSL_cleanse(pem, size);
    free(pem);
    char group[32] = "";
    if (!key || !EVP_PKEY_is_a(key, "EC") || !EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) ||
        strcmp(group, "prime256v1") != 0) {
        complain("--admin-key %s: not a P-256 private key in PEM", path);
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

/* Verify first; what failed is told, and nothing is sent. */
static int open_verified(struct connection *c, struct authorised_options *o, uint8_t spki_sha256[32])
{
    int result = connection_open(c, o->url);
    if (result != 0 || trust_require(&o->trust, c, o->url, spki_sha256) == 0)
        return result;
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

static int set_option(void *user, int id, const char *value)
{
    struct authorised_options *o = user;
    if (id == 'u')
        o->url = value;
    else if (id == 'k')
        o->admin_key = value;
    else
        o->json = true;
    return 0;
}

int authorised_command(struct authorised_options *o, int argc, char **argv, const char *usage,
                       int (*run)(struct authorised_options *o, int argc, char **argv))
{
    static const struct option table[] = {
        TRUST_OPTIONS, {"url", 1, 0, 'u'}, {"admin-key", 1, 0, 'k'}, {"json", 0, 0, 'j'}, {0, 0, 0, 0}};
    struct trust_command command = {
        .table = table, .usage = usage, .other = set_option, .user = o, .least = 1, .most = INT_MAX};
    int result = trust_options_read(&o->trust, &command, argc, argv);
    if (result == 0 && (!o->url || !o->admin_key))
        result = wrong("--%s is missing (see enclavectl %s --help)", o->url ? "admin-key" : "url", argv[0]);
    if (result == 0)
        result = run(o, command.count, command.rest);
    trust_options_deinit(&o->trust);
    return command.help ? 0 : result;
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
