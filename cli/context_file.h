/*
 * The files that contexts are kept in. See context.h for where they are.
 */
#ifndef ENCLAVE_OS_CLI_CONTEXT_FILE_H
#define ENCLAVE_OS_CLI_CONTEXT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define CONTEXT_NAME_MAX 63u
#define CONTEXT_OPTIONS_MAX 256u
#define CONTEXT_NOBODY "none" /* no context can be called that: `context use none` */

struct context {
    char *url;                          /* of its server */
    char *options[CONTEXT_OPTIONS_MAX]; /* each --NAME or --NAME=VALUE, --url among them */
    size_t count;
};

/* Whether it can be a context's; if not, why was told, of option ("--context"; NULL: an argument). */
bool context_name_ok(const char *option, const char *name);
/* 0, or what was told: 1 or 2. To be freed by context_free. */
int context_read(const char *name, struct context *context);
void context_free(struct context *context);
/* Write a new one down; one that is there is left alone. 0, or what was told. */
int context_write(const char *name, const struct context *context);
int context_remove(const char *name);
/* All names, sorted, malloc'ed; ended by NULL. NULL: why was told. */
char **context_names(void);
/* Which one is in use: *name lives as long as the process; NULL: none. 0, or what was told. */
int context_in_use(const char **name);
/* Use this one from now on. 0, or what was told. */
int context_set_in_use(const char *name);

#endif
