/* See agreement.h. */
#include "cli/agreement.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/key.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/token.h"
#include "common/hex.h"
#include "common/json.h"

#define FORMAT "enclave-os-proposal/1"
#define APPROVAL_MAX 8192u
#define JWS_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

/* ---- proposals --------------------------------------------------------------------------------------------------- */

int agreement_propose(const struct authorised_options *o, const struct http_request *request, bool is_text)
{
    uint8_t hash[32];
    char audience[65], hex[65];
    SHA256(request->body ? request->body : "", request->body_size, hash);
    hex_text(o->spki_sha256, 32, audience);
    hex_text(hash, 32, hex);
    json_t *json = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s*,s:s}", "format", FORMAT, "url", o->url, "audience", audience,
                             "method", request->method, "path", request->path, "publication", request->publication,
                             is_text ? "body" : "body_sha256", is_text ? (const char *)request->body : hex);
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    int result = text ? output_text("--propose", o->propose, text) : complain("out of memory");
    free(text);
    json_decref(json);
    if (result == 0)
        printf("nothing was changed; others approve this with: enclavectl admin approve %s\n", o->propose);
    return result;
}

static const char *member(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

/* As a request's target is: so that it moves no cursor of whoever is shown it. */
static bool is_path(const char *path)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < size; i++)
        if (path[i] <= ' ' || path[i] > '~')
            return false;
    return path[0] == '/';
}

bool agreement_read(const char *text, size_t size, struct agreement *out)
{
    json_t *json = json_read(text, size, JSON_REJECT_DUPLICATES, NULL);
    const char *format = member(json, "format"), *hash = member(json, "body_sha256");
    *out = (struct agreement){.json = json,
                              .method = member(json, "method"),
                              .path = member(json, "path"),
                              .audience = member(json, "audience"),
                              .publication = member(json, "publication"),
                              .body = member(json, "body")};
    if (!format || strcmp(format, FORMAT) != 0 || !out->method || !out->path || !out->audience || !out->body == !hash ||
        !is_path(out->path) || !hex_read(out->audience, strlen(out->audience), out->spki_sha256, 32))
        return false;
    if (hash)
        return hex_read(hash, strlen(hash), out->body_sha256, 32);
    SHA256((const uint8_t *)out->body, strlen(out->body), out->body_sha256);
    return true;
}

int agreement_approve(const struct authorised_options *o, const struct agreement *a, const char *path)
{
    EVP_PKEY *key = key_open(&(struct key_options){"--admin-key", o->admin_key, o->pkcs11_module});
    if (!key)
        return 2;
    struct token_request request = {.spki_sha256 = a->spki_sha256,
                                    .method = a->method,
                                    .path = a->path,
                                    .body_sha256 = a->body_sha256,
                                    .lifetime_s = TOKEN_LIFETIME_MAX_S};
    char *token = token_make(key, &request);
    int result = token ? output_text("--out", path, token) : complain("cannot make a token");
    free(token);
    EVP_PKEY_free(key);
    return result;
}

/* ---- approvals --------------------------------------------------------------------------------------------------- */

/* One line of what a token is made of: it becomes a field of the request. malloc'ed; NULL: why was told. */
static char *read_approval(const char *path)
{
    size_t size;
    char *text = read_input("--approval", path, APPROVAL_MAX, &size);
    while (text && size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        text[--size] = '\0';
    const char *dot = text ? strchr(text, '.') : NULL;
    if (!text || (dot && strchr(dot + 1, '.') && strspn(text, JWS_LETTERS) == size))
        return text;
    wrong("--approval %s: not what enclavectl admin approve makes", path);
    free(text);
    return NULL;
}

int agreement_judge(const struct authorised_options *o)
{
    if (output_judge("--propose", o->propose) != 0)
        return 2;
    for (size_t i = 0; i < o->approval_count; i++) {
        char *approval = read_approval(o->approvals[i]);
        if (!approval)
            return 2;
        free(approval);
    }
    return 0;
}

int agreement_take(const struct authorised_options *o, struct http_request *request)
{
    const char **approvals = calloc(APPROVALS_MAX, sizeof *approvals);
    if (!approvals)
        return complain("out of memory");
    request->approvals = approvals;
    for (size_t i = 0; i < o->approval_count; i++) {
        approvals[i] = read_approval(o->approvals[i]);
        if (!approvals[i])
            return 2;
        request->approval_count++;
    }
    return 0;
}

void agreement_free(struct http_request *request)
{
    for (size_t i = 0; i < request->approval_count; i++)
        free((char *)request->approvals[i]);
    free((void *)request->approvals);
    request->approvals = NULL;
    request->approval_count = 0;
}

int agreement_carry_out(struct authorised_options *o, const char *path, const char *body,
                        int (*print)(const struct authorised_options *o, const struct http_answer *answer))
{
    struct http_request request = {.method = "PUT", .path = path, .body = body, .body_size = strlen(body)};
    struct http_answer answer = {0};
    if (o->propose)
        return agreement_propose(o, &request, true);
    int result = agreement_take(o, &request);
    if (result == 0)
        result = authorised_ask(o, &request, &answer);
    if (result == 0)
        result = print(o, &answer);
    agreement_free(&request);
    free(answer.body);
    return result;
}
