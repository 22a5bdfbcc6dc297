/* See recover.h. */
#include "enclave/handover/recover.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "common/hpke.h"
#include "common/recovery_share.h"
#include "enclave/crypto/seal.h"
#include "enclave/early/ecall.h"
#include "enclave/handover/evidence.h"
#include "enclave/handover/shares.h"
#include "enclave/kvstore/raw.h"
#include "enclave/kvstore/store.h"
#include "enclave/secrets/master.h"
#include "enclave/service/image_record.h"
#include "enclave/service/lineage.h"
#include "enclave/service/recovery_record.h"
#include "enclave/service/system.h"
#include "enclave/service/upgrade_record.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/thread/worker.h"
#include "sgx/trusted/bridge.h"

#define SECRET_KEY "recover.key"      /* beside the store: the secret, sealed to this enclave */
#define REQUEST_KEY "recover.request" /* what the host gives the holders */

struct recover {
    uint8_t secret[HPKE_KEY_SIZE], key[HPKE_KEY_SIZE];
    struct shares_opened opened; /* from recover_take to recover_keep */
};
static struct recover recover;

static struct worker *owner(void)
{
    return enclave_system.owner;
}

/* ---- the key that shares are sealed to --------------------------------------------------------------------------- */

static int make_key(void)
{
    uint8_t sealed[HPKE_KEY_SIZE + SEAL_OVERHEAD];
    sgx_random(recover.secret, sizeof recover.secret);
    int error = seal(recover.secret, sizeof recover.secret, sealed);
    const struct raw_op op = {KV_PUT, SECRET_KEY, strlen(SECRET_KEY), sealed, sizeof sealed};
    return error == 0 ? raw_commit_wait(owner(), &op, 1) : error;
}

/* That of an earlier start, if this enclave made one: shares may be on their way to it. A copied folder may have
 * another one's, which is of no use. */
