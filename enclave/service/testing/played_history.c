/* The history, played: a head in the played store, each after a hash of the one before and its entries. See
 * played.h. */
#include "enclave/history/history.h"

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/history/key.h"
#include "enclave/history/read.h"
#include "enclave/service/system.h"
#include "enclave/service/testing/played.h"

static struct history_turn *whose;
static struct played_head prepared;
static bool is_prepared;
static struct played_head known; /* to the enclave: what is on disk, once it has been told so */
static bool is_known;
static const struct kv_op op = {KV_PUT, NULL, PLAYED_HEAD, sizeof PLAYED_HEAD - 1, &prepared, sizeof prepared};
static struct history_append append = {.ops = &op, .count = 1};

struct played_head played_head(void)
{
    const struct played_record *r = played_find(PLAYED_HEAD);
    struct played_head head = {0};
    if (r)
        memcpy(&head, r->value, sizeof head);
    return head;
}

/* Boot learns it from the store; from then on it is what has been made. */
static struct played_head known_head(void)
{
    if (!is_known)
        known = played_head();
    is_known = true;
    return known;
}

struct history_head history_head(struct history *h)
{
    (void)h;
    struct played_head now = known_head();
    struct history_head head = {.size = now.size};
    memcpy(head.root, now.root, sizeof head.root);
    return head;
}

const uint8_t *history_public_key(const struct history *h)
{
    static const uint8_t same[32] = "of all boots";
    (void)h;
    return same;
}

static void on_turn(struct loop_task *task)
{
    (void)task;
    whose->fn(whose);
}

/* Changes go one at a time, and nobody else appends. */
void history_turn_take(struct history *h, struct history_turn *turn, void (*fn)(struct history_turn *turn))
{
    static struct history *some = (struct history *)&prepared;
    (void)h;
    ENSURE(!whose && !turn->history);
    whose = turn;
    *turn = (struct history_turn){.task.fn = on_turn, .history = some, .fn = fn};
    loop_post(&enclave_system.owner->loop, &turn->task);
}

void history_turn_end(struct history_turn *turn)
{
    ENSURE(whose == turn && !is_prepared);
    turn->history = NULL;
    whose = NULL;
}

static void prepare(const struct history_entry *entries, size_t count)
{
    prepared = known_head();
    for (size_t i = 0; i < count; i++) {
        uint8_t text[32 + 32 + 8];
        memcpy(text, prepared.root, 32);
        memcpy(text + 32, entries[i].root, 32);
        memcpy(text + 64, &entries[i].generation, 8);
        SHA256(text, sizeof text, prepared.root);
        prepared.size++;
    }
}

int history_prepare(struct history_turn *turn, const struct history_entry *entries, size_t count,
                    const struct history_append **out)
{
    ENSURE(whose == turn && !is_prepared);
    if (chance_of(played_malice / 8))
        return -ENOMEM;
    prepare(entries, count);
    is_prepared = true;
    append.head.size = prepared.size;
    memcpy(append.head.root, prepared.root, 32);
    *out = &append;
    return 0;
}

static void over(struct history_turn *turn, bool is_there)
{
    struct played_head now = played_head();
    ENSURE(whose == turn && is_prepared);
    ENSURE((memcmp(&now, &prepared, sizeof now) == 0) == is_there);
    is_prepared = false;
}

/* Said where it is on disk, and only there. */
void history_made(struct history_turn *turn)
{
    over(turn, true);
    known = prepared;
}

void history_abandon(struct history_turn *turn)
{
    over(turn, false);
}

int history_append_wait(struct history *h, const struct history_entry *entries, size_t count, const struct kv_op *ops,
                        size_t op_count)
{
    struct kv_op all[4] = {op};
    (void)h;
    ENSURE(!whose && op_count < sizeof all / sizeof *all);
    prepare(entries, count);
    if (op_count)
        memcpy(all + 1, ops, op_count * sizeof *ops);
    int result = kv_commit_wait(enclave_system.owner, all, 1 + op_count);
    if (result == 0)
        known = prepared;
    return result;
}

/* Nobody opens it. */
struct history *history_new(const struct history_config *config)
{
    (void)config;
    ENSURE(false);
    return NULL;
}

int history_open(struct history *h, char *why, size_t why_size)
{
    (void)h, (void)why, (void)why_size;
    return -ENOSYS;
}

void history_key_make(uint8_t key[HISTORY_KEY_SIZE])
{
    memset(key, 0, HISTORY_KEY_SIZE);
}

/* Nobody reads it. */
size_t history_checkpoint(struct history *h, char text[HISTORY_CHECKPOINT_MAX], struct history_head *head)
{
    (void)h, (void)text, (void)head;
    return 0;
}

int history_read(struct worker *w, struct history *h, const struct history_part *part, history_read_done done,
                 void *user)
{
    (void)w, (void)h, (void)part, (void)done, (void)user;
    return -ENOSYS;
}
