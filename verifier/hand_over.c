/*
 * By what an image has the instance that another one had before: the log's entry of the hand-over, or of the recovery,
 * under the head in the certificate. It is the reason of a measurement that has changed; whether the caller accepts the
 * new one is the policy's to say.
 */
#include <stdio.h>
#include <string.h>

#include "verifier/json.h"
#include "verifier/internal.h"

static bool kind_of(const struct json *j, char *kind, size_t size)
{
    uint32_t member = j->values[0].type == JSON_OBJECT ? verifier__json_member(j, 0, "kind", JSON_STRING) : 0;
    return member && verifier__json_text(j, member, kind, size) &&
           (strcmp(kind, "hand-over") == 0 || strcmp(kind, "recovery") == 0);
}

bool verifier__is_hand_over(const char *data, size_t size)
{
    struct json j;
    char kind[16];
    if (verifier__json_parse(&j, data, size))
        return false;
    bool is = kind_of(&j, kind, sizeof kind);
    verifier__json_free(&j);
    return is;
}

/* ", by KEY, KEY": the first digits of each. Only digits come to be printed. */
static void put_askers(const struct json *j, char *out, size_t size)
{
    uint32_t by = verifier__json_member(j, 0, "by", JSON_ARRAY);
    uint8_t key[32];
    char hex[17];
    size_t at = 0;
    for (uint32_t i = JSON_FIRST(by); by && i != JSON_END(j, by) && size - at > 24; i = JSON_NEXT(j, i))
        if (verifier__json_hex(j, i, key, sizeof key))
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : ", by ", verifier__hex(key, 8, hex));
}

/* The entry is proven: whether it is of this image. */
static void judge(struct verification *v, const struct json *j, const struct verifier_log_leaf *leaf)
{
    struct verifier_claims *c = &v->result->claims;
    char kind[16] = "", hex[65], by[160] = "", when[24] = "an unknown time";
    uint64_t time = 0;
    uint8_t measurement[32];
    uint32_t named = verifier__json_member(j, 0, "measurement", JSON_STRING);
    uint32_t at = verifier__json_member(j, 0, "time", JSON_NUMBER);
    unsigned long long index = leaf->proof.leaf_index;
    if (!kind_of(j, kind, sizeof kind) || !named || !verifier__json_hex(j, named, measurement, sizeof measurement)) {
        verifier__fail(v, CHECK_HAND_OVER, "entry %llu is none of a hand-over", index);
        return;
    }
    if (at && verifier__json_number(j, at, INT64_MAX, &time))
        verifier__format_time((int64_t)time, when);
    put_askers(j, by, sizeof by);
    memcpy(v->result->hand_over, leaf->data, leaf->size);
    c->hand_over = v->result->hand_over;
    c->hand_over_index = leaf->proof.leaf_index;
    bool same = c->has_quote && memcmp(measurement, c->mrenclave, sizeof measurement) == 0;
    verifier__set(v, CHECK_HAND_OVER, 0, same ? VERIFIER_PASSED : VERIFIER_FAILED, "%s: entry %llu, of %s: to %s%s%s",
                  kind, index, when, verifier__hex(measurement, 32, hex), by, same ? "" : ", which is not this image");
}

static void check_entry(struct verification *v, const struct verifier_log_leaf *leaf)
{
    const struct verifier_claims *c = &v->result->claims;
    struct json j;
    if (leaf->size > LOG_ENTRY_SIZE_MAX || !c->has_log_head || leaf->proof.tree_size != c->log_size ||
        !verifier_inclusion_holds(&leaf->proof, leaf->data, leaf->size, c->log_root)) {
        verifier__fail(v, CHECK_HAND_OVER,
                       "the entry that was shown is not proven to stand under the certificate's head");
    } else if (verifier__json_parse(&j, leaf->data, leaf->size)) {
        verifier__fail(v, CHECK_HAND_OVER, "entry %llu is malformed", (unsigned long long)leaf->proof.leaf_index);
    } else {
        judge(v, &j, leaf);
        verifier__json_free(&j);
    }
}

static bool history_holds(const struct verification *v)
{
    for (size_t i = 0; i < v->result->count; i++) {
        const struct record *r = &v->result->records[i];
        if ((r->id == CHECK_LOG_CHECKPOINT && r->outcome != VERIFIER_PASSED) ||
            (r->id == CHECK_LOG_HISTORY && r->outcome == VERIFIER_FAILED))
            return false;
    }
    return true;
}

void verifier__check_hand_over(struct verification *v)
{
    const struct verifier_log_view *log = v->log;
    const uint8_t *list;
    size_t size = 0;
    bool lineage = v->leaf && verifier__lineage_of(v->leaf, &list, &size) && size > 0;
    if (!v->leaf)
        verifier__skip(v, CHECK_HAND_OVER, "a quote alone is verified");
    else if (!log || log->search == VERIFIER_NOT_SEARCHED)
        verifier__skip(v, CHECK_HAND_OVER,
                       lineage ? "the history was not asked for it" : "no other image has had it before");
    else if (!history_holds(v))
        return; /* not reached */
    else if (log->hand_over)
        check_entry(v, log->hand_over);
    else if (log->search == VERIFIER_NOT_ANSWERED)
        verifier__skip(v, CHECK_HAND_OVER, "the server did not show all entries of its history: it may have lost some");
    else if (log->search == VERIFIER_SEARCH_REFUSED)
        verifier__fail(v, CHECK_HAND_OVER, "the server does not show all entries of its history, or shows false ones");
    else if (lineage && log->search == VERIFIER_SEARCHED)
        verifier__fail(v, CHECK_HAND_OVER, "%zu images have had it before, and no entry of the history says how",
                       size / 32);
    else if (lineage)
        verifier__skip(v, CHECK_HAND_OVER, "it was longer ago than %u entries", VERIFIER_SEARCH_MAX);
    else
        verifier__skip(v, CHECK_HAND_OVER, "there was none since the caller has seen it");
}
