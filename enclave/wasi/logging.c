/*
 * wasi:logging/logging@0.1.0-draft: into the app's log, as its stdout and stderr.
 */
#include <stdio.h>

#include "enclave/wasi/internal.h"

#define LEVEL "enum{trace,debug,info,warn,error,critical}"
enum { LEVEL_WARN = 3 };

/* A message of several lines, or of a long one, is several lines, each with the level and the context before it. */
static HOST_FUNC(log_message)
{
    static const char *const names[] = {"trace", "debug", "info", "warn", "error", "critical"};
    const char *at = slot_text(&args[2]), *end = at + args[2].size;
    size_t level = args[0].word, context = args[1].size < 128 ? args[1].size : 128;
    char line[LINE_MAX_SIZE];
    int prefix = snprintf(line, sizeof line, "[%s]%s%.*s: ", names[level], context ? " " : "", (int)context,
                          slot_text(&args[1]));
    do {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        size_t room = sizeof line - (size_t)prefix, size = (size_t)(stop - at) < room ? (size_t)(stop - at) : room;
        memcpy(line + prefix, at, size);
        guest_log(g, level >= LEVEL_WARN, line, (size_t)prefix + size);
        at += size;
        if (at == newline)
            at++;
    } while (at < end);
    return HOST_DONE;
}

static const struct host_func funcs[] = {
    {"log", "(" LEVEL ",string,string)->()", log_message, SHAPE_ANY, false},
};

const struct host_interface wasi_logging[1] = {
    INTERFACE("wasi:logging/logging", "0.1.0-draft", funcs),
};
