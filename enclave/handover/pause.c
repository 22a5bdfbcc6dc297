/*
 * The pause and the one commit (handover.h). Its steps, each of which leads to the next from the owner's loop:
 *
 *     tell the host; take the log's turn, so that no change is between its generation and its transaction; put the same
 *     generation in its own place, so that connections before end as they may; look until they have, and no guest runs;
 *     let files be written; have the master key at hand; judge the recipient once more; commit, as the store's last
 *
 * Up to the commit each of them leads to undo as well: serving goes on. What the commit's outcome is, the store learns
 * (kvstore/outcome.c); where that cannot be learned, nothing is served before the next start, which learns it.
 */
#include "enclave/handover/giver.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/crypto/seal.h"
#include "enclave/early/ecall.h"
#include "enclave/fs/fs.h"
#include "enclave/handover/handover.h"
#include "enclave/handover/marker.h"
#include "enclave/handover/news.h"
#include "enclave/history/history.h"
#include "enclave/kvstore/raw.h"
#include "enclave/kvstore/store.h"
#include "enclave/ratls/connections.h"
#include "enclave/secrets/find.h"
#include "enclave/secrets/master.h"
#include "enclave/service/change.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/lineage.h"
#include "enclave/service/system.h"
#include "enclave/service/witnessing.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/app.h"

#define LOOK_NS UINT64_C(10000000)
#define PATIENCE_NS UINT64_C(30000000000) /* beyond the time after which connections are cut */

static _Atomic enum handover_serving serving;
static atomic_bool paused; /* the generation in force takes none but the hand-over's requests; any thread reads it */
static struct handover_recipient given_to; /* from the commit on */
static struct handover_given given;        /* with the master key, until the new one serves */
static uint64_t rests_until_ns;            /* no other pause before */

/* What is waited for, with a deadline and with an eye on who asked: the host, or what runs. */
enum waits { WAITS_FOR_NOTHING, WAITS_FOR_HOST, WAITS_FOR_ENDS };

static struct {
    struct handover_recipient *to;
    struct handover_request *request; /* its last question; NULL: it was told that this goes on, and asks again */
    uint64_t counter;
    uint64_t asked_ns; /* when that came, or was answered */
    uint64_t begun_ns;
    enum waits waits;
    uintptr_t attempt; /* which one this is: a host's answer may come when it is over */
    struct history_turn turn;
    const struct history_append *log;
    struct loop_timer look;
    uint64_t until_ns;
    struct probe {
        struct loop_task task;
        bool busy;
    } probes[PROTO_MAX_WORKERS];
    atomic_uint probing; /* workers that have not said yet */
    struct lineage *lineage;
    uint8_t marker[HANDOVER_MARKER_SIZE], master[MASTER_KEY_SIZE];
} pause;

static struct worker *owner(void)
{
    return enclave_system.owner;
}

enum handover_serving handover_serving(void)
{
    return atomic_load(&serving);
}

/* ---- the ways out ------------------------------------------------------------------------------------------------ */

static void clear(void)
{
    struct loop *loop = &owner()->loop;
    loop_timer_stop(loop, &pause.look);
    lineage_unref(pause.lineage);
    pause.lineage = NULL;
    pause.to = NULL;
    pause.request = NULL;
    pause.waits = WAITS_FOR_NOTHING;
    pause.attempt++;
    OPENSSL_cleanse(pause.master, sizeof pause.master);
    OPENSSL_cleanse(pause.marker, sizeof pause.marker);
}

static void end_turn(bool made)
{
    if (pause.log && made)
        history_made(&pause.turn);
    else if (pause.log)
        history_abandon(&pause.turn);
    pause.log = NULL;
    if (pause.turn.history)
        history_turn_end(&pause.turn);
}

