/*
 * Contexts in files. See context_file.h.
 */
#include "cli/context_file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/connection.h"
#include "cli/input.h"
#include "cli/report.h"
#include "common/json.h"
#include "common/replace.h"

#define FORMAT "enclavectl-context/1"
#define FILE_MAX (256u << 10)
#define SUFFIX ".json"

/* ---- where they are ---------------------------------------------------------------------------------------------- */

/* enclavectl's folder, with what stands behind it. 0, or what was told. */
static int place(char path[PATH_MAX], const char *rest)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool given = base && *base == '/'; /* as the XDG base directory specification has it: others are ignored */
    if (!given && (!home || *home != '/'))
        return complain("neither XDG_CONFIG_HOME nor HOME says where contexts are kept");
    int size = snprintf(path, PATH_MAX, "%s%s/enclavectl%s", given ? base : home, given ? "" : "/.config", rest);
    return size < PATH_MAX ? 0 : complain("the folder's name is too long: %.100s...", path);
}

static int file_of(char path[PATH_MAX], const char *name)
{
    char rest[sizeof "/contexts/" SUFFIX + CONTEXT_NAME_MAX];
    snprintf(rest, sizeof rest, "/contexts/%s" SUFFIX, name);
    return place(path, rest);
}

/* Each folder that is missing, for its user alone. */
static int make_folders(void)
{
    char path[PATH_MAX];
    int result = place(path, "/contexts");
    for (char *at = path + 1; result == 0 && at; at++) {
        at = strchr(at, '/');
        if (at)
            *at = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            result = complain("%s: %s", path, strerror(errno));
        if (!at)
            break;
        *at = '/';
    }
    return result;
}

bool context_name_ok(const char *option, const char *name)
{
    size_t size = strlen(name);
    bool ok = size > 0 && size <= CONTEXT_NAME_MAX && strspn(name, APP_NAME_LETTERS) == size &&
              strcmp(name, CONTEXT_NOBODY) != 0;
    if (!ok)
        wrong("%s%s'%s' can be no context's name: expected 1 to %u of a-z A-Z 0-9 - _, and not '" CONTEXT_NOBODY "'",
              option ? option : "", option ? ": " : "", name, CONTEXT_NAME_MAX);
    return ok;
}

/* ---- one of them ------------------------------------------------------------------------------------------------- */

void context_free(struct context *context)
{
    for (size_t i = 0; i < context->count; i++)
        free(context->options[i]);
    free(context->url);
    *context = (struct context){0};
}

/* The options of the file's object. NULL, or what is wrong with them. */
static const char *take_options(const json_t *object, struct context *context)
{
    const char *format = json_string_value(json_object_get(object, "format"));
    const json_t *options = json_object_get(object, "options");
    if (!format || strcmp(format, FORMAT) != 0)
        return "format: expected \"" FORMAT "\"";
    if (!json_is_array(options) || json_array_size(options) > CONTEXT_OPTIONS_MAX)
        return "options: expected an array of options";
    for (size_t i = 0; i < json_array_size(options); i++) {
        const char *option = json_string_value(json_array_get(options, i));
        if (!option || strncmp(option, "--", 2) != 0 || strcspn(option, "=") >= 64)
            return "options: one of them is not --NAME or --NAME=VALUE";
        if (!(context->options[context->count] = strdup(option)))
            return "out of memory";
        context->count++;
        if (strncmp(option, "--url=", 6) == 0 && !context->url && !(context->url = strdup(option + 6)))
            return "out of memory";
    }
    return context->url && connection_url_ok(context->url) ? NULL : "options: there is no --url=https://HOST[:PORT]";
}

int context_read(const char *name, struct context *context)
{
    char path[PATH_MAX];
    size_t size;
    json_error_t where;
    *context = (struct context){0};
    if (file_of(path, name) != 0)
        return 1;
    char *text = read_whole_file(path, FILE_MAX, &size);
    if (!text && errno == ENOENT)
        return wrong("there is no context '%s' (see enclavectl context ls)", name);
    if (!text)
        return complain("%s: %s", path, strerror(errno));
    json_t *object = json_read(text, size, JSON_REJECT_DUPLICATES, &where);
    const char *why = object ? take_options(object, context) : where.text;
    int result = why ? complain("%s: %s: remove it, and add the context again", path, why) : 0;
    json_decref(object);
    free(text);
    if (result != 0)
        context_free(context);
    return result;
}

