/* See public.h. */
#include "enclave/service/public.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/budget/budget.h"
#include "enclave/https/answer.h"
#include "enclave/https/exchange.h"
#include "enclave/https/fields.h"
#include "enclave/service/generation.h"
#include "enclave/service/limits.h"
#include "enclave/service/log_public.h"
#include "enclave/service/page_public.h"
#include "enclave/service/recovery.h"

#define MANIFEST_PATH "/_enclave/manifest"
#define PROOF_PATH "/_enclave/proof/"

/* ---- the manifest, which may be larger than a connection may hold: piece by piece, out of the generation's ------- */

struct sending {
    struct generation *generation; /* counted */
    struct http_pieces pieces;     /* its manifest */
};

static void sending_free(struct sending *s)
{
    http_site_unref(&s->generation->site);
    free(s);
}

static void send_more(struct http_exchange *x, struct sending *s)
{
    if (!http_send_pieces(x, &s->pieces))
        return;
    sending_free(s);
    x->ops->finish(x, NULL, 0);
}

static void on_event(struct http_exchange *x, enum http_event event, void *user)
{
    if (event == HTTP_EVENT_GONE)
        sending_free(user);
    else if (event == HTTP_EVENT_SPACE)
        send_more(x, user);
}

static void answer_manifest(struct http_exchange *x)
{
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("application/json")},
                                               {HTTP_TEXT("cache-control"), HTTP_TEXT("no-store")}};
    http_exchange_check(x);
    struct generation *g = generation_of(x->site);
    struct sending *s = calloc(1, sizeof *s);
    if (!s || x->ops->respond(x, 200, fields, 2, (int64_t)g->manifest_size) != 0) {
        free(s);
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    http_site_ref(&g->site);
    s->generation = g;
    s->pieces = (struct http_pieces){g->manifest_json, g->manifest_size, 0};
    x->on_event = on_event;
    x->user = s;
    send_more(x, s);
}

/* ---- proofs ------------------------------------------------------------------------------------------------------ */

static void answer_proof(struct http_exchange *x, struct http_text label)
{
    int error = -ENOENT;
    char text[LABEL_SENT_MAX];
    json_t *proof = NULL;
    if (label.size <= sizeof text)
        proof = manifest_proof_json(&generation_of(x->site)->manifest, text, http_text_decode(label, text), &error);
    if (error == -ENOENT)
        x->ops->fail(x, 404, "there is no leaf of this label, and no app of this name is deployed");
    else
        http_answer_value(x, 200, proof);
}

/* ---- who can recover it ------------------------------------------------------------------------------------------ */

static void answer_recovery(struct http_exchange *x)
{
    const struct recovery *r = generation_of(x->site)->recovery;
    http_exchange_check(x);
    if (r)
        http_answer_value(x, 200, json_loads(r->text, 0, NULL));
    else
        x->ops->fail(x, 404, "nobody holds shares of this instance: neither its first boot nor a change named anybody");
}

/* What follows prefix; data NULL: it is another path. */
static struct http_text behind(struct http_text path, const char *prefix)
{
    size_t size = strlen(prefix);
    return http_text_begins(path, prefix) ? (struct http_text){path.data + size, path.size - size}
                                          : (struct http_text){0};
}

/* Who answers for the page of this path; NULL: it is none. */
typedef void (*public_reader)(struct http_exchange *x);
static public_reader reader_of(struct http_text path)
{
    static const struct {
        const char *path;
        public_reader answer;
    } pages[] = {{PAGE_PATH, page_public_answer},
                 {PAGE_STYLE_PATH, page_public_style},
                 {PAGE_SCRIPT_PATH, page_public_script},
                 {MANIFEST_PATH, answer_manifest},
                 {RECOVERY_SHARES_PATH, answer_recovery}};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (http_text_is(path, pages[i].path))
            return pages[i].answer;
    return NULL;
}

bool public_answer(void *user, struct http_exchange *x)
{
    (void)user;
    struct http_text path = x->request.target.path, label = behind(path, PROOF_PATH), log = behind(path, LOG_PATH);
    public_reader answer = reader_of(path);
    http_exchange_check(x);
    if (!answer && !label.data && !log.data)
        return false;
    /* what a page of another origin needs that judges us */
    x->shared = label.data || log.data || answer == answer_manifest;
    if (!http_name_is(x->request.method, "GET") && !http_name_is(x->request.method, "HEAD"))
        http_refuse(x, 405, "Allow says which methods there are",
                    (struct http_field){HTTP_TEXT("allow"), HTTP_TEXT("GET, HEAD")});
    else if (answer)
        answer(x);
    else if (label.data)
        answer_proof(x, label);
    else
        log_public_answer(x, log);
    return true;
}
