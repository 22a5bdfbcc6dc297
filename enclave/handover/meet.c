/* The two questions before there are keys (handover.h). See taker.h. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/early/ecall.h"
#include "enclave/handover/evidence.h"
#include "enclave/handover/judge.h"
#include "enclave/handover/taker.h"
#include "enclave/service/system.h"
#include "enclave/service/upgrade_rule.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/thread/worker.h"
#include "sgx/trusted/bridge.h"
#include "verifier/verifier.h"

/* What the other side says instead of an answer: JSON with an error, or anything. For people. */
static int refusal(const struct handover_reply *reply, char *why, size_t why_size)
{
    if (reply->status == 0)
        snprintf(why, why_size, "it gives no answer");
    else
        snprintf(why, why_size, "it answers %d: %.*s", reply->status, (int)(reply->size < 200 ? reply->size : 200),
                 reply->body ? (const char *)reply->body : "");
    return reply->status == 403 || reply->status == 410 || reply->status == 400 ? -EACCES : -EAGAIN;
}

/* reply->body is the caller's to free, also after an error. */
static int ask(struct taker *t, const char *route, const void *body, size_t size, struct handover_reply *reply,
               char *why, size_t why_size)
{
    int error = handover_ask_wait(&t->at, route, body, size, reply);
    return error < 0 ? error : reply->status != 200 ? refusal(reply, why, why_size) : 0;
}

static int ask_for_offer(struct taker *t, struct handover_transcript *said, struct handover_offer *offer, char *why,
                         size_t why_size)
{
    uint8_t nonce[HANDOVER_NONCE_SIZE], question[HANDOVER_OFFER_ASKED_SIZE];
    struct handover_reply reply;
    sgx_random(nonce, sizeof nonce);
    handover_write_offer_asked(nonce, question);
    int error = ask(t, "offer", question, sizeof question, &reply, why, why_size);
    if (error == 0 && !handover_read_offer(reply.body, reply.size, offer)) {
        snprintf(why, why_size, "what it answers is no offer");
        error = -EACCES;
    }
    if (error == 0 && (handover_transcript_add(said, question, sizeof question) < 0 ||
                       handover_transcript_add(said, reply.body, reply.size) < 0))
        error = -ENOMEM;
    free(reply.body);
    return error;
}

static struct {
    bool over;
    int error;
    uint8_t *evidence;
    size_t size;
} waited;

static void on_evidence(void *user, int error, const uint8_t *evidence, size_t size)
{
    (void)user;
    waited.over = true;
    waited.error = error;
    waited.evidence = error == 0 ? malloc(size) : NULL;
    waited.size = size;
    if (waited.evidence)
        memcpy(waited.evidence, evidence, size);
    else if (error == 0)
        waited.error = -ENOMEM;
}

/* Ours, over what was said; malloc'ed. */
static int make_evidence(const struct handover_transcript *said, char *why, size_t why_size)
{
    uint8_t report_data[64];
    uint64_t ignored;
    waited.over = false;
    int error = handover_report_data(HANDOVER_NEW, said, report_data);
    if (error == 0)
        error = handover_evidence_make(report_data, on_evidence, NULL);
    while (error == 0 && !waited.over && !ecall_shutdown_requested(&ignored))
        worker_turn(enclave_system.owner);
    if (error < 0)
        return error;
    if (!waited.over)
        return -ECANCELED;
    if (waited.error < 0) {
        snprintf(why, why_size, "this host has no quote for this enclave (error %d)", -waited.error);
        return -EAGAIN;
    }
    return 0;
}

/* Whether the old one is a genuine enclave of our own signer and product: another one has nothing to give to us. */
static int judge(const struct handover_accept *theirs, const struct handover_transcript *said,
                 const struct handover_offer *offer, char *why, size_t why_size)
{
    struct handover_evidence e;
    struct upgrade_candidate old, self;
    uint8_t report_data[64];
    snprintf(why, why_size, "it shows no quote");
    if (!handover_read_evidence(theirs->evidence.data, theirs->evidence.size, &e))
        return -EACCES;
    if (handover_report_data(HANDOVER_OLD, said, report_data) < 0)
        return -ENOMEM;
    struct verifier_collateral *collateral =
        e.collateral.size ? judge_read_collateral(e.collateral.data, e.collateral.size) : NULL;
    int error = judge_quote(e.quote.data, e.quote.size, collateral, report_data, time(NULL), &old, why, why_size);
    verifier_collateral_destroy(collateral);
    if (error < 0)
        return error;
    upgrade_self(&self);
    const char *wrong = memcmp(old.mrsigner, self.mrsigner, sizeof self.mrsigner) != 0 ? "it has another signer"
                        : old.product != self.product                                  ? "it is another product"
                        : old.debug && !self.debug                                     ? "it can be debugged"
                        : memcmp(old.mrenclave, offer->mrenclave, sizeof old.mrenclave) != 0
                            ? "its quote is of another measurement than it said"
                            : NULL;
    if (wrong)
        snprintf(why, why_size, "%s", wrong);
    return wrong ? -EACCES : 0;
}

