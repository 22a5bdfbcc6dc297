/*
 * The old side as it is, over the store and the history as they are and a host in memory; what a quote says, the rule,
 * generations and guests are played. The test is the new side, the network and the host: it replays, reorders, forgets,
 * and fails commits. Whatever it does, the instance is given to one recipient at most, only after a commit that is on
 * disk, and nothing is acknowledged afterwards; or the old one serves on.
 *
 * What is given away has no way back, so each test has a process of its own. SEED=N runs that schedule alone,
 * SEEDS=N so many of them.
 */
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/container.h"
#include "common/hex.h"
#include "enclave/crypto/seal.h"
#include "enclave/early/ecall.h"
#include "enclave/fs/fs.h"
#include "enclave/handover/evidence.h"
#include "enclave/handover/giver.h"
#include "enclave/handover/handover.h"
#include "enclave/handover/judge.h"
#include "enclave/handover/marker.h"
#include "enclave/history/history.h"
#include "enclave/history/key.h"
#include "enclave/kvstore/store.h"
#include "enclave/ratls/connections.h"
#include "enclave/secrets/master.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/identity.h"
#include "enclave/service/lineage.h"
#include "enclave/service/system.h"
#include "enclave/service/upgrade_agreement.h"
#include "enclave/service/witnessing.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/app.h"
#include "sgx/trusted/bridge.h"
#include "tests/native/host_memory.h"
#include "verifier/verifier.h"

#define MUST(condition)                                                             \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                               \
        }                                                                           \
    } while (0)

/* ---- what is played ---------------------------------------------------------------------------------------------- */

struct system enclave_system;
static struct run_args args;
static struct generation generation;
static const uint8_t master[MASTER_KEY_SIZE] = "the master key of this test.....", instance[32] = "instance";
static bool rule_refuses, quote_is_bad, guests_run, retired_left, paused;
static unsigned flushes;

const struct run_args *ecall_run_args(void)
{
    return &args;
}

bool ecall_shutdown_requested(uint64_t *deadline_ns)
{
    return false;
}

void sgx_random(void *out, size_t size)
{
    MUST(RAND_bytes(out, (int)size) == 1);
}

/* Sealed is only marked, as long as what is sealed. */
int seal(const void *plain, size_t size, uint8_t *out)
{
    memset(out, 's', size + SEAL_OVERHEAD);
    memcpy(out, plain, size);
    return 0;
}

int unseal(const uint8_t *blob, size_t size, uint8_t *out)
{
    memcpy(out, blob, size - SEAL_OVERHEAD);
    return blob[size - 1] == 's' ? 0 : -EACCES;
}

struct generation *generations_current(void)
{
    http_site_ref(&generation.site);
    return &generation;
}

static struct loop_task again_task;
static void (*again_done)(void *user);

static void on_again(struct loop_task *task)
{
    again_done(NULL);
}

int generations_again(uint64_t cut_ns, void (*done)(void *user), void *user)
{
    paused = true;
    again_done = done;
    again_task.fn = on_again;
    loop_post(&enclave_system.owner->loop, &again_task);
    return 0;
}

static bool witnesses_are_left;

void witnessing_rest(void)
{
    witnesses_are_left = true;
}

bool connections_retired_are_left(const struct connections *cs)
{
    return retired_left;
}

bool apps_run(void)
{
    return guests_run;
}

bool fs_flush(struct fs_home *home)
{
    return flushes > 0 && flushes-- > 0;
}

const uint8_t *identity_instance(void)
{
    return instance;
}

int system_get(const char *key, uint8_t **value, size_t *size)
{
    return kv_get_wait(enclave_system.owner, enclave_system.settings, key, value, size);
}

void upgrade_self(struct upgrade_candidate *out)
{
    *out = (struct upgrade_candidate){.mrenclave = "old"};
}

bool upgrade_rule_allows(const struct upgrade_rule *r, const struct upgrade_candidate *c, char *why, size_t why_size)
{
    snprintf(why, why_size, "the rule says no");
    return !rule_refuses;
}

bool upgrade_agreed(const struct upgrade_rule *r, const json_t *statements, const uint8_t measurement[32], char *why,
                    size_t why_size)
{
    return true;
}

bool authors_still_may(const struct authors *authors, const struct administrators *now, char why[AUTHORITY_WHY_SIZE])
{
    return true;
}

struct lineage *lineage_with(const struct lineage *l, const uint8_t mrenclave[32], int *error)
{
    struct lineage *next = calloc(1, sizeof *next);
    next->count = 1;
    return next;
}