/* Serving goes on, as if nothing had been. */
static void undo(int status, const char *why)
{
    struct handover_request *r = pause.request;
    loop_check(&owner()->loop);
    ENSURE(handover_serving() == HANDOVER_PAUSES || handover_serving() == HANDOVER_COMMITS);
    end_turn(false);
    clear();
    rests_until_ns = owner()->loop.now_ns + HANDOVER_REST_TIMES * (owner()->loop.now_ns - pause.begun_ns);
    handover_choose(NULL);
    atomic_store(&serving, HANDOVER_SERVES);
    atomic_store(&paused, false);
    handover_news(HAND_OVER_RESUMED, NULL, 0, NULL, NULL);
    rpc_log(owner()->rpc, LOG_WARN, "hand-over: it came to nothing, and this enclave serves on: %s", why);
    if (r)
        handover_request_refuse(r, status, "%s", why);
}

static bool new_one_is_gone(void)
{
    uint64_t silence_ns = HANDOVER_ASK_AGAIN_S * UINT64_C(1000000000);
    return pause.request ? atomic_load(&pause.request->gone) : owner()->loop.now_ns > pause.asked_ns + silence_ns;
}

/* Before each step that comes later. */
static bool is_off(void)
{
    uint64_t ignored;
    if (new_one_is_gone())
        undo(503, "the new enclave is gone");
    else if (ecall_shutdown_requested(&ignored))
        undo(503, "the host stops this enclave");
    else
        return false;
    return true;
}

/* ---- the commit -------------------------------------------------------------------------------------------------- */

static void say_given(void)
{
    char name[65];
    hex_text(given_to.candidate.mrenclave, 32, name);
    rpc_log(owner()->rpc, LOG_INFO,
            "hand-over: this instance has been given to MRENCLAVE %s, and nothing else is served here any more", name);
    handover_news(HAND_OVER_GIVEN, NULL, 0, NULL, NULL);
}

static void fill_given(const uint8_t master[MASTER_KEY_SIZE])
{
    struct store_root root;
    const struct history_head head = history_head(enclave_system.history);
    store_root(enclave_system.store, &root);
    given = (struct handover_given){
        .state = HANDOVER_GIVEN, .epoch = root.epoch, .count = root.count, .log_size = head.size};
    memcpy(given.master, master, sizeof given.master);
    memcpy(given.digest, root.digest, sizeof given.digest);
    memcpy(given.log_root, head.root, sizeof given.log_root);
}

static void on_committed(void *user, int error)
{
    struct handover_request *r = pause.request;
    (void)user;
    loop_check(&owner()->loop);
    ENSURE(handover_serving() == HANDOVER_COMMITS && pause.log);
    if (error == -ENOTRECOVERABLE) { /* nothing is served: the next start knows */
        rpc_log(owner()->rpc, LOG_ERROR,
                "hand-over: whether it was made cannot be learned; nothing is served before the next start");
        end_turn(false);
        clear();
        if (r)
            handover_request_refuse(r, 503, "whether it was made, the next start of this enclave knows");
        return;
    }
    if (error < 0) {
        undo(503, "the store does not take the hand-over's commit");
        return;
    }
    uint64_t counter = pause.counter;
    witnessing_rest(); /* before the log grows by what the new one brings to them */
    end_turn(true);
    given_to = *pause.to;
    given_to.statements = NULL;
    given_to.shown = (struct handover_shown){0};
    fill_given(pause.master);
    handover_choose(&given_to);
    handover_recipient_forget(pause.to);
    clear();
    atomic_store(&serving, HANDOVER_IS_GIVEN);
    say_given();
    if (r)
        handover_tell(r, counter);
}

static int make_marker(void)
{
    struct upgrade_candidate self;
    struct generation *now = generations_current();
    struct handover_marker m = {.session = pause.to->session};
    int error = 0;
    upgrade_self(&self);
    memcpy(m.mrenclave, pause.to->candidate.mrenclave, sizeof m.mrenclave);
    handover_marker_write(&m, pause.marker);
    OPENSSL_cleanse(&m, sizeof m);
    pause.lineage = lineage_with(now->lineage, self.mrenclave, &error);
    http_site_unref(&now->site);
    return pause.lineage ? 0 : error;
}