static int take_session(struct taker *t, const struct handover_reply *reply, struct handover_transcript *said,
                        const struct handover_offer *offer, char *why, size_t why_size)
{
    struct handover_accept theirs;
    struct handover_session keys;
    uint8_t recipient[32];
    if (!handover_read_accepted(reply->body, reply->size, &theirs)) {
        snprintf(why, why_size, "what it answers is no acceptance");
        return -EACCES;
    }
    if (handover_transcript_add(said, theirs.key, sizeof theirs.key) < 0)
        return -ENOMEM;
    int error = judge(&theirs, said, offer, why, why_size);
    if (error < 0)
        return error;
    handover_recipient(t->state.public_key, recipient);
    error = handover_session_make(t->state.private_key, t->state.public_key, theirs.key, recipient, said, &keys);
    if (error < 0) {
        snprintf(why, why_size, "its key is none");
        return error == -EINVAL ? -EACCES : -ENOMEM;
    }
    taker_state_add(&t->state, offer->instance, &keys); /* the quote is over the offer, too */
    OPENSSL_cleanse(&keys, sizeof keys);
    memcpy(t->state.mrenclave, offer->mrenclave, sizeof t->state.mrenclave);
    return 0;
}

static int accept(struct taker *t, const struct handover_offer *offer, struct handover_transcript *said, char *why,
                  size_t why_size)
{
    struct handover_accept ours = {0};
    struct handover_transcript with_key = *said;
    struct handover_reply reply = {0};
    size_t size;
    memcpy(ours.nonce, offer->nonce, sizeof ours.nonce);
    memcpy(ours.key, t->state.public_key, sizeof ours.key);
    int error = handover_transcript_add(&with_key, ours.key, sizeof ours.key);
    if (error == 0)
        error = make_evidence(&with_key, why, why_size);
    if (error < 0)
        return error;
    ours.evidence = (struct handover_bytes){waited.evidence, waited.size};
    uint8_t *question = handover_write_accept(&ours, &size);
    free(waited.evidence);
    if (!question)
        return -ENOMEM;
    error = ask(t, "accept", question, size, &reply, why, why_size);
    if (error == 0)
        error = handover_transcript_add(said, question, size);
    if (error == 0)
        error = take_session(t, &reply, said, offer, why, why_size);
    free(question);
    free(reply.body);
    return error;
}

int taker_meet(struct taker *t, char *why, size_t why_size)
{
    struct handover_transcript said = {0};
    struct handover_offer offer;
    snprintf(why, why_size, "out of memory");
    int error = ask_for_offer(t, &said, &offer, why, why_size);
    if (error == 0 && !taker_state_meets(&t->state, offer.instance)) {
        snprintf(why, why_size,
                 "it has another instance than this folder has begun with: give that one's --take-over, or another "
                 "folder");
        return -EXDEV;
    }
    return error == 0 ? accept(t, &offer, &said, why, why_size) : error;
}

/* ---- under the session's key ------------------------------------------------------------------------------------- */

/* malloc'ed; NULL: no memory. */
static uint8_t *seal_question(struct taker *t, uint64_t counter, const struct handover_asked *asked, size_t *size)
{
    uint8_t plain[HANDOVER_ASKED_MAX];
    size_t plain_size = handover_write_asked(asked, plain);
    struct handover_sealed s = {.counter = counter, .sealed = {NULL, plain_size + AEAD_OVERHEAD}};
    memcpy(s.recipient, t->state.session.keys.recipient, sizeof s.recipient);
    *size = HANDOVER_SEALED_OVERHEAD + s.sealed.size;
    uint8_t *question = malloc(*size);
    if (question && handover_seal(&t->state.session.keys, HANDOVER_NEW, counter, plain, plain_size,
                                  question + handover_write_sealed(&s, question)) == 0)
        return question;
    free(question);
    return NULL;
}

/* *plain is malloc'ed. */
static int open_answer(struct taker *t, uint64_t counter, const struct handover_reply *reply, uint8_t **plain,
                       size_t *size)
{
    struct handover_sealed s;
    if (!handover_read_answered(reply->body, reply->size, &s) || s.counter != counter || s.sealed.size < AEAD_OVERHEAD)
        return -EBADMSG;
    *size = s.sealed.size - AEAD_OVERHEAD;
    *plain = malloc(*size + 1);
    if (!*plain)
        return -ENOMEM;
    int error = handover_open(&t->state.session.keys, HANDOVER_OLD, counter, s.sealed.data, s.sealed.size, *plain);
    if (error < 0) {
        free(*plain);
        *plain = NULL;
    }
    return error;
}

int taker_ask(struct taker *t, const struct handover_asked *asked, uint8_t **plain, size_t *size, int *status,
              char *why, size_t why_size)
{
    uint64_t counter = (uint64_t)t->state.starts << 32 | ++t->asked;
    struct handover_reply reply = {0};
    size_t question_size;
    ENSURE(t->state.has_session && t->asked != 0);
    *plain = NULL;
    *status = 0;
    uint8_t *question = seal_question(t, counter, asked, &question_size);
    int error = question ? handover_ask_wait(&t->at, "sealed", question, question_size, &reply) : -ENOMEM;
    free(question);
    if (error == 0) {
        *status = reply.status;
        if (reply.status != 200) {
            (void)refusal(&reply, why, why_size);
            error = -EAGAIN;
        } else if ((error = open_answer(t, counter, &reply, plain, size)) == -EBADMSG) {
            snprintf(why, why_size, "its answer is not sealed by it");
            error = -EAGAIN;
        }
    }
    if (reply.body)
        OPENSSL_cleanse(reply.body, reply.size);
    free(reply.body);
    return error;
}
