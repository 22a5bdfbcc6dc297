/* The one line that a guest with a C library answers with: what came of its work, or why it failed. */
#ifndef APPS_COMMON_SAY_H
#define APPS_COMMON_SAY_H

#include <stdarg.h>
#include <stdio.h>

static char answer[256];

/* -1, for `return say(...)`. */
static int say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(answer, sizeof answer, format, args);
    va_end(args);
    return -1;
}

#endif
