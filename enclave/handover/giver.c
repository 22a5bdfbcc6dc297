/* See giver.h: what is asked, by whom, and what is answered. */
#include "enclave/handover/giver.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/container.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/handover/evidence.h"
#include "enclave/handover/judge.h"
#include "enclave/history/history.h"
#include "enclave/kvstore/raw.h"
#include "enclave/kvstore/store.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/identity.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"
#include "sgx/trusted/bridge.h"
#include "verifier/verifier.h"

static struct worker *owner(void)
{
    return enclave_system.owner;
}

/* ---- offer ------------------------------------------------------------------------------------------------------- */

static struct offer {
    bool there;
    uint8_t nonce[HANDOVER_NONCE_SIZE]; /* ours */
    uint64_t until_ns;
    struct handover_transcript said;
    uint8_t asked[HANDOVER_OFFER_ASKED_SIZE], answered[HANDOVER_OFFER_SIZE]; /* which is that */
} offers[HANDOVER_OFFERS_MAX];

/* A free one, or the oldest: who asks and asks only takes its own time away. */
static struct offer *place_for_offer(void)
{
    struct offer *oldest = &offers[0];
    for (size_t i = 0; i < HANDOVER_OFFERS_MAX; i++) {
        if (!offers[i].there || offers[i].until_ns <= owner()->loop.now_ns)
            return &offers[i];
        if (offers[i].until_ns < oldest->until_ns)
            oldest = &offers[i];
    }
    return oldest;
}

static struct handover_offer make_offer(void)
{
    struct handover_offer o;
    struct upgrade_candidate self;
    struct generation *now = generations_current();
    const struct history_head head = history_head(enclave_system.history);
    upgrade_self(&self);
    sgx_random(o.nonce, sizeof o.nonce);
    memcpy(o.instance, identity_instance(), sizeof o.instance);
    memcpy(o.mrenclave, self.mrenclave, sizeof o.mrenclave);
    o.generation = now->site.number;
    o.log_size = head.size;
    memcpy(o.log_root, head.root, sizeof o.log_root);
    http_site_unref(&now->site);
    return o;
}

static void on_offer(struct handover_request *r)
{
    uint8_t nonce[HANDOVER_NONCE_SIZE], *answer = malloc(HANDOVER_OFFER_SIZE);
    struct handover_transcript said = {0};
    loop_check(&owner()->loop);
    ENSURE(r->route == HANDOVER_OFFER && handover_serving() == HANDOVER_SERVES);
    if (!answer || !handover_read_offer_asked(r->body, r->body_size, nonce)) {
        bool no_memory = !answer;
        free(answer);
        handover_request_refuse(r, no_memory ? 503 : 400,
                                no_memory ? "out of memory" : "this is no question for an offer");
        return;
    }
    struct handover_offer o = make_offer();
    handover_write_offer(&o, answer);
    if (handover_transcript_add(&said, r->body, r->body_size) < 0 ||
        handover_transcript_add(&said, answer, HANDOVER_OFFER_SIZE) < 0) {
        free(answer);
        answer = NULL;
    } else {
        struct offer *place = place_for_offer();
        *place = (struct offer){
            .there = true, .until_ns = owner()->loop.now_ns + HANDOVER_OFFER_S * UINT64_C(1000000000), .said = said};
        memcpy(place->nonce, o.nonce, sizeof place->nonce);
        memcpy(place->asked, r->body, sizeof place->asked);
        memcpy(place->answered, answer, sizeof place->answered);
    }
    handover_request_answer(r, answer, HANDOVER_OFFER_SIZE);
}

/* Each is good for one answer. False: there is none of this nonce, or it has expired. */
static bool take_offer(const uint8_t nonce[HANDOVER_NONCE_SIZE], struct handover_transcript *said,
                       struct handover_shown *shown)
{
    for (size_t i = 0; i < HANDOVER_OFFERS_MAX; i++)
        if (offers[i].there && memcmp(offers[i].nonce, nonce, HANDOVER_NONCE_SIZE) == 0) {
            offers[i].there = false;
            *said = offers[i].said;
            memcpy(shown->asked, offers[i].asked, sizeof shown->asked);
            memcpy(shown->offer, offers[i].answered, sizeof shown->offer);
            return offers[i].until_ns > owner()->loop.now_ns;
        }
    return false;
}

/* ---- accept ------------------------------------------------------------------------------------------------------ */

/* From the judgement of the new one to the evidence of ours. */
struct accepting {
    struct handover_request *request;
    struct handover_session session;
    struct upgrade_candidate candidate;
    struct handover_shown shown;
    uint8_t key[HANDOVER_KEY_SIZE]; /* ours, the public half */
};

