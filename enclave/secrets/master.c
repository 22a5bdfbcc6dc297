/* See master.h. */
#include "enclave/secrets/master.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/crypto/seal.h"
#include "enclave/kvstore/store.h"
#include "sgx/trusted/bridge.h"

static int begin_store(struct store *store, char *why, size_t why_size)
{
    uint8_t master[MASTER_KEY_SIZE], blob[MASTER_KEY_SIZE + SEAL_OVERHEAD];
    int error = store_is_empty(store);
    if (error <= 0) { /* no key: this may only be so if nothing else is there */
        snprintf(why, why_size,
                 error == 0 ? "store: there are records but no sealed master key: not starting anew over them"
                            : "store: it cannot be read (error %d)",
                 -error);
        return error == 0 ? -EBADMSG : error;
    }
    sgx_random(master, sizeof master);
    error = seal(master, sizeof master, blob);
    if (error == 0)
        error = store_begin(store, master, blob, sizeof blob);
    if (error < 0)
        snprintf(why, why_size, "store: there is no master key to be had (error %d)", -error);
    OPENSSL_cleanse(master, sizeof master);
    return error;
}

int master_open_store(struct store *store, int *first_boot, char *why, size_t why_size)
{
    uint8_t *blob = NULL, master[MASTER_KEY_SIZE];
    size_t size = 0;
    ENSURE(store && first_boot);
    ENSURE(why && why_size > 0);
    int error = store_read_master(store, &blob, &size);
    *first_boot = error == -ENOENT;
    if (*first_boot)
        return begin_store(store, why, why_size);
    if (error == 0)
        error = size == MASTER_KEY_SIZE + SEAL_OVERHEAD ? unseal(blob, size, master) : -EBADMSG;
    free(blob);
    if (error == -EACCES)
        snprintf(why, why_size,
                 "store: sealed by another enclave image (other MRENCLAVE), in another debug mode, or "
                 "on another CPU; it was left untouched");
    else if (error < 0)
        snprintf(why, why_size, "store: the sealed master key is damaged (error %d)", -error);
    else
        error = store_open(store, master, why, why_size);
    OPENSSL_cleanse(master, sizeof master);
    return error;
}
