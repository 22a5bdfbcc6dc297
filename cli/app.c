/*
 * enclavectl app: push, list, configure and remove the components that an enclave runs.
 */
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/agreement.h"
#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/input.h"
#include "cli/public_key.h"
#include "common/hex.h"
#include "common/json.h"
#include "cli/report.h"

#define APPS_PATH "/_enclave/apps"
#define PUBLICATION_FILE_MAX 8192u /* the server's own bound is lower, and its to tell */
#define QUERY_SIZE 384u
#define JWS_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
#define SETTINGS_FILE_MAX (1u << 20) /* the server's own bound is lower, and its to tell */

static const char usage[] =
    "usage: enclavectl app push NAME FILE.wasm | app list | app rm NAME, with --url, --admin-key and options\n"
    "       rm removes an app with its data: the next app of that name is another one\n"
    "       enclavectl app settings NAME [FILE.json]   show them, or set them:\n"
    "           {\"environment\": {\"NAME\": \"value\"}, \"arguments\": [\"value\"], \"config\": {\"key\": "
    "\"value\"},\n"
    "            \"egress\": [\"api.example.com\", \"*.example.org:8443\"],\n"
    "            \"hostnames\": [\"app.example.com\"],\n"
    "            \"peers\": \"request\", \"durable\": \"witnessed\", \"limits\": {\"requests\": 100}}\n"
    "  --rule RULE              push: who may change the app, for ever: operator (default), publisher:KEY.pub, frozen\n"
    "  --publication FILE       push: what enclavectl publish made for this code\n"
    "  --now                    push, settings, rm: cut at once what the configuration before still answers\n"
    "  --exclusive              push, settings, rm: nothing new of the app begins before what it was has ended\n"
    "  --propose FILE           push, rm: change nothing, and write down what would be sent: where the threshold is\n"
    "                           above one, a rule that binds administrators takes so many of them\n"
    "  --approval FILE          push, rm: what enclavectl admin approve made of that; may be repeated\n"
    "  --json                   print the server's answer as it is\n" AUTHORISED_USAGE TRUST_USAGE;

