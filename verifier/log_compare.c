/*
 * What two clients remember of a log, held against each other: is that one history? Each has a head that the log's key
 * has signed. Of two heads of one size the roots tell. Of two sizes only hashes of the larger tree do, and those come
 * from a server that has it, or from evidence of a conflict; without, nobody can say.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/json.h"
#include "verifier/log.h"

#define EVIDENCE_SIZE_MAX (1u << 20)
#define SIDES_MAX 5u /* two of each file, and the server's */
#define GIVEN_MAX 2u

struct side {
    const char *name;
    char *owned; /* to be freed; checkpoint points into it; NULL: the log's own */
    const char *checkpoint;
    size_t checkpoint_size;
    struct note_checkpoint head;
    bool stands; /* the largest head's tree begins with it */
};

/* A proof that came with evidence. */
struct given {
    size_t before, now; /* of the sides */
    struct verifier_consistency proof;
    uint8_t path[VERIFIER_CONSISTENCY_MAX][32];
};

struct comparison {
    struct note_key key;
    char key_text[NOTE_KEY_TEXT_SIZE];
    struct side sides[SIDES_MAX];
    struct given given[GIVEN_MAX];
    size_t count, files, given_count; /* of the sides the first ones are of files */
    const void *certificate;
    size_t certificate_size;
    struct verifier_log_comparison *out;
};

static int say(struct comparison *c, int result, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int say(struct comparison *c, int result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->out->why, sizeof c->out->why, format, arguments);
    va_end(arguments);
    return result;
}

/* ---- what there is ---------------------------------------------------------------------------------------------- */

/* The log that all of them are to be of. */
static int take_key(struct comparison *c, const char *name, const struct note_key *key)
{
    if (c->count == 0) {
        c->key = *key;
        return note_key_text(key, c->key_text, sizeof c->key_text);
    }
    if (memcmp(&c->key, key, sizeof c->key) == 0)
        return 0;
    return say(c, -EEXIST, "%.120s is of another log than %.120s", name, c->sides[0].name);
}

/* owned has the checkpoint, and is c's from now on. */
static int take_side(struct comparison *c, const char *name, char *owned, const char *checkpoint, size_t size)
{
    struct side *s = &c->sides[c->count++];
    *s = (struct side){.name = name, .owned = owned, .checkpoint = checkpoint, .checkpoint_size = size};
    const char *wrong = verifier__log_signed(checkpoint, size, &c->key, &s->head);
    return wrong ? say(c, -EBADMSG, "%.120s: %s", name, wrong) : 0;
}

static bool read_path(const struct json *json, struct given *g)
{
    uint32_t list = verifier__json_member(json, 0, "proof", JSON_ARRAY);
    if (list == 0)
        return true;
    for (uint32_t i = JSON_FIRST(list); i != JSON_END(json, list); i = JSON_NEXT(json, i))
        if (g->proof.path_count == VERIFIER_CONSISTENCY_MAX ||
            !verifier__json_hex(json, i, g->path[g->proof.path_count++], 32))
            return false;
    return true;
}

static int take_note(struct comparison *c, const char *name, const struct json *json, const char *member)
{
    uint32_t at = verifier__json_member(json, 0, member, JSON_STRING);
    char *text = at ? verifier__json_unescape(json, at) : NULL;
    return text ? take_side(c, name, text, text, strlen(text)) : say(c, -EBADMSG, "%.120s: it has no %s", name, member);
}

static int read_evidence(struct comparison *c, const char *name, const struct json *json)
{
    char format[40], text[NOTE_KEY_TEXT_SIZE];
    struct note_key key;
    struct given *g = &c->given[c->given_count];
    if (!verifier__json_text(json, verifier__json_member(json, 0, "format", JSON_STRING), format, sizeof format) ||
        strcmp(format, "enclave-os-log-conflict/1") != 0 || !read_path(json, g) ||
        !verifier__json_text(json, verifier__json_member(json, 0, "key", JSON_STRING), text, sizeof text) ||
        note_key_parse(text, strlen(text), &key) != 0 || key.type != NOTE_ED25519)
        return say(c, -EBADMSG, "%.120s: it is no evidence of a conflict", name);
    int error = take_key(c, name, &key);
    if (!error)
        error = take_note(c, name, json, "before");
    if (!error)
        error = take_note(c, name, json, "now");
    if (error)
        return error;
    g->before = c->count - 2;
    g->now = c->count - 1;
    g->proof.old_size = c->sides[g->before].head.size;
    g->proof.new_size = c->sides[g->now].head.size;
    g->proof.path = g->path;
    c->given_count++;
    return 0;
}

