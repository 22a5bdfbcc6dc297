/*
 * enclavectl's commands and what they share. Each command prints its own usage and errors and returns the process's
 * exit status: 0, 1 (it failed), 2 (wrong arguments).
 */
#ifndef ENCLAVE_OS_CLI_CLI_H
#define ENCLAVE_OS_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APP_NAME_SIZE_MAX 63u
#define APP_NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

int verify_main(int argc, char **argv);
int keygen_main(int argc, char **argv);
int app_main(int argc, char **argv);
int get_main(int argc, char **argv);
int egress_ca_main(int argc, char **argv);
int ca_main(int argc, char **argv);

/* Prints "enclavectl: ..." on standard error; returns 1, for `return complain(...)`. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for wrong arguments: returns 2. */
int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Arguments that are missing or too many, of a command that takes those which form says ("NAME FILE.wasm"): what is
 * wrong with them is told; 2. */
int wrong_arguments(const char *command, const char *form, int least, int most, int count, char **arguments);
/* A command's usage: on standard output if it was asked for, and 0; else on standard error, and 2. */
int show_usage(const char *text, bool asked);

/* The whole file, malloc'ed and NUL-terminated; NULL with errno set. Files above limit fail with EFBIG. */
char *read_whole_file(const char *path, size_t limit, size_t *size);
/* The same of a file that the user named, by option ("--root"; NULL: as an argument), which must not be empty. NULL:
 * why was told. */
char *read_input(const char *option, const char *path, size_t limit, size_t *size);
/* 0 if the text is certificates in PEM and nothing else but comments; else 2, and why was told. */
int judge_certificates(const char *option, const char *path, const char *pem, size_t size);

/* Exactly 2 * size hex digits; 64 of them. */
bool parse_hex(const char *text, uint8_t *out, size_t size);
bool parse_hex32(const char *text, uint8_t out[32]);
void format_hex(const uint8_t *data, size_t size, char *out);

#endif
