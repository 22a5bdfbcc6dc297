/* See news.h. */
#include "enclave/handover/news.h"

#include <errno.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "common/ensure.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

struct telling {
    kv_done done;
    void *user;
};

static void on_told(void *user, int error, const uint8_t *payload, size_t size)
{
    struct telling t = *(struct telling *)user;
    (void)payload, (void)size;
    free(user);
    if (t.done)
        t.done(t.user, error);
}

int handover_news(enum hand_over_news news, const void *data, size_t size, kv_done done, void *user)
{
    uint8_t payload[1 + 4 + 32];
    struct bytes_writer w = bytes_writer_make(payload, sizeof payload);
    bytes_append_u8(&w, (uint8_t)news);
    bytes_append_blob(&w, data, size);
    ENSURE(!w.failed);
    struct telling *t = malloc(sizeof *t);
    if (!t)
        return -ENOMEM;
    *t = (struct telling){done, user};
    int error = rpc_call(enclave_system.owner->rpc, RPC_HAND_OVER, payload, w.size, on_told, t);
    if (error < 0)
        free(t);
    return error;
}