static int open_key(void)
{
    uint8_t *sealed = NULL;
    size_t size = 0;
    int error = raw_get_wait(owner(), SECRET_KEY, strlen(SECRET_KEY), &sealed, &size);
    if (error == 0)
        error = size == HPKE_KEY_SIZE + SEAL_OVERHEAD ? unseal(sealed, size, recover.secret) : -EBADMSG;
    free(sealed);
    if (error == -ENOENT || error == -EACCES || error == -ENOKEY || error == -EBADMSG)
        error = make_key();
    return error < 0 ? error : hpke_public(recover.secret, recover.key);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

struct asking {
    const uint8_t *text; /* of the sharing whose shares are asked for, as the host has it */
    size_t text_size;
    bool over;
    int error;
};

static void on_kept(void *user, int error)
{
    struct asking *a = user;
    a->error = error;
    a->over = true;
}

/* What is written: recovery_share.h has its form. malloc'ed; NULL: no memory, or it is too large. */
static uint8_t *request_make(const struct asking *a, const uint8_t *evidence, size_t size, size_t *request_size)
{
    size_t magic = strlen(RECOVERY_REQUEST_MAGIC);
    ENSURE(!a->over && a->text);
    *request_size = magic + sizeof recover.key + size + 4 + a->text_size;
    uint8_t *request = *request_size <= RECOVERY_REQUEST_MAX ? malloc(*request_size) : NULL;
    struct bytes_writer w = bytes_writer_make(request, *request_size);
    if (!request)
        return NULL;
    bytes_append(&w, RECOVERY_REQUEST_MAGIC, magic);
    bytes_append(&w, recover.key, sizeof recover.key);
    bytes_append(&w, evidence, size);
    bytes_append_blob(&w, a->text, a->text_size);
    ENSURE(!w.failed && w.size == *request_size);
    return request;
}

static void on_evidence(void *user, int error, const uint8_t *evidence, size_t size)
{
    struct asking *a = user;
    size_t request_size = 0;
    uint8_t *request = error == 0 ? request_make(a, evidence, size, &request_size) : NULL;
    if (error == 0 && !request)
        error = -ENOMEM;
    if (error == 0) {
        const struct raw_op op = {KV_PUT, REQUEST_KEY, strlen(REQUEST_KEY), request, request_size};
        error = raw_commit(owner(), &op, 1, on_kept, a);
    }
    free(request);
    if (error < 0)
        on_kept(a, error);
}

/* -ECANCELED: it is written, and all that there is to do for now; the host says so. */
static int ask(char *error, size_t error_size)
{
    static struct asking asking;
    static struct recovery_kept kept; /* outlives the asking */
    struct recovery_text ignored_text;
    uint8_t report_data[64];
    uint64_t ignored;
    recovery_kept_read(&kept);
    enum recovery_kept_name which = recovery_kept_text(&kept, &ignored_text);
    if (which == KEPT_NAMES || kept.of[which].size > SHARING_TEXT_MAX) {
        snprintf(error, error_size, "recover: beside this store there is nothing that says who holds shares");
        return -EBADMSG;
    }
    asking.text = kept.of[which].bytes;
    asking.text_size = kept.of[which].size;
    recovery_report_data(recover.key, report_data);
    int result = handover_evidence_make(report_data, on_evidence, &asking);
    while (result == 0 && !asking.over && !ecall_shutdown_requested(&ignored))
        worker_turn(owner());
    if (result == 0 && !asking.over)
        return -ECANCELED;
    if (result == 0)
        result = asking.error;
    snprintf(error, error_size, "recover: there is no quote to ask the holders with (error %d)", -result);
    if (result < 0)
        return result;
    return -ECANCELED;
}

/* ---- boot -------------------------------------------------------------------------------------------------------- */

/* Whether this enclave opens the store as it is. 1 or 0; -EINVAL with a line in error: there is none. */
static int is_ours(struct store *store, char *error, size_t error_size)
{
    uint8_t *blob = NULL, master[MASTER_KEY_SIZE];
    size_t size = 0;
    int empty = store_is_empty(store);
    int found = empty == 0 ? store_read_master(store, false, &blob, &size) : empty < 0 ? empty : -ENOENT;
    bool ours = found == 0 && size == MASTER_KEY_SIZE + SEAL_OVERHEAD && unseal(blob, size, master) == 0;
    OPENSSL_cleanse(master, sizeof master);
    free(blob);
    snprintf(error, error_size, "recover: there is no store here: copy it first, or put a backup back");
    return empty != 0 ? -EINVAL : ours;
}

/* What asking left beside the store. */
static int clean_up(void)
{
    const struct raw_op ops[] = {{KV_DELETE, SECRET_KEY, strlen(SECRET_KEY), NULL, 0},
                                 {KV_DELETE, REQUEST_KEY, strlen(REQUEST_KEY), NULL, 0}};
    return raw_commit_wait(owner(), ops, sizeof ops / sizeof *ops);
}

/* The command was given again: whoever asked has it, and whoever brings shares goes on as after any other start. */
static int done_already(char *error, size_t error_size)
{
    bool asks = ecall_run_args()->recover_share_count == 0;
    int result = clean_up();
    if (result < 0) {
        snprintf(error, error_size, "recover: what asking left cannot be removed (error %d)", -result);
        return result;
    }
    rpc_log(owner()->rpc, LOG_INFO, "recover: this enclave opens this store as it is: there is nothing to recover");
    return asks ? -ECANCELED : 0;
}

int recover_take(struct store *store, bool *recovered, char *error, size_t error_size)
{
    loop_check(&owner()->loop);
    ENSURE(store && recovered);
    *recovered = false;
    if (!ecall_run_args()->recover)
        return 0;
    int result = is_ours(store, error, error_size);
    if (result != 0)
        return result < 0 ? result : done_already(error, error_size);
    result = open_key();
    if (result < 0) {
        snprintf(error, error_size, "recover: there is no key to ask with (error %d)", -result);
        return result;
    }
    if (ecall_run_args()->recover_share_count == 0)
        return ask(error, error_size);
    result = shares_open_store(store, recover.secret, recover.key, &recover.opened, error, error_size);
    OPENSSL_cleanse(recover.secret, sizeof recover.secret);
    *recovered = result == 0;
    return result;
}

/* ---- whether it may be kept -------------------------------------------------------------------------------------- */

/* The store itself says which sharing is in force: what a host has kept of an older one opens nothing here. */
static int judge_sharing(char *error, size_t error_size)
{
    struct recovery *now;
    int result = recovery_load(&now, error, error_size);
    if (result < 0)
        return result;
    bool same = now && recovery_same_sharing(&now->of, &recover.opened.of);
    if (!same)
        snprintf(error, error_size,
                 "recover: these are old shares, of sharing %u: this store's sharing is %u, whose shares it takes",
                 recover.opened.of.epoch, now ? now->of.epoch : 0);
    recovery_unref(now);
    return same ? 0 : -EACCES;
}

/* By the upgrade rule, where another image had it. *before: which one. */
static int judge_image(struct upgrade_candidate *before, char *error, size_t error_size)
{
    struct upgrade_rule *rule;
    struct upgrade_candidate self;
    char why[UPGRADE_WHY_SIZE];
    int result = image_record_load(before);
    if (result < 0) {
        snprintf(error, error_size,
                 "recover: the store does not say which image had it last (error %d): it is for that one to recover it",
                 -result);
        return result;
    }
    result = upgrade_rule_boot(&rule, error, error_size);
    if (result < 0)
        return result;
    upgrade_self(&self);
    bool may = upgrade_rule_lets_recover(rule, before, &self, why, sizeof why);
    if (!may)
        snprintf(error, error_size, "recover: %s", why);
    upgrade_rule_unref(rule);
    return may ? 0 : -EACCES;
}

/* Whom it comes after, and what the history is to say: with the next start's entry. */
static int write_succession(const struct upgrade_candidate *before, char *error, size_t error_size)
{
    char what[RECOVERED_SIZE], last[65];
    struct lineage *lineage, *with = NULL;
    struct upgrade_candidate self;
    upgrade_self(&self);
    bool is_another = memcmp(before->mrenclave, self.mrenclave, sizeof before->mrenclave) != 0;
    int result = lineage_boot(&lineage, error, error_size);
    if (result < 0)
        return result;
    hex_text(before->mrenclave, sizeof before->mrenclave, last);
    int size = is_another ? snprintf(what, sizeof what, "%s, after image %s", recover.opened.who, last)
                          : snprintf(what, sizeof what, "%s", recover.opened.who);
    ENSURE(size > 0 && (size_t)size < sizeof what);
    if (is_another && !(with = lineage_with(lineage, before->mrenclave, &result)))
        snprintf(error, error_size, "recover: the lineage cannot grow (error %d)", -result);
    if (result == 0) {
        struct kv_op ops[2] = {
            {KV_PUT, enclave_system.settings, RECOVERED_KEY, strlen(RECOVERED_KEY), what, (size_t)size}};
        if (with)
            ops[1] = lineage_op(with);
        result = kv_commit_wait(owner(), ops, with ? 2 : 1);
        snprintf(error, error_size, "recover: the store does not take what the history is to say (error %d)", -result);
    }
    lineage_unref(lineage);
    lineage_unref(with);
    return result;
}

int recover_keep(struct store *store, char *error, size_t error_size)
{
    uint8_t blob[MASTER_KEY_SIZE + SEAL_OVERHEAD];
    struct upgrade_candidate before;
    loop_check(&owner()->loop);
    ENSURE(store && enclave_system.settings);
    int result = judge_sharing(error, error_size);
    if (result == 0)
        result = judge_image(&before, error, error_size);
    /* First what the history is to say: once the key is sealed, this enclave opens the store as any other start. */
    if (result == 0)
        result = write_succession(&before, error, error_size);
    bool judged = result == 0;
    if (result == 0)
        result = seal(recover.opened.master, sizeof recover.opened.master, blob);
    OPENSSL_cleanse(recover.opened.master, sizeof recover.opened.master);
    if (result == 0)
        result = store_write_master(store, blob, sizeof blob);
    if (result == 0)
        result = clean_up();
    if (result < 0 && judged)
        snprintf(error, error_size, "recover: the key cannot be kept (error %d): start again in the same way", -result);
    else if (result == 0)
        rpc_log(owner()->rpc, LOG_INFO, "recover: this enclave has the instance, by %s", recover.opened.who);
    return result;
}
