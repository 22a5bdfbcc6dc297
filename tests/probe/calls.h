/* The probe's system calls, and how it tells. */
#ifndef ENCLAVE_OS_TESTS_PROBE_CALLS_H
#define ENCLAVE_OS_TESTS_PROBE_CALLS_H

#include <stdbool.h>

/* Counts a check, and keeps the text of what failed for the report. */
void expect(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each call that the runtime answers, in the variants that it does and in those that it must refuse. */
void try_calls(void);

#endif
