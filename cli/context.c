/*
 * What a context adds to a command's arguments. See context.h; context_command.c writes them down.
 */
#include "cli/context.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/context_file.h"
#include "cli/report.h"

/* Whether both are of one name: each is --NAME or --NAME=VALUE. */
static bool is_option(const char *argument, const char *option)
{
    size_t size = strcspn(option, "=");
    return strcspn(argument, "=") == size && memcmp(argument, option, size) == 0;
}

static bool has_option(int argc, char **argv, const char *option)
{
    for (int i = 1; i < argc; i++)
        if (is_option(argv[i], option))
            return true;
    return false;
}

/* The server that the arguments name; NULL. */
static const char *named_server(enum context_use use, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (use == CONTEXT_ASK ? is_option(argv[i], "--url")
                               : strncmp(argv[i], "https://", 8) == 0 && strcmp(argv[i - 1], "--pccs") != 0)
            return argv[i];
    return NULL;
}

/* Take --context NAME out of the arguments. 0, *name NULL if it is not there; else what wrong returned. */
static int take_name(int *argc, char **argv, const char **name)
{
    *name = NULL;
    for (int i = 1; i < *argc; i++) {
        if (!is_option(argv[i], "--context"))
            continue;
        bool apart = argv[i][strlen("--context")] == '\0';
        if (*name)
            return wrong("--context is given twice");
        if (apart && (i + 1 == *argc || strncmp(argv[i + 1], "--", 2) == 0))
            return wrong("--context needs a value");
        *name = apart ? argv[i + 1] : argv[i] + strlen("--context=");
        int gone = apart ? 2 : 1;
        memmove(argv + i, argv + i + gone, (size_t)(*argc - i - gone + 1) * sizeof *argv);
        *argc -= gone;
        i--;
    }
    return *name && !context_name_ok("--context", *name) ? 2 : 0;
}

/* Whether a command that is only told its server has this option of a context's, too. */
static bool is_for(enum context_use use, const char *option)
{
    return use == CONTEXT_ASK || !(is_option(option, "--url") || is_option(option, "--admin-key") ||
                                   is_option(option, "--pkcs11-module") || is_option(option, "--any-instance"));
}

/* Each of the context's options is in one argument, --NAME or --NAME=VALUE. */
static int put_behind(enum context_use use, const struct context *context, int *argc, char ***argv)
{
    char **all = calloc((size_t)*argc + context->count + 2, sizeof *all);
    if (!all)
        return complain("out of memory");
    memcpy(all, *argv, (size_t)*argc * sizeof *all);
    int count = *argc;
    for (size_t i = 0; i < context->count; i++)
        if (is_for(use, context->options[i]) && !has_option(*argc, *argv, context->options[i]))
            all[count++] = context->options[i];
    if (use == CONTEXT_VISIT)
        all[count++] = context->url;
    *argc = count;
    *argv = all;
    return 0;
}

int context_apply(enum context_use use, int *argc, char ***argv)
{
    const char *name;
    static struct context context; /* what is put behind the arguments points into it */
    if (use == CONTEXT_NONE || has_option(*argc, *argv, "--help"))
        return 0;
    int result = take_name(argc, *argv, &name);
    if (result != 0)
        return result;
    const char *server = named_server(use, *argc, *argv);
    if (name && server)
        return wrong("--context %s and %s: each says which server it is: one of them", name, server);
    if (!name && server)
        return 0;
    if (!name) {
        result = context_in_use(&name);
        if (result != 0 || !name)
            return result;
    }
    result = context_read(name, &context);
    return result == 0 ? put_behind(use, &context, argc, argv) : result;
}