static void accepting_free(struct accepting *a)
{
    free(a->shown.evidence);
    OPENSSL_cleanse(a, sizeof *a);
    free(a);
}

static void on_evidence(void *user, int error, const uint8_t *evidence, size_t size)
{
    struct accepting *a = user;
    struct handover_request *r = a->request;
    struct handover_accept answer = {.evidence = {evidence, size}};
    char name[65];
    memcpy(answer.key, a->key, sizeof answer.key);
    hex_text(a->session.recipient, 32, name);
    if (error < 0) {
        handover_request_refuse(r, 503, "this enclave has no quote to show (error %d)", -error);
    } else if (handover_serving() != HANDOVER_SERVES) {
        handover_request_refuse(r, 409, "another recipient takes over right now");
    } else if (!handover_recipient_add(&a->session, &a->candidate, &a->shown)) {
        handover_request_refuse(r, 503, "too many recipients have shown themselves; one that is silent is forgotten");
    } else {
        size_t answer_size = 0;
        uint8_t *bytes = handover_write_accepted(&answer, &answer_size);
        rpc_log(owner()->rpc, LOG_INFO, "hand-over: recipient %s may be approved", name);
        handover_request_answer(r, bytes, answer_size);
    }
    accepting_free(a);
}

/* Whether who sent this is what its quote says, over all that was said; and may have the instance. */
static int judge(const struct handover_accept *asked, const struct handover_transcript *said,
                 struct upgrade_candidate *out, char *why, size_t why_size)
{
    struct handover_evidence e;
    struct handover_transcript with_key = *said;
    uint8_t report_data[64];
    if (!handover_read_evidence(asked->evidence.data, asked->evidence.size, &e)) {
        snprintf(why, why_size, "there is no quote");
        return -EACCES;
    }
    if (handover_transcript_add(&with_key, asked->key, sizeof asked->key) < 0 ||
        handover_report_data(HANDOVER_NEW, &with_key, report_data) < 0)
        return -ENOMEM;
    struct verifier_collateral *collateral =
        e.collateral.size ? judge_read_collateral(e.collateral.data, e.collateral.size) : NULL;
    int error = judge_quote(e.quote.data, e.quote.size, collateral, report_data, time(NULL), out, why, why_size);
    verifier_collateral_destroy(collateral);
    if (error == 0) {
        const struct handover_recipient candidate = {.there = true, .candidate = *out};
        error = handover_recipient_may(&candidate, why, why_size) ? 0 : -EACCES;
    }
    return error;
}

/* Our key, and what both have from now on. */
static int make_session(struct accepting *a, const struct handover_accept *asked, struct handover_transcript *said)
{
    uint8_t private_key[HANDOVER_PRIVATE_SIZE], recipient[32];
    handover_recipient(asked->key, recipient);
    int error = handover_key_make(private_key, a->key);
    if (error == 0)
        error = handover_transcript_add(said, a->request->body, a->request->body_size);
    if (error == 0)
        error = handover_transcript_add(said, a->key, sizeof a->key);
    if (error == 0)
        error = handover_session_make(private_key, a->key, asked->key, recipient, said, &a->session);
    OPENSSL_cleanse(private_key, sizeof private_key);
    return error;
}

/* With what it has said before in shown. */
static int keep_shown(struct accepting *a, const struct handover_accept *asked, const struct handover_shown *shown)
{
    ENSURE(asked->evidence.size > 0 && !shown->evidence);
    a->shown = *shown;
    memcpy(a->shown.key, asked->key, sizeof a->shown.key);
    a->shown.evidence = malloc(asked->evidence.size);
    a->shown.evidence_size = asked->evidence.size;
    if (!a->shown.evidence)
        return -ENOMEM;
    memcpy(a->shown.evidence, asked->evidence.data, asked->evidence.size);
    return 0;
}

static int begin_accepting(struct handover_request *r, const struct handover_accept *asked,
                           const struct upgrade_candidate *candidate, const struct handover_shown *shown,
                           struct handover_transcript *said)
{
    uint8_t report_data[64];
    struct accepting *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->request = r;
    a->candidate = *candidate;
    int error = keep_shown(a, asked, shown);
    if (error == 0)
        error = make_session(a, asked, said);
    if (error == 0)
        error = handover_report_data(HANDOVER_OLD, said, report_data);
    if (error == 0)
        error = handover_evidence_make(report_data, on_evidence, a);
    if (error < 0)
        accepting_free(a);
    return error;
}

