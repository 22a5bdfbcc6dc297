/*
 * The instance's log: its key and head in the certificate, the head that the server shows, and whether what the caller
 * has seen before still stands in it. The key signs nothing but heads, and lives in the enclave; a head that it has
 * signed, and that does not go on from another one, is a rewritten history.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "verifier/internal.h"

/* What the checks share. */
struct history {
    struct note_key key;
    bool has_key; /* and the instance, which its name has in it */
    bool wrong;   /* what the certificate says is not what is expected: nothing builds on it */
    struct note note;
    struct note_checkpoint checkpoint;
    bool has_checkpoint; /* signed by the key */
};

/* ---- what the certificate says --------------------------------------------------------------------------------- */

static void check_key(struct verification *v, struct history *h)
{
    struct verifier_claims *c = &v->result->claims;
    struct twice t = verifier__look_twice(v, OID_LOG_KEY, "log-key", 32);
    char name[NOTE_NAME_SIZE_MAX + 1], hex[65], text[2][NOTE_KEY_TEXT_SIZE];
    const struct verifier_policy *p = v->policy;
    c->has_log_key = t.known;
    memcpy(c->log_key, t.value, 32);
    snprintf(name, sizeof name, "enclave-os/%s", verifier__hex(c->instance, 32, hex));
    h->has_key = t.known && c->has_instance && note_key_make(name, NOTE_ED25519, t.value, &h->key) == 0;
    if (p->has_log && note_key_text(&p->log_key, text[1], sizeof text[1]) != 0)
        return;
    if (h->has_key && note_key_text(&h->key, text[0], sizeof text[0]) != 0)
        return;
    h->wrong = t.differs || (p->has_log && (!h->has_key || memcmp(&h->key, &p->log_key, sizeof h->key) != 0));
    if (t.differs)
        verifier__fail(v, CHECK_LOG_KEY, "the certificate has another one than the manifest");
    else if (!p->has_log && h->has_key)
        verifier__skip(v, CHECK_LOG_KEY, "%s (not known to the caller)", text[0]);
    else if (!p->has_log)
        verifier__skip(v, CHECK_LOG_KEY, "the certificate does not name one (and none is known to the caller)");
    else if (!h->has_key)
        verifier__fail(v, CHECK_LOG_KEY, "the certificate does not name one, expected %s", text[1]);
    else if (h->wrong)
        verifier__fail(v, CHECK_LOG_KEY, "%s, expected %s", text[0], text[1]);
    else
        verifier__pass(v, CHECK_LOG_KEY, "%s", text[0]);
}

static void check_head(struct verification *v, struct history *h)
{
    struct verifier_claims *c = &v->result->claims;
    uint8_t head[40];
    char text[65];
    if (!v->leaf) {
        verifier__skip(v, CHECK_LOG_HEAD, "a quote alone is verified");
        return;
    }
    if (!verifier__read_extension(v, OID_LOG_HEAD, head, sizeof head)) {
        h->wrong |= verifier_policy_needs_log(v->policy);
        verifier__set(v, CHECK_LOG_HEAD, 0, h->wrong ? VERIFIER_FAILED : VERIFIER_NOT_CHECKED,
                      "the certificate does not carry one");
        return;
    }
    uint64_t size = verifier__big_endian(head);
    verifier__hex(head + 8, 32, text);
    if (size == 0 || size > INT64_MAX) {
        h->wrong = true;
        verifier__fail(v, CHECK_LOG_HEAD, "%llu entries are no log's", (unsigned long long)size);
    } else if (!verifier__bound(v)) {
        verifier__skip(v, CHECK_LOG_HEAD,
                       "%llu entries, root %s; extensions: not bound (no live handshake, no pinned issuer)",
                       (unsigned long long)size, text);
    } else {
        c->has_log_head = true;
        c->log_size = size;
        memcpy(c->log_root, head + 8, 32);
        verifier__pass(v, CHECK_LOG_HEAD, "%llu entries, root %s", (unsigned long long)size, text);
    }
}

/* ---- what the server shows ------------------------------------------------------------------------------------- */

/* NULL if the checkpoint's tree begins with this one; else what is wrong, for "and HEAD: " + text. */
static const char *judge_head(const struct verification *v, const struct history *h, uint64_t size,
                              const uint8_t root[32])
{
    uint8_t old_root[32], new_root[32];
    const struct note_checkpoint *c = &h->checkpoint;
    if (size > c->size)
        return "it has become shorter";
    if (size == c->size)
        return memcmp(root, c->root, 32) == 0 ? NULL : "its entries are other ones";
    for (size_t i = 0; i < v->log->proof_count; i++) {
        const struct verifier_consistency *proof = &v->log->proofs[i];
        if (proof->old_size != size || proof->new_size != c->size)
            continue;
        if (!verifier_consistency_roots(proof, old_root, new_root) || memcmp(new_root, c->root, 32) != 0)
            return "the hashes that it shows do not make its root";
        return memcmp(old_root, root, 32) == 0 ? NULL : "its first entries are other ones";
    }
    return "it does not prove that it begins with what was seen";
}

/* "N entries, root HEX" */
static const char *head_text(uint64_t size, const uint8_t root[32], char out[112])
{
    char hex[65];
    snprintf(out, 112, "%llu entries, root %s", (unsigned long long)size, verifier__hex(root, 32, hex));
    return out;
}

