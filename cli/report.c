/*
 * What a command tells its user. See report.h.
 */
#include "cli/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool quiet;

void report_quietly(bool quietly)
{
    quiet = quietly;
}

static void tell(const char *format, va_list arguments)
{
    if (quiet)
        return;
    fputs("enclavectl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
    return 1;
}

int wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
    return 2;
}

int show_usage(const char *text, bool asked)
{
    fputs(text, asked ? stdout : stderr);
    return asked ? 0 : 2;
}

int wrong_arguments(const char *command, const char *form, int least, int most, int count, char **arguments)
{
    if (count < least)
        return wrong("%s: %s %s (see enclavectl %.*s --help)", command,
                     count == 0 ? "it needs" : "something is missing, it needs", form, (int)strcspn(command, " "),
                     command);
    return wrong("%s: unexpected argument '%s'; it takes %s", command, arguments[most], *form ? form : "options only");
}
