/*
 * Reading a command line strictly, for the programs (not for the enclave). Tables are getopt_long's; beyond what that
 * refuses, an option must be written out, may be given once unless it is listed as repeatable, and needs a value that
 * is not empty and not an option itself. Whatever is wrong is told with the option's name, before anything is done.
 */
#ifndef ENCLAVE_OS_COMMON_ARGUMENTS_H
#define ENCLAVE_OS_COMMON_ARGUMENTS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#define ARGUMENTS_TABLE_MAX 64u
enum { ARGUMENTS_END = -1, ARGUMENTS_WRONG = -2 };

struct arguments {
    int argc;
    char **argv;
    const struct option *table; /* every val above 0 */
    const int *repeatable;      /* vals, ended by 0; NULL: none */
    bool seen[ARGUMENTS_TABLE_MAX];
    const char *name; /* of the option that was read last, without "--" */
    char *value;      /* its value, borrowed from argv; NULL: it takes none */
    char error[256];  /* after ARGUMENTS_WRONG */
};

/* argv[0] is not looked at. argv is reordered: what is no option comes last. */
void arguments_init(struct arguments *a, int argc, char **argv, const struct option *table, const int *repeatable);

/* The next option's val; ARGUMENTS_END; or ARGUMENTS_WRONG, with a line in error. */
int arguments_next(struct arguments *a);

/* After ARGUMENTS_END: what is no option, and how many there are. */
char **arguments_rest(const struct arguments *a, int *count);

/* Decimal digits alone: no sign, space, unit, or leading zero; least <= *out <= most. */
bool arguments_number(const char *text, uint64_t least, uint64_t most, uint64_t *out);

#endif
