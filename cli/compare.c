/*
 * enclavectl log compare: whether what two clients remember of a log is one history.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/evidence.h"
#include "cli/history.h"
#include "cli/report.h"
#include "common/arguments.h"
#include "common/hex.h"

static const char usage[] =
    "usage: enclavectl log compare STATE-A [STATE-B] [--url https://HOST:PORT] [--json]\n"
    "Whether two clients have seen one history (docs/history.md): each STATE is a file of --log-state, or one that "
    "was\n"
    "written beside it of a conflict. Exit status: 0 if they are consistent; 3 if that is unproven; 1 if they are in\n"
    "conflict, of which evidence is written beside STATE-A (STATE-A.conflict-SIZE-ROOT), or if it failed.\n"
    "  --url https://HOST:PORT  a server that has one of these logs, by now longer, or not: it need not be trusted\n"
    "  --json                   print one JSON object\n";

struct compare_options {
    const char *a, *b, *url;
    bool json;
};

static const char *const outcomes[] = {
    [VERIFIER_CONSISTENT] = "consistent", [VERIFIER_UNPROVEN] = "unproven", [VERIFIER_CONFLICT] = "conflict"};

/* ---- told ------------------------------------------------------------------------------------------------------- */

static int show(const struct compare_options *o, const struct verifier_log_comparison *c, const char *evidence)
{
    static const int statuses[] = {[VERIFIER_CONSISTENT] = 0, [VERIFIER_UNPROVEN] = 3, [VERIFIER_CONFLICT] = 1};
    if (!o->json) {
        printf("%s: %s\n", outcomes[c->outcome], c->why);
        return statuses[c->outcome];
    }
    json_t *json = json_pack("{s:s,s:s}", "comparison", outcomes[c->outcome], "why", c->why);
    if (json && evidence && json_object_set_new(json, "evidence", json_string(evidence)) != 0) {
        json_decref(json);
        json = NULL;
    }
    bool ok = json && json_dumpf(json, stdout, JSON_INDENT(2)) == 0;
    putchar('\n');
    json_decref(json);
    return ok ? statuses[c->outcome] : complain("out of memory");
}

static int keep(const struct compare_options *o, const struct verifier_log_comparison *c, char path[4096])
{
    char root[65];
    hex_text(c->root, 32, root);
    int size = snprintf(path, 4096, "%s.conflict-%" PRIu64 "-%.8s", o->a, c->size, root);
    if (size >= 4096)
        return complain("%s: its name is too long for a file beside it", o->a);
    if (evidence_keep(path, c->evidence, o->a) != 0)
        return 1;
    fprintf(stderr, "enclavectl: what a third party can check of that is in %s\n", path);
    return 0;
}

/* ---- done ------------------------------------------------------------------------------------------------------- */

/* 0, or what complain returned. */
static int tell(const struct compare_options *o, const struct verifier_log_comparison *c)
{
    char path[4096];
    bool written = c->outcome == VERIFIER_CONFLICT && keep(o, c, path) == 0;
    return show(o, c, written ? path : NULL);
}

/* With a server's help, over a connection that nobody judges. If it does not answer, the files alone have to do. */
static int ask(const struct compare_options *o, struct verifier_log_comparison *c)
{
    struct history_source source = {.url = o->url};
    char error[256];
    uint8_t *certificate = NULL;
    struct verifier_log *log = verifier_log_open(history_fetch, &source, error, sizeof error);
    if (!log) {
        complain("%s: %s", o->url, error);
        history_source_close(&source);
        return 0;
    }
    X509 *leaf = source.own.ssl ? SSL_get0_peer_certificate(source.own.ssl) : NULL;
    int size = leaf ? i2d_X509(leaf, &certificate) : 0;
    verifier_free(c->evidence);
    int result = verifier_log_compare(o->a, o->b, log, certificate, size > 0 ? (size_t)size : 0, c);
    verifier_log_close(log);
    OPENSSL_free(certificate);
    history_source_close(&source);
    return result == 0 ? 0 : complain("%s", c->why);
}

static int compare(const struct compare_options *o)
{
    struct verifier_log_comparison c;
    if (verifier_log_compare(o->a, o->b, NULL, NULL, 0, &c) != 0) /* before anything is connected to */
        return wrong("%s", c.why);
    connection_deadline(CONNECTION_LOOK_SECONDS);
    int status = o->url ? ask(o, &c) : 0;
    connection_deadline(0);
    if (status == 0)
        status = tell(o, &c);
    verifier_free(c.evidence);
    return status;
}

/* 0; -1: help was shown; else the exit status, and why was told. */
static int read_arguments(struct compare_options *o, int argc, char **argv)
{
    static const struct option table[] = {{"url", 1, 0, 'u'}, {"json", 0, 0, 'j'}, {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    struct arguments a;
    int id, count;
    arguments_init(&a, argc, argv, table, NULL);
    while ((id = arguments_next(&a)) != ARGUMENTS_END) {
        if (id == ARGUMENTS_WRONG)
            return wrong("%s", a.error);
        if (id == 'h') {
            show_usage(usage, true);
            return -1;
        }
        o->json |= id == 'j';
        o->url = id == 'u' ? a.value : o->url;
    }
    char **rest = arguments_rest(&a, &count);
    if (count < 1 || count > 2)
        return wrong_arguments("log compare", "STATE-A [STATE-B]", 1, 2, count, rest);
    if (o->url && !connection_url_ok(o->url))
        return wrong("--url %s: expected https://HOST[:PORT], with a name, an IPv4 address or [IPv6 address]", o->url);
    o->a = rest[0];
    o->b = count > 1 ? rest[1] : NULL;
    return 0;
}

int log_compare_main(int argc, char **argv)
{
    struct compare_options o = {0};
    int read = read_arguments(&o, argc, argv);
    return read == 0 ? compare(&o) : read < 0 ? 0 : read;
}
