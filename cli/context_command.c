/*
 * enclavectl context: which server, by which key, and what is expected of it, under a name. See context.h.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/context_file.h"
#include "cli/report.h"
#include "common/json.h"

static const char usage[] =
    "usage: enclavectl context add NAME --url https://HOST:PORT [--admin-key FILE] [options] | ls | show NAME |\n"
    "       use NAME | rm NAME\n"
    "Writes down which server, by which key, and what is expected of it, for --context NAME of other commands, and "
    "for\n"
    "all that name no server themselves once it is in use; use none: no longer.\n"
    "  --json                   ls, show: print JSON\n" AUTHORISED_OPTIONS_USAGE TRUST_USAGE;

static const struct option table[] = {TRUST_OPTIONS,
                                      {"url", 1, 0, 'u'},
                                      {"admin-key", 1, 0, 'k'},
                                      {"pkcs11-module", 1, 0, 'm'},
                                      {"any-instance", 0, 0, 'a'},
                                      {"json", 0, 0, 'j'},
                                      {0, 0, 0, 0}};

struct context_options {
    struct trust_options trust;
    const char *url, *admin_key;
    bool json;
};

static int set_option(void *user, int id, const char *value)
{
    struct context_options *o = user;
    if (id == 'k')
        o->admin_key = value;
    o->json = o->json || id == 'j';
    if (id != 'u')
        return 0;
    o->url = value;
    return connection_url_ok(value)
               ? 0
               : wrong("--url %s: expected https://HOST[:PORT], with a name, an IPv4 address or [IPv6 address]", value);
}

/* ---- add --------------------------------------------------------------------------------------------------------- */

/* Where in an option's value a file's name begins, which counts from wherever the command is run; NULL: nowhere. */
static const char *file_in(const char *name, const char *value)
{
    static const char *const files[] = {"policy",          "root",      "issuer",   "pccs-ca", "collateral",
                                        "save-collateral", "log-state", "admin-key"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(name, files[i]) == 0)
            return strncmp(value, "pkcs11:", 7) == 0 ? NULL : value;
    if (strcmp(name, "pkcs11-module") == 0) /* without a slash, the loader looks for it */
        return strchr(value, '/') ? value : NULL;
    if (strcmp(name, "admin") != 0)
        return NULL;
    const char *role = strchr(value, ':'); /* [ROLE:]FILE, or a thumbprint */
    const char *key = role ? role + 1 : value;
    return access(key, F_OK) == 0 ? key : NULL;
}

/* --NAME, or --NAME=VALUE, with a file's absolute name; malloc'ed; NULL: no memory, or no folder. */
static char *written(const char *name, const char *value)
{
    char folder[PATH_MAX] = "", *option;
    const char *file = value ? file_in(name, value) : NULL;
    if (file && *file != '/' && !getcwd(folder, sizeof folder))
        return NULL;
    int size = !value     ? asprintf(&option, "--%s", name)
               : !*folder ? asprintf(&option, "--%s=%s", name, value)
                          : asprintf(&option, "--%s=%.*s%s/%s", name, (int)(file - value), value, folder, file);
    return size < 0 ? NULL : option;
}

/* The options as they were given, which trust_options_read has judged. */
static int collect(struct context *context, int argc, char **argv)
{
    static const int repeatable[] = {TRUST_MRENCLAVE,    TRUST_ACCEPT_TCB, TRUST_EXTENSION, TRUST_APP,
                                     TRUST_APP_SETTINGS, TRUST_EGRESS,     TRUST_ADMIN,     0};
    struct arguments a;
    arguments_init(&a, argc, argv, table, repeatable);
    while (arguments_next(&a) != ARGUMENTS_END) {
        if (context->count == CONTEXT_OPTIONS_MAX)
            return wrong("more than %u options", CONTEXT_OPTIONS_MAX);
        char *option = context->options[context->count] = written(a.name, a.value);
        if (!option || strcspn(option, "=") >= 64)
            return complain("out of memory");
        context->count++;
    }
    return 0;
}

