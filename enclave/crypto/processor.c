/* See processor.h. */
#include "enclave/crypto/processor.h"

#include <stddef.h>

/* libcrypto.a's own, not in a header. What is needed is in the first words, EDX and ECX of leaf 1, EBX and ECX of leaf
 * 7; those behind are for more AVX, which only makes things faster. */
extern uint32_t OPENSSL_ia32cap_P[10] __attribute__((visibility("hidden")));

const char *processor_lacks(const uint32_t capabilities[4])
{
    static const struct {
        const char *name;
        unsigned word, bit;
    } needed[] = {
        {"FXSR", 0, 24},   {"SSE", 0, 25},    {"SSE2", 0, 26},   {"PCLMULQDQ", 1, 1}, {"SSSE3", 1, 9},
        {"SSE4.1", 1, 19}, {"AES-NI", 1, 25}, {"RDRAND", 1, 30}, {"RDSEED", 2, 18},
    };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!(capabilities[needed[i].word] >> needed[i].bit & 1))
            return needed[i].name;
    return NULL;
}

const char *processor_lacks_for_openssl(void)
{
    return processor_lacks(OPENSSL_ia32cap_P);
}