static int prepare_entry(void)
{
    struct generation *now = generations_current();
    const struct history_entry entry = {.kind = "hand-over",
                                        .what = "handed over",
                                        .by = pause.to->authors.thumbprints,
                                        .by_count = pause.to->authors.count,
                                        .generation = now->site.number,
                                        .root = now->root,
                                        .measurement = pause.to->candidate.mrenclave};
    int error = history_prepare(&pause.turn, &entry, 1, &pause.log);
    http_site_unref(&now->site);
    return error;
}

static int commit(void)
{
    int error = make_marker();
    if (error == 0)
        error = prepare_entry();
    if (error < 0)
        return error;
    const struct kv_op ops[] = {{KV_PUT, enclave_system.settings, HANDOVER_MARKER_KEY, strlen(HANDOVER_MARKER_KEY),
                                 pause.marker, sizeof pause.marker},
                                lineage_op(pause.lineage)};
    struct kv_op *all = history_ops_with(pause.log, ops, sizeof ops / sizeof *ops);
    size_t count = sizeof ops / sizeof *ops + pause.log->count;
    error = all ? store_commit_last(enclave_system.store, all, count, on_committed, NULL) : -ENOMEM;
    free(all);
    return error;
}

/* Where the host keeps it, twice. */
static const char *const master_keys[] = {STORE_MASTER_KEY, STORE_MASTER_COPY_KEY};
#define MASTERS (sizeof master_keys / sizeof *master_keys)

/* What is given away must open this store. */
static void on_master(void *user, int error, const uint8_t master[MASTER_KEY_SIZE])
{
    char why[HANDOVER_WHY_SIZE - 40] = "out of memory";
    if ((uintptr_t)user != pause.attempt || is_off())
        return;
    pause.waits = WAITS_FOR_NOTHING;
    if (error < 0) {
        undo(503, "the host does not give this enclave's sealed master key");
        return;
    }
    memcpy(pause.master, master, sizeof pause.master);
    if (!handover_recipient_may(pause.to, why, sizeof why)) {
        handover_recipient_withdraw(pause.to, why);
        undo(409, why);
        return;
    }
    ENSURE(loop_timer_start(&owner()->loop, &pause.look, UINT64_MAX) == 0); /* what the commit takes, it takes */
    atomic_store(&serving, HANDOVER_COMMITS);
    error = commit();
    if (error < 0)
        undo(503, error == -ENOSPC ? "the lineage is full: this instance has had too many images" : "out of memory");
}

/* ---- until nothing runs any more --------------------------------------------------------------------------------- */

static void look_again(void)
{
    ENSURE(loop_timer_start(&owner()->loop, &pause.look, owner()->loop.now_ns + LOOK_NS) == 0); /* its place is there */
}

static void probe_worker(struct loop_task *task)
{
    struct probe *p = CONTAINER_OF(task, struct probe, task);
    p->busy = connections_retired_are_left(&enclave_system.connections[p - pause.probes]);
    ENSURE(atomic_fetch_sub(&pause.probing, 1) > 0);
}

static void probe_all(void)
{
    atomic_store(&pause.probing, enclave_system.worker_count);
    for (uint32_t i = 0; i < enclave_system.worker_count; i++) {
        pause.probes[i].task.fn = probe_worker;
        loop_post_remote(&enclave_system.workers[i].loop, &pause.probes[i].task);
    }
}

static bool found_busy(void)
{
    bool busy = apps_run();
    for (uint32_t i = 0; i < enclave_system.worker_count; i++)
        busy |= pause.probes[i].busy;
    return busy;
}

/* Nothing runs any more: what files have not written is written, and then the host is asked for the key. */
static void on_ended(void)
{
    if (fs_flush(enclave_system.files))
        return;
    pause.waits = WAITS_FOR_HOST;
    if (master_find(owner(), enclave_system.store, on_master, (void *)pause.attempt) < 0)
        undo(503, "out of memory");
}

/* Who has asked hears that this goes on. */
static void speak(struct handover_recipient *to)
{
    static const struct handover_given g = {.state = HANDOVER_UNDER_WAY};
    struct handover_request *r = pause.request;
    uint8_t answer[HANDOVER_GIVEN_SIZE];
    ENSURE(to == handover_chosen());
    pause.request = NULL;
    pause.asked_ns = owner()->loop.now_ns;
    handover_write_given(&g, answer);
    if (r)
        handover_answer_sealed(r, &to->session, pause.counter, answer, sizeof answer);
}

