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

#define MANIFEST_PATH "/_enclave/manifest"
#define PROOF_PATH "/_enclave/proof/"

/* ---- the manifest, which may be larger than a connection may hold: piece by piece, out of the generation's ------- */

struct sending {
    struct generation *generation; /* counted */
    size_t sent;
};

static void sending_free(struct sending *s)
{
    http_site_unref(&s->generation->site);
    free(s);
}

static void send_more(struct http_exchange *x, struct sending *s)
{
    const struct generation *g = s->generation;
    while (s->sent < g->manifest_size) {
        size_t left = g->manifest_size - s->sent, space = x->ops->write_space(x);
        ssize_t taken =
            space ? x->ops->write_body(x, g->manifest_json + s->sent, left < space ? left : space) : -EAGAIN;
        if (taken == -EAGAIN)
            return; /* HTTP_EVENT_SPACE comes */
        if (taken < 0)
            break;
        s->sent += (size_t)taken;
    }
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
    struct generation *g = generation_of(x->site);
    struct sending *s = calloc(1, sizeof *s);
    if (!s || x->ops->respond(x, 200, fields, 2, (int64_t)g->manifest_size) != 0) {
        free(s);
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    http_site_ref(&g->site);
    s->generation = g;
    x->on_event = on_event;
    x->user = s;
    send_more(x, s);
}

/* ---- proofs ------------------------------------------------------------------------------------------------------ */

static void answer_proof(struct http_exchange *x, struct http_text label)
{
    int error;
    char *json = manifest_proof_json(&generation_of(x->site)->manifest, label.data, label.size, &error);
    if (json)
        http_answer_json(x, 200, json, strlen(json));
    else if (error == -ENOENT)
        x->ops->fail(x, 404, "there is no leaf of this label, and no app of this name is deployed");
    else
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
    free(json);
}

bool public_answer(void *user, struct http_exchange *x)
{
    (void)user;
    struct http_text path = x->request.target.path;
    size_t proof = sizeof PROOF_PATH - 1;
    bool is_manifest = path.size == sizeof MANIFEST_PATH - 1 && memcmp(path.data, MANIFEST_PATH, path.size) == 0;
    http_exchange_check(x);
    if (!is_manifest && (path.size < proof || memcmp(path.data, PROOF_PATH, proof) != 0))
        return false;
    if (!http_name_is(x->request.method, "GET") && !http_name_is(x->request.method, "HEAD"))
        http_refuse(x, 405, "Allow says which methods there are",
                    (struct http_field){HTTP_TEXT("allow"), HTTP_TEXT("GET, HEAD")});
    else if (is_manifest)
        answer_manifest(x);
    else
        answer_proof(x, (struct http_text){path.data + proof, path.size - proof});
    return true;
}