struct kv_op lineage_op(const struct lineage *l)
{
    return (struct kv_op){KV_PUT, enclave_system.settings, LINEAGE_KEY, strlen(LINEAGE_KEY), l->of, 32};
}

void lineage_unref(struct lineage *l)
{
    free(l);
}

struct verifier_collateral *judge_read_collateral(const void *data, size_t size)
{
    return NULL;
}

/* A quote is the ReportData that it carries. */
int judge_quote(const void *quote, size_t size, const struct verifier_collateral *collateral,
                const uint8_t report_data[64], int64_t now_s, struct upgrade_candidate *out, char *why, size_t why_size)
{
    bool ok = size == 64 && memcmp(quote, report_data, 64) == 0 && !quote_is_bad;
    *out = (struct upgrade_candidate){.mrenclave = "new"};
    snprintf(why, why_size, "the quote is bad");
    return ok ? 0 : -EACCES;
}

void verifier_collateral_destroy(struct verifier_collateral *collateral)
{
}

struct evidence_task {
    struct loop_task task; /* first */
    uint8_t bytes[4 + 64 + 4];
    handover_evidence_done done;
    void *user;
};

static void on_evidence(struct loop_task *task)
{
    struct evidence_task *at = CONTAINER_OF(task, struct evidence_task, task), e = *at;
    free(at);
    e.done(e.user, 0, e.bytes, sizeof e.bytes);
}

static struct worker *owner;

static void write_evidence(const uint8_t report_data[64], uint8_t out[72])
{
    struct bytes_writer w = bytes_writer_make(out, 72);
    bytes_append_blob(&w, report_data, 64);
    bytes_append_blob(&w, NULL, 0);
}

int handover_evidence_make(const uint8_t report_data[64], handover_evidence_done done, void *user)
{
    struct evidence_task *e = calloc(1, sizeof *e);
    *e = (struct evidence_task){.task.fn = on_evidence, .done = done, .user = user};
    write_evidence(report_data, e->bytes);
    loop_post(&owner->loop, &e->task);
    return 0;
}

/* ---- a world ----------------------------------------------------------------------------------------------------- */

static void turn(unsigned times)
{
    while (times-- > 0)
        worker_turn(owner);
}

static void begin_world(void)
{
    uint8_t sealed[MASTER_KEY_SIZE + SEAL_OVERHEAD], log_key[HISTORY_KEY_SIZE];
    char why[256] = "";
    owner = enclave_system.owner = &enclave_system.workers[0];
    enclave_system.worker_count = 1;
    MUST(host_memory_worker(owner) == 0);
    enclave_system.store = store_new(owner);
    seal(master, sizeof master, sealed);
    MUST(store_begin(enclave_system.store, master, sealed, sizeof sealed) == 0);
    enclave_system.settings = kv_namespace_open(enclave_system.store, "system");
    const struct kv_op op = {KV_PUT, enclave_system.settings, "instance", 8, instance, sizeof instance};
    MUST(store_create(enclave_system.store, &op, 1, why, sizeof why) == 0);
    history_key_make(log_key);
    struct history_config config = {.owner = owner, .store = enclave_system.store};
    memcpy(config.instance, instance, 32);
    memcpy(config.key, log_key, 32);
    enclave_system.history = history_new(&config);
    MUST(history_open(enclave_system.history, why, sizeof why) == 0);
    http_site_init(&generation.site, 3, NULL, NULL);
    const struct history_entry first = {.kind = "begin", .what = "x", .generation = 3, .root = generation.root};
    MUST(history_append_wait(enclave_system.history, &first, 1, NULL, 0) == 0);
}

struct asked {
    struct handover_request request; /* first */
    bool answered;
    uint8_t body[512];
};

static void on_delivered(struct loop_task *task)
{
    struct asked *a = CONTAINER_OF(task, struct asked, request.errand.task);
    errand_end(&a->request.errand);
    a->answered = true;
}

static struct asked *send(enum handover_route route, const void *body, size_t size)
{
    struct asked *a = calloc(1, sizeof *a);
    MUST(size <= sizeof a->body);
    memcpy(a->body, body, size);
    a->request.route = route;
    a->request.body = a->body;
    a->request.body_size = size;
    a->request.deliver = on_delivered;
    errand_send(&a->request.errand, &owner->loop, &owner->loop, handover_giver_arrive);
    return a;
}