static void on_accept(struct handover_request *r)
{
    struct handover_accept asked;
    struct handover_transcript said;
    struct handover_shown shown = {0};
    struct upgrade_candidate candidate;
    char why[HANDOVER_WHY_SIZE - 40] = "out of memory";
    loop_check(&owner()->loop);
    ENSURE(r->route == HANDOVER_ACCEPT && handover_serving() == HANDOVER_SERVES);
    if (!handover_read_accept(r->body, r->body_size, &asked)) {
        handover_request_refuse(r, 400, "this is no answer to an offer");
        return;
    }
    if (!take_offer(asked.nonce, &said, &shown)) {
        handover_request_refuse(r, 404, "there is no such offer, or it has expired");
        return;
    }
    int error = judge(&asked, &said, &candidate, why, sizeof why);
    if (error == -EACCES) {
        rpc_log(owner()->rpc, LOG_WARN, "hand-over: refused: %s", why);
        handover_request_refuse(r, 403, "%s", why);
        return;
    }
    if (error == 0)
        error = begin_accepting(r, &asked, &candidate, &shown, &said);
    if (error < 0)
        handover_request_refuse(r, error == -EINVAL ? 400 : 503,
                                error == -EINVAL ? "the recipient's key is none" : "out of memory");
}

/* ---- sealed: records --------------------------------------------------------------------------------------------- */

struct paging {
    struct handover_request *request;
    struct handover_session session;
    uint64_t counter, since;
    uint64_t epoch; /* when the host was asked: what is of this one or before, the answer has */
};

/* Whether the host's own record goes there at all: what is sealed to us is of no use to anybody else. */
static bool goes_along(const struct raw_record *record)
{
    static const char master[] = STORE_MASTER_KEY, ours[] = "hand-over";
    size_t least = sizeof master - 1;
    if (record->key_size >= STORAGE_KEY_SIZE)
        return true;
    return (record->key_size < least || memcmp(record->key, master, least) != 0) &&
           (record->key_size != sizeof ours - 1 || memcmp(record->key, ours, sizeof ours - 1) != 0);
}

/* A record's version is its transaction's epoch, and its twin's stands behind one byte (kvstore/record.h). */
static bool is_known(const struct raw_record *record, uint64_t since)
{
    size_t at = record->key_size == TWIN_KEY_SIZE ? 1 : 0;
    return record->key_size >= STORAGE_KEY_SIZE && record->size >= at + 8 && bytes_u64(record->value + at) <= since;
}

/* Into a page of wire.h's; malloc'ed. */
static uint8_t *make_page(const struct paging *asked, const struct raw_page *from, size_t capacity, size_t *size)
{
    struct raw_page p = *from;
    struct raw_record record;
    uint8_t *page = malloc(capacity);
    struct bytes_writer w = bytes_writer_make(page, capacity);
    if (!page)
        return NULL;
    bytes_append_u64(&w, asked->epoch);
    bytes_append_u8(&w, p.more);
    while (raw_page_next(&p, &record)) {
        if (!goes_along(&record))
            continue;
        bool whole = !is_known(&record, asked->since);
        bytes_append_u8(&w, whole);
        bytes_append_blob(&w, record.key, record.key_size);
        if (whole)
            bytes_append_blob(&w, record.value, record.size);
    }
    ENSURE(!w.failed);
    *size = w.size;
    return page;
}

static void on_page(void *user, int error, const uint8_t *payload, size_t payload_size)
{
    struct paging *p = user;
    struct raw_page page;
    size_t size = 0;
    if (error < 0 || !raw_page_read(payload, payload_size, &page)) {
        handover_request_refuse(p->request, 503, "the host does not give its records");
    } else {
        uint8_t *out = make_page(p, &page, HANDOVER_PAGE_HEADER_SIZE + payload_size + page.count, &size);
        if (out)
            handover_answer_sealed(p->request, &p->session, p->counter, out, size);
        else
            handover_request_refuse(p->request, 503, "out of memory");
        free(out);
    }
    OPENSSL_cleanse(p, sizeof *p);
    free(p);
}

static void on_records(struct handover_request *r, const struct handover_session *s, uint64_t counter,
                       const struct handover_asked *asked)
{
    struct paging *p = malloc(sizeof *p);
    if (p)
        *p = (struct paging){r, *s, counter, asked->since, store_epoch(enclave_system.store)};
    if (p && raw_scan(owner(), asked->after.data, asked->after.size, on_page, p) == 0)
        return;
    free(p);
    handover_request_refuse(r, 503, "out of memory");
}

/* ---- sealed ------------------------------------------------------------------------------------------------------ */

