/* See evidence.h. */
#include "enclave/handover/evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"
#include "enclave/handover/wire.h"
#include "enclave/service/quote.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

struct making {
    uint8_t *quote;
    size_t quote_size;
    handover_evidence_done done;
    void *user;
};

static void end(struct making *m, int error, const uint8_t *evidence, size_t size)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE((error == 0) == (evidence != NULL));
    m->done(m->user, error, evidence, size);
    free(m->quote);
    free(m);
}

/* Where the host has no collateral, who judges may do without it, or not: that is his to say. */
static void on_collateral(void *user, int error, const uint8_t *collateral, size_t size)
{
    struct making *m = user;
    size_t collateral_size = error == 0 ? size : 0, all = 8 + m->quote_size + collateral_size;
    uint8_t *evidence = all <= HANDOVER_EVIDENCE_MAX ? malloc(all) : NULL;
    struct bytes_writer w = bytes_writer_make(evidence, all);
    if (!evidence) {
        end(m, all <= HANDOVER_EVIDENCE_MAX ? -ENOMEM : -EBADMSG, NULL, 0);
        return;
    }
    bytes_append_blob(&w, m->quote, m->quote_size);
    bytes_append_blob(&w, collateral, collateral_size);
    ENSURE(!w.failed && w.size == all);
    end(m, 0, evidence, all);
    free(evidence);
}

static void on_quote(void *user, int error, const uint8_t *quote, size_t size, const struct sgx_report_body *self)
{
    struct making *m = user;
    (void)self;
    ENSURE(!m->quote);
    m->quote = error == 0 ? malloc(size) : NULL;
    if (error == 0 && !m->quote)
        error = -ENOMEM;
    if (error == 0) {
        memcpy(m->quote, quote, size);
        m->quote_size = size;
        error = rpc_call(enclave_system.owner->rpc, RPC_QUOTE_COLLATERAL, quote, size, on_collateral, m);
    }
    if (error < 0)
        end(m, error, NULL, 0);
}

int handover_evidence_make(const uint8_t report_data[64], handover_evidence_done done, void *user)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(report_data && done);
    struct making *m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    m->done = done;
    m->user = user;
    int error = quote_make(report_data, on_quote, m);
    if (error < 0)
        free(m);
    return error;
}
