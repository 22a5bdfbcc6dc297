/* The trusted half of edger_test: the functions of test.edl, in a file of its own, since both sides' headers
 * declare the OCALLs' names. */
#include <string.h>

#include "test_t.h"

extern const void *seen_pointer; /* what the last ECALL was given, for the test to check where copies live */

int32_t sum(const struct pair *p, uint8_t small, int64_t large)
{
    seen_pointer = p;
    return (int32_t)(p->a + p->b + small + (uint64_t)large);
}

void fill(uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (to[i] == 0)
            to[i] = (uint8_t)(i + 1);
}

int32_t scale(uint32_t *values, uint32_t n, uint32_t by)
{
    for (uint32_t i = 0; i < n; i++)
        values[i] *= by;
    return (int32_t)n;
}

int32_t measure(const char *text)
{
    seen_pointer = text;
    return (int32_t)strlen(text);
}

int32_t swap(struct pair *p)
{
    uint64_t a = p->a;
    p->a = p->b;
    p->b = a;
    int32_t answer = 0;
    int status = add(&answer, (int32_t)p->a, -1);
    return status == 0 ? answer : status;
}

uint64_t address(void *p)
{
    struct pair answer = {0};
    int32_t sent;
    return send(&sent, p, 8, &answer) == 0 && print("done") == 0 ? answer.a + (uint64_t)sent : 0;
}
