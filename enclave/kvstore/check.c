/* The store's invariants as a whole. See store.h. */
#include <openssl/crypto.h>
#include <string.h>

#include "enclave/kvstore/internal.h"

static bool is_queued(const struct job_queue *q, const struct job *j)
{
    for (const struct job *at = q->first; at; at = at->queue_next)
        if (at == j)
            return true;
    return false;
}

/* Every job that waits is running, and every one that runs has not been answered. */
static void check_jobs(const struct store *s)
{
    struct job *const *end = &s->jobs.first;
    size_t waiting = 0;
    for (const struct job *j = s->jobs.first; j; end = &j->next, j = j->next) {
        bool commits = is_queued(&s->commits, j), lists = is_queued(&s->lists, j),
             unproven = is_queued(&s->unproven, j);
        ENSURE(j->store == s);
        ENSURE(j->errand.state == ERRAND_SENT);
        ENSURE(j->running || (!commits && !lists && !unproven));
        ENSURE((!commits && !unproven) || j->kind == JOB_COMMIT || j->kind == JOB_UPDATE);
        ENSURE(!lists || j->kind == JOB_LIST);
        waiting += commits + lists + unproven;
    }
    ENSURE(s->jobs.end == end);
    end = &s->commits.first;
    for (const struct job *j = s->commits.first; j; end = &j->queue_next, j = j->queue_next)
        waiting--;
    ENSURE(s->commits.end == end);
    end = &s->lists.first;
    for (const struct job *j = s->lists.first; j; end = &j->queue_next, j = j->queue_next)
        waiting--;
    ENSURE(s->lists.end == end);
    end = &s->unproven.first;
    for (const struct job *j = s->unproven.first; j; end = &j->queue_next, j = j->queue_next)
        waiting--;
    ENSURE(s->unproven.end == end);
    ENSURE(waiting == 0);
    ENSURE(s->in_flight || !s->commits.first || proven_holds(s->commits.first, s->last_epoch + 1));
    ENSURE(!s->in_flight || !s->stopped);
    ENSURE(s->root.epoch <= s->last_epoch);
}

/* The root is what the records in the index add up to. */
static void check_root(const struct store *s)
{
    struct root sum = {0};
    uint64_t damaged = 0, nameless = 0;
    for (size_t i = 0; i < s->index.capacity; i++) {
        const struct index_entry *e = &s->index.entries[i];
        if (!e->version)
            continue;
        ENSURE(e->version <= s->root.epoch);
        ENSURE(root_digest(&s->keys, &sum, e->storage_key, e->version, e->tag, 1) == 0);
        damaged += e->damage != DAMAGE_NONE;
        nameless += !e->name;
    }
    ENSURE(s->root.count == sum.count);
    ENSURE(memcmp(s->root.digest, sum.digest, sizeof sum.digest) == 0);
    ENSURE(s->damaged == damaged);
    ENSURE(s->nameless == nameless);
}

void store_check(struct store *s)
{
    store_enter(s);
    ENSURE(s->open || s->index.count == 0);
    index_check(&s->index);
    memory_check(s);
    check_jobs(s);
    check_root(s);
}
