/*
 * enclavectl app: push, list, configure and remove the components that an enclave runs.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/input.h"
#include "common/json.h"
#include "cli/report.h"

#define APPS_PATH "/_enclave/apps"
#define SETTINGS_FILE_MAX (1u << 20) /* the server's own bound is lower, and its to tell */

static const char usage[] =
    "usage: enclavectl app push NAME FILE.wasm | app list | app rm NAME, with --url, --admin-key and options\n"
    "       rm removes code and settings, and keeps the app's data: the next app of that name finds it\n"
    "       enclavectl app settings NAME [FILE.json]   show them, or set them:\n"
    "           {\"environment\": {\"NAME\": \"value\"}, \"arguments\": [\"value\"], \"config\": {\"key\": "
    "\"value\"},\n"
    "            \"egress\": [\"api.example.com\", \"*.example.org:8443\"],\n"
    "            \"peers\": \"request\"}\n"
    "  --json                   print the server's answer as it is\n" AUTHORISED_USAGE TRUST_USAGE;

bool app_name_ok(const char *name)
{
    bool ok = *name && strlen(name) <= APP_NAME_SIZE_MAX && strspn(name, APP_NAME_LETTERS) == strlen(name);
    if (!ok)
        wrong("'%s' is not an app's name: a name has 1 to %u letters, digits, '-' or '_'", name, APP_NAME_SIZE_MAX);
    return ok;
}

static void print_list(const char *body)
{
    json_t *json = json_read(body, strlen(body), JSON_REJECT_DUPLICATES, NULL), *app;
    size_t i;
    json_array_foreach(json_object_get(json, "apps"), i, app)
        printf("%-24s %s\n", json_string_value(json_object_get(app, "name")),
               json_string_value(json_object_get(app, "sha256")));
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

/* part: "" or "/settings". done: what the request does to the app; NULL: it is only shown. */
static int run(struct authorised_options *o, const char *method, const char *name, const char *part, const char *file,
               const char *done)
{
    char path[128] = APPS_PATH;
    size_t size = 0, limit = *part ? SETTINGS_FILE_MAX : APP_CODE_MAX;
    char *body = NULL;
    if (name && !app_name_ok(name))
        return 2;
    if (name)
        snprintf(path, sizeof(path), APPS_PATH "/%s%s", name, part);
    if (file && !(body = read_input(NULL, file, limit, &size)))
        return 2;
    struct http_request request = {.method = method, .path = path, .body = body, .body_size = size};
    struct http_answer answer = {0};
    int result = authorised_exchange(o, &request, &answer);
    if (result == 0 && (answer.status < 200 || answer.status > 299))
        result = authorised_complain(&answer);
    else if (result == 0)
        print_answer(o, done, name, answer.body);
    free(answer.body);
    free(body);
    return result;
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
    switch (authorised_action("app", actions, argc, argv)) {
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
    struct authorised_options o = {.has_json = true};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
