/* What libFuzzer calls, and a cursor over its input. A property that does not hold aborts. */
#ifndef ENCLAVE_OS_TESTS_FUZZ_H
#define ENCLAVE_OS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

struct input {
    const uint8_t *at, *end;
};

/* Zero when nothing is left. */
static inline uint8_t input_byte(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static inline uint64_t input_word(struct input *in)
{
    uint64_t word = 0;
    size_t size = (size_t)(in->end - in->at) < 8 ? (size_t)(in->end - in->at) : 8;
    memcpy(&word, in->at, size);
    in->at += size;
    return word;
}

/* Up to size bytes, in place. */
static inline const uint8_t *input_bytes(struct input *in, size_t *size)
{
    const uint8_t *bytes = in->at;
    if (*size > (size_t)(in->end - in->at))
        *size = (size_t)(in->end - in->at);
    in->at += *size;
    return bytes;
}

#endif
