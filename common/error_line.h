/*
 * An error and its line, for whoever passed room for one:
 *
 *     return error_line(error, error_size, -EINVAL, "%s: no such file", path);
 */
#ifndef ENCLAVE_OS_COMMON_ERROR_LINE_H
#define ENCLAVE_OS_COMMON_ERROR_LINE_H

#include <stdarg.h>
#include <stdio.h>

/* Writes the line, cut where it does not fit. Returns code. */
static inline int error_line(char *line, size_t size, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static inline int error_line(char *line, size_t size, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, size, format, arguments);
    va_end(arguments);
    return code;
}

#endif
