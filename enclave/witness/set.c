/* See set.h. */
#include "enclave/witness/set.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "common/json.h"
#include "common/references.h"

/* A set that is being made. Of several complaints the first is told. */
struct making {
    struct witness_set *set;
    char *why;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct making *m, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!m->failed)
        vsnprintf(m->why, WITNESS_WHY_SIZE, format, arguments);
    va_end(arguments);
    m->failed = true;
    return false;
}

static struct making begin(char why[WITNESS_WHY_SIZE])
{
    struct making m = {calloc(1, sizeof *m.set), why, false};
    if (!m.set)
        refuse(&m, "out of memory");
    else
        atomic_store(&m.set->references, 1);
    return m;
}

/* ---- one witness ------------------------------------------------------------------------------------------------- */

static bool read_url(struct witness *w, const char *text, size_t size)
{
    if (!witness_url_read(text, size, &w->at))
        return false;
    memcpy(w->url, text, size);
    size_t path = strlen(w->at.path);
    char *end = stpcpy(w->target, w->at.path);
    strcpy(end, path > 0 && w->at.path[path - 1] == '/' ? "add-checkpoint" : "/add-checkpoint");
    return true;
}

static bool add(struct making *m, const struct witness_option *o)
{
    struct witness_set *s = m->set;
    if (s->count == WITNESSES_MAX)
        return refuse(m, "there are more than %u witnesses", WITNESSES_MAX);
    struct witness *w = &s->of[s->count];
    if (!witness_name_ok(o->name, o->name_size))
        return refuse(m, "the name of witness %zu is not 1 to %u letters, digits, '-', '_' and '.'", s->count + 1,
                      WITNESS_NAME_MAX);
    memcpy(w->name, o->name, o->name_size);
    if (!read_url(w, o->url, o->url_size))
        return refuse(m,
                      "the URL of witness %s is not http:// or https://, a host, perhaps a port and a path, in %u "
                      "characters at most",
                      w->name, WITNESS_URL_MAX);
    if (note_key_parse(o->vkey, o->vkey_size, &w->key) != 0 || w->key.type != NOTE_COSIGNATURE ||
        note_key_text(&w->key, w->vkey, sizeof w->vkey) != 0)
        return refuse(m, "the key of witness %s is not a verifier key of a witness (NAME+ID+KEY, of type 4)", w->name);
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->of[i].name, w->name) == 0)
            return refuse(m, "two witnesses are called %s", w->name);
        if (memcmp(s->of[i].key.key, w->key.key, sizeof w->key.key) == 0)
            return refuse(m, "the witnesses %s and %s have one key: they are one witness", s->of[i].name, w->name);
    }
    s->count++;
    return true;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct witness *)a)->name, ((const struct witness *)b)->name);
}

/* What must hold of every set, whoever made it. */
static void check(const struct witness_set *s)
{
    ENSURE(atomic_load_explicit(&((struct witness_set *)s)->references, memory_order_relaxed) > 0);
    ENSURE(s->count <= WITNESSES_MAX);
    ENSURE(s->quorum <= s->count && (s->count == 0 || s->quorum > s->count / 2));
    ENSURE(s->seconds > 0 && s->commits > 0);
}

/* How many, how often; 0 stands for what is not said. */
static void set_bounds(struct making *m, uint64_t quorum, uint64_t seconds, uint64_t commits)
{
    struct witness_set *s = m->set;
    if (s->count == 0 && (quorum || seconds || commits))
        refuse(m, "a quorum, seconds and commits are for witnesses, and there are none");
    else if (quorum > s->count)
        refuse(m, "a quorum of %llu is more than there are witnesses (%zu)", (unsigned long long)quorum, s->count);
    else if (quorum && quorum <= s->count / 2)
        refuse(m, "a quorum of %llu is not more than half of %zu witnesses: two histories could have one each",
               (unsigned long long)quorum, s->count);
    else if (seconds > WITNESS_SECONDS_MAX)
        refuse(m, "the seconds are more than %u", WITNESS_SECONDS_MAX);
    else if (commits > WITNESS_COMMITS_MAX)
        refuse(m, "the commits are more than %u", WITNESS_COMMITS_MAX);
    s->quorum = (uint32_t)(quorum ? quorum : s->count);
    s->seconds = (uint32_t)(seconds ? seconds : WITNESS_SECONDS);
    s->commits = (uint32_t)(commits ? commits : WITNESS_COMMITS);
}

/* Complete and named; NULL: it was refused. */
static struct witness_set *finish(struct making *m)
{
    char *record = NULL;
    if (!m->failed) {
        qsort(m->set->of, m->set->count, sizeof *m->set->of, compare);
        check(m->set);
        record = witness_set_record(m->set);
        if (!record)
            refuse(m, "out of memory");
    }
    if (record)
        SHA256((const uint8_t *)record, strlen(record), m->set->sha256);
    free(record);
    if (!m->failed)
        return m->set;
    free(m->set);
    return NULL;
}