/* The file of a state, or of a conflict. */
static int take_file(struct comparison *c, const char *path)
{
    char why[LOG_ERROR_SIZE];
    struct log_state s;
    struct json json;
    size_t size;
    char *text = verifier__log_read_file(path, EVIDENCE_SIZE_MAX, &size);
    if (!text)
        return say(c, -errno, "%.120s: %s", path, errno == EINVAL ? "not a file" : strerror(errno));
    if (text[0] == '{') {
        const char *wrong = verifier__json_parse(&json, text, size);
        int error = wrong ? say(c, -EBADMSG, "%.120s: it is no evidence of a conflict: %s", path, wrong)
                          : read_evidence(c, path, &json);
        if (!wrong)
            verifier__json_free(&json);
        free(text);
        return error;
    }
    free(text);
    int error = verifier__log_state_load(&s, path, why, sizeof why);
    if (error)
        return say(c, error, "%.120s: %s", path, why);
    error = take_key(c, path, &s.key);
    if (error)
        free(s.text);
    return error ? error : take_side(c, path, s.text, s.checkpoint, s.checkpoint_size);
}

/* ---- what comes of it ------------------------------------------------------------------------------------------- */

static const char *short_root(const struct side *s, char text[17])
{
    return verifier__hex(s->head.root, 8, text);
}

/* Neither goes on from the other: they are of two histories. */
static int conflict(struct comparison *c, const struct side *before, const struct side *now,
                    const struct verifier_consistency *proof)
{
    char hex[2][17];
    const struct signed_head heads[] = {
        {before->checkpoint, before->checkpoint_size, before->head.size, before->head.root},
        {now->checkpoint, now->checkpoint_size, now->head.size, now->head.root}};
    c->out->outcome = VERIFIER_CONFLICT;
    c->out->size = now->head.size;
    memcpy(c->out->root, now->head.root, 32);
    c->out->evidence = verifier__log_evidence("rewritten", c->key_text, &heads[0], &heads[1], proof, c->certificate,
                                              c->certificate_size);
    if (!c->out->evidence)
        return say(c, -ENOMEM, "out of memory");
    return say(c, 0,
               "the log's key has signed two histories: %.100s: %llu entries, root %s...; %.100s: %llu entries, root "
               "%s...",
               before->name, (unsigned long long)before->head.size, short_root(before, hex[0]), now->name,
               (unsigned long long)now->head.size, short_root(now, hex[1]));
}

/* 1: a conflict was found, or something failed, which is in *result. */
static bool of_one_size(struct comparison *c, int *result)
{
    for (size_t i = 0; i < c->count; i++)
        for (size_t j = i + 1; j < c->count; j++)
            if (c->sides[i].head.size == c->sides[j].head.size &&
                memcmp(c->sides[i].head.root, c->sides[j].head.root, 32) != 0) {
                *result = conflict(c, &c->sides[i], &c->sides[j], NULL);
                return true;
            }
    return false;
}

static bool by_proof(struct comparison *c, struct side *before, const struct side *now,
                     const struct verifier_consistency *proof, const struct side *largest, int *result)
{
    int follows = verifier__log_follows(proof, before->head.root, now->head.root);
    if (follows == 0)
        *result = conflict(c, before, now, proof);
    before->stands |= follows == 1 && now->head.size == largest->head.size;
    return follows == 0;
}