static struct asked *wait_for(struct asked *a)
{
    for (unsigned i = 0; i < 20000 && !a->answered; i++)
        worker_turn(owner);
    MUST(a->answered);
    return a;
}

static int status_of(struct asked *a)
{
    int status = wait_for(a)->request.status;
    free(a->request.answer);
    free(a);
    return status;
}

/* ---- the new side ------------------------------------------------------------------------------------------------ */

struct taker {
    uint8_t private_key[HANDOVER_PRIVATE_SIZE], key[HANDOVER_KEY_SIZE];
    struct handover_transcript said;
    struct handover_offer offer;
    struct handover_session session;
    uint64_t counter;
    uint8_t last[256]; /* what it said last, sealed */
    size_t last_size;
};

static void ask_offer(struct taker *t)
{
    uint8_t question[HANDOVER_OFFER_ASKED_SIZE], nonce[HANDOVER_NONCE_SIZE];
    memset(&t->said, 0, sizeof t->said);
    sgx_random(nonce, sizeof nonce);
    handover_write_offer_asked(nonce, question);
    struct asked *a = wait_for(send(HANDOVER_OFFER, question, sizeof question));
    MUST(a->request.status == 200);
    MUST(handover_read_offer(a->request.answer, a->request.answer_size, &t->offer));
    handover_transcript_add(&t->said, question, sizeof question);
    handover_transcript_add(&t->said, a->request.answer, a->request.answer_size);
    (void)status_of(a);
}

static uint8_t *make_acceptance(struct taker *t, size_t *size)
{
    struct handover_transcript with_key = t->said;
    uint8_t report_data[64], evidence[72];
    struct handover_accept ours = {.evidence = {evidence, sizeof evidence}};
    memcpy(ours.nonce, t->offer.nonce, sizeof ours.nonce);
    memcpy(ours.key, t->key, sizeof ours.key);
    handover_transcript_add(&with_key, t->key, sizeof t->key);
    handover_report_data(HANDOVER_NEW, &with_key, report_data);
    write_evidence(report_data, evidence);
    return handover_write_accept(&ours, size);
}

static int accept_offer(struct taker *t)
{
    size_t size;
    uint8_t *question = make_acceptance(t, &size), recipient[32], report_data[64];
    struct asked *a = wait_for(send(HANDOVER_ACCEPT, question, size));
    if (a->request.status == 200) {
        struct handover_accept theirs;
        struct handover_evidence e;
        MUST(handover_read_accepted(a->request.answer, a->request.answer_size, &theirs));
        handover_transcript_add(&t->said, question, size);
        handover_transcript_add(&t->said, theirs.key, sizeof theirs.key);
        handover_report_data(HANDOVER_OLD, &t->said, report_data);
        MUST(handover_read_evidence(theirs.evidence.data, theirs.evidence.size, &e));
        MUST(memcmp(e.quote.data, report_data, 64) == 0);
        handover_recipient(t->key, recipient);
        MUST(handover_session_make(t->private_key, t->key, theirs.key, recipient, &t->said, &t->session) == 0);
    }
    free(question);
    return status_of(a);
}

static void meet(struct taker *t)
{
    if (t->key[0] == 0)
        MUST(handover_key_make(t->private_key, t->key) == 0);
    ask_offer(t);
    MUST(accept_offer(t) == 200);
}

static struct asked *say(struct taker *t, enum handover_ask what)
{
    const struct handover_asked asked = {.ask = what};
    uint8_t plain[HANDOVER_ASKED_MAX];
    size_t plain_size = handover_write_asked(&asked, plain);
    struct handover_sealed s = {.counter = ++t->counter, .sealed = {NULL, plain_size + AEAD_OVERHEAD}};
    memcpy(s.recipient, t->session.recipient, 32);
    size_t head = handover_write_sealed(&s, t->last);
    MUST(handover_seal(&t->session, HANDOVER_NEW, s.counter, plain, plain_size, t->last + head) == 0);
    t->last_size = head + s.sealed.size;
    return send(HANDOVER_SEALED, t->last, t->last_size);
}

/* Its answer; false: none that is sealed, and *status says why. */
static bool given_by(struct taker *t, struct asked *a, struct handover_given *g, int *status)
{
    struct handover_sealed s;
    uint8_t plain[HANDOVER_GIVEN_SIZE];
    *status = wait_for(a)->request.status;
    bool ok = *status == 200;
    if (ok) {
        MUST(handover_read_answered(a->request.answer, a->request.answer_size, &s));
        MUST(s.sealed.size == sizeof plain + AEAD_OVERHEAD);
        MUST(handover_open(&t->session, HANDOVER_OLD, s.counter, s.sealed.data, s.sealed.size, plain) == 0);
        MUST(handover_read_given(plain, sizeof plain, g));
    }
    (void)status_of(a);
    return ok;
}