static const char *read_checkpoint(const struct verification *v, struct history *h)
{
    if (note_parse(v->log->checkpoint, v->log->checkpoint_size, &h->note) != 0 ||
        note_checkpoint_parse(&h->note, &h->checkpoint) != 0)
        return "it is malformed";
    if (strcmp(h->checkpoint.origin, h->key.name) != 0)
        return "it is another log's";
    int error = note_verify(&h->note, &h->key, NULL);
    return error == 0          ? NULL
           : error == -ENOENT  ? "it is not signed by the certificate's key"
           : error == -EBADMSG ? "its signature does not hold"
                               : "it could not be verified: out of memory";
}

static void check_checkpoint(struct verification *v, struct history *h)
{
    struct verifier_claims *c = &v->result->claims;
    char text[2][112];
    if (h->wrong)
        return;
    if (!v->log || !v->log->checkpoint) {
        if (verifier_policy_needs_log(v->policy))
            verifier__fail(v, CHECK_LOG_CHECKPOINT, "none was shown, and the caller's expectations need it");
        else
            verifier__skip(v, CHECK_LOG_CHECKPOINT, "none was asked for");
        return;
    }
    if (!h->has_key || !c->has_log_head) {
        verifier__skip(v, CHECK_LOG_CHECKPOINT, "the certificate, as far as it is bound, does not name key and head");
        return;
    }
    const char *wrong = read_checkpoint(v, h);
    if (wrong) {
        verifier__fail(v, CHECK_LOG_CHECKPOINT, "%s", wrong);
        return;
    }
    h->has_checkpoint = c->has_checkpoint = true;
    c->checkpoint_size = h->checkpoint.size;
    memcpy(c->checkpoint_root, h->checkpoint.root, 32);
    head_text(h->checkpoint.size, h->checkpoint.root, text[0]);
    head_text(c->log_size, c->log_root, text[1]);
    wrong = judge_head(v, h, c->log_size, c->log_root);
    if (wrong)
        verifier__fail(v, CHECK_LOG_CHECKPOINT, "%s; the certificate has %s: %s", text[0], text[1], wrong);
    else
        verifier__pass(v, CHECK_LOG_CHECKPOINT, "%s", text[0]);
}

static void check_remembered(struct verification *v, const struct history *h)
{
    const struct verifier_policy *p = v->policy;
    char text[2][112];
    uint64_t most = 0;
    if (p->head_count == 0) {
        verifier__skip(v, CHECK_LOG_HISTORY, "the caller has not seen it before");
        return;
    }
    if (!h->has_checkpoint)
        return;
    for (size_t i = 0; i < p->head_count; i++) {
        const struct remembered *r = &p->heads[i];
        const char *wrong = judge_head(v, h, r->size, r->root);
        most = r->size > most ? r->size : most;
        if (!wrong)
            continue;
        verifier__fail(v, CHECK_LOG_HISTORY, "seen before: %s; shown now: %s: %s", head_text(r->size, r->root, text[0]),
                       head_text(h->checkpoint.size, h->checkpoint.root, text[1]), wrong);
        return;
    }
    verifier__pass(v, CHECK_LOG_HISTORY, "the %llu entries that were seen before, and %llu since",
                   (unsigned long long)most, (unsigned long long)(h->checkpoint.size - most));
}

/* What came of a witness, and whether it counts. */
static bool judge_witness(const struct verification *v, const struct history *h, const struct note_key *k, char *text,
                          size_t size)
{
    uint64_t time = 0;
    int error = note_verify(&h->note, k, &time);
    int64_t age = v->now_s - (int64_t)time, most = v->policy->cosigned_within_s;
    if (error == -ENOENT)
        snprintf(text, size, "%.40s: no cosignature", k->name);
    else if (error)
        snprintf(text, size, "%.40s: a false cosignature", k->name);
    else
        snprintf(text, size, "%.40s: %lld s ago", k->name, (long long)age);
    return error == 0 && (most == 0 || (age <= most && age >= -most));
}

static void check_witnesses(struct verification *v, const struct history *h)
{
    const struct verifier_policy *p = v->policy;
    unsigned needed = p->quorum ? p->quorum : (unsigned)p->witness_count, count = 0;
    char list[256] = "", within[48] = "", one[128];
    if (p->witness_count == 0) {
        verifier__skip(v, CHECK_LOG_WITNESSES, "the caller names none");
        return;
    }
    if (!h->has_checkpoint)
        return;
    for (size_t i = 0; i < p->witness_count; i++) {
        count += judge_witness(v, h, &p->witnesses[i], one, sizeof one);
        if (strlen(list) + strlen(one) + 3 < sizeof list)
            sprintf(list + strlen(list), "%s%s", *list ? ", " : "", one);
    }
    v->result->claims.cosigned = count;
    if (p->cosigned_within_s)
        snprintf(within, sizeof within, " within %lld s", (long long)p->cosigned_within_s);
    verifier__set(v, CHECK_LOG_WITNESSES, 0, count >= needed ? VERIFIER_PASSED : VERIFIER_FAILED,
                  "%u of %zu, %u are needed%s (%s)", count, p->witness_count, needed, within, list);
}

void verifier__check_history(struct verification *v)
{
    struct history h = {0};
    check_key(v, &h);
    check_head(v, &h);
    check_checkpoint(v, &h);
    check_remembered(v, &h);
    check_witnesses(v, &h);
}