void handover_pause_asked(struct handover_request *r, uint64_t counter)
{
    struct handover_recipient *to = handover_chosen();
    loop_check(&owner()->loop);
    ENSURE(to && (handover_serving() == HANDOVER_PAUSES || handover_serving() == HANDOVER_COMMITS));
    speak(to);
    pause.request = r;
    pause.counter = counter;
    if (!pause.to) /* it is over, and what became of it cannot be learned */
        speak(to);
}

static void on_look(struct loop_timer *timer)
{
    (void)timer;
    loop_check(&owner()->loop);
    look_again();
    if (pause.request && owner()->loop.now_ns > pause.asked_ns + HANDOVER_SPEAK_S * UINT64_C(1000000000))
        speak(pause.to);
    if (pause.waits == WAITS_FOR_NOTHING || atomic_load(&pause.probing) > 0 || is_off())
        return;
    if (owner()->loop.now_ns > pause.until_ns)
        undo(503, pause.waits == WAITS_FOR_HOST ? "the host does not answer" : "what is under way does not end");
    else if (pause.waits == WAITS_FOR_ENDS && found_busy())
        probe_all();
    else if (pause.waits == WAITS_FOR_ENDS)
        on_ended();
}

static void on_installed(void *user)
{
    (void)user;
    pause.waits = WAITS_FOR_ENDS;
    probe_all();
}

static uint64_t drain_ns(void)
{
    uint32_t given_ms = ecall_run_args()->drain_timeout_ms;
    return (given_ms ? given_ms : CHANGE_DRAIN_MS) * UINT64_C(1000000);
}

static void on_turn(struct history_turn *turn)
{
    (void)turn;
    if (is_off())
        return;
    uint64_t cut_ns = owner()->loop.now_ns + drain_ns();
    pause.until_ns = cut_ns + PATIENCE_NS;
    if (generations_again(cut_ns, on_installed, NULL) < 0) {
        undo(503, "out of memory");
        return;
    }
    atomic_store(&paused, true); /* not before those that are to be served as they were can be told apart */
}

static void on_told(void *user, int error)
{
    (void)error;
    if ((uintptr_t)user != pause.attempt)
        return;
    pause.waits = WAITS_FOR_NOTHING;
    history_turn_take(enclave_system.history, &pause.turn, on_turn);
}

bool handover_rests(void)
{
    loop_check(&owner()->loop);
    return owner()->loop.now_ns < rests_until_ns;
}

void handover_rest_end(void)
{
    loop_check(&owner()->loop);
    rests_until_ns = 0;
}

void handover_pause(struct handover_recipient *to, struct handover_request *r, uint64_t counter)
{
    loop_check(&owner()->loop);
    ENSURE(handover_serving() == HANDOVER_SERVES && !handover_chosen() && !pause.request);
    handover_choose(to);
    pause.to = to;
    pause.request = r;
    pause.counter = counter;
    pause.asked_ns = pause.begun_ns = owner()->loop.now_ns;
    atomic_store(&serving, HANDOVER_PAUSES);
    pause.look.fn = on_look;
    pause.waits = WAITS_FOR_HOST;
    pause.until_ns = owner()->loop.now_ns + PATIENCE_NS;
    if (loop_timer_start(&owner()->loop, &pause.look, owner()->loop.now_ns + LOOK_NS) < 0 ||
        handover_news(HAND_OVER_PAUSED, NULL, 0, on_told, (void *)pause.attempt) < 0)
        undo(503, "out of memory");
}

/* ---- when it is given -------------------------------------------------------------------------------------------- */

void handover_tell(struct handover_request *r, uint64_t counter)
{
    uint8_t answer[HANDOVER_GIVEN_SIZE];
    ENSURE(handover_serving() == HANDOVER_IS_GIVEN && handover_chosen() == &given_to);
    handover_write_given(&given, answer);
    handover_answer_sealed(r, &given_to.session, counter, answer, sizeof answer);
    OPENSSL_cleanse(answer, sizeof answer);
}