/* Asks to commit, and again as often as it hears that this goes on: the last answer's status. */
static int ask_until_over(struct taker *t, struct handover_given *g)
{
    int status;
    unsigned asked = 0;
    do {
        MUST(++asked < 100);
        (void)given_by(t, say(t, HANDOVER_ASK_COMMIT), g, &status);
    } while (status == 200 && g->state == HANDOVER_UNDER_WAY);
    MUST(asked > 1);
    return status;
}

static int approve_status;

static void on_approved(void *user, int status, json_t *body)
{
    approve_status = status;
    json_decref(body);
}

static int approve(const uint8_t recipient[32])
{
    char order[128] = "{\"recipient\":\"";
    static const struct authors authors = {.count = 1};
    for (int i = 0; i < 32; i++)
        sprintf(order + strlen(order), "%02x", recipient[i]);
    strcat(order, "\"}");
    approve_status = 0;
    MUST(handover_approve(owner, &authors, order, strlen(order), on_approved, NULL) == 0);
    for (unsigned i = 0; i < 100 && !approve_status; i++)
        worker_turn(owner);
    return approve_status;
}

static json_t *shown;

static void on_shown(void *user, int status, json_t *body)
{
    approve_status = status;
    shown = body;
}

static int show(const uint8_t recipient[32])
{
    char query[128] = "recipient=";
    hex_text(recipient, 32, query + strlen(query));
    approve_status = 0;
    json_decref(shown);
    shown = NULL;
    MUST(handover_show(owner, query, on_shown, NULL) == 0);
    for (unsigned i = 0; i < 100 && !approve_status; i++)
        worker_turn(owner);
    return approve_status;
}

static size_t shown_part(const char *name, uint8_t *out, size_t size)
{
    const char *text = json_string_value(json_object_get(shown, name));
    MUST(text && strlen(text) <= 2 * size && hex_read(text, strlen(text), out, strlen(text) / 2));
    return strlen(text) / 2;
}

static struct result {
    bool done;
    int error;
} written;

static void on_written(void *user, int error)
{
    written = (struct result){true, error};
}

static int write_something(const char *key)
{
    const struct kv_op op = {KV_PUT, enclave_system.settings, key, strlen(key), "v", 1};
    written.done = false;
    MUST(kv_commit(owner, &op, 1, on_written, NULL) == 0);
    for (unsigned i = 0; i < 20000 && !written.done; i++)
        worker_turn(owner);
    MUST(written.done);
    return written.error;
}