/* What the server's hashes say of each smaller head; why they say nothing to why. */
static bool by_server(struct comparison *c, struct verifier_log *log, const struct side *largest, char *why,
                      size_t why_size, int *result)
{
    const struct side *shown = &c->sides[c->count - 1];
    for (size_t i = 0; i + 1 < c->count; i++) {
        struct verifier_consistency proof;
        if (c->sides[i].head.size >= shown->head.size)
            continue;
        if (verifier_log_prove(log, c->sides[i].head.size, &proof) != 0)
            snprintf(why, why_size, "the server: %s", verifier_log_error(log));
        else if (by_proof(c, &c->sides[i], shown, &proof, largest, result))
            return true;
        else if (!c->sides[i].stands && shown == largest)
            snprintf(why, why_size, "the server: the hashes that it shows do not make its root");
    }
    return false;
}

static const struct side *find_largest(const struct comparison *c)
{
    const struct side *largest = &c->sides[0];
    for (size_t i = 1; i < c->count; i++)
        if (c->sides[i].head.size >= largest->head.size)
            largest = &c->sides[i];
    return largest;
}

static int judge(struct comparison *c, struct verifier_log *log)
{
    char why[LOG_ERROR_SIZE + 32] = "";
    int result = 0;
    const struct side *largest = find_largest(c);
    if (of_one_size(c, &result))
        return result;
    for (size_t i = 0; i < c->given_count; i++) {
        struct given *g = &c->given[i];
        if (by_proof(c, &c->sides[g->before], &c->sides[g->now], &g->proof, largest, &result))
            return result;
    }
    if (log && by_server(c, log, largest, why, sizeof why, &result))
        return result;
    for (size_t i = 0; i < c->files; i++) {
        const struct side *s = &c->sides[i];
        if (s->stands || s->head.size == largest->head.size)
            continue;
        c->out->outcome = VERIFIER_UNPROVEN;
        return say(c, 0,
                   "%.100s has %llu entries, %.100s %llu: whether the larger log begins with the smaller one, only "
                   "a server that has the larger one can show%s%s",
                   s->name, (unsigned long long)s->head.size, largest->name, (unsigned long long)largest->head.size,
                   *why ? "; " : "", why);
    }
    c->out->outcome = VERIFIER_CONSISTENT;
    c->out->size = largest->head.size;
    memcpy(c->out->root, largest->head.root, 32);
    return say(c, 0, "one history, of %llu entries so far", (unsigned long long)largest->head.size);
}

/* Whether the certificate says that the log is its enclave's. Who else answers has nothing to say in evidence. */
static bool names_key(const void *certificate, size_t size, const struct note_key *key)
{
    const uint8_t *at = certificate;
    uint8_t named[32];
    X509 *x = certificate && size <= VERIFIER_DOCUMENT_SIZE_MAX ? d2i_X509(NULL, &at, (long)size) : NULL;
    struct verification v = {.leaf = x};
    bool found = x && verifier__read_extension(&v, OID_LOG_KEY, named, sizeof named);
    X509_free(x);
    return found && memcmp(named, key->key, sizeof named) == 0;
}

int verifier_log_compare(const char *a, const char *b, struct verifier_log *log, const void *certificate,
                         size_t certificate_size, struct verifier_log_comparison *out)
{
    struct comparison *c = calloc(1, sizeof *c);
    *out = (struct verifier_log_comparison){.outcome = VERIFIER_UNPROVEN};
    if (!c) {
        snprintf(out->why, sizeof out->why, "out of memory");
        return -ENOMEM;
    }
    c->out = out;
    int result = take_file(c, a);
    if (result == 0 && b)
        result = take_file(c, b);
    if (result == 0 && names_key(certificate, certificate_size, &c->key)) {
        c->certificate = certificate;
        c->certificate_size = certificate_size;
    }
    c->files = c->count;
    if (result == 0 && log && take_side(c, "the server", NULL, log->text, log->text_size) != 0)
        result = say(c, -EEXIST, "the server has another log than %.120s", a);
    if (result == 0)
        result = judge(c, log);
    for (size_t i = 0; i < c->count; i++)
        free(c->sides[i].owned);
    free(c);
    return result;
}
