/* See arguments.h. */
#include "common/arguments.h"

#include <stdio.h>
#include <string.h>

#include "common/ensure.h"

void arguments_init(struct arguments *a, int argc, char **argv, const struct option *table, const int *repeatable)
{
    *a = (struct arguments){.argc = argc, .argv = argv, .table = table, .repeatable = repeatable};
    opterr = 0;
    optind = 0; /* glibc: begin anew, whatever was read before */
}

static int wrong_form(struct arguments *a, int answer)
{
    const char *given = a->argv[optind - 1];
    if (answer == ':')
        snprintf(a->error, sizeof a->error, "%s needs a value", given);
    else if (optopt && strncmp(given, "--", 2) == 0)
        snprintf(a->error, sizeof a->error, "%.*s takes no value", (int)strcspn(given, "="), given);
    else if (optopt)
        snprintf(a->error, sizeof a->error, "unknown option -%c", optopt);
    else
        snprintf(a->error, sizeof a->error, "unknown option %.*s", (int)strcspn(given, "="), given);
    return ARGUMENTS_WRONG;
}

static bool may_repeat(const struct arguments *a, int id)
{
    for (const int *at = a->repeatable; at && *at; at++)
        if (*at == id)
            return true;
    return false;
}

/* Did the value stand in an argument of its own? */
static bool value_stands_apart(const struct arguments *a)
{
    return a->value && a->value == a->argv[optind - 1];
}

static const char *as_given(const struct arguments *a)
{
    return a->argv[optind - (value_stands_apart(a) ? 2 : 1)];
}

/* getopt_long takes the beginning of a name for the name: "--ad FILE" would be an admin key today, and something else
 * once there is another option of that beginning. */
static bool is_written_out(const struct arguments *a)
{
    return strcspn(as_given(a), "=") == strlen("--") + strlen(a->name);
}

int arguments_next(struct arguments *a)
{
    int index = 0, id = getopt_long(a->argc, a->argv, ":", a->table, &index);
    if (id == -1)
        return ARGUMENTS_END;
    if (id == '?' || id == ':')
        return wrong_form(a, id);
    ENSURE(index >= 0 && index < (int)ARGUMENTS_TABLE_MAX);
    a->name = a->table[index].name;
    a->value = a->table[index].has_arg ? optarg : NULL;
    if (!is_written_out(a))
        snprintf(a->error, sizeof a->error, "unknown option %s: write --%s out", as_given(a), a->name);
    else if (a->seen[index] && !may_repeat(a, id))
        snprintf(a->error, sizeof a->error, "--%s is given twice", a->name);
    else if (a->value && !*a->value)
        snprintf(a->error, sizeof a->error, "--%s has an empty value", a->name);
    else if (value_stands_apart(a) && strncmp(a->value, "--", 2) == 0)
        snprintf(a->error, sizeof a->error, "--%s needs a value, and %s is an option", a->name, a->value);
    else
        a->error[0] = '\0';
    a->seen[index] = true;
    return a->error[0] ? ARGUMENTS_WRONG : id;
}

char **arguments_rest(const struct arguments *a, int *count)
{
    *count = a->argc - optind;
    return a->argv + optind;
}

bool arguments_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    uint64_t value = 0;
    if (!*text || (text[0] == '0' && text[1]))
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > (UINT64_MAX - (uint64_t)(*text - '0')) / 10)
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out = value;
    return value >= least && value <= most;
}