/* What the host has now is opened by who has the master key. */
static bool disk_says_given(const struct handover_given *g)
{
    struct store *again = store_new(owner);
    struct store_root root;
    char why[256];
    uint8_t *marker = NULL;
    size_t size = 0;
    MUST(store_open(again, master, why, sizeof why) == 0);
    struct kv_namespace *settings = kv_namespace_open(again, "system");
    int error = kv_get_wait(owner, settings, HANDOVER_MARKER_KEY, &marker, &size);
    store_root(again, &root);
    if (g)
        MUST(root.epoch == g->epoch && root.count == g->count && memcmp(root.digest, g->digest, 32) == 0);
    free(marker);
    kv_namespace_close(settings);
    store_flush(again);
    turn(3);
    store_close(again);
    store_free(again);
    return error == 0;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

/* What is to be approved is shown as it was said: whoever approves it computes what its quote must be over. */
static void test_shown(void)
{
    struct taker t = {0};
    struct handover_transcript said = {0};
    struct handover_evidence e;
    uint8_t asked[HANDOVER_OFFER_ASKED_SIZE], offer[HANDOVER_OFFER_SIZE], key[HANDOVER_KEY_SIZE], evidence[128],
        data[64];
    uint8_t name[32];
    meet(&t);
    meet(&t); /* the same one again: what it said last is shown */
    MUST(show((const uint8_t[32]){9}) == 404);
    MUST(handover_show(owner, NULL, on_shown, NULL) == -EINVAL);
    MUST(handover_show(owner, "recipient=00", on_shown, NULL) == -EINVAL);
    MUST(handover_show(owner, "name=00", on_shown, NULL) == -EINVAL);
    MUST(show(t.session.recipient) == 200);
    MUST(json_is_false(json_object_get(shown, "approved")));
    MUST(shown_part("asked", asked, sizeof asked) == sizeof asked);
    MUST(shown_part("offer", offer, sizeof offer) == sizeof offer);
    MUST(shown_part("key", key, sizeof key) == sizeof key);
    size_t size = shown_part("evidence", evidence, sizeof evidence);
    handover_recipient(key, name);
    MUST(memcmp(name, t.session.recipient, sizeof name) == 0 && memcmp(key, t.key, sizeof key) == 0);
    handover_transcript_add(&said, asked, sizeof asked);
    handover_transcript_add(&said, offer, sizeof offer);
    handover_transcript_add(&said, key, sizeof key);
    handover_report_data(HANDOVER_NEW, &said, data);
    MUST(handover_read_evidence(evidence, size, &e) && e.quote.size == 64 && memcmp(e.quote.data, data, 64) == 0);
    rule_refuses = true; /* it was changed meanwhile */
    MUST(show(t.session.recipient) == 403);
    rule_refuses = false;
    MUST(approve(t.session.recipient) == 200 && show(t.session.recipient) == 200);
    MUST(json_is_true(json_object_get(shown, "approved")));
    json_decref(shown);
    shown = NULL;
}

static void test_one_recipient(void)
{
    struct taker t = {0}, other = {0};
    struct handover_given g, again;
    int status;
    meet(&t);
    meet(&other);
    MUST(given_by(&t, say(&t, HANDOVER_ASK_COMMIT), &g, &status) && g.state == HANDOVER_NOT_APPROVED);
    MUST(status_of(say(&t, HANDOVER_ASK_RECORDS)) == 409);
    MUST(status_of(say(&t, HANDOVER_ASK_DONE)) == 409);
    MUST(approve((const uint8_t[32]){9}) == 404);
    MUST(approve(t.session.recipient) == 200);
    MUST(approve(other.session.recipient) == 200);
    MUST(status_of(say(&t, HANDOVER_ASK_RECORDS)) == 200);
    MUST(write_something("before") == 0);
    guests_run = true; /* what runs is waited for */
    struct asked *commit = say(&t, HANDOVER_ASK_COMMIT);
    turn(200);
    MUST(!commit->answered && handover_serving() == HANDOVER_PAUSES);
    MUST(status_of(say(&other, HANDOVER_ASK_COMMIT)) == 409);
    MUST(approve(other.session.recipient) == 409);
    MUST(write_something("of a guest's") == 0); /* acknowledged, so it goes along */
    guests_run = false;
    flushes = 3;
    MUST(given_by(&t, commit, &g, &status) && g.state == HANDOVER_GIVEN);
    MUST(memcmp(g.master, master, sizeof master) == 0 && disk_says_given(&g) && witnesses_are_left);
    MUST(handover_serving() == HANDOVER_IS_GIVEN && write_something("after") == -ENOTRECOVERABLE);
    /* said again to the same one alone, in the same words */
    MUST(given_by(&t, say(&t, HANDOVER_ASK_COMMIT), &again, &status) && memcmp(&again, &g, sizeof g) == 0);
    MUST(status_of(say(&other, HANDOVER_ASK_COMMIT)) == 410 && status_of(say(&other, HANDOVER_ASK_RECORDS)) == 410);
    MUST(status_of(send(HANDOVER_OFFER, "EOS-HO/1................................", 40)) == 410);
    MUST(approve(other.session.recipient) == 409);
    MUST(status_of(say(&t, HANDOVER_ASK_DONE)) == 200);
    MUST(!host_memory_find(STORE_MASTER_KEY, strlen(STORE_MASTER_KEY)));
    MUST(!host_memory_find(STORE_MASTER_COPY_KEY, strlen(STORE_MASTER_COPY_KEY)));
}

/* Said before, said by somebody else, said to another. */
static void test_replays(void)
{
    struct taker t = {0}, other = {0};
    meet(&t);
    meet(&other);
    MUST(approve(t.session.recipient) == 200);
    MUST(status_of(say(&t, HANDOVER_ASK_RECORDS)) == 200);
    MUST(status_of(send(HANDOVER_SEALED, t.last, t.last_size)) == 403); /* the very same once more */
    uint8_t kept[256];
    size_t size = t.last_size;
    memcpy(kept, t.last, size);
    MUST(status_of(say(&t, HANDOVER_ASK_RECORDS)) == 200);
    MUST(status_of(send(HANDOVER_SEALED, kept, size)) == 403); /* an older one */
    kept[33] ^= 1;                                             /* under a counter that was not said */
    MUST(status_of(send(HANDOVER_SEALED, kept, size)) == 403);
    memcpy(kept, other.session.recipient, 32); /* in another's name */
    MUST(status_of(send(HANDOVER_SEALED, kept, size)) == 403);
    kept[0] ^= 1; /* in nobody's */
    MUST(status_of(send(HANDOVER_SEALED, kept, size)) == 404);
    struct handover_session before = t.session;
    meet(&t); /* the same recipient anew: what was sealed before is over, and the approval stands */
    MUST(status_of(say(&t, HANDOVER_ASK_RECORDS)) == 200);
    t.session = before;
    MUST(status_of(say(&t, HANDOVER_ASK_RECORDS)) == 403);
    MUST(handover_serving() == HANDOVER_SERVES);
}

static void test_offers(void)
{
    struct taker t = {0}, others[HANDOVER_OFFERS_MAX] = {0};
    MUST(handover_key_make(t.private_key, t.key) == 0);
    ask_offer(&t);
    struct taker kept = t;
    MUST(accept_offer(&t) == 200);
    t = kept;
    MUST(accept_offer(&t) == 404); /* each is good for one answer */
    ask_offer(&t);
    for (size_t i = 0; i < HANDOVER_OFFERS_MAX; i++) /* more offers than are kept */
        ask_offer(&others[i]);
    MUST(accept_offer(&t) == 404);
    ask_offer(&t);
    owner->loop.now_ns += HANDOVER_OFFER_S * UINT64_C(1000000000); /* an offer that has expired */
    MUST(accept_offer(&t) == 404);
    ask_offer(&t);
    t.said.hash[0] ^= 1; /* a quote over something else, as one of another exchange */
    MUST(accept_offer(&t) == 403);
    quote_is_bad = true;
    ask_offer(&t);
    MUST(accept_offer(&t) == 403);
    quote_is_bad = false;
    rule_refuses = true;
    ask_offer(&t);
    MUST(accept_offer(&t) == 403);
    MUST(status_of(send(HANDOVER_OFFER, "EOS-HO/2................................", 40)) == 400);
    MUST(status_of(send(HANDOVER_ACCEPT, "nonsense", 8)) == 400);
    MUST(status_of(send(HANDOVER_SEALED, "nonsense", 8)) == 400);
}

static void test_recipients(void)
{
    struct taker t[HANDOVER_SESSIONS_MAX + 1] = {0};
    for (size_t i = 0; i < HANDOVER_SESSIONS_MAX; i++)
        meet(&t[i]);
    MUST(handover_key_make(t[HANDOVER_SESSIONS_MAX].private_key, t[HANDOVER_SESSIONS_MAX].key) == 0);
    ask_offer(&t[HANDOVER_SESSIONS_MAX]);
    MUST(accept_offer(&t[HANDOVER_SESSIONS_MAX]) == 503); /* more recipients than are kept */
    owner->loop.now_ns += HANDOVER_SESSION_S * UINT64_C(1000000000) - 1000000;
    MUST(status_of(say(&t[3], HANDOVER_ASK_COMMIT)) == 200);
    owner->loop.now_ns += 10000000; /* all the others have been silent for too long */
    meet(&t[HANDOVER_SESSIONS_MAX]);
    MUST(status_of(say(&t[3], HANDOVER_ASK_COMMIT)) == 200);
    MUST(status_of(say(&t[4], HANDOVER_ASK_COMMIT)) == 404);
    MUST(approve(t[4].session.recipient) == 404);
}

/* All that can still be undone is, and the next attempt is as the first. */
static void test_undone(void)
{
    struct taker t = {0};
    struct handover_given g;
    int status;
    meet(&t);
    MUST(approve(t.session.recipient) == 200);
    retired_left = true;
    struct asked *gone = say(&t, HANDOVER_ASK_COMMIT);
    turn(50);
    MUST(handover_serving() == HANDOVER_PAUSES);
    atomic_store(&gone->request.gone, true);
    MUST(status_of(gone) == 503 && handover_serving() == HANDOVER_SERVES);
    MUST(write_something("after the first attempt") == 0);
    paused = false;
    MUST(status_of(say(&t, HANDOVER_ASK_COMMIT)) == 409 && !paused); /* it serves for a while, */
    owner->loop.now_ns += UINT64_C(10000000000);                     /* and then it is tried again */
    struct asked *refused = say(&t, HANDOVER_ASK_COMMIT);
    turn(50);
    rule_refuses = true; /* the rule is changed meanwhile */
    retired_left = false;
    MUST(status_of(refused) == 409);
    MUST(handover_serving() == HANDOVER_SERVES && write_something("after the second") == 0);
    MUST(given_by(&t, say(&t, HANDOVER_ASK_COMMIT), &g, &status) && g.state == HANDOVER_NOT_APPROVED);
    rule_refuses = false;
    MUST(approve(t.session.recipient) == 200);
    rule_refuses = true; /* or before it asks: nothing is paused for that */
    paused = false;
    MUST(status_of(say(&t, HANDOVER_ASK_COMMIT)) == 409 && !paused);
    rule_refuses = false;
    MUST(given_by(&t, say(&t, HANDOVER_ASK_COMMIT), &g, &status) && g.state == HANDOVER_NOT_APPROVED);
    MUST(approve(t.session.recipient) == 200);
    guests_run = true; /* a guest that never ends */
    MUST(ask_until_over(&t, &g) == 503);
    guests_run = false;
    MUST(status_of(say(&t, HANDOVER_ASK_COMMIT)) == 409);
    MUST(approve(t.session.recipient) == 200);                                 /* or at once, by who approves it anew */
    host_memory_put(STORE_MASTER_KEY, strlen(STORE_MASTER_KEY), "another", 7); /* the host's two lies about the key */
    host_memory_put(STORE_MASTER_COPY_KEY, strlen(STORE_MASTER_COPY_KEY), "another", 7);
    MUST(!given_by(&t, say(&t, HANDOVER_ASK_COMMIT), &g, &status) && status == 503);
    MUST(approve(t.session.recipient) == 200);
    uint8_t sealed[MASTER_KEY_SIZE + SEAL_OVERHEAD];
    seal(master, sizeof master, sealed);
    host_memory_put(STORE_MASTER_COPY_KEY, strlen(STORE_MASTER_COPY_KEY), sealed, sizeof sealed);
    MUST(!disk_says_given(NULL) && write_something("after all of them") == 0 && !witnesses_are_left);
    const struct history_head head = history_head(enclave_system.history);
    MUST(head.size == 1);
    MUST(given_by(&t, say(&t, HANDOVER_ASK_COMMIT), &g, &status) && g.log_size == 2);
    MUST(disk_says_given(&g));
}

/* A pause that is long: neither side waits for the other's word for ever. */
static void test_long_pause(void)
{
    struct taker t = {0};
    struct handover_given g;
    int status;
    args.drain_timeout_ms = 3600000;
    meet(&t);
    MUST(approve(t.session.recipient) == 200);
    guests_run = true;
    struct asked *first = say(&t, HANDOVER_ASK_COMMIT);
    turn(50);
    MUST(!first->answered && handover_serving() == HANDOVER_PAUSES);
    struct asked *second = say(&t, HANDOVER_ASK_COMMIT); /* the first one may be anywhere: this one counts */
    MUST(given_by(&t, first, &g, &status) && g.state == HANDOVER_UNDER_WAY);
    turn(50);
    MUST(!second->answered);
    owner->loop.now_ns += HANDOVER_SPEAK_S * UINT64_C(1000000000);
    MUST(given_by(&t, second, &g, &status) && g.state == HANDOVER_UNDER_WAY); /* it hears that it goes on */
    MUST(handover_serving() == HANDOVER_PAUSES);
    struct asked *third = say(&t, HANDOVER_ASK_COMMIT);
    turn(50);
    MUST(!third->answered);
    guests_run = false;
    MUST(given_by(&t, third, &g, &status) && g.state == HANDOVER_GIVEN && disk_says_given(&g));
}

/* Who has heard that it goes on, and does not ask again, is gone. */
static void test_silence(void)
{
    struct taker t = {0};
    struct handover_given g;
    int status;
    args.drain_timeout_ms = 3600000;
    meet(&t);
    MUST(approve(t.session.recipient) == 200);
    guests_run = true;
    MUST(given_by(&t, say(&t, HANDOVER_ASK_COMMIT), &g, &status) && g.state == HANDOVER_UNDER_WAY);
    for (unsigned i = 0; i < 20000 && handover_serving() == HANDOVER_PAUSES; i++)
        worker_turn(owner);
    MUST(handover_serving() == HANDOVER_SERVES && write_something("after it") == 0);
    guests_run = false;
    MUST(approve(t.session.recipient) == 200);
    MUST(given_by(&t, say(&t, HANDOVER_ASK_COMMIT), &g, &status) && g.state == HANDOVER_GIVEN);
}

/* ---- schedules of a host that does one thing and says another ---------------------------------------------------- */

static unsigned state;
static unsigned hostility; /* of 100 calls, so many are not honest */

static unsigned any(unsigned most)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % most;
}