int context_write(const char *name, const struct context *context)
{
    char path[PATH_MAX], why[REPLACE_WHY_SIZE];
    if (make_folders() != 0 || file_of(path, name) != 0)
        return 1;
    json_t *options = json_array(), *object = json_pack("{s:s, s:o}", "format", FORMAT, "options", options);
    bool ok = object;
    for (size_t i = 0; ok && i < context->count; i++)
        ok = json_array_append_new(options, json_string(context->options[i])) == 0;
    char *text = ok ? json_dumps(object, JSON_INDENT(2)) : NULL;
    const struct replace_how how = {.mode = 0600, .fresh = true};
    int error = text ? replace_file(path, text, strlen(text), &how, why) : 0;
    json_decref(object);
    if (!text)
        return complain("an option is no UTF-8, or there is no memory");
    free(text);
    if (error == -EEXIST)
        return wrong("there is a context '%s' already: enclavectl context rm %s removes it", name, name);
    return error == 0 ? 0 : complain("%s: %s", path, why);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static int is_context(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name), end = strlen(SUFFIX);
    return size > end && size - end <= CONTEXT_NAME_MAX && strcmp(entry->d_name + size - end, SUFFIX) == 0;
}

char **context_names(void)
{
    char path[PATH_MAX];
    struct dirent **entries = NULL;
    if (place(path, "/contexts") != 0)
        return NULL;
    int count = scandir(path, &entries, is_context, alphasort);
    if (count < 0 && errno != ENOENT) {
        complain("%s: %s", path, strerror(errno));
        return NULL;
    }
    char **names = calloc((size_t)(count < 0 ? 0 : count) + 1, sizeof *names);
    for (int i = 0; i < count; i++) {
        if (names)
            names[i] = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - strlen(SUFFIX));
        free(entries[i]);
    }
    free(entries);
    if (!names)
        complain("out of memory");
    return names;
}

/* What the file says. As context_in_use. */
static int read_current(const char **name)
{
    static char kept[CONTEXT_NAME_MAX + 2];
    char path[PATH_MAX];
    size_t size;
    *name = NULL;
    if (!getenv("XDG_CONFIG_HOME") && !getenv("HOME"))
        return 0; /* a service's, which has no user */
    if (place(path, "/current") != 0)
        return 1;
    char *text = read_whole_file(path, sizeof kept - 1, &size);
    if (!text)
        return errno == ENOENT || errno == ENOTDIR ? 0 : complain("%s: %s", path, strerror(errno));
    snprintf(kept, sizeof kept, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
    if (strcmp(kept, CONTEXT_NOBODY) == 0 || !*kept)
        return 0;
    *name = kept;
    return context_name_ok(path, kept) ? 0 : 2;
}

int context_in_use(const char **name)
{
    const char *given = getenv("ENCLAVECTL_CONTEXT");
    if (!given || !*given)
        return read_current(name);
    *name = strcmp(given, CONTEXT_NOBODY) == 0 ? NULL : given;
    return *name && !context_name_ok("ENCLAVECTL_CONTEXT", *name) ? 2 : 0;
}

int context_set_in_use(const char *name)
{
    char path[PATH_MAX], line[CONTEXT_NAME_MAX + 2], why[REPLACE_WHY_SIZE];
    snprintf(line, sizeof line, "%s\n", name);
    if (make_folders() != 0 || place(path, "/current") != 0)
        return 1;
    const struct replace_how how = {.mode = 0600};
    return replace_file(path, line, strlen(line), &how, why) == 0 ? 0 : complain("%s: %s", path, why);
}

int context_remove(const char *name)
{
    char path[PATH_MAX];
    const char *used;
    if (read_current(&used) != 0 || file_of(path, name) != 0)
        return 1;
    if (unlink(path) != 0)
        return errno == ENOENT ? wrong("there is no context '%s' (see enclavectl context ls)", name)
                               : complain("%s: %s", path, strerror(errno));
    return used && strcmp(used, name) == 0 ? context_set_in_use(CONTEXT_NOBODY) : 0;
}
