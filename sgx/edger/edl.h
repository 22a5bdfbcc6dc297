/*
 * The interface description as a tree, and the two steps over it: parse an .edl file, write the bridges.
 *
 * Everything has a fixed bound: an interface that needs more is too wide for this project. A build-time tool, so
 * errors end the program: "file:line:col: error: ..." and status 1.
 */
#ifndef ENCLAVE_OS_SGX_EDGER_EDL_H
#define ENCLAVE_OS_SGX_EDGER_EDL_H

#include <stdbool.h>
#include <stdio.h>

#define EDL_NAME_MAX 64
#define EDL_PARAMS_MAX 12
#define EDL_FUNCTIONS_MAX 32
#define EDL_INCLUDES_MAX 16

struct edl_position {
    int line, column;
};

/* The value of size= or count=: a number, or another parameter's name. */
struct edl_extent {
    bool given;
    char text[EDL_NAME_MAX];
    struct edl_position at;
};

struct edl_param {
    char type[2 * EDL_NAME_MAX]; /* without const and star: "uint32_t", "struct channel_desc" */
    char name[EDL_NAME_MAX];
    bool is_const, pointer;
    bool in, out, user_check, string; /* pointers only */
    struct edl_extent size, count;
    struct edl_position at;
};

struct edl_function {
    char result[2 * EDL_NAME_MAX]; /* a scalar type, or "void" */
    char name[EDL_NAME_MAX];
    struct edl_param params[EDL_PARAMS_MAX];
    int param_count;
    struct edl_position at;
};

struct edl {
    const char *path;
    char includes[EDL_INCLUDES_MAX][128];
    int include_count;
    struct edl_function ecalls[EDL_FUNCTIONS_MAX], ocalls[EDL_FUNCTIONS_MAX];
    int ecall_count, ocall_count;
};

_Noreturn void edl_fail(const char *path, struct edl_position at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* path is kept; text is NUL-terminated. */
void edl_parse(struct edl *edl, const char *path, const char *text);

/* name is the interface's: the headers are included as NAME_t.h and NAME_u.h. */
void edl_write_trusted_header(const struct edl *edl, const char *name, FILE *out);
void edl_write_trusted_source(const struct edl *edl, const char *name, FILE *out);
void edl_write_untrusted_header(const struct edl *edl, const char *name, FILE *out);
void edl_write_untrusted_source(const struct edl *edl, const char *name, FILE *out);

#endif