static enum host_fate fate(uint32_t method)
{
    return (method == RPC_KV_COMMIT || method == RPC_KV_GET) && any(100) < hostility ? (enum host_fate)any(FATES)
                                                                                     : FATE_HONEST;
}

static void idle(void)
{
    while (host_memory_release(any(4) == 0))
        ;
}

static void test_hostile(unsigned seed)
{
    struct taker t = {0};
    struct handover_given g = {0};
    bool given = false, refused = false;
    unsigned acknowledged = 0;
    int status;
    state = seed;
    meet(&t);
    MUST(approve(t.session.recipient) == 200);
    hostility = any(60);
    host_memory.fate = fate;
    host_memory.idle = idle;
    for (unsigned i = 0; i < 12 && !given; i++) {
        char key[16];
        snprintf(key, sizeof key, "key %u", i);
        int error = write_something(key);
        acknowledged += error == 0;
        MUST(!given || error < 0);
        if (any(2) == 0)
            (void)approve(t.session.recipient);
        struct asked *a = say(&t, HANDOVER_ASK_COMMIT);
        if (any(3) == 0) {
            turn(any(40));
            atomic_store(&a->request.gone, true);
        }
        given = given_by(&t, a, &g, &status) && g.state == HANDOVER_GIVEN;
        refused |= status != 200;
        for (unsigned k = 0; k < 20000 && handover_serving() == HANDOVER_PAUSES; k++)
            worker_turn(owner); /* it was told that it goes on */
        if (handover_serving() == HANDOVER_COMMITS)
            break; /* nobody can say before the next start */
    }
    hostility = 0;
    host_memory.fate = NULL;
    if (handover_serving() == HANDOVER_COMMITS)
        MUST(store_has_stopped(enclave_system.store) && write_something("no more") == -ENOTRECOVERABLE);
    else if (given)
        MUST(handover_serving() == HANDOVER_IS_GIVEN && write_something("no more") == -ENOTRECOVERABLE);
    else
        MUST(handover_serving() == HANDOVER_SERVES);
    MUST(!given || disk_says_given(&g));
    MUST(given || handover_serving() == HANDOVER_COMMITS || !disk_says_given(NULL));
    for (unsigned i = 0; i < 12; i++) { /* what was acknowledged is there, whoever has it now */
        char key[16];
        snprintf(key, sizeof key, "key %u", i);
        uint8_t *value = NULL;
        size_t size;
        acknowledged -= system_get(key, &value, &size) == 0 && acknowledged > 0;
        free(value);
    }
    MUST(acknowledged == 0);
}

