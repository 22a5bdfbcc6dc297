/* See quote.h. */
#include "enclave/service/quote.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/service/limits.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"
#include "verifier/verifier.h"

struct quoting {
    uint8_t report_data[64];
    struct sgx_report_body self; /* what the quote must be over */
    quote_done done;
    void *user;
};

/* The quoting enclave that reports are for. Another may have taken its place when a quote is refused. */
static struct {
    struct sgx_targetinfo info;
    bool known;
} target;

/* From the loop only. */
static void end(struct quoting *q, int error, const uint8_t *quote, size_t size)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE((error == 0) == (quote != NULL));
    if (error < 0)
        target.known = false;
    q->done(q->user, error, quote, size, &q->self);
    free(q);
}

static void on_quote(void *user, int error, const uint8_t *quote, size_t size)
{
    struct quoting *q = user;
    const char *wrong = error != 0         ? NULL
                        : size > QUOTE_MAX ? "too long"
                                           : verifier_quote_is_for(quote, size, (const uint8_t *)&q->self);
    if (wrong) {
        rpc_log(enclave_system.owner->rpc, LOG_ERROR, "the host's quote is of no use: %s", wrong);
        error = -EBADMSG;
    }
    end(q, error, error == 0 ? quote : NULL, error == 0 ? size : 0);
}

MAY_REFUSE static int ask(struct quoting *q)
{
    struct sgx_report report;
    sgx_report(&target.info, q->report_data, &report);
    q->self = report.body;
    return rpc_call(enclave_system.owner->rpc, RPC_QUOTE, &report, sizeof report, on_quote, q);
}

static void on_target_info(void *user, int error, const uint8_t *info, size_t size)
{
    struct quoting *q = user;
    if (error == 0 && size != sizeof target.info)
        error = -EBADMSG;
    if (error == 0) {
        memcpy(&target.info, info, size);
        target.known = true;
        error = ask(q);
    }
    if (error < 0)
        end(q, error, NULL, 0);
}

int quote_make(const uint8_t report_data[64], quote_done done, void *user)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(report_data && done);
    struct quoting *q = calloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    memcpy(q->report_data, report_data, sizeof q->report_data);
    q->done = done;
    q->user = user;
    int error =
        target.known ? ask(q) : rpc_call(enclave_system.owner->rpc, RPC_QUOTE_TARGET_INFO, NULL, 0, on_target_info, q);
    if (error < 0)
        free(q);
    return error;
}
