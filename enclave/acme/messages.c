/* See messages.h. */
#include "enclave/acme/messages.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/ensure.h"
#include "common/json.h"

static int refuse(char why[ACME_WHY_SIZE], const char *text)
{
    snprintf(why, ACME_WHY_SIZE, "%s", text);
    return -EINVAL;
}

/* An object, the caller's. */
static json_t *read_object(const char *body, size_t size)
{
    json_t *object = size <= ACME_ANSWER_MAX ? json_read(body, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

static bool is_base64url(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", text[i]) || !text[i])
            return false;
    return size > 0;
}

bool acme_nonce_ok(const char *text, size_t size)
{
    return size <= ACME_NONCE_MAX && is_base64url(text, size);
}

/* ---- URLs -------------------------------------------------------------------------------------------------------- */

int acme_url_read(const char *text, size_t size, const struct witness_url *directory, char out[ACME_URL_SIZE])
{
    struct witness_url url;
    ENSURE(directory && directory->tls);
    if (!text || size >= ACME_URL_SIZE || !witness_url_read(text, size, &url) || !url.tls ||
        url.port != directory->port || strcasecmp(url.host, directory->host) != 0)
        return -EINVAL;
    memcpy(out, text, size);
    out[size] = 0;
    return 0;
}

static int read_url(const json_t *value, const struct witness_url *directory, const char *member,
                    char out[ACME_URL_SIZE], char why[ACME_WHY_SIZE])
{
    if (acme_url_read(json_string_value(value), json_string_length(value), directory, out) == 0)
        return 0;
    snprintf(why, ACME_WHY_SIZE, "%s: it is no https:// URL of the directory's own host", member);
    return -EINVAL;
}

int acme_directory_read(const char *body, size_t size, const struct witness_url *at, struct acme_directory *out,
                        char why[ACME_WHY_SIZE])
{
    json_t *object = read_object(body, size);
    if (!object)
        return refuse(why, "the directory is no JSON object");
    int result = read_url(json_object_get(object, "newNonce"), at, "newNonce", out->new_nonce, why);
    if (result == 0)
        result = read_url(json_object_get(object, "newAccount"), at, "newAccount", out->new_account, why);
    if (result == 0)
        result = read_url(json_object_get(object, "newOrder"), at, "newOrder", out->new_order, why);
    json_decref(object);
    return result;
}

/* ---- problems ---------------------------------------------------------------------------------------------------- */

/* What others wrote, as one line of a log. */
static void add_printable(char *out, size_t size, const char *text)
{
    size_t at = strlen(out);
    for (; *text && at + 1 < size; text++)
        out[at++] = *text >= ' ' && *text < 0x7f ? *text : '?';
    out[at] = 0;
}

static const char *short_type(const json_t *problem)
{
    static const char all[] = "urn:ietf:params:acme:error:";
    const char *type = json_string_value(json_object_get(problem, "type"));
    if (!type)
        return "";
    return strncmp(type, all, sizeof all - 1) == 0 ? type + sizeof all - 1 : type;
}

/* "" if there is none. */
static void describe_problem(const json_t *problem, char out[ACME_WHY_SIZE])
{
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    out[0] = 0;
    if (!json_is_object(problem))
        return;
    add_printable(out, ACME_WHY_SIZE, short_type(problem));
    if (out[0] && detail)
        add_printable(out, ACME_WHY_SIZE, ": ");
    add_printable(out, ACME_WHY_SIZE, detail ? detail : "");
}

void acme_problem_read(const char *body, size_t size, int status, struct acme_problem *out)
{
    json_t *object = read_object(body, size);
    *out = (struct acme_problem){{0}, {0}};
    add_printable(out->type, sizeof out->type, short_type(object));
    describe_problem(object, out->text);
    if (!out->text[0])
        snprintf(out->text, sizeof out->text, "status %d", status);
    json_decref(object);
}

/* ---- orders ------------------------------------------------------------------------------------------------------ */

/* Whatever else an authorization may be (expired, revoked, deactivated), it is of no use any more. */
static int read_status(const json_t *object, enum acme_status *out)
{
    static const struct {
        const char *text;
        enum acme_status status;
    } known[] = {{"pending", ACME_PENDING},     {"ready", ACME_READY},     {"processing", ACME_PROCESSING},
                 {"valid", ACME_VALID},         {"invalid", ACME_INVALID}, {"expired", ACME_INVALID},
                 {"deactivated", ACME_INVALID}, {"revoked", ACME_INVALID}};
    const char *text = json_string_value(json_object_get(object, "status"));
    for (size_t i = 0; text && i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].text) == 0) {
            *out = known[i].status;
            return 0;
        }
    return -EINVAL;
}

