/* No witnesses: nothing waits for them. */
#include "enclave/service/witnessing.h"

bool witnessing_await(struct witness_wait *wait, uint64_t size)
{
    (void)wait, (void)size;
    return false;
}

int witnessing_app(const char *space, bool witnessed)
{
    (void)space, (void)witnessed;
    return 0;
}