static void on_approved_commit(struct handover_request *r, struct handover_recipient *from, uint64_t counter)
{
    char why[HANDOVER_WHY_SIZE - 40] = "out of memory";
    ENSURE(from->approved);
    if (from == handover_chosen() && handover_serving() == HANDOVER_IS_GIVEN) {
        handover_tell(r, counter);
    } else if (from == handover_chosen()) {
        handover_pause_asked(r, counter);
    } else if (handover_serving() != HANDOVER_SERVES) {
        handover_request_refuse(r, 409, "another recipient takes over right now");
    } else if (handover_rests()) {
        handover_request_refuse(r, 409,
                                "it came to nothing before: this enclave serves for a while, then it is tried "
                                "again, or as soon as an administrator approves it anew");
    } else if (handover_recipient_may(from, why, sizeof why)) {
        handover_pause(from, r, counter);
    } else { /* any more: nobody is to wait for what comes to nothing */
        handover_recipient_withdraw(from, why);
        handover_request_refuse(r, 409, "%s", why);
    }
}

static void on_commit(struct handover_request *r, struct handover_recipient *from, uint64_t counter)
{
    static const struct handover_given g = {.state = HANDOVER_NOT_APPROVED};
    uint8_t answer[HANDOVER_GIVEN_SIZE];
    if (from->approved) {
        on_approved_commit(r, from, counter);
        return;
    }
    handover_write_given(&g, answer);
    handover_answer_sealed(r, &from->session, counter, answer, sizeof answer);
}

static void on_asked(struct handover_request *r, struct handover_recipient *from, uint64_t counter,
                     const struct handover_asked *asked)
{
    if (asked->ask == HANDOVER_ASK_COMMIT)
        on_commit(r, from, counter);
    else if (asked->ask == HANDOVER_ASK_RECORDS && from->approved)
        on_records(r, &from->session, counter, asked);
    else if (asked->ask == HANDOVER_ASK_RECORDS)
        handover_request_refuse(r, 409, "no administrator has approved this recipient yet");
    else if (handover_serving() == HANDOVER_IS_GIVEN)
        handover_end(r, counter);
    else
        handover_request_refuse(r, 409, "nothing has been handed over");
}

/* What is asked, if it is the next thing that this recipient says. */
static int open_asked(struct handover_recipient *from, const struct handover_sealed *s, struct handover_asked *asked,
                      uint8_t plain[HANDOVER_ASKED_MAX])
{
    if (s->sealed.size < AEAD_OVERHEAD || s->sealed.size > HANDOVER_ASKED_MAX + AEAD_OVERHEAD)
        return -EBADMSG;
    int error = handover_open(&from->session, HANDOVER_NEW, s->counter, s->sealed.data, s->sealed.size, plain);
    if (error == 0 && s->counter <= from->counter)
        return -EALREADY; /* said before, and said again by somebody else */
    if (error == 0)
        from->counter = s->counter;
    return error == 0 && !handover_read_asked(plain, s->sealed.size - AEAD_OVERHEAD, asked) ? -EBADMSG : error;
}

static void on_sealed(struct handover_request *r)
{
    struct handover_sealed s;
    struct handover_asked asked;
    uint8_t plain[HANDOVER_ASKED_MAX];
    struct handover_recipient *from = NULL;
    loop_check(&owner()->loop);
    ENSURE(r->route == HANDOVER_SEALED && r->status == 0);
    if (!handover_read_sealed(r->body, r->body_size, &s)) {
        handover_request_refuse(r, 400, "this is no sealed question");
        return;
    }
    bool is_given = handover_serving() == HANDOVER_IS_GIVEN;
    from = handover_recipient_find(s.recipient);
    if (!from || (is_given && from != handover_chosen())) {
        handover_request_refuse(r, is_given ? 410 : 404,
                                is_given ? "the instance has been handed over to another recipient"
                                         : "no such recipient has shown itself since this start");
        return;
    }
    int error = open_asked(from, &s, &asked, plain);
    if (error < 0) {
        handover_request_refuse(r, error == -EIO ? 503 : 403,
                                error == -EALREADY ? "that was said before"
                                : error == -EIO    ? "out of memory"
                                                   : "not sealed by that recipient");
        return;
    }
    from->seen_ns = owner()->loop.now_ns;
    on_asked(r, from, s.counter, &asked);
}

void handover_giver_arrive(struct loop_task *task)
{
    struct handover_request *r = CONTAINER_OF(task, struct handover_request, errand.task);
    enum handover_serving state = handover_serving();
    loop_check(&owner()->loop);
    ENSURE(r->deliver && r->errand.state == ERRAND_SENT && !r->answer);
    if (r->route == HANDOVER_SEALED)
        on_sealed(r);
    else if (state != HANDOVER_SERVES)
        handover_request_refuse(r, state == HANDOVER_IS_GIVEN ? 410 : 409,
                                state == HANDOVER_IS_GIVEN ? "the instance has been handed over"
                                                           : "another recipient takes over right now");
    else if (r->route == HANDOVER_OFFER)
        on_offer(r);
    else
        on_accept(r);
}
