/*
 * What a command tells its user, and the exit status that goes with it: each of these prints one line (or a usage text)
 * and returns the status, so that a command ends with `return complain(...)`.
 *
 * Lines go to standard error and begin with "enclavectl: ". One thread.
 */
#ifndef ENCLAVE_OS_CLI_REPORT_H
#define ENCLAVE_OS_CLI_REPORT_H

#include <stdbool.h>

/* It failed: 1. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The arguments are wrong: 2. */
int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Arguments that are missing or too many, of a command that takes those which form says ("NAME FILE.wasm"), least to
 * most of them: what is wrong with the count of them that there are is told; 2. */
int wrong_arguments(const char *command, const char *form, int least, int most, int count, char **arguments);
/* Until it is called with false, say nothing of what failed: it is what was told already. */
void report_quietly(bool quietly);
/* A command's usage: on standard output if it was asked for, and 0; else on standard error, and 2. */
int show_usage(const char *text, bool asked);

#endif
