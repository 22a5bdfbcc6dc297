/* See master.h. */
#include "enclave/secrets/master.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/crypto/seal.h"
#include "enclave/kvstore/store.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/thread/worker.h"
#include "sgx/trusted/bridge.h"

static int fetch_blob(struct worker *owner, uint8_t **blob, size_t *size)
{
    uint8_t request[4 + sizeof STORE_MASTER_KEY];
    uint32_t length = strlen(STORE_MASTER_KEY);
    memcpy(request, &length, 4);
    memcpy(request + 4, STORE_MASTER_KEY, length);
    return rpc_call_wait(owner->rpc, RPC_KV_GET, request, 4 + length, blob, size);
}

static int first_boot_store(struct worker *owner, char *error, size_t error_size)
{
    uint8_t master[MASTER_KEY_SIZE], blob[MASTER_KEY_SIZE + SEAL_OVERHEAD];
    int result = store_is_empty(owner);
    if (result <= 0) { /* no key: this may only be so if nothing else is there */
        snprintf(error, error_size,
                 result == 0 ? "store: there are records but no sealed master key: not starting anew over them"
                             : "store: it cannot be read (error %d)",
                 -result);
        return result == 0 ? -EBADMSG : result;
    }
    sgx_random(master, sizeof master);
    result = seal(master, sizeof master, blob);
    if (result == 0)
        result = store_open(owner, master, blob, sizeof blob, error, error_size);
    OPENSSL_cleanse(master, sizeof master);
    return result;
}

int master_open_store(struct worker *owner, int *first_boot, char *error, size_t error_size)
{
    uint8_t *blob = NULL, master[MASTER_KEY_SIZE];
    size_t size = 0;
    int result = fetch_blob(owner, &blob, &size);
    *first_boot = result == -ENOENT;
    if (*first_boot)
        return first_boot_store(owner, error, error_size);
    if (result == 0)
        result = size == MASTER_KEY_SIZE + SEAL_OVERHEAD ? unseal(blob, size, master) : -EBADMSG;
    free(blob);
    if (result == -EACCES)
        snprintf(error, error_size,
                 "store: sealed by another enclave image (other MRENCLAVE), in another debug mode, or "
                 "on another CPU; it was left untouched");
    else if (result < 0)
        snprintf(error, error_size, "store: the sealed master key is damaged (error %d)", -result);
    else
        result = store_open(owner, master, NULL, 0, error, error_size);
    OPENSSL_cleanse(master, sizeof master);
    return result;
}
