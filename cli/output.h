/*
 * Files that a command writes for its user.
 */
#ifndef ENCLAVE_OS_CLI_OUTPUT_H
#define ENCLAVE_OS_CLI_OUTPUT_H

#include <stddef.h>

/* Whether path, which option named ("--out"; NULL: nothing did), can be a file: to be asked before anything is done
 * for it. 0, or what wrong returned. */
int output_judge(const char *option, const char *path);
/* Write text and an LF into path, over what is there: a file as a whole, a pipe or a terminal as it comes; path NULL:
 * to standard output. 0, or what complain returned. */
int output_text(const char *option, const char *path, const char *text);

/* Save data into path, for --out: whole or not at all, and never over something else, of which hint says what it may
 * mean. 0 (also if it is there already), or what complain returned. */
int output_save(const char *path, const void *data, size_t size, const char *hint);

#endif
