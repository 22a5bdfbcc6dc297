/* See chronicle.h. */
#include "enclave/service/chronicle.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/history/key.h"
#include "enclave/service/authority.h"
#include "enclave/service/change.h"
#include "enclave/service/generation.h"
#include "enclave/service/identity.h"
#include "enclave/service/image_record.h"
#include "enclave/service/recovery.h"
#include "enclave/service/system.h"
#include "sgx/trusted/bridge.h"

/* An older store has none: it is made then. */
static int open_key(uint8_t key[HISTORY_KEY_SIZE])
{
    uint8_t *kept;
    size_t size;
    int result = system_get(HISTORY_KEY, &kept, &size);
    if (result == -ENOENT) {
        history_key_make(key);
        return system_put(HISTORY_KEY, key, HISTORY_KEY_SIZE);
    }
    if (result < 0)
        return result;
    if (size == HISTORY_KEY_SIZE)
        memcpy(key, kept, HISTORY_KEY_SIZE);
    OPENSSL_cleanse(kept, size);
    free(kept);
    return size == HISTORY_KEY_SIZE ? 0 : -EBADMSG;
}

int chronicle_open(char *error, size_t error_size)
{
    struct history_config config = {.owner = enclave_system.owner, .store = enclave_system.store};
    loop_check(&enclave_system.owner->loop);
    ENSURE(!enclave_system.history);
    int result = open_key(config.key);
    if (result < 0) {
        snprintf(error, error_size, "history: the log's key cannot be loaded or kept (error %d)", -result);
        return result;
    }
    memcpy(config.instance, identity_instance(), sizeof config.instance);
    enclave_system.history = history_new(&config);
    OPENSSL_cleanse(config.key, sizeof config.key);
    if (!enclave_system.history) {
        snprintf(error, error_size, "history: out of memory");
        return -ENOMEM;
    }
    return history_open(enclave_system.history, error, error_size);
}

static struct history_entry entry_of(const struct generation *g, const char *kind, const char *what)
{
    return (struct history_entry){.kind = kind, .what = what, .generation = g->site.number, .root = g->root};
}

/* What recover_keep left for the history (handover/recover.h). 0, or -ENOENT: it was not recovered. */
static int by_which_shares(char *what, size_t what_size)
{
    uint8_t *kept = NULL;
    size_t size = 0;
    int result = system_get(RECOVERED_KEY, &kept, &size);
    if (result == 0 && size >= RECOVERED_SIZE)
        result = -EBADMSG;
    if (result == 0)
        snprintf(what, what_size, "by %.*s", (int)size, (const char *)kept);
    free(kept);
    return result;
}

/* The entries that a start's own comes behind, and what is written with all of them. */
struct before_start {
    struct history_entry entries[2]; /* with room for the start's; a recovery's is also of its new generation */
    size_t count;
    struct kv_op ops[3];
    size_t op_count;
    char recovered[RECOVERED_SIZE + 4]; /* "by " and that */
    uint8_t image[IMAGE_RECORD_SIZE];
    uint8_t record[GENERATION_RECORD_SIZE];
};

static int gather(struct before_start *b, const struct generation *g, bool is_new, const struct upgrade_candidate *self)
{
    int recovered = by_which_shares(b->recovered, sizeof b->recovered);
    ENSURE(b->count == 0 && b->op_count == 0);
    if (recovered == 0) {
        b->entries[b->count] = entry_of(g, "recovery", b->recovered);
        b->entries[b->count++].measurement = self->mrenclave;
        b->ops[b->op_count++] =
            (struct kv_op){KV_DELETE, enclave_system.settings, RECOVERED_KEY, strlen(RECOVERED_KEY), NULL, 0};
    }
    if (is_new && recovered == -ENOENT && history_head(enclave_system.history).size > 0)
        b->entries[b->count++] = entry_of(g, "generation", "limits");
    generation_record(g, b->record);
    if (is_new)
        b->ops[b->op_count++] = (struct kv_op){
            KV_PUT, enclave_system.settings, GENERATION_KEY, strlen(GENERATION_KEY), b->record, sizeof b->record};
    if (!image_record_is(self))
        b->ops[b->op_count++] = image_record_op(self, b->image);
    return recovered == -ENOENT ? 0 : recovered;
}

int chronicle_boot(const struct generation *g, bool is_new, char *error, size_t error_size)
{
    uint8_t nonce[32];
    struct upgrade_candidate self;
    struct before_start b = {0};
    sgx_random(nonce, sizeof nonce);
    upgrade_self(&self);
    int result = gather(&b, g, is_new, &self);
    bool is_first = history_head(enclave_system.history).size == 0;
    struct history_entry *start = &b.entries[b.count++];
    *start = is_first ? entry_of(g, "begin", "the log begins") : entry_of(g, "boot", "start");
    start->nonce = nonce;
    start->measurement = self.mrenclave;
    if (result == 0)
        result = history_append_wait(enclave_system.history, b.entries, b.count, b.ops, b.op_count);
    if (result < 0)
        snprintf(error, error_size, "boot: the store refused the entry of this start in the history (error %d)",
                 -result);
    return result;
}

struct history_entry chronicle_entry_of(const struct generation *g, const struct change_subject *subject,
                                        const struct authors *authors)
{
    static const uint8_t none[32];
    struct history_entry entry = entry_of(g, subject->kind ? subject->kind : "generation", subject->what);
    entry.by = authors->thumbprints;
    entry.by_count = authors->count;
    entry.app = subject->app[0] ? subject->app : NULL;
    entry.sha256 = memcmp(subject->sha256, none, sizeof none) != 0 ? subject->sha256 : NULL;
    return entry;
}

json_t *chronicle_json(const struct history_head *head)
{
    char root[65];
    hex_text(head->root, sizeof head->root, root);
    return json_pack("{s:I, s:s}", "size", (json_int_t)head->size, "root", root);
}

json_t *chronicle_head_json(void)
{
    const struct history_head head = history_head(enclave_system.history);
    return chronicle_json(&head);
}
