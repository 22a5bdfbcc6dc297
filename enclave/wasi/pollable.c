/* See internal.h: for all that can be waited for. */
#include "enclave/wasi/internal.h"

struct resource *pollable_on(struct guest *g, struct resource *target)
{
    struct resource *pollable = resource_new(g, KIND_POLLABLE);
    if (pollable && target)
        pollable->on = resource_keep(target);
    return pollable;
}