static int read_order(const json_t *object, const struct witness_url *directory, struct acme_order *out,
                      char why[ACME_WHY_SIZE])
{
    const json_t *authorizations = json_object_get(object, "authorizations");
    const json_t *certificate = json_object_get(object, "certificate");
    if (read_status(object, &out->status) < 0)
        return refuse(why, "the order's status: it is none that an order has");
    if (!json_is_array(authorizations) || json_array_size(authorizations) != 1)
        return refuse(why, "the order's authorizations: it is not one, as for one name");
    int result = read_url(json_array_get(authorizations, 0), directory, "authorizations", out->authorization, why);
    if (result == 0)
        result = read_url(json_object_get(object, "finalize"), directory, "finalize", out->finalize, why);
    if (result == 0 && (certificate || out->status == ACME_VALID))
        result = read_url(certificate, directory, "certificate", out->certificate, why);
    return result;
}

int acme_order_read(const char *body, size_t size, const struct witness_url *directory, struct acme_order *out,
                    char why[ACME_WHY_SIZE])
{
    json_t *object = read_object(body, size);
    *out = (struct acme_order){.status = ACME_INVALID};
    if (!object)
        return refuse(why, "the order is no JSON object");
    int result = read_order(object, directory, out, why);
    describe_problem(json_object_get(object, "error"), out->problem);
    json_decref(object);
    return result;
}

/* ---- authorizations ---------------------------------------------------------------------------------------------- */

static bool is_for(const json_t *object, const char *name)
{
    const json_t *identifier = json_object_get(object, "identifier");
    const char *type = json_string_value(json_object_get(identifier, "type"));
    const char *value = json_string_value(json_object_get(identifier, "value"));
    return type && value && strcmp(type, "dns") == 0 && strcasecmp(value, name) == 0 &&
           !json_is_true(json_object_get(object, "wildcard"));
}

static const json_t *find_challenge(const json_t *list)
{
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count && i < ACME_AUTHORIZATION_CHALLENGES_MAX; i++) {
        const char *type = json_string_value(json_object_get(json_array_get(list, i), "type"));
        if (type && strcmp(type, "tls-alpn-01") == 0)
            return json_array_get(list, i);
    }
    return NULL;
}

static int read_challenge(const json_t *challenge, const struct witness_url *directory, struct acme_authorization *out,
                          char why[ACME_WHY_SIZE])
{
    const json_t *token = json_object_get(challenge, "token");
    size_t size = json_string_length(token);
    if (!challenge)
        return refuse(why, "the authorization has no challenge tls-alpn-01, and there is no other here");
    if (size > ACME_TOKEN_MAX || !is_base64url(json_string_value(token), size))
        return refuse(why, "token: it is no base64url, or too long");
    memcpy(out->token, json_string_value(token), size + 1);
    return read_url(json_object_get(challenge, "url"), directory, "challenge", out->challenge, why);
}

static int read_authorization(const json_t *object, const struct witness_url *directory, const char *name,
                              struct acme_authorization *out, char why[ACME_WHY_SIZE])
{
    if (read_status(object, &out->status) < 0)
        return refuse(why, "the authorization's status: it is none that an authorization has");
    if (!is_for(object, name))
        return refuse(why, "identifier: the authorization is for another name");
    const json_t *challenge = find_challenge(json_object_get(object, "challenges"));
    describe_problem(json_object_get(challenge, "error"), out->problem);
    return out->status == ACME_PENDING ? read_challenge(challenge, directory, out, why) : 0;
}

int acme_authorization_read(const char *body, size_t size, const struct witness_url *directory, const char *name,
                            struct acme_authorization *out, char why[ACME_WHY_SIZE])
{
    json_t *object = read_object(body, size);
    *out = (struct acme_authorization){.status = ACME_INVALID};
    if (!object)
        return refuse(why, "the authorization is no JSON object");
    int result = read_authorization(object, directory, name, out, why);
    json_decref(object);
    return result;
}