struct witness_set *witness_set_of_options(const char *lines, size_t size, uint32_t quorum, uint32_t seconds,
                                           uint32_t commits, char why[WITNESS_WHY_SIZE])
{
    struct making m = begin(why);
    for (const char *at = lines; !m.failed && at < lines + size;) {
        const char *end = memchr(at, '\n', (size_t)(lines + size - at));
        struct witness_option o;
        if (!end || !witness_option_split(at, (size_t)(end - at), &o)) {
            refuse(&m, "a witness is not given as NAME=URL,VKEY");
            break;
        }
        add(&m, &o);
        at = end + 1;
    }
    if (!m.failed)
        set_bounds(&m, quorum, seconds, commits);
    return finish(&m);
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static void read_witness(struct making *m, json_t *json)
{
    struct witness_option o;
    if (json_unpack_ex(json, NULL, JSON_STRICT, "{s:s%,s:s%,s:s%}", "name", &o.name, &o.name_size, "url", &o.url,
                       &o.url_size, "key", &o.vkey, &o.vkey_size) != 0)
        refuse(m, "a witness is an object of \"name\", \"url\" and \"key\", all three texts, and nothing else");
    else
        add(m, &o);
}

static bool says_0(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);
    return json_is_integer(value) && json_integer_value(value) == 0;
}

static void read_set(struct making *m, json_t *json, bool *conditional, uint8_t replaces[32])
{
    json_t *list = NULL;
    json_int_t quorum = 0, seconds = 0, commits = 0;
    const char *before = NULL;
    size_t before_size = 0;
    if (json_unpack_ex(json, NULL, JSON_STRICT, "{s?o,s?I,s?I,s?I,s?s%}", "witnesses", &list, "quorum", &quorum,
                       "seconds", &seconds, "commits", &commits, "replaces", &before, &before_size) != 0 ||
        (list && !json_is_array(list)) || quorum < 0 || seconds < 0 || commits < 0) {
        refuse(m, "a set of witnesses is an object of \"witnesses\", a list, and perhaps \"quorum\", \"seconds\", "
                  "\"commits\", whole numbers, and \"replaces\", and nothing else");
        return;
    }
    *conditional = before != NULL;
    if (before && !hex_read(before, before_size, replaces, 32))
        refuse(m, "\"replaces\" is not a hash of 64 hexadecimal digits");
    for (size_t i = 0; !m->failed && i < json_array_size(list); i++)
        read_witness(m, json_array_get(list, i));
    if (m->set->count > 0 && (says_0(json, "quorum") || says_0(json, "seconds") || says_0(json, "commits")))
        refuse(m, "\"quorum\", \"seconds\" and \"commits\" are 1 at least");
    if (!m->failed)
        set_bounds(m, (uint64_t)quorum, (uint64_t)seconds, (uint64_t)commits);
}

struct witness_set *witness_set_read(const char *json, size_t size, bool *conditional, uint8_t replaces[32],
                                     char why[WITNESS_WHY_SIZE])
{
    struct making m = begin(why);
    json_error_t where;
    json_t *read = m.failed ? NULL : json_read(json, size, JSON_REJECT_DUPLICATES, &where);
    *conditional = false;
    if (read)
        read_set(&m, read, conditional, replaces);
    else
        refuse(&m, "this is no JSON: line %d: %s", m.failed ? 0 : where.line, m.failed ? "" : where.text);
    json_decref(read);
    return finish(&m);
}

static json_t *as_json(const struct witness_set *s)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < s->count; i++)
        if (json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "name", s->of[i].name, "url", s->of[i].url, "key",
                                                  s->of[i].vkey)) != 0) {
            json_decref(list);
            return NULL;
        }
    if (s->count == 0)
        return json_pack("{s:o}", "witnesses", list);
    return json_pack("{s:o,s:I,s:I,s:I}", "witnesses", list, "quorum", (json_int_t)s->quorum, "seconds",
                     (json_int_t)s->seconds, "commits", (json_int_t)s->commits);
}

static char *dump(json_t *made)
{
    char *text = made ? json_dumps(made, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(made);
    return text;
}

char *witness_set_record(const struct witness_set *s)
{
    check(s);
    return dump(as_json(s));
}

json_t *witness_set_json(const struct witness_set *s)
{
    char hex[65];
    check(s);
    json_t *json = as_json(s);
    hex_text(s->sha256, 32, hex);
    if (json && json_object_set_new(json, "sha256", json_string(hex)) != 0) {
        json_decref(json);
        json = NULL;
    }
    return json;
}

/* ---- what is asked of it ----------------------------------------------------------------------------------------- */

struct witness_set *witness_set_ref(struct witness_set *s)
{
    if (s)
        references_take(&s->references);
    return s;
}

void witness_set_unref(struct witness_set *s)
{
    if (s && references_give(&s->references))
        free(s);
}

bool witness_set_same(const struct witness_set *a, const struct witness_set *b)
{
    check(a);
    check(b);
    return memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0;
}

int witness_set_leaves(const struct witness_set *s,
                       int (*add_leaf)(void *user, const char *label, const void *value, size_t size), void *user)
{
    char label[sizeof "witness:" + WITNESS_NAME_MAX], text[WITNESS_URL_MAX + 1 + NOTE_KEY_TEXT_SIZE];
    int error = 0;
    check(s);
    for (size_t i = 0; i < s->count && error == 0; i++) {
        snprintf(label, sizeof label, "witness:%s", s->of[i].name);
        size_t url = strlen(s->of[i].url), key = strlen(s->of[i].vkey);
        memcpy(text, s->of[i].url, url + 1);
        memcpy(text + url + 1, s->of[i].vkey, key);
        error = add_leaf(user, label, text, url + 1 + key);
    }
    snprintf(text, sizeof text, s->count ? "quorum=%u;seconds=%u;commits=%u" : "quorum=%u", s->quorum, s->seconds,
             s->commits);
    return error ? error : add_leaf(user, "witnesses", text, strlen(text));
}
