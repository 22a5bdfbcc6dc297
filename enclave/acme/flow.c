/* See flow.h. */
#include "enclave/acme/flow.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/ensure.h"
#include "enclave/acme/jose.h"

void acme_flow_begin(struct acme_flow *f, const struct acme_asked *asked)
{
    ENSURE(asked->csr_size <= ACME_CSR_MAX && asked->account);
    *f = (struct acme_flow){.asked = *asked, .step = ACME_DIRECTORY};
    ENSURE(witness_url_read(asked->directory, strlen(asked->directory), &f->at) && f->at.tls);
}

const char *acme_flow_at(const struct acme_flow *f)
{
    static const char *const words[] = {[ACME_DIRECTORY] = "the directory",
                                        [ACME_NONCE] = "a nonce",
                                        [ACME_ACCOUNT] = "the account",
                                        [ACME_ORDER] = "the order",
                                        [ACME_AUTHORIZATION] = "the authorization",
                                        [ACME_SHOWN] = "the challenge",
                                        [ACME_AUTHORIZED] = "the authorization",
                                        [ACME_ORDERED] = "the order",
                                        [ACME_FINALIZE] = "finalizing",
                                        [ACME_CERTIFICATE] = "the certificate",
                                        [ACME_OVER] = "nothing"};
    return words[f->step];
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static const char *url_of(const struct acme_flow *f)
{
    switch (f->step) {
    case ACME_DIRECTORY:
        return f->asked.directory;
    case ACME_NONCE:
        return f->directory.new_nonce;
    case ACME_ACCOUNT:
        return f->directory.new_account;
    case ACME_ORDER:
        return f->directory.new_order;
    case ACME_AUTHORIZATION:
    case ACME_AUTHORIZED:
        return f->order.authorization;
    case ACME_SHOWN:
        return f->authorization.challenge;
    case ACME_ORDERED:
        return f->order_url;
    case ACME_FINALIZE:
        return f->order.finalize;
    case ACME_CERTIFICATE:
        return f->order.certificate;
    default:
        ENSURE(!"there is a request");
        return NULL;
    }
}

static json_t *account_wanted(const struct acme_flow *f)
{
    json_t *wanted = json_pack("{s:b}", "termsOfServiceAgreed", 1);
    if (wanted && f->asked.contact && json_object_set_new(wanted, "contact", json_deep_copy(f->asked.contact)) < 0) {
        json_decref(wanted);
        return NULL;
    }
    return wanted;
}

static json_t *finalizing(const struct acme_flow *f)
{
    char text[BASE64URL_SIZE(ACME_CSR_MAX) + 1];
    base64url_text(f->asked.csr, f->asked.csr_size, text);
    return json_pack("{s:s}", "csr", text);
}

/* malloc'ed; "": it only reads. */
static char *payload_of(const struct acme_flow *f)
{
    json_t *value;
    if (f->step == ACME_ACCOUNT)
        value = account_wanted(f);
    else if (f->step == ACME_ORDER)
        value = json_pack("{s:[{s:s,s:s}]}", "identifiers", "type", "dns", "value", f->asked.name);
    else if (f->step == ACME_SHOWN)
        value = json_object();
    else if (f->step == ACME_FINALIZE)
        value = finalizing(f);
    else
        return strdup("");
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    return text;
}

int acme_flow_request(struct acme_flow *f, struct acme_request *out)
{
    ENSURE(f->step != ACME_OVER && f->requests < ACME_REQUESTS_MAX);
    f->requests++;
    if (f->step > ACME_NONCE && !f->nonce[0]) {
        f->behind_nonce = f->step;
        f->step = ACME_NONCE;
    }
    const char *url = url_of(f);
    *out = (struct acme_request){.method = f->step == ACME_DIRECTORY ? "GET" : f->step == ACME_NONCE ? "HEAD" : "POST"};
    ENSURE(witness_url_read(url, strlen(url), &out->at)); /* it was, when it came */
    if (f->step <= ACME_NONCE)
        return 0;
    char *payload = payload_of(f);
    const struct acme_signing signing = {.key = f->asked.account,
                                         .account = f->step == ACME_ACCOUNT ? NULL : f->account,
                                         .nonce = f->nonce,
                                         .url = url,
                                         .payload = payload};
    out->body = payload ? acme_sign(&signing) : NULL;
    free(payload);
    f->nonce[0] = 0; /* it is for one request */
    return out->body && strlen(out->body) <= ACME_REQUEST_MAX ? 0 : -ENOMEM;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static enum acme_turn fail(struct acme_flow *f, uint32_t wait_s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum acme_turn fail(struct acme_flow *f, uint32_t wait_s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->why, sizeof f->why, format, arguments);
    va_end(arguments);
    f->wait_s = wait_s;
    f->step = ACME_OVER;
    return ACME_FAILED;
}

static enum acme_turn go(struct acme_flow *f, enum acme_step next)
{
    f->step = next;
    return ACME_ASK;
}

static enum acme_turn wait(struct acme_flow *f, const struct acme_answer *a, enum acme_step next)
{
    uint32_t wait_s = a->retry_after_s ? a->retry_after_s : ACME_POLL_S;
    f->wait_s = wait_s < ACME_POLL_MAX_S ? wait_s : ACME_POLL_MAX_S;
    f->step = next;
    return ACME_WAIT;
}

static enum acme_turn on_directory(struct acme_flow *f, const struct acme_answer *a)
{
    char why[ACME_WHY_SIZE];
    if (acme_directory_read(a->body, a->size, &f->at, &f->directory, why) < 0)
        return fail(f, 0, "%s", why);
    return go(f, ACME_ACCOUNT);
}

static enum acme_turn on_account(struct acme_flow *f, const struct acme_answer *a)
{
    if (acme_url_read(a->location, a->location_size, &f->at, f->account) < 0)
        return fail(f, 0, "the account has no URL (Location) of the directory's own host");
    return go(f, ACME_ORDER);
}

/* Where an order is, leads on. */
static enum acme_turn follow(struct acme_flow *f, const struct acme_answer *a)
{
    switch (f->order.status) {
    case ACME_PENDING:
        return f->step == ACME_ORDER ? go(f, ACME_AUTHORIZATION) : wait(f, a, ACME_ORDERED);
    case ACME_READY:
        return f->finalized ? wait(f, a, ACME_ORDERED) : go(f, ACME_FINALIZE);
    case ACME_PROCESSING:
        return wait(f, a, ACME_ORDERED);
    case ACME_VALID:
        if (!f->finalized)
            return fail(f, 0, "the order is valid before a key was given for it");
        return go(f, ACME_CERTIFICATE);
    default:
        return fail(f, a->retry_after_s, "the order has failed: %.200s",
                    f->order.problem[0] ? f->order.problem : "its server does not say why");
    }
}

static enum acme_turn on_order(struct acme_flow *f, const struct acme_answer *a)
{
    char why[ACME_WHY_SIZE];
    if (f->step == ACME_ORDER && acme_url_read(a->location, a->location_size, &f->at, f->order_url) < 0)
        return fail(f, 0, "the order has no URL (Location) of the directory's own host");
    if (acme_order_read(a->body, a->size, &f->at, &f->order, why) < 0)
        return fail(f, 0, "%s", why);
    f->finalized |= f->step == ACME_FINALIZE;
    return follow(f, a);
}

static enum acme_turn on_authorization(struct acme_flow *f, const struct acme_answer *a)
{
    char why[ACME_WHY_SIZE];
    struct acme_authorization *z = &f->authorization;
    if (acme_authorization_read(a->body, a->size, &f->at, f->asked.name, z, why) < 0)
        return fail(f, 0, "%s", why);
    if (z->status == ACME_VALID)
        return go(f, ACME_ORDERED);
    if (z->status == ACME_INVALID)
        return fail(f, a->retry_after_s, "the name is not authorized: %.200s",
                    z->problem[0] ? z->problem : "its server does not say why");
    if (f->step == ACME_AUTHORIZED || z->status != ACME_PENDING)
        return wait(f, a, ACME_AUTHORIZED);
    if (acme_key_authorization(f->asked.account, z->token, f->digest) < 0)
        return fail(f, 0, "out of memory");
    f->step = ACME_SHOWN;
    return ACME_CHALLENGE;
}

/* What is no success. */
static enum acme_turn refused(struct acme_flow *f, const struct acme_answer *a)
{
    struct acme_problem problem;
    acme_problem_read(a->body, a->size, a->status, &problem);
    if (a->status == 400 && strcmp(problem.type, "badNonce") == 0 && ++f->nonces <= ACME_NONCES_MAX)
        return ACME_ASK;
    return fail(f, a->retry_after_s, "%s: %.200s", acme_flow_at(f), problem.text);
}

static enum acme_turn succeeded(struct acme_flow *f, const struct acme_answer *a)
{
    switch (f->step) {
    case ACME_DIRECTORY:
        return on_directory(f, a);
    case ACME_NONCE:
        return f->nonce[0] ? go(f, f->behind_nonce) : fail(f, 0, "a nonce: there is none in the answer");
    case ACME_ACCOUNT:
        return on_account(f, a);
    case ACME_ORDER:
    case ACME_ORDERED:
    case ACME_FINALIZE:
        return on_order(f, a);
    case ACME_AUTHORIZATION:
    case ACME_AUTHORIZED:
        return on_authorization(f, a);
    case ACME_SHOWN:
        return wait(f, a, ACME_AUTHORIZED);
    default:
        ENSURE(f->step == ACME_CERTIFICATE);
        f->step = ACME_OVER;
        return ACME_DONE;
    }
}

enum acme_turn acme_flow_answer(struct acme_flow *f, const struct acme_answer *a)
{
    ENSURE(f->step != ACME_OVER && f->requests > 0);
    ENSURE(a->status > 0);
    if (a->nonce && acme_nonce_ok(a->nonce, a->nonce_size)) {
        memcpy(f->nonce, a->nonce, a->nonce_size);
        f->nonce[a->nonce_size] = 0;
    }
    enum acme_turn turn = a->status >= 200 && a->status < 300 ? succeeded(f, a) : refused(f, a);
    if (turn < ACME_DONE && f->requests >= ACME_REQUESTS_MAX)
        return fail(f, 0, "%s: it has not come in %u requests", acme_flow_at(f), ACME_REQUESTS_MAX);
    return turn;
}
