/* Appends that go with no change: a turn and a transaction of their own. See history.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/history/internal.h"
#include "enclave/thread/worker.h"

/* ---- in its turn ------------------------------------------------------------------------------------------------ */

struct alone {
    struct history_turn turn;
    struct history_head head;
    history_appended done;
    void *user;
    struct history_entry entry; /* whose parts are these copies */
    uint8_t by[HISTORY_BY_MAX][32], root[32], sha256[32], nonce[32], measurement[32];
    char text[]; /* kind, what, app, each with its zero */
};

static void alone_end(struct alone *a, int error)
{
    history_turn_end(&a->turn);
    a->done(a->user, error, error == 0 ? &a->head : NULL);
    free(a);
}

static void on_committed(void *user, int error)
{
    struct alone *a = user;
    if (error == 0)
        history_made(&a->turn);
    else
        history_abandon(&a->turn);
    alone_end(a, error);
}

static void on_turn(struct history_turn *turn)
{
    struct alone *a = CONTAINER_OF(turn, struct alone, turn);
    const struct history_append *more;
    loop_check(&turn->history->owner->loop);
    ENSURE(a->done && a->entry.kind);
    int error = history_prepare(turn, &a->entry, 1, &more);
    if (error < 0) {
        alone_end(a, error);
        return;
    }
    a->head = more->head;
    error = kv_commit(turn->history->owner, more->ops, more->count, on_committed, a);
    if (error < 0)
        on_committed(a, error);
}

static const uint8_t *keep_hash(uint8_t copy[32], const uint8_t *hash)
{
    if (hash)
        memcpy(copy, hash, 32);
    return hash ? copy : NULL;
}

static const char *keep_text(char **at, const char *text)
{
    char *copy = *at;
    if (!text)
        return NULL;
    *at = stpcpy(copy, text) + 1;
    return copy;
}

static void keep(struct alone *a, const struct history_entry *entry)
{
    char *at = a->text;
    a->entry = *entry;
    if (entry->by_count)
        memcpy(a->by, entry->by, entry->by_count * sizeof *a->by);
    a->entry.by = a->by;
    a->entry.kind = keep_text(&at, entry->kind);
    a->entry.what = keep_text(&at, entry->what);
    a->entry.app = keep_text(&at, entry->app);
    a->entry.root = keep_hash(a->root, entry->root);
    a->entry.sha256 = keep_hash(a->sha256, entry->sha256);
    a->entry.nonce = keep_hash(a->nonce, entry->nonce);
    a->entry.measurement = keep_hash(a->measurement, entry->measurement);
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

int history_append(struct history *h, const struct history_entry *entry, history_appended done, void *user)
{
    loop_check(&h->owner->loop);
    ENSURE(entry->by_count <= HISTORY_BY_MAX && done);
    struct alone *a = calloc(1, sizeof *a + text_size(entry->kind) + text_size(entry->what) + text_size(entry->app));
    if (!a)
        return -ENOMEM;
    keep(a, entry);
    a->done = done;
    a->user = user;
    history_turn_take(h, &a->turn, on_turn);
    return 0;
}

/* ---- at boot ---------------------------------------------------------------------------------------------------- */

struct wait {
    struct history_turn turn; /* first */
    bool came;
};

static void on_wait(struct history_turn *turn)
{
    CONTAINER_OF(turn, struct wait, turn)->came = true;
}

static int commit_wait(struct history *h, const struct history_append *more, const struct kv_op *ops, size_t op_count)
{
    struct kv_op *all = history_ops_with(more, ops, op_count);
    int error = all ? kv_commit_wait(h->owner, all, op_count + more->count) : -ENOMEM;
    free(all);
    return error;
}

int history_append_wait(struct history *h, const struct history_entry *entries, size_t count, const struct kv_op *ops,
                        size_t op_count)
{
    struct wait wait = {0};
    const struct history_append *more;
    loop_check(&h->owner->loop);
    ENSURE(ops || op_count == 0);
    history_turn_take(h, &wait.turn, on_wait);
    while (!wait.came)
        worker_turn(h->owner);
    int error = history_prepare(&wait.turn, entries, count, &more);
    if (error == 0) {
        error = commit_wait(h, more, ops, op_count);
        if (error == 0)
            history_made(&wait.turn);
        else
            history_abandon(&wait.turn);
    }
    history_turn_end(&wait.turn);
    return error;
}
