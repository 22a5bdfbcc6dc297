/*
 * One question to a witness: POST URL/add-checkpoint, over HTTP/1.1, and its answer, judged (wire.h).
 *
 * The owner's thread. done comes once, later, from the loop, whatever becomes of it, within WITNESS_ASK_NS: what then
 * is still to come is not waited for.
 *
 * TLS, of a URL that has it, hides nothing and proves nothing here: what is sent is public, and the answer counts only
 * where the witness's own signature holds. So no certificate authority is asked who the server is.
 *
 * Memory: CALL_COST at most for one (https/limits.h), and a fixed size.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WITNESS_ASK_H
#define ENCLAVE_OS_ENCLAVE_WITNESS_ASK_H

#include <stdint.h>

#include "enclave/https/client.h"
#include "enclave/witness/limits.h"
#include "enclave/witness/set.h"
#include "enclave/witness/wire.h"

struct witness_ask;
typedef void (*witness_asked)(void *user, const struct witness_answer *a);

struct witness_asking {
    struct worker *worker;
    const struct http_dialer *dialer; /* for this witness's URL */
    const struct witness *witness;    /* copied */
    uint64_t from, size;
    const uint8_t (*proof)[32]; /* from from to size */
    size_t proof_count;
    const char *checkpoint; /* of size entries; copied */
    size_t checkpoint_size;
    witness_asked done;
    void *user;
};

/* NULL: no memory, or it does not fit; done never comes. */
struct witness_ask *witness_ask_start(const struct witness_asking *asking);
/* Before done: it never comes. */
void witness_ask_cancel(struct witness_ask *a);

#endif
