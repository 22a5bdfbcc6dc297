/* The new side's steps. See taker.h. */
#include "enclave/handover/taker.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/crypto/seal.h"
#include "enclave/early/ecall.h"
#include "enclave/handover/handover.h"
#include "enclave/handover/marker.h"
#include "enclave/handover/news.h"
#include "enclave/kvstore/raw.h"
#include "enclave/kvstore/store.h"
#include "enclave/secrets/master.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/thread/worker.h"

#define PAUSE_FIRST_NS UINT64_C(1000000000)
#define PAUSE_MOST_NS UINT64_C(10000000000)
#define DONE_TRIES_MAX 10u
#define COPIES_MAX 3u /* then what is damaged stays so (service/salvage.h) */

static struct taker taker;
static bool is_to_say_done;

static struct worker *owner(void)
{
    return enclave_system.owner;
}

/* ---- what must be found again ------------------------------------------------------------------------------------ */

static int keep_state(void)
{
    uint8_t sealed[sizeof taker.state + SEAL_OVERHEAD];
    int error = seal(&taker.state, sizeof taker.state, sealed);
    const struct raw_op op = {KV_PUT, TAKER_STATE_KEY, strlen(TAKER_STATE_KEY), sealed, sizeof sealed};
    return error == 0 ? raw_commit_wait(owner(), &op, 1) : error;
}

static int keep(char *says, size_t says_size)
{
    int error = keep_state();
    if (error < 0)
        snprintf(says, says_size, "this host does not keep what is begun (error %d)", -error);
    return error;
}

/* -ENOENT: there is none. */
static int read_state(void)
{
    uint8_t *sealed = NULL;
    size_t size = 0;
    int error = raw_get_wait(owner(), TAKER_STATE_KEY, strlen(TAKER_STATE_KEY), &sealed, &size);
    if (error == 0)
        error = size == sizeof taker.state + SEAL_OVERHEAD ? unseal(sealed, size, (uint8_t *)&taker.state) : -EBADMSG;
    free(sealed);
    return error;
}

static int begin_state(struct store *store, char *why, size_t why_size)
{
    int empty = store_is_empty(store);
    if (empty < 0)
        snprintf(why, why_size, "take-over: the host cannot read this folder's store (error %d)", -empty);
    else if (empty == 0)
        snprintf(why, why_size,
                 "take-over: this folder has records of something else: what is taken over needs an empty one");
    if (empty <= 0)
        return empty < 0 ? empty : -EEXIST;
    taker.state = (struct taker_state){0};
    int error = handover_key_make(taker.state.private_key, taker.state.public_key);
    if (error < 0)
        snprintf(why, why_size, "take-over: no key could be made (error %d)", -error);
    return error;
}

