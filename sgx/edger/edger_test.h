/* Types of test.edl. */
#ifndef ENCLAVE_OS_SGX_EDGER_EDGER_TEST_H
#define ENCLAVE_OS_SGX_EDGER_EDGER_TEST_H

#include <stdint.h>

struct pair {
    uint64_t a, b;
};

#endif
