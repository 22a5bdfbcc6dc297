/* GET and POST /_enclave/hand-over: administrators see who has shown itself, and say who may have the instance
 * (handover.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/handover/giver.h"
#include "enclave/handover/handover.h"
#include "enclave/service/system.h"
#include "enclave/thread/errand.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/thread/worker.h"

struct approval {
    struct errand errand; /* first */
    bool shows;           /* and changes nothing: there are no authors */
    struct authors authors;
    uint8_t recipient[32];
    json_t *statements;
    int status;
    json_t *body;
    handover_approved done;
    void *user;
};

static void deliver(struct loop_task *task)
{
    struct approval *a = CONTAINER_OF(task, struct approval, errand.task);
    errand_end(&a->errand);
    a->done(a->user, a->status, a->body);
    json_decref(a->statements);
    free(a);
}

static void refuse(struct approval *a, int status, const char *why)
{
    a->status = status;
    a->body = json_pack("{s:s}", "error", why);
}

static void accept(struct approval *a, struct handover_recipient *r)
{
    char recipient[65], mrenclave[65], mrsigner[65];
    hex_text(a->recipient, 32, recipient);
    hex_text(r->candidate.mrenclave, 32, mrenclave);
    hex_text(r->candidate.mrsigner, 32, mrsigner);
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "hand-over: recipient %s of MRENCLAVE %s is approved", recipient,
            mrenclave);
    a->status = 200;
    a->body = json_pack("{s:s, s:s, s:s, s:i, s:i}", "recipient", recipient, "mrenclave", mrenclave, "mrsigner",
                        mrsigner, "product", r->candidate.product, "svn", r->candidate.svn);
}

/* NULL: no memory. */
static json_t *hex_json(const void *data, size_t size)
{
    char *text = malloc(2 * size + 1);
    if (text)
        hex_text(data, size, text);
    json_t *json = text ? json_string_nocheck(text) : NULL;
    free(text);
    return json;
}

/* All that it has said, for whoever would judge it himself before he approves it. */
static void show(struct approval *a, const struct handover_recipient *r)
{
    const struct handover_shown *s = &r->shown;
    ENSURE(s->evidence && s->evidence_size <= HANDOVER_EVIDENCE_MAX);
    ENSURE(a->shows && !a->body);
    const struct {
        const char *name;
        const void *data;
        size_t size;
    } parts[] = {{"recipient", a->recipient, sizeof a->recipient},
                 {"mrenclave", r->candidate.mrenclave, sizeof r->candidate.mrenclave},
                 {"asked", s->asked, sizeof s->asked},
                 {"offer", s->offer, sizeof s->offer},
                 {"key", s->key, sizeof s->key},
                 {"evidence", s->evidence, s->evidence_size}};
    a->status = 200;
    a->body = json_pack("{s:b}", "approved", r->approved);
    for (size_t i = 0; a->body && i < sizeof parts / sizeof *parts; i++)
        if (json_object_set_new(a->body, parts[i].name, hex_json(parts[i].data, parts[i].size)) < 0) {
            json_decref(a->body);
            a->body = NULL; /* which is answered as no memory */
        }
}

/* Whether it may have the instance, by what is given along with the approval. */
static void approve(struct approval *a, struct handover_recipient *r)
{
    struct handover_recipient tried = *r;
    char why[HANDOVER_WHY_SIZE];
    ENSURE(!a->shows && a->authors.count > 0);
    ENSURE(r->there && !a->body);
    tried.approved = true;
    tried.authors = a->authors;
    tried.statements = a->statements;
    if (!handover_recipient_may(&tried, why, sizeof why)) {
        refuse(a, 403, why);
        return;
    }
    json_decref(r->statements);
    *r = tried;
    a->statements = NULL; /* taken */
    handover_rest_end();
    accept(a, r);
}

static void judge(struct approval *a)
{
    struct handover_recipient *r = handover_recipient_find(a->recipient);
    char why[HANDOVER_WHY_SIZE];
    enum handover_serving state = handover_serving();
    loop_check(&enclave_system.owner->loop);
    ENSURE(a->errand.state == ERRAND_SENT && !a->body);
    if (state == HANDOVER_IS_GIVEN) {
        refuse(a, 409, "the instance has been handed over");
    } else if (state != HANDOVER_SERVES) {
        refuse(a, 409, "another recipient takes over right now");
    } else if (!r) {
        refuse(a, 404, "no such recipient has shown itself to this enclave, or it has gone away");
    } else if (!a->shows) {
        approve(a, r);
    } else if (!handover_recipient_may(r, why, sizeof why)) { /* the rule has changed since it has shown itself */
        refuse(a, 403, why);
    } else {
        show(a, r);
    }
}

static void arrive(struct loop_task *task)
{
    struct approval *a = CONTAINER_OF(task, struct approval, errand.task);
    judge(a);
    errand_return(&a->errand, &enclave_system.owner->loop, deliver);
}

/* False: it is not of this form. */
static bool read_order(const void *body, size_t size, struct approval *a)
{
    ENSURE(body || size == 0);
    ENSURE(!a->statements);
    json_error_t error;
    const char *recipient = NULL;
    json_t *statements = NULL;
    json_t *order = size ? json_loadb(body, size, JSON_REJECT_DUPLICATES, &error) : NULL;
    bool ok = order && json_unpack_ex(order, NULL, JSON_STRICT, "{s:s, s?o}", "recipient", &recipient, "statements",
                                      &statements) == 0;
    ok = ok && strlen(recipient) == 64 && hex_read(recipient, 64, a->recipient, 32);
    ok = ok && (!statements || json_is_array(statements));
    if (ok)
        a->statements = json_incref(statements);
    json_decref(order);
    return ok;
}

int handover_approve(struct worker *worker, const struct authors *authors, const void *body, size_t size,
                     handover_approved done, void *user)
{
    struct approval *a = calloc(1, sizeof *a);
    loop_check(&worker->loop);
    ENSURE(authors && done);
    if (!a)
        return -ENOMEM;
    if (!read_order(body, size, a)) {
        free(a);
        return -EINVAL;
    }
    a->authors = *authors;
    a->done = done;
    a->user = user;
    errand_send(&a->errand, &worker->loop, &enclave_system.owner->loop, arrive);
    return 0;
}

int handover_show(struct worker *worker, const char *query, handover_approved done, void *user)
{
    static const char name[] = "recipient=";
    uint8_t recipient[32];
    loop_check(&worker->loop);
    ENSURE(done);
    if (!query || strncmp(query, name, sizeof name - 1) != 0 ||
        !hex_read(query + sizeof name - 1, strlen(query) - (sizeof name - 1), recipient, sizeof recipient))
        return -EINVAL;
    struct approval *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->shows = true;
    memcpy(a->recipient, recipient, sizeof a->recipient);
    a->done = done;
    a->user = user;
    errand_send(&a->errand, &worker->loop, &enclave_system.owner->loop, arrive);
    return 0;
}
