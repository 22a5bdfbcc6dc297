/* Who has shown itself to be able to take the instance: bounded, in memory only, and gone after a silence. */
#include "enclave/handover/giver.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/system.h"
#include "enclave/service/upgrade_agreement.h"
#include "enclave/thread/rpc_client.h"

static struct handover_recipient recipients[HANDOVER_SESSIONS_MAX];
static struct handover_recipient *chosen;

void handover_choose(struct handover_recipient *r)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(!r || r->there);
    chosen = r;
}

struct handover_recipient *handover_chosen(void)
{
    return chosen;
}

void handover_recipient_forget(struct handover_recipient *r)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(r->there);
    json_decref(r->statements);
    free(r->shown.evidence);
    OPENSSL_cleanse(r, sizeof *r);
}

static void forget_silent(void)
{
    uint64_t now_ns = enclave_system.owner->loop.now_ns;
    for (size_t i = 0; i < HANDOVER_SESSIONS_MAX; i++) {
        struct handover_recipient *r = &recipients[i];
        if (r->there && r != chosen && now_ns - r->seen_ns > HANDOVER_SESSION_S * UINT64_C(1000000000))
            handover_recipient_forget(r);
    }
}

struct handover_recipient *handover_recipient_find(const uint8_t id[32])
{
    loop_check(&enclave_system.owner->loop);
    forget_silent();
    if (chosen && memcmp(chosen->session.recipient, id, 32) == 0)
        return chosen;
    for (size_t i = 0; i < HANDOVER_SESSIONS_MAX; i++)
        if (recipients[i].there && memcmp(recipients[i].session.recipient, id, 32) == 0)
            return &recipients[i];
    return NULL;
}

static struct handover_recipient *free_place(void)
{
    for (size_t i = 0; i < HANDOVER_SESSIONS_MAX; i++)
        if (!recipients[i].there)
            return &recipients[i];
    return NULL;
}

struct handover_recipient *handover_recipient_add(const struct handover_session *s, const struct upgrade_candidate *c,
                                                  struct handover_shown *shown)
{
    ENSURE(shown->evidence);
    struct handover_recipient *r = handover_recipient_find(s->recipient), before = {0};
    if (r && memcmp(r->candidate.mrenclave, c->mrenclave, sizeof c->mrenclave) == 0) {
        before = *r;
        json_incref(before.statements);
    }
    if (r)
        handover_recipient_forget(r);
    r = free_place();
    if (r) {
        *r = (struct handover_recipient){.there = true,
                                         .session = *s,
                                         .candidate = *c,
                                         .shown = *shown,
                                         .seen_ns = enclave_system.owner->loop.now_ns,
                                         .approved = before.approved,
                                         .authors = before.authors,
                                         .statements = json_incref(before.statements)};
        shown->evidence = NULL;
    }
    json_decref(before.statements);
    OPENSSL_cleanse(&before, sizeof before);
    return r;
}

bool handover_recipient_may(const struct handover_recipient *r, char *why, size_t why_size)
{
    struct generation *now = generations_current();
    char authors_why[AUTHORITY_WHY_SIZE] = "";
    loop_check(&enclave_system.owner->loop);
    ENSURE(r->there);
    bool may = upgrade_rule_allows(now->upgrade_rule, &r->candidate, why, why_size);
    if (may && r->approved)
        may = upgrade_agreed(now->upgrade_rule, r->statements, r->candidate.mrenclave, why, why_size);
    if (may && r->approved && !authors_still_may(&r->authors, now->administrators, authors_why)) {
        snprintf(why, why_size, "%s", authors_why);
        may = false;
    }
    http_site_unref(&now->site);
    return may;
}

void handover_recipient_withdraw(struct handover_recipient *r, const char *why)
{
    char name[65];
    loop_check(&enclave_system.owner->loop);
    ENSURE(r->there && r->approved);
    r->approved = false;
    hex_text(r->session.recipient, 32, name);
    rpc_log(enclave_system.owner->rpc, LOG_WARN, "hand-over: recipient %s is approved no more: %s", name, why);
}