struct ending {
    struct handover_request *request;
    uint64_t counter;
};

static void on_removed(void *user, int error)
{
    struct ending e = *(struct ending *)user;
    free(user);
    if (error < 0) {
        handover_request_refuse(e.request, 503, "the host does not remove the sealed master key (error %d)", -error);
        return;
    }
    OPENSSL_cleanse(given.master, sizeof given.master);
    handover_answer_sealed(e.request, &given_to.session, e.counter, NULL, 0);
    handover_news(HAND_OVER_DONE, NULL, 0, NULL, NULL);
}

void handover_end(struct handover_request *r, uint64_t counter)
{
    struct raw_op ops[MASTERS];
    struct ending *e = malloc(sizeof *e);
    ENSURE(handover_serving() == HANDOVER_IS_GIVEN);
    if (e)
        *e = (struct ending){r, counter};
    for (size_t i = 0; i < MASTERS; i++)
        ops[i] = (struct raw_op){KV_DELETE, master_keys[i], strlen(master_keys[i]), NULL, 0};
    if (e && raw_commit(owner(), ops, MASTERS, on_removed, e) == 0)
        return;
    free(e);
    handover_request_refuse(r, 503, "out of memory");
}

static int read_marker(struct handover_marker *m)
{
    uint8_t *record = NULL;
    size_t size = 0;
    int error = system_get(HANDOVER_MARKER_KEY, &record, &size);
    if (error == 0)
        error = handover_marker_read(record, size, m);
    if (record)
        OPENSSL_cleanse(record, size);
    free(record);
    return error;
}

static int read_master(uint8_t master[MASTER_KEY_SIZE])
{
    int error = -ENOENT;
    for (size_t i = 0; i < MASTERS && error < 0; i++) {
        uint8_t *blob = NULL;
        size_t size = 0;
        error = raw_get_wait(owner(), master_keys[i], strlen(master_keys[i]), &blob, &size);
        if (error == 0)
            error = size == MASTER_KEY_SIZE + SEAL_OVERHEAD ? unseal(blob, size, master) : -EBADMSG;
        free(blob);
    }
    return error;
}

int handover_boot(bool *handed_over, char *error, size_t error_size)
{
    struct handover_marker m;
    uint8_t master[MASTER_KEY_SIZE];
    loop_check(&owner()->loop);
    ENSURE(handover_serving() == HANDOVER_SERVES);
    int result = read_marker(&m);
    *handed_over = result == 0;
    if (result == -ENOENT)
        return 0;
    if (result == 0)
        result = read_master(master);
    if (result < 0) {
        snprintf(error, error_size, "hand-over: what the store says of it cannot be read (error %d)", -result);
        return result;
    }
    store_stop_writing(enclave_system.store);
    given_to = (struct handover_recipient){.there = true, .session = m.session, .approved = true};
    memcpy(given_to.candidate.mrenclave, m.mrenclave, sizeof m.mrenclave);
    fill_given(master);
    OPENSSL_cleanse(master, sizeof master);
    OPENSSL_cleanse(&m, sizeof m);
    handover_choose(&given_to);
    atomic_store(&paused, true);
    atomic_store(&serving, HANDOVER_IS_GIVEN);
    say_given();
    return 0;
}

/* ---- for those who answer ---------------------------------------------------------------------------------------- */

bool handover_withholds(char *why, size_t size)
{
    enum handover_serving state = handover_serving();
    if (state == HANDOVER_IS_GIVEN)
        snprintf(why, size, "this instance has been handed over to another enclave, which serves from now on");
    else if (state != HANDOVER_SERVES && atomic_load(&paused))
        snprintf(why, size, "this instance is being handed over to another enclave: ask again in a moment");
    else
        return false;
    return true;
}

int handover_status(json_t *into)
{
    static const char *const names[] = {"none", "paused", "committing", "given"};
    return json_object_set_new(into, "hand_over", json_string(names[handover_serving()])) < 0 ? -ENOMEM : 0;
}
