/*
 * Two heads that the same key has signed, and that cannot be of one history: written down so that a third party can
 * check it (docs/history.md). What was not answered, or not proven, is none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/log.h"
#include "verifier/text.h"

static void put_note(struct text *t, const char *name, const char *note, size_t size)
{
    text_put(t, ",\n  \"%s\": \"", name);
    for (size_t i = 0; i < size; i++) { /* UTF-8 without controls but LF: note_parse */
        if (note[i] == '\n')
            text_append(t, "\\n", 2);
        else if (note[i] == '"' || note[i] == '\\')
            text_put(t, "\\%c", note[i]);
        else
            text_append(t, note + i, 1);
    }
    text_append(t, "\"", 1);
}

static void put_proof(struct text *t, const struct verifier_consistency *proof)
{
    char hex[65];
    text_put(t, ",\n  \"proof\": [");
    for (size_t i = 0; i < proof->path_count; i++)
        text_put(t, "%s\n    \"%s\"", i ? "," : "", verifier__hex(proof->path[i], 32, hex));
    text_put(t, "]");
}

char *verifier__log_evidence(const char *kind, const char *key, const struct signed_head *before,
                             const struct signed_head *now, const struct verifier_consistency *proof,
                             const void *certificate, size_t certificate_size)
{
    struct text t = {0};
    text_put(&t, "{\n  \"format\": \"enclave-os-log-conflict/1\",\n  \"kind\": \"%s\"", kind);
    put_note(&t, "key", key, strlen(key));
    put_note(&t, "before", before->checkpoint, before->checkpoint_size);
    put_note(&t, "now", now->checkpoint, now->checkpoint_size);
    if (proof && proof->path_count > 0)
        put_proof(&t, proof);
    if (certificate) {
        text_put(&t, ",\n  \"certificate\": \"");
        for (size_t i = 0; i < certificate_size; i++)
            text_put(&t, "%02x", ((const uint8_t *)certificate)[i]);
        text_put(&t, "\"");
    }
    text_put(&t, "\n}\n");
    return text_take(&t);
}

int verifier__log_follows(const struct verifier_consistency *proof, const uint8_t old_root[32],
                          const uint8_t new_root[32])
{
    uint8_t old[32], new[32];
    if (!verifier_consistency_roots(proof, old, new) || memcmp(new, new_root, 32) != 0)
        return -EBADMSG;
    return memcmp(old, old_root, 32) == 0;
}

/* How the log's head does not go on from the one that is remembered, if that is certain, and the proof, if there is
 * one; NULL: it does, or nobody knows. */
static const char *compare(struct verifier_log *log, const struct log_state *s, struct verifier_consistency *proof)
{
    struct note_checkpoint head;
    if (verifier__log_signed(log->text, log->text_size, &s->key, &head) != NULL)
        return NULL; /* anybody may have written that */
    if (head.size < s->head.size)
        return "shorter";
    if (head.size == s->head.size)
        return memcmp(head.root, s->head.root, 32) == 0 ? NULL : "rewritten";
    if (verifier_log_prove(log, s->head.size, proof) != 0)
        return NULL;
    return verifier__log_follows(proof, s->head.root, head.root) == 0 ? "rewritten" : NULL;
}

char *verifier_log_conflict(struct verifier_log *log, const char *path, const void *certificate,
                            size_t certificate_size)
{
    struct log_state s;
    struct verifier_consistency proof = {0};
    char ignored[LOG_ERROR_SIZE];
    if (verifier__log_state_load(&s, path, ignored, sizeof ignored) != 0)
        return NULL;
    const struct signed_head before = {s.checkpoint, s.checkpoint_size, s.head.size, s.head.root};
    const struct signed_head now = {log->text, log->text_size, log->head.size, log->head.root};
    const char *kind = compare(log, &s, &proof);
    char *text =
        kind ? verifier__log_evidence(kind, s.key_text, &before, &now, &proof, certificate, certificate_size) : NULL;
    free(s.text);
    return text;
}