static int open_state(struct store *store, char *why, size_t why_size)
{
    int error = read_state();
    if (error == -ENOENT)
        error = begin_state(store, why, why_size);
    else if (error < 0)
        snprintf(why, why_size,
                 "take-over: what an earlier start has begun was begun by another image or on another CPU, or is "
                 "damaged (error %d)",
                 -error);
    taker.state.starts++;
    if (error == 0 && (error = keep_state()) < 0)
        snprintf(why, why_size, "take-over: this host does not keep what is begun (error %d)", -error);
    return error;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

static bool pause_over;

static void on_pause(struct loop_timer *timer)
{
    (void)timer;
    pause_over = true;
}

/* 0 or -ECANCELED. */
static int wait_ns(uint64_t ns)
{
    static struct loop_timer timer = {.fn = on_pause};
    uint64_t ignored;
    pause_over = false;
    if (loop_timer_start(&owner()->loop, &timer, owner()->loop.now_ns + ns) < 0)
        return -ENOMEM;
    while (!pause_over && !ecall_shutdown_requested(&ignored))
        worker_turn(owner());
    loop_timer_stop(&owner()->loop, &timer);
    return pause_over ? 0 : -ECANCELED;
}

static uint64_t longer(uint64_t pause_ns)
{
    return 2 * pause_ns < PAUSE_MOST_NS ? 2 * pause_ns : PAUSE_MOST_NS;
}

/* Says why it goes on waiting, once for each reason. */
static void say(const char *why)
{
    static char said[300];
    if (strcmp(said, why) == 0)
        return;
    snprintf(said, sizeof said, "%s", why);
    rpc_log(owner()->rpc, LOG_INFO, "take-over: %s", why);
}

/* ---- the steps --------------------------------------------------------------------------------------------------- */

static void show_recipient(void)
{
    uint8_t recipient[32];
    char name[65];
    handover_recipient(taker.state.public_key, recipient);
    hex_text(recipient, sizeof recipient, name);
    rpc_log(owner()->rpc, LOG_INFO, "hand-over: recipient %s", name);
    handover_news(HAND_OVER_RECIPIENT, recipient, sizeof recipient, NULL, NULL);
}

/* Once. */
static int meet_once(char *says, size_t says_size)
{
    int error = taker_meet(&taker, says, says_size);
    return error == 0 ? keep(says, says_size) : error; /* before anybody can give us anything */
}

/* Until the old one knows us. */
static int meet(char *why, size_t why_size)
{
    char says[300];
    for (uint64_t pause_ns = PAUSE_FIRST_NS;; pause_ns = longer(pause_ns)) {
        int error = meet_once(says, sizeof says);
        if (error != -EAGAIN) {
            if (error < 0)
                snprintf(why, why_size, "take-over: %s", says);
            return error;
        }
        say(says);
        error = wait_ns(pause_ns);
        if (error < 0)
            return error;
    }
}

/* What it gives us; -EAGAIN: nothing yet. */
static int ask_for_it(struct handover_given *given, int *status, char *says, size_t says_size)
{
    static const struct handover_asked asked = {.ask = HANDOVER_ASK_COMMIT};
    uint8_t *plain = NULL;
    size_t size = 0;
    int error = 0;
    if (!taker.state.session.may_be_given) {
        taker.state.session.may_be_given = 1;
        error = keep(says, says_size);
    }
    if (error == 0)
        error = taker_ask(&taker, &asked, &plain, &size, status, says, says_size);
    if (error == 0 && !handover_read_given(plain, size, given))
        error = -EAGAIN;
    if (error == 0 && given->state != HANDOVER_GIVEN) {
        snprintf(says, says_size, "%s",
                 given->state == HANDOVER_NOT_APPROVED ? "no administrator has approved this recipient yet"
                                                       : "the old one lets what is under way end");
        error = -EAGAIN;
    }
    if (error == 0) /* with the session that it is given under at its place */
        error = keep(says, says_size);
    if (plain)
        OPENSSL_cleanse(plain, size);
    free(plain);
    return error;
}

/* All of it beforehand, as soon as we are approved; then what has changed since is little. */
static int copy_before(uint64_t *epoch, int *status, char *says, size_t says_size)
{
    return *epoch ? 0 : taker_copy(&taker, 0, epoch, status, says, says_size);
}

/* After a status that is no answer; anybody in between may have said it. 404: it was started again, and has forgotten
 * us, or so it seems; 403: it knows us by another session. 410: it has committed, to somebody: to us, if one of our
 * sessions is the one; else nobody will ever give us anything here. What we have stays in each case; and once we have
 * asked for the commit nothing that is said ends the asking, be it in the name of another instance. 0: ask again. In
 * says: why it did not know us, or not anew. */
static int find_session(int status, char *says, size_t says_size)
{
    if ((status == 403 || status == 410) && taker_state_other(&taker.state))
        return 0;
    if (status != 404 && status != 403)
        return 0;
    char why[300];
    int error = meet_once(why, sizeof why);
    if (error == 0)
        return 0;
    snprintf(says, says_size, "%s", why);
    if (error == -EAGAIN)
        return 0;
    bool refused = error == -EACCES || error == -EXDEV;
    return refused && (taker_state_other(&taker.state) || taker.state.session.may_be_given) ? 0 : error;
}

static int get_given(struct handover_given *given, uint64_t *epoch, char *why, size_t why_size)
{
    char says[300] = "";
    for (uint64_t pause_ns = PAUSE_FIRST_NS;; pause_ns = longer(pause_ns)) {
        int status = 0, error = taker.state.has_session ? 0 : meet(why, why_size);
        if (error < 0)
            return error;
        error = copy_before(epoch, &status, says, sizeof says);
        if (error == 0)
            error = ask_for_it(given, &status, says, sizeof says);
        if (error == 0)
            return 0;
        if (error == -EAGAIN)
            error = find_session(status, says, sizeof says);
        if (error < 0) {
            snprintf(why, why_size, "take-over: %s", says);
            return error;
        }
        say(says);
        if (status == 404 || *epoch)
            pause_ns = PAUSE_FIRST_NS / 2;
        if ((error = wait_ns(pause_ns)) < 0)
            return error;
    }
}

static bool is_as_told(struct store *store, const struct handover_given *given)
{
    struct store_root root;
    store_root(store, &root);
    return root.epoch == given->epoch && root.count == given->count &&
           memcmp(root.digest, given->digest, sizeof root.digest) == 0;
}

/* Records may be lost though all are known: changed on their way from disk to disk, or damaged where they come from. */
static bool is_whole(struct store *store, char *says, size_t says_size)
{
    unsigned long damaged = store_damaged_count(store);
    snprintf(says, says_size, "of the records that were copied %lu %s damaged: copying all of them again", damaged,
             damaged == 1 ? "is" : "are");
    return damaged == 0;
}

/* 0: the store is open, and what the old one committed. -EAGAIN: what the hosts gave is something else. *tries: how
 * often damaged ones were copied; what stays damaged is so with the old one, too. */
static int open_given(struct store *store, const struct handover_given *given, unsigned *tries, char *says,
                      size_t says_size)
{
    int error = store_open(store, given->master, says, says_size);
    if (error == -EBADMSG)
        return -EAGAIN;
    if (error < 0)
        return error;
    if (!is_as_told(store, given))
        snprintf(says, says_size, "the records are those of another time than the old one's commit");
    else if (is_whole(store, says, says_size) || ++*tries == COPIES_MAX)
        return 0;
    store_close(store);
    return -EAGAIN;
}

static int copy_and_open(struct store *store, const struct handover_given *given, uint64_t since, char *why,
                         size_t why_size)
{
    char says[300] = "";
    unsigned tries = 0;
    for (uint64_t pause_ns = PAUSE_FIRST_NS;; pause_ns = longer(pause_ns)) {
        int status;
        uint64_t epoch;
        int error = taker_copy(&taker, since, &epoch, &status, says, sizeof says);
        if (error == 0)
            error = open_given(store, given, &tries, says, sizeof says);
        if (error != -EAGAIN) {
            if (error < 0)
                snprintf(why, why_size, "take-over: %s", says);
            return error;
        }
        say(says);
        since = 0; /* what is here already is not believed any more */
        if ((error = wait_ns(pause_ns)) < 0)
            return error;
    }
}

/* One transaction: the master key, sealed to us, and away with the marker. From then on the folder is a store like any
 * other; before, the next start of this enclave goes on from its state. */
static int adopt(struct store *store, const uint8_t master[MASTER_KEY_SIZE])
{
    uint8_t sealed[MASTER_KEY_SIZE + SEAL_OVERHEAD];
    struct kv_namespace *settings = kv_namespace_open(store, "system");
    const struct kv_op op = {KV_DELETE, settings, HANDOVER_MARKER_KEY, strlen(HANDOVER_MARKER_KEY), NULL, 0};
    int error = settings ? seal(master, MASTER_KEY_SIZE, sealed) : -ENOMEM;
    if (error == 0)
        error = store_adopt(store, sealed, sizeof sealed);
    if (error == 0)
        error = kv_commit_wait(owner(), &op, 1);
    kv_namespace_close(settings);
    return error;
}

static int take(struct store *store, char *why, size_t why_size)
{
    struct handover_given given = {0};
    uint64_t epoch = 0;
    show_recipient();
    int error = get_given(&given, &epoch, why, why_size);
    if (error == 0)
        error = copy_and_open(store, &given, epoch, why, why_size);
    if (error == 0 && (error = adopt(store, given.master)) < 0)
        snprintf(why, why_size, "take-over: the host does not keep what is taken over (error %d)", -error);
    OPENSSL_cleanse(&given, sizeof given);
    return error;
}

int handover_take(struct store *store, bool *taken, char *error, size_t error_size)
{
    const char *url = ecall_run_args()->take_over;
    uint8_t *master = NULL;
    size_t size = 0;
    loop_check(&owner()->loop);
    ENSURE(store && taken);
    *taken = false;
    snprintf(error, error_size, "take-over: out of memory");
    if (url[0] && !handover_url_read(url, &taker.at)) {
        snprintf(error, error_size, "take-over: expected https://HOST[:PORT]");
        return -EINVAL;
    }
    int result = -ENOENT;
    for (int copy = 0; copy <= 1 && result == -ENOENT; copy++) {
        result = store_read_master(store, copy, &master, &size);
        free(master);
        master = NULL;
    }
    if (result != -ENOENT) { /* it is a store, perhaps since an earlier start has taken it over */
        bool is_taken = result == 0 && read_state() == 0 && taker.state.has_session;
        if (is_taken && !url[0])
            rpc_log(owner()->rpc, LOG_WARN,
                    "take-over: the old enclave has not heard that it is over: start once more with --take-over");
        is_to_say_done = is_taken && url[0];
        if (is_to_say_done) {
            taker.state.starts++;
            is_to_say_done = keep_state() == 0;
        }
        return 0; /* whatever is wrong with it, who opens it says */
    }
    if (!url[0])
        return 0;
    result = open_state(store, error, error_size);
    if (result == 0)
        result = take(store, error, error_size);
    if (result < 0)
        return result;
    *taken = is_to_say_done = true;
    handover_news(HAND_OVER_TAKEN, NULL, 0, NULL, NULL);
    rpc_log(owner()->rpc, LOG_INFO, "take-over: this enclave has the instance, and the old one serves no more");
    return 0;
}

/* ---- saying that it is over -------------------------------------------------------------------------------------- */

static struct {
    struct loop_timer timer;
    unsigned tries;
    uint64_t pause_ns;
} done;

static void on_forgotten(void *user, int error)
{
    (void)user, (void)error;
    rpc_log(owner()->rpc, LOG_INFO, "take-over: the old enclave has destroyed its key");
}

static void forget(void)
{
    const struct raw_op op = {KV_DELETE, TAKER_STATE_KEY, strlen(TAKER_STATE_KEY), NULL, 0};
    loop_timer_stop(&owner()->loop, &done.timer);
    if (raw_commit(owner(), &op, 1, on_forgotten, NULL) < 0)
        rpc_log(owner()->rpc, LOG_WARN, "take-over: what is left of it goes at the next start");
    OPENSSL_cleanse(&taker.state, sizeof taker.state);
}

static void again(void)
{
    if (done.tries >= DONE_TRIES_MAX) {
        rpc_log(owner()->rpc, LOG_WARN,
                "take-over: the old enclave cannot be told that this one serves: its sealed key is left; the next "
                "start of this one tries again. It serves nobody");
        loop_timer_stop(&owner()->loop, &done.timer);
        return;
    }
    done.pause_ns = longer(done.pause_ns);
    ENSURE(loop_timer_start(&owner()->loop, &done.timer, owner()->loop.now_ns + done.pause_ns) == 0);
}

/* Any answer that is sealed says that it has heard. */
static void on_said(void *user, struct handover_reply *reply)
{
    struct handover_sealed s;
    uint8_t nothing[1];
    (void)user;
    bool heard =
        reply->status == 200 && handover_read_answered(reply->body, reply->size, &s) &&
        s.sealed.size == AEAD_OVERHEAD &&
        handover_open(&taker.state.session.keys, HANDOVER_OLD, s.counter, s.sealed.data, s.sealed.size, nothing) == 0;
    free(reply->body);
    if (heard)
        forget();
    else
        again();
}

static void say_done(struct loop_timer *timer)
{
    uint8_t question[HANDOVER_SEALED_OVERHEAD + HANDOVER_ASKED_MAX + AEAD_OVERHEAD], plain[HANDOVER_ASKED_MAX];
    static const struct handover_asked asked = {.ask = HANDOVER_ASK_DONE};
    size_t plain_size = handover_write_asked(&asked, plain);
    struct handover_sealed s = {.counter = (uint64_t)taker.state.starts << 32 | ++taker.asked,
                                .sealed = {NULL, plain_size + AEAD_OVERHEAD}};
    ENSURE(loop_timer_start(&owner()->loop, timer, UINT64_MAX) == 0); /* first of all: its place is there */
    done.tries++;
    memcpy(s.recipient, taker.state.session.keys.recipient, sizeof s.recipient);
    size_t head = handover_write_sealed(&s, question);
    if (handover_seal(&taker.state.session.keys, HANDOVER_NEW, s.counter, plain, plain_size, question + head) < 0 ||
        handover_ask(&taker.at, "sealed", question, head + s.sealed.size, on_said, NULL) < 0)
        again();
}

void handover_taken(void)
{
    loop_check(&owner()->loop);
    if (!is_to_say_done)
        return;
    done.pause_ns = PAUSE_FIRST_NS / 2;
    done.timer.fn = say_done;
    if (loop_timer_start(&owner()->loop, &done.timer, owner()->loop.now_ns) < 0)
        rpc_log(owner()->rpc, LOG_WARN, "take-over: no memory to tell the old enclave that this one serves");
}
