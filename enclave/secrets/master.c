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

static int begin_store(struct store *store, master_begun begun, char *why, size_t why_size)
{
    uint8_t master[MASTER_KEY_SIZE], blob[MASTER_KEY_SIZE + SEAL_OVERHEAD];
    int error = store_is_empty(store);
    if (error <= 0) { /* no key: this may only be so if nothing else is there */
        snprintf(why, why_size,
                 error == 0 ? "store: there are records but no sealed master key: not starting anew over them (it was "
                              "handed over, and can be deleted; or it is being taken over: start with --take-over as "
                              "before)"
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
    else if ((error = begun(master, why, why_size)) < 0)
        store_close(store);
    OPENSSL_cleanse(master, sizeof master);
    return error;
}

/* What is sealed under lower versions than the present ones, again under these. 1; 0: there is no need; negative errno.
 * */
static int renew(struct store *store, const uint8_t master[MASTER_KEY_SIZE], const uint8_t *old, size_t old_size)
{
    uint8_t blob[MASTER_KEY_SIZE + SEAL_OVERHEAD];
    if (seal_is_current(old, old_size))
        return 0;
    int error = seal(master, MASTER_KEY_SIZE, blob);
    if (error == 0)
        error = store_write_master(store, blob, sizeof blob);
    return error < 0 ? error : 1;
}

static void say_whose(int error, char *why, size_t why_size)
{
    switch (error) {
    case -EACCES:
        snprintf(why, why_size,
                 "store: sealed by another enclave image (other MRENCLAVE), in another debug mode, or "
                 "on another CPU; it was left untouched");
        break;
    case -ENOKEY:
        snprintf(why, why_size,
                 "store: sealed under newer microcode than this CPU has now (an update was taken back), or on another "
                 "CPU: install the newer microcode again; it was left untouched");
        break;
    case -EKEYEXPIRED:
        snprintf(why, why_size,
                 "store: sealed by this enclave image as signed with a higher security version (ISVSVN): start that "
                 "one; it was left untouched");
        break;
    default:
        snprintf(why, why_size, "store: the sealed master key is damaged (error %d)", -error);
        break;
    }
}

/* One of the two, unsealed: 0; -ENOENT: there is none; -EACCES, -EBADMSG as unseal; or the store's error. */
static int read_one(struct store *store, bool copy, uint8_t **blob, size_t *size, uint8_t master[MASTER_KEY_SIZE])
{
    ENSURE(store && blob);
    *blob = NULL;
    int error = store_read_master(store, copy, blob, size);
    if (error == 0)
        error = *size == MASTER_KEY_SIZE + SEAL_OVERHEAD ? unseal(*blob, *size, master) : -EBADMSG;
    return error;
}

/* It is open by the good one of the two: what was sealed under lower versions than the present ones is sealed again,
 * and where one was not what was written, or there was none, both are written. That nobody else's key is in it the
 * store has shown: it opened. 1: sealed again; 0: not; negative errno: it could not be, and the next start tries again.
 * */
static int renew_or_mend(struct store *store, const uint8_t master[MASTER_KEY_SIZE], const uint8_t *good, size_t size,
                         bool same)
{
    ENSURE(good && size > 0);
    int renewed = renew(store, master, good, size);
    if (renewed == 0 && !same) {
        int ignored = store_mend_master(store, good, size);
        (void)ignored; /* the next start tries it again */
    }
    return renewed;
}

/* By the first of the two keys, or else the second, where there is another: either may be another instance's of this
 * image, which only the store can tell. *used: which of the two it was. What is said is of the first. */
static int open_by_either(struct store *store, uint8_t master[2][MASTER_KEY_SIZE], const int found[2], int *used,
                          char *why, size_t why_size)
{
    char ignored[256];
    ENSURE(found[0] == 0 || found[1] == 0);
    *used = found[0] == 0 ? 0 : 1;
    int error = store_open(store, master[*used], why, why_size);
    if (error != -EBADMSG || found[0] < 0 || found[1] < 0 || CRYPTO_memcmp(master[0], master[1], MASTER_KEY_SIZE) == 0)
        return error;
    if (store_open(store, master[1], ignored, sizeof ignored) < 0)
        return error;
    why[0] = 0;
    *used = 1;
    return 0;
}

/* What was found, in order of what it says: both missing is a store that has not begun. */
static int open_with(struct store *store, uint8_t master[2][MASTER_KEY_SIZE], int *first_boot, int *renewed, char *why,
                     size_t why_size)
{
    uint8_t *blobs[2];
    size_t sizes[2] = {0, 0};
    int found[2], used = 0;
    for (int i = 0; i < 2; i++)
        found[i] = read_one(store, i == 1, &blobs[i], &sizes[i], master[i]);
    int error = found[0] == 0 || found[1] == 0 ? 0 : found[0];
    *first_boot = found[0] == -ENOENT && found[1] == -ENOENT;
    if (error == -ENOENT && !*first_boot)
        error = found[1]; /* there was one once */
    if (error < 0 && !*first_boot)
        say_whose(error, why, why_size);
    if (error == 0)
        error = open_by_either(store, master, found, &used, why, why_size);
    bool same = found[0] == 0 && found[1] == 0 && sizes[0] == sizes[1] && memcmp(blobs[0], blobs[1], sizes[0]) == 0;
    if (error == 0)
        *renewed = renew_or_mend(store, master[used], blobs[used], sizes[used], same);
    free(blobs[0]);
    free(blobs[1]);
    return error;
}

int master_open_store(struct store *store, int *first_boot, int *renewed, master_begun begun, char *why,
                      size_t why_size)
{
    uint8_t master[2][MASTER_KEY_SIZE];
    ENSURE(store && first_boot && renewed && begun);
    ENSURE(why && why_size > 0);
    *renewed = 0;
    int error = open_with(store, master, first_boot, renewed, why, why_size);
    OPENSSL_cleanse(master, sizeof master);
    if (*first_boot)
        return begin_store(store, begun, why, why_size);
    return error;
}