/* ---- each in its own process ------------------------------------------------------------------------------------- */

static int run(const char *name, void (*test)(void), unsigned seed)
{
    int result;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        begin_world();
        if (test)
            test();
        else
            test_hostile(seed);
        _exit(0);
    }
    waitpid(child, &result, 0);
    if (result != 0)
        fprintf(stderr, "FAILED: %s, SEED=%u (%d)\n", name, seed, result);
    return result != 0;
}

int main(void)
{
    const char *given = getenv("SEED"), *many = getenv("SEEDS");
    int failed = 0;
    if (!given) {
        failed |= run("what is shown", test_shown, 0);
        failed |= run("one recipient", test_one_recipient, 0);
        failed |= run("replays", test_replays, 0);
        failed |= run("offers", test_offers, 0);
        failed |= run("recipients", test_recipients, 0);
        failed |= run("undone", test_undone, 0);
        failed |= run("a long pause", test_long_pause, 0);
        failed |= run("silence", test_silence, 0);
    }
    unsigned first = given ? (unsigned)strtoul(given, NULL, 0) : 1, count = given  ? 1
                                                                            : many ? (unsigned)strtoul(many, NULL, 0)
                                                                                   : 150;
    for (unsigned seed = first; seed < first + count; seed++)
        failed |= run("a hostile host", NULL, seed);
    return failed;
}
