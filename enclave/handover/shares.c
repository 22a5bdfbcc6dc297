/* See shares.h. */
#include "enclave/handover/shares.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/recovery_text.h"
#include "enclave/early/ecall.h"
#include "enclave/kvstore/store.h"
#include "enclave/recovery/shamir.h"
#include "enclave/recovery/sharing.h"
#include "enclave/service/recovery_record.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

static_assert(PROTO_RECOVER_SHARE_SIZE == RECOVERY_HANDED_SIZE + HPKE_OVERHEAD, "what the host passes on");

struct came {
    struct recovery_sharing of;
    uint8_t x, y[RECOVERY_SHARE_SIZE];
};

struct attempt {
    struct came came[RECOVERY_HOLDERS_MAX]; /* those that could be opened */
    unsigned count, good;                   /* good: of which nothing is known to be wrong */
    bool is_known;                          /* what the host says that the store's sharing is */
    struct recovery_text known;
    struct recovery_kept kept; /* what the host keeps */
};

static struct worker *owner(void)
{
    return enclave_system.owner;
}

/* ---- what the host has beside the store -------------------------------------------------------------------------- */

static void read_host(struct attempt *a)
{
    recovery_kept_read(&a->kept);
    enum recovery_kept_name which = recovery_kept_text(&a->kept, &a->known);
    a->is_known = which != KEPT_NAMES && a->kept.of[which].size <= SHARING_TEXT_MAX;
}

/* ---- each share -------------------------------------------------------------------------------------------------- */

/* Why it is of no use for this store; NULL: nothing is known against it. */
static const char *what_is_wrong(const struct attempt *a, const struct came *c, char *text, size_t text_size)
{
    uint8_t hash[32];
    const struct recovery_sharing *known = &a->known.of;
    for (const struct came *before = a->came; before < c; before++)
        if (recovery_same_sharing(&before->of, &c->of) && before->x == c->x)
            return "it was given already, and counts once";
    if (!a->is_known)
        return NULL;
    if (memcmp(c->of.instance, known->instance, sizeof known->instance) != 0)
        return "it is another instance's";
    snprintf(text, text_size, "it is %s share, of sharing %u, and this store's sharing is %u",
             c->of.epoch < known->epoch ? "an old" : "a later store's", c->of.epoch, known->epoch);
    if (c->of.epoch != known->epoch)
        return text;
    if (!recovery_same_sharing(&c->of, known))
        return "it is of no sharing of this instance";
    recovery_share_hash(&c->of, c->x, c->y, hash);
    return memcmp(hash, a->known.shares[c->x - 1].hash, sizeof hash) == 0 ? NULL : "it is not what the enclave made";
}

static void tell(unsigned place, const struct came *c, const char *why)
{
    if (c)
        rpc_log(owner()->rpc, LOG_WARN, "recover: share number %u that was given, which is share %u of %u: %s", place,
                c->x, c->of.count, why);
    else
        rpc_log(owner()->rpc, LOG_WARN, "recover: share number %u that was given %s", place, why);
}

