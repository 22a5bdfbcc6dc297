/*
 * JSON from outside. jansson reads nested values by recursion, to a depth of 2,048: more than half a megabyte of a
 * thread's stack. Nothing that is read here is nested more than a few levels.
 */
#ifndef ENCLAVE_OS_COMMON_JSON_H
#define ENCLAVE_OS_COMMON_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define JSON_LEVELS_MAX 32u

/* How deep brackets are nested; what is no JSON has some depth, too. */
static inline size_t json_depth(const char *text, size_t size)
{
    size_t depth = 0, deepest = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '[' || text[i] == '{'))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!quoted && (text[i] == ']' || text[i] == '}') && depth > 0)
            depth--;
    }
    return deepest;
}

/* As json_loadb; NULL also if it is nested too deep. where: may be NULL. */
static inline json_t *json_read(const char *text, size_t size, size_t flags, json_error_t *where)
{
    if (json_depth(text, size) <= JSON_LEVELS_MAX)
        return json_loadb(text, size, flags, where);
    if (where) {
        *where = (json_error_t){.line = 1};
        snprintf(where->text, sizeof where->text, "nested more than %u levels deep", JSON_LEVELS_MAX);
    }
    return NULL;
}

#endif