static int add(const struct context_options *o, const char *name, int argc, char **argv)
{
    struct context context = {0};
    if (!o->url)
        return wrong("--url is missing (see enclavectl context --help)");
    if (o->json)
        return wrong("--json: context add prints nothing, and has no such option");
    if (o->admin_key && strncmp(o->admin_key, "pkcs11:", 7) != 0 && access(o->admin_key, R_OK) != 0)
        return wrong("--admin-key %s: cannot be read", o->admin_key);
    int result = context_name_ok(NULL, name) ? collect(&context, argc, argv) : 2;
    if (result == 0)
        result = context_write(name, &context);
    context_free(&context);
    return result;
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

static json_t *as_json(const char *name, bool used, const struct context *context)
{
    json_t *options = json_array();
    for (size_t i = 0; options && i < context->count; i++)
        json_array_append_new(options, json_string(context->options[i]));
    return json_pack("{s:s, s:b, s:s, s:o}", "name", name, "in_use", used, "url", context->url, "options", options);
}

static int print_json(json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    int result = text ? (puts(text), 0) : complain("out of memory");
    free(text);
    json_decref(json);
    return result;
}

static int show(const struct context_options *o, const char *name)
{
    const char *used;
    struct context context;
    int result = context_name_ok(NULL, name) ? context_in_use(&used) : 2;
    if (result == 0)
        result = context_read(name, &context);
    if (result != 0)
        return result;
    if (o->json)
        result = print_json(as_json(name, used && strcmp(used, name) == 0, &context));
    for (size_t i = 0; !o->json && i < context.count; i++)
        puts(context.options[i]);
    context_free(&context);
    return result;
}

/* One that cannot be read is told, and the others are listed. */
static int list_one(const struct context_options *o, const char *name, const char *used, json_t *list)
{
    struct context context;
    bool in_use = used && strcmp(used, name) == 0;
    int result = context_read(name, &context);
    if (result != 0)
        return result;
    if (o->json)
        json_array_append_new(list, as_json(name, in_use, &context));
    else
        printf("%c %s\t%s\n", in_use ? '*' : ' ', name, context.url);
    context_free(&context);
    return 0;
}

static int list(const struct context_options *o)
{
    const char *used;
    int result = context_in_use(&used);
    char **names = result == 0 ? context_names() : NULL;
    json_t *all = o->json && names ? json_array() : NULL;
    for (size_t i = 0; names && names[i]; i++) {
        int status = list_one(o, names[i], used, all);
        result = status ? status : result;
        free(names[i]);
    }
    if (all)
        result = print_json(all) ? 1 : result;
    result = names ? result : 1;
    free(names);
    return result;
}

static int use(const char *name)
{
    struct context context;
    if (strcmp(name, CONTEXT_NOBODY) == 0)
        return context_set_in_use(name);
    int result = context_name_ok(NULL, name) ? context_read(name, &context) : 2;
    if (result != 0)
        return result;
    context_free(&context);
    return context_set_in_use(name);
}

enum action { ADD, LS, SHOW, USE, RM };

static int dispatch(struct context_options *o, const struct trust_command *command, int argc, char **argv)
{
    static const struct authorised_action actions[] = {{"add", "NAME", 1, 1},    {"ls", "nothing", 0, 0},
                                                       {"show", "a NAME", 1, 1}, {"use", "a NAME, or none", 1, 1},
                                                       {"rm", "a NAME", 1, 1},   {0}};
    int action = authorised_action("context", actions, command->count, command->rest);
    const char *name = action >= 0 && command->count > 1 ? command->rest[1] : NULL;
    if (action > ADD && argc - 1 > command->count + o->json)
        return wrong("context %s has no such options: they are for context add", command->rest[0]);
    if (action > SHOW && o->json)
        return wrong("--json: context %s prints nothing, and has no such option", command->rest[0]);
    switch (action) {
    case ADD:
        return add(o, name, argc, argv);
    case LS:
        return list(o);
    case SHOW:
        return show(o, name);
    case USE:
        return use(name);
    case RM:
        return context_name_ok(NULL, name) ? context_remove(name) : 2;
    default:
        return 2;
    }
}

int context_main(int argc, char **argv)
{
    struct context_options o = {0};
    struct trust_command command = {
        .table = table, .usage = usage, .other = set_option, .user = &o, .least = 0, .most = INT_MAX};
    int result = trust_options_read(&o.trust, &command, argc, argv);
    if (result == 0)
        result = dispatch(&o, &command, argc, argv);
    trust_options_deinit(&o.trust);
    return command.help ? 0 : result;
}