static void open_shares(struct attempt *a, const uint8_t secret[HPKE_KEY_SIZE], const uint8_t key[HPKE_KEY_SIZE])
{
    const struct run_args *args = ecall_run_args();
    uint8_t info[RECOVERY_HAND_INFO_SIZE], handed[RECOVERY_HANDED_SIZE];
    char text[128];
    ENSURE(args->recover_share_count <= RECOVERY_HOLDERS_MAX);
    ENSURE(a->count == 0);
    recovery_hand_info(key, info);
    for (uint32_t i = 0; i < args->recover_share_count; i++) {
        struct came *c = &a->came[a->count];
        if (hpke_open(secret, info, sizeof info, args->recover_shares[i], PROTO_RECOVER_SHARE_SIZE, handed) < 0 ||
            (c->x = (uint8_t)recovery_handed_read(handed, &c->of, c->y)) == 0) {
            tell(i + 1, NULL, "is not sealed to this enclave, or was changed");
            continue;
        }
        const char *why = what_is_wrong(a, c, text, sizeof text);
        if (why)
            tell(i + 1, c, why);
        a->good += !why;
        a->count++;
    }
    OPENSSL_cleanse(handed, sizeof handed);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* Whether these of them, by bits, are as many of one sharing as it takes. */
static bool fit_together(const struct attempt *a, uint32_t these)
{
    const struct came *one = &a->came[__builtin_ctz(these)];
    for (unsigned i = 0; i < a->count; i++)
        if (these >> i & 1 && !recovery_same_sharing(&a->came[i].of, &one->of))
            return false;
    return (unsigned)__builtin_popcount(these) == one->of.threshold;
}

/* By either copy of the key record: one that was changed does not open. */
static int unwrap(const struct attempt *a, const uint8_t secret[RECOVERY_SHARE_SIZE], struct shares_opened *out)
{
    int error = -EBADMSG;
    for (enum recovery_kept_name i = KEPT_KEY; i <= KEPT_KEY_COPY && error < 0; i++)
        if (a->kept.of[i].bytes)
            error = sharing_unwrap(&out->of, secret, a->kept.of[i].bytes, a->kept.of[i].size, out->master);
    return error;
}

/* Whether these give the key. */
static int try_these(const struct attempt *a, uint32_t these, struct shares_opened *out)
{
    uint8_t x[RECOVERY_HOLDERS_MAX], secret[RECOVERY_SHARE_SIZE];
    const uint8_t *y[RECOVERY_HOLDERS_MAX];
    unsigned n = 0;
    size_t at = (size_t)snprintf(out->who, sizeof out->who, "shares");
    for (unsigned i = 0; i < a->count; i++) {
        if (!(these >> i & 1))
            continue;
        x[n] = a->came[i].x;
        y[n++] = a->came[i].y;
        at += (size_t)snprintf(out->who + at, sizeof out->who - at, "%s %u", n > 1 ? "," : "", a->came[i].x);
    }
    ENSURE(at < sizeof out->who - 16);
    out->of = a->came[__builtin_ctz(these)].of;
    snprintf(out->who + at, sizeof out->who - at, " of %u", out->of.count);
    int error = shamir_combine(x, y, n, secret); /* -EINVAL: one is there twice */
    if (error == 0)
        error = unwrap(a, secret, out);
    OPENSSL_cleanse(secret, sizeof secret);
    return error;
}

/* One share may be wrong, and others right. 16 of them are 65,535 subsets. */
static int try_all(const struct attempt *a, struct shares_opened *out, char *error, size_t error_size)
{
    bool tried = false;
    int result = -EBADMSG;
    ENSURE(a->count <= RECOVERY_HOLDERS_MAX);
    if (!a->kept.of[KEPT_KEY].bytes && !a->kept.of[KEPT_KEY_COPY].bytes) {
        snprintf(error, error_size,
                 "recover: there is no " RECOVERY_WRAPPED_KEY " beside this store, which the shares open: it is no "
                 "copy of a store that has holders");
        return -ENOENT;
    }
    for (uint32_t these = 1; these < 1u << a->count && result < 0; these++) {
        if (!fit_together(a, these))
            continue;
        tried = true;
        result = try_these(a, these, out);
    }
    if (result == 0)
        return 0;
    if (tried && a->is_known && a->good >= a->known.of.threshold)
        snprintf(error, error_size,
                 "recover: these shares do not open the " RECOVERY_WRAPPED_KEY " that is beside this store: it was "
                 "changed, or is another sharing's");
    else if (a->is_known)
        snprintf(error, error_size,
                 "recover: %u of the shares that were given are not enough: it takes %u of sharing %u that are right",
                 a->good, a->known.of.threshold, a->known.of.epoch);
    else
        snprintf(error, error_size, "recover: %u shares are not enough, or of no use: none that go together open it",
                 a->count);
    return -EBADMSG;
}

int shares_open_store(struct store *store, const uint8_t secret[HPKE_KEY_SIZE], const uint8_t key[HPKE_KEY_SIZE],
                      struct shares_opened *out, char *error, size_t error_size)
{
    struct attempt a = {0};
    char why[512] = "";
    loop_check(&owner()->loop);
    ENSURE(store && out);
    read_host(&a);
    open_shares(&a, secret, key);
    int result = try_all(&a, out, error, error_size);
    recovery_kept_free(&a.kept);
    OPENSSL_cleanse(&a, sizeof a);
    if (result < 0)
        return result;
    result = store_open(store, out->master, why, sizeof why);
    if (result < 0) {
        OPENSSL_cleanse(out->master, sizeof out->master);
        snprintf(error, error_size, "recover: %s give the key, and this store does not open by it: %s", out->who, why);
    }
    return result;
}
