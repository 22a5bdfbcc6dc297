/*
 * Files that a command writes for its user.
 */
#ifndef ENCLAVE_OS_CLI_OUTPUT_H
#define ENCLAVE_OS_CLI_OUTPUT_H

#include <stddef.h>

/* Save data into path, for --out: whole or not at all, and never over something else, of which hint says what it may
 * mean. 0 (also if it is there already), or what complain returned. */
int output_save(const char *path, const void *data, size_t size, const char *hint);

#endif
