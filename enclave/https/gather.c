/* See gather.h. */
#include "enclave/https/gather.h"

#include <errno.h>

#include "common/ensure.h"
#include "enclave/https/answer.h"

#define FIRST 4096u
#define LEAST 512u /* that a read is worth */

/* Room for one byte more than there may be, by which too much is noticed. */
static bool grow(struct http_gather *g)
{
    ENSURE(g->size <= g->capacity);
    ENSURE(g->data || g->capacity == 0);
    if (g->capacity - g->size >= LEAST || g->capacity == g->most + 1)
        return true;
    size_t capacity = g->capacity ? 2 * g->capacity : g->expected ? g->expected + LEAST : FIRST;
    if (capacity > g->most + 1)
        capacity = g->most + 1;
    uint8_t *grown = charged_realloc(g->memory, g->data, capacity);
    if (!grown)
        return false;
    g->data = grown;
    g->capacity = capacity;
    return true;
}

int http_gather(struct http_exchange *x, struct http_gather *g)
{
    http_exchange_check(x);
    ENSURE(g->size <= g->most);
    if (x->request.content_length > 0 && (uint64_t)x->request.content_length > g->most)
        return 413;
    for (;;) {
        if (!grow(g))
            return 503;
        ssize_t got = x->ops->read_body(x, g->data + g->size, g->capacity - g->size);
        if (got <= 0)
            return got == 0 ? 0 : got == -EAGAIN ? HTTP_GATHER_MORE : 400;
        ENSURE((size_t)got <= g->capacity - g->size);
        g->size += (size_t)got;
        if (g->size > g->most)
            return 413;
    }
}

const char *http_gather_why(int status)
{
    return status == 413   ? "the body is longer than any that is taken here"
           : status == 503 ? HTTP_NO_MEMORY
                           : "the body is broken";
}

void http_gather_free(struct http_gather *g)
{
    charged_free(g->data);
    g->data = NULL;
    g->size = g->capacity = 0;
}
