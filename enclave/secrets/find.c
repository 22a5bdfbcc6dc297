/* See find.h. */
#include "enclave/secrets/find.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/crypto/seal.h"
#include "enclave/kvstore/raw.h"
#include "enclave/kvstore/store.h"
#include "enclave/thread/worker.h"

static const char *const names[] = {STORE_MASTER_KEY, STORE_MASTER_COPY_KEY};
#define NAMES (sizeof names / sizeof *names)

struct finding {
    struct worker *owner;
    struct store *store;
    master_found found;
    void *user;
    size_t which;
};

static void on_got(void *user, int error, const uint8_t *blob, size_t size);

static int ask(struct finding *f)
{
    ENSURE(f->which < NAMES);
    return raw_get(f->owner, names[f->which], strlen(names[f->which]), on_got, f);
}

static void on_got(void *user, int error, const uint8_t *blob, size_t size)
{
    struct finding *f = user, asked = *f;
    uint8_t master[MASTER_KEY_SIZE];
    loop_check(&f->owner->loop);
    ENSURE(f->which < NAMES);
    if (error == 0 &&
        (size != MASTER_KEY_SIZE + SEAL_OVERHEAD || unseal(blob, size, master) < 0 || !store_has_key(f->store, master)))
        error = -EBADMSG;
    if (error < 0 && ++f->which < NAMES && ask(f) == 0)
        return;
    free(f);
    asked.found(asked.user, error, error == 0 ? master : NULL);
    OPENSSL_cleanse(master, sizeof master);
}

int master_find(struct worker *owner, struct store *store, master_found found, void *user)
{
    loop_check(&owner->loop);
    ENSURE(store && found);
    struct finding *f = malloc(sizeof *f);
    if (!f)
        return -ENOMEM;
    *f = (struct finding){owner, store, found, user, 0};
    int error = ask(f);
    if (error < 0)
        free(f);
    return error;
}
