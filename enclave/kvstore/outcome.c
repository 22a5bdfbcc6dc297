/*
 * What became of a transaction. The host's word that it was made is enough. Its word that it was not, or no word, is
 * not: an answer may be lost behind a commit that was made. So the root is read back, and says it. Until then nothing
 * else is sent (struct store's in_flight), or the next transaction could build on a store that is not there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"
#include "common/container.h"
#include "enclave/thread/rpc_client.h"

#define SILENCE_FIRST_NS UINT64_C(5000000000) /* without an answer for so long, the root is asked for */
#define SILENCE_MOST_NS UINT64_C(60000000000)
#define RETRY_FIRST_NS UINT64_C(10000000) /* between two questions of which the first was not answered */
#define RETRY_MOST_NS UINT64_C(1000000000)
static_assert(ROOT_SIZE <= RPC_SMALL_ANSWER_MAX, "the root's arrival takes no memory");

/* Freed once its outcome is known and no answer can come for it. The store may be gone before. */
struct outcome {
    struct store *store;
    struct root before, after; /* before.epoch 0: there was no root */
    outcome_known known;
    void *user;
    unsigned outstanding; /* calls to which an answer may come */
    unsigned failures;    /* of questions */
    bool answered;        /* it is said to have failed: what the root shows from now on is final */
    bool over;
    int error;               /* as it was said */
    struct loop_timer timer; /* started until it is over: the next question */
    uint64_t pause_ns, pause_most_ns;
};

static void release(struct outcome *o)
{
    if (o->over && o->outstanding == 0)
        free(o);
}

static void conclude(struct outcome *o, int error)
{
    struct store *s = o->store;
    ENSURE(!o->over && s->in_flight);
    o->over = true;
    loop_timer_stop(&s->owner->loop, &o->timer);
    s->in_flight = false;
    if (error == 0)
        s->root = o->after;
    o->known(o->user, error);
}

/* Whatever were written now would be built on sand. */
static void stop_writing(struct outcome *o, const char *why)
{
    struct store *s = o->store;
    rpc_log(s->owner->rpc, LOG_ERROR,
            "store: whether the commit of epoch %lu was made cannot be learned: %s. Nothing is written any more before "
            "the next start",
            (unsigned long)o->after.epoch, why);
    s->stopped = true;
    conclude(o, -ENOTRECOVERABLE);
}

enum root_is { ROOT_BEFORE, ROOT_AFTER, ROOT_UNKNOWN, ROOT_NEITHER };

static bool same_root(const struct root *a, const struct root *b)
{
    return a->epoch == b->epoch && a->count == b->count && memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static enum root_is judge(const struct outcome *o, int error, const uint8_t *sealed, size_t size)
{
    struct root root;
    if (error == -ENOENT)
        return o->before.epoch == 0 ? ROOT_BEFORE : ROOT_NEITHER;
    if (error == 0)
        error = root_open(&o->store->keys, sealed, size, &root);
    if (error < 0)
        return error == -EBADMSG ? ROOT_NEITHER : ROOT_UNKNOWN;
    return same_root(&root, &o->after) ? ROOT_AFTER : same_root(&root, &o->before) ? ROOT_BEFORE : ROOT_NEITHER;
}

static void on_question_failed(struct outcome *o)
{
    if (++o->failures == OUTCOME_QUESTIONS_MAX)
        stop_writing(o, "the host does not give the root");
}

/* Asked behind the answer: no commit is under way any more that could change it. */
static void on_root(void *user, int error, const uint8_t *sealed, size_t size)
{
    struct outcome *o = user;
    ENSURE(o->store);
    ENSURE(o->outstanding > 0);
    o->outstanding--;
    switch (o->over ? ROOT_UNKNOWN : judge(o, error, sealed, size)) {
    case ROOT_AFTER:
        conclude(o, 0);
        break;
    case ROOT_BEFORE:
        conclude(o, o->error == -ENOSPC ? -ENOSPC : -EIO);
        break;
    case ROOT_NEITHER:
        stop_writing(o, "the host's root is neither the one before nor the one behind it");
        break;
    case ROOT_UNKNOWN:
        if (!o->over)
            on_question_failed(o);
    }
    release(o);
}

/* Asked while there was no answer: all it can say for good is that it was made. */
static void on_root_in_silence(void *user, int error, const uint8_t *sealed, size_t size)
{
    struct outcome *o = user;
    o->outstanding--;
    if (!o->over && judge(o, error, sealed, size) == ROOT_AFTER)
        conclude(o, 0);
    release(o);
}

static void ask(struct outcome *o)
{
    static const char request[] = "\4\0\0\0" STORE_ROOT_KEY;
    static_assert(sizeof STORE_ROOT_KEY - 1 == 4, "a key with its length");
    struct loop *loop = &o->store->owner->loop;
    ENSURE(o->outstanding <= OUTCOME_QUESTIONS_MAX);
    /* it is started, or was until now: it takes no memory */
    ENSURE(loop_timer_start(loop, &o->timer, loop->now_ns + o->pause_ns) == 0);
    if (o->outstanding == OUTCOME_QUESTIONS_MAX) /* a host that says nothing costs no more than that */
        return;
    o->pause_ns = o->pause_ns * 2 < o->pause_most_ns ? o->pause_ns * 2 : o->pause_most_ns;
    int asked = rpc_call(o->store->owner->rpc, RPC_KV_GET, request, sizeof request - 1,
                         o->answered ? on_root : on_root_in_silence, o);
    if (asked == 0)
        o->outstanding++;
    else if (o->answered)
        on_question_failed(o);
}

static void on_timer(struct loop_timer *timer)
{
    struct outcome *o = CONTAINER_OF(timer, struct outcome, timer);
    store_enter(o->store);
    ask(o);
    release(o);
}

static void on_answer(void *user, int error, const uint8_t *payload, size_t size)
{
    (void)payload, (void)size;
    struct outcome *o = user;
    o->outstanding--;
    if (!o->over && error == 0) {
        conclude(o, 0);
    } else if (!o->over) {
        store_enter(o->store);
        o->answered = true;
        o->error = error;
        o->pause_ns = RETRY_FIRST_NS;
        o->pause_most_ns = RETRY_MOST_NS;
        ask(o);
    }
    release(o);
}

int outcome_send(struct store *s, const struct root *after, const uint8_t *payload, size_t size, outcome_known known,
                 void *user)
{
    store_enter(s);
    ENSURE(!s->in_flight && !s->stopped);
    struct outcome *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    *o = (struct outcome){.store = s, .before = s->root, .after = *after, .known = known, .user = user};
    o->timer.fn = on_timer;
    o->pause_ns = SILENCE_FIRST_NS;
    o->pause_most_ns = SILENCE_MOST_NS;
    struct loop *loop = &s->owner->loop;
    int error = loop_timer_start(loop, &o->timer, loop->now_ns + o->pause_ns);
    if (error == 0)
        error = rpc_call(s->owner->rpc, RPC_KV_COMMIT, payload, size, on_answer, o);
    if (error < 0) { /* it never left */
        loop_timer_stop(loop, &o->timer);
        free(o);
        return error;
    }
    o->outstanding = 1;
    s->in_flight = true;
    return 0;
}
