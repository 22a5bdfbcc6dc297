/* See spaces.h. */
#include "enclave/service/spaces.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

#define PREFIX "removing/"
static_assert(sizeof PREFIX + APP_NAME_MAX == SPACES_KEY_SIZE, "a key's parts");

struct removal {
    char space[APP_NAME_MAX + 1];
    struct kv_namespace *ns;
};

struct kv_op spaces_op(const char *space, char key[SPACES_KEY_SIZE])
{
    int size = snprintf(key, SPACES_KEY_SIZE, PREFIX "%s", space);
    ENSURE(size > 0 && (size_t)size < SPACES_KEY_SIZE);
    return (struct kv_op){KV_PUT, enclave_system.settings, key, (size_t)size, "", 0};
}

static void removal_free(struct removal *r)
{
    if (r)
        kv_namespace_close(r->ns);
    free(r);
}

static void complain(const char *space, int error)
{
    rpc_log(enclave_system.owner->rpc, LOG_ERROR,
            "what a removed app has stored (%s) is not all gone (error %d): that goes on at the next boot", space,
            -error);
}

static void on_removed(void *user, int error)
{
    struct removal *r = user;
    char key[SPACES_KEY_SIZE];
    loop_check(&enclave_system.owner->loop);
    if (error == 0) {
        struct kv_op op = spaces_op(r->space, key);
        op.kind = KV_DELETE;
        rpc_log(enclave_system.owner->rpc, LOG_INFO, "what a removed app has stored (%s) is gone", r->space);
        int ignored = kv_commit(enclave_system.owner, &op, 1, NULL, NULL);
        (void)ignored; /* the next boot finds nothing to remove, and tries this again */
    } else if (error != -ECANCELED) {
        complain(r->space, error);
    }
    removal_free(r);
}

void spaces_remove(const char *space)
{
    char name[KV_NAMESPACE_MAX + 1];
    loop_check(&enclave_system.owner->loop);
    struct removal *r = calloc(1, sizeof *r);
    if (r) {
        snprintf(r->space, sizeof r->space, "%s", space);
        snprintf(name, sizeof name, "app:%s", space);
        r->ns = kv_namespace_open(enclave_system.store, name);
    }
    int refused = r && r->ns ? kv_namespace_remove(enclave_system.owner, r->ns, on_removed, r) : -ENOMEM;
    if (refused < 0) {
        complain(space, refused);
        removal_free(r);
    }
}

/* ---- boot -------------------------------------------------------------------------------------------------------- */

struct leftover {
    char space[APP_NAME_MAX + 1];
    struct leftover *next;
};

static bool collect(void *user, const uint8_t *key, size_t size)
{
    struct leftover **all = user;
    size_t prefix = sizeof PREFIX - 1;
    loop_check(&enclave_system.owner->loop);
    ENSURE(size <= KV_KEY_MAX);
    if (size <= prefix || size >= SPACES_KEY_SIZE || memcmp(key, PREFIX, prefix) != 0)
        return true;
    struct leftover *f = calloc(1, sizeof *f);
    if (!f)
        return false; /* and at the next boot, too */
    memcpy(f->space, key + prefix, size - prefix);
    f->next = *all;
    *all = f;
    return true;
}

void spaces_resume(void)
{
    struct leftover *all = NULL;
    loop_check(&enclave_system.owner->loop);
    int error = kv_each(enclave_system.settings, collect, &all);
    if (error < 0) /* a damaged name could be that of such a record */
        rpc_log(enclave_system.owner->rpc, LOG_WARN, "whether a removed app has left anything is not known (error %d)",
                -error);
    for (struct leftover *next; all; all = next) {
        next = all->next;
        ENSURE(all->space[0]);
        spaces_remove(all->space);
        free(all);
    }
}
