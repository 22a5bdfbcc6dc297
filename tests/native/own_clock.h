/* For tests: the clock of all code in the process is the test's. Linking this is enough. Any thread. */
#ifndef ENCLAVE_OS_TESTS_NATIVE_OWN_CLOCK_H
#define ENCLAVE_OS_TESTS_NATIVE_OWN_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* What it says; it begins at a second. And how much further it goes each time that this thread reads it. */
extern _Atomic uint64_t own_clock_ns;
extern _Thread_local uint64_t own_clock_step_ns;

#endif