bool app_name_ok(const char *name)
{
    bool ok = *name && strlen(name) <= APP_NAME_SIZE_MAX && strspn(name, APP_NAME_LETTERS) == strlen(name);
    if (!ok)
        wrong("'%s' is not an app's name: a name has 1 to %u letters, digits, '-' or '_'", name, APP_NAME_SIZE_MAX);
    return ok;
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static void print_app(const json_t *app)
{
    const json_t *version = json_object_get(app, "version"), *name;
    size_t i;
    printf("%-24s %s  id %s  %s", text_of(app, "name"), text_of(app, "sha256"), text_of(app, "id"),
           text_of(app, "rule"));
    if (version)
        printf(" %s, version %" JSON_INTEGER_FORMAT, text_of(app, "publisher"), json_integer_value(version));
    json_array_foreach(json_object_get(app, "hostnames"), i, name)
        printf("%s %s", i ? "," : "  at", json_string_value(name) ? json_string_value(name) : "");
    printf("\n");
}

static void print_list(const char *body)
{
    json_t *json = json_read(body, strlen(body), JSON_REJECT_DUPLICATES, NULL), *app;
    size_t i;
    json_array_foreach(json_object_get(json, "apps"), i, app) print_app(app);
    const char *root = json_string_value(json_object_get(json, "merkle_root"));
    if (root)
        printf("configuration root: %s\n", root);
    json_decref(json);
}

static void print_answer(const struct authorised_options *o, const char *done, const char *name, const char *body)
{
    if (o->json || !done)
        printf("%s\n", body);
    else if (name)
        printf("%s %s\n", done, name);
    else
        print_list(body);
}

/* ---- what push has beside the code ------------------------------------------------------------------------------ */

/* The public key of a PEM file as hexadecimal digits of its SubjectPublicKeyInfo; 0, or what wrong returned. */
static int read_publisher(const char *path, char hex[2 * SPKI_SIZE + 1])
{
    size_t size;
    char *pem = read_input("--rule publisher:", path, PUBLIC_KEY_FILE_MAX, &size);
    if (!pem)
        return 2;
    uint8_t spki[SPKI_SIZE];
    bool ok = public_key_of_text(pem, size, spki);
    if (ok)
        hex_text(spki, SPKI_SIZE, hex);
    OPENSSL_cleanse(pem, size);
    free(pem);
    return ok ? 0
              : wrong("--rule publisher:%s: not a P-256 public key in PEM (enclavectl keygen makes FILE.pub)", path);
}

/* The query that says so; 0, or what wrong returned. */
static int make_query(const struct authorised_options *o, char query[QUERY_SIZE])
{
    char key[2 * SPKI_SIZE + 1];
    query[0] = '\0';
    if (!o->rule)
        return 0;
    if (strcmp(o->rule, "operator") == 0 || strcmp(o->rule, "frozen") == 0) {
        snprintf(query, QUERY_SIZE, "?rule=%s", o->rule);
        return 0;
    }
    if (strncmp(o->rule, "publisher:", 10) != 0 || !o->rule[10])
        return wrong("--rule %s: expected operator, publisher:KEY.pub or frozen", o->rule);
    if (!o->publication)
        return wrong(
            "--rule publisher: the code needs the publisher's signature: --publication FILE (enclavectl publish)");
    int result = read_publisher(o->rule + 10, key);
    if (result == 0)
        snprintf(query, QUERY_SIZE, "?rule=publisher&key=%s", key);
    return result;
}

/* One line of what a JWS is made of: it becomes a field of the request. malloc'ed; NULL: why was told. */
static char *read_publication(const char *path)
{
    size_t size;
    char *text = read_input("--publication", path, PUBLICATION_FILE_MAX, &size);
    if (!text)
        return NULL;
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        text[--size] = '\0';
    if (size > 0 && strspn(text, JWS_LETTERS) == size)
        return text;
    wrong("--publication %s: not what enclavectl publish makes", path);
    free(text);
    return NULL;
}

static void add_parameter(char *path, size_t size, const char *parameter)
{
    size_t used = strlen(path);
    snprintf(path + used, size - used, "%c%s", strchr(path, '?') ? '&' : '?', parameter);
}

/* It comes as a field of the head, which no token is over: the path names it. */
static void name_publication(char *path, size_t size, const char *publication)
{
    uint8_t hash[32];
    char hex[65], parameter[80];
    SHA256((const uint8_t *)publication, strlen(publication), hash);
    hex_text(hash, sizeof hash, hex);
    snprintf(parameter, sizeof parameter, "publication=%s", hex);
    add_parameter(path, size, parameter);
}

/* For the server that is there now, which is verified by asking it for what there is. */
static int propose(struct authorised_options *o, const struct http_request *request)
{
    struct http_request list = {.method = "GET", .path = APPS_PATH};
    struct http_answer answer = {0};
    int result = authorised_ask(o, &list, &answer);
    free(answer.body);
    if (result == 0)
        result = agreement_propose(o, request, false);
    return result;
}

static int send_request(struct authorised_options *o, struct http_request *request, const char *done, const char *name)
{
    struct http_answer answer = {0};
    int result = agreement_take(o, request);
    if (result == 0)
        result = authorised_ask(o, request, &answer);
    if (result == 0)
        print_answer(o, done, name, answer.body);
    agreement_free(request);
    free(answer.body);
    return result;
}

/* part: "" or "/settings". done: what the request does to the app; NULL: it is only shown. */
static int run(struct authorised_options *o, const char *method, const char *name, const char *part, const char *file,
               const char *done)
{
    char path[128 + QUERY_SIZE] = APPS_PATH, query[QUERY_SIZE];
    size_t size = 0, limit = *part ? SETTINGS_FILE_MAX : APP_CODE_MAX;
    char *body = NULL, *publication = NULL;
    if ((name && !app_name_ok(name)) || make_query(o, query) != 0)
        return 2;
    if (name)
        snprintf(path, sizeof path, APPS_PATH "/%s%s%s", name, part, query);
    if (o->now)
        add_parameter(path, sizeof path, "now=true");
    if (o->exclusive)
        add_parameter(path, sizeof path, "exclusive=true");
    if (o->publication && !(publication = read_publication(o->publication)))
        return 2;
    if (publication)
        name_publication(path, sizeof path, publication);
    if (file && !(body = read_input(NULL, file, limit, &size))) {
        free(publication);
        return 2;
    }
    struct http_request request = {
        .method = method, .path = path, .publication = publication, .body = body, .body_size = size};
    int result = o->propose ? propose(o, &request) : send_request(o, &request, done, name);
    free(body);
    free(publication);
    return result;
}

/* Of the action that dispatch found: no option is accepted and ignored. 0, or what wrong returned. */
static int judge_options(const struct authorised_options *o, int action, int argc)
{
    bool shows = action == 2 || (action == 1 && argc == 2);
    if (action > 0 && (o->rule || o->publication))
        return wrong("--%s: only app push has this option", o->rule ? "rule" : "publication");
    if ((o->now || o->exclusive) && shows)
        return wrong("--%s: nothing is changed by this", o->now ? "now" : "exclusive");
    if ((o->propose || o->approval_count) && action != 0 && action != 3)
        return wrong("--%s: only app push and rm have this option", o->propose ? "propose" : "approval");
    if (o->propose && o->approval_count)
        return wrong("--propose and --approval: a change is proposed or carried out");
    if (o->json && o->propose)
        return wrong("--json: no answer of the server is shown here");
    return agreement_judge(o);
}

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    static const struct authorised_action actions[] = {
        {"push", "NAME FILE.wasm", 2, 2},
        {"settings", "NAME [FILE.json]", 1, 2},
        {"list", "", 0, 0},
        {"rm", "NAME", 1, 1},
        {0},
    };
    int action = authorised_action("app", actions, argc, argv);
    int result = action < 0 ? 2 : judge_options(o, action, argc);
    if (result != 0)
        return result;
    switch (action) {
    case 0:
        return run(o, "PUT", argv[1], "", argv[2], "pushed");
    case 1:
        return argc == 3 ? run(o, "PUT", argv[1], "/settings", argv[2], "set")
                         : run(o, "GET", argv[1], "/settings", NULL, NULL);
    case 2:
        return run(o, "GET", NULL, "", NULL, "listed");
    case 3:
        return run(o, "DELETE", argv[1], "", NULL, "removed");
    default:
        return 2;
    }
}

int app_main(int argc, char **argv)
{
    struct authorised_options o = {.has_json = true, .has_change = true, .has_push = true, .has_agreement = true};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
