/*
 * Files that the user named on the command line, read whole.
 */
#ifndef ENCLAVE_OS_CLI_INPUT_H
#define ENCLAVE_OS_CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>

/* The whole file, malloc'ed and NUL-terminated, with its size in bytes; NULL with errno set. Files above limit fail
 * with EFBIG. */
char *read_whole_file(const char *path, size_t limit, size_t *size);
/* The same of a file that the user named, by option ("--root"; NULL: as an argument), which must not be empty. NULL:
 * why was told. */
char *read_input(const char *option, const char *path, size_t limit, size_t *size);
/* Whether a folder stands there; errno is 0 if something else does. */
bool is_folder(const char *path);
/* 0 if the text is certificates in PEM and nothing else but comments; else 2, and why was told. */
int judge_certificates(const char *option, const char *path, const char *pem, size_t size);

#endif
