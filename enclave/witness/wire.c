/* See wire.h. */
#include "enclave/witness/wire.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/ensure.h"

#define HASH_TEXT 44 /* characters of base64 */
#define DASH "\xe2\x80\x94 "

/* ---- the request ------------------------------------------------------------------------------------------------- */

size_t witness_wire_request(uint64_t from, const uint8_t (*proof)[32], size_t count, const char *checkpoint,
                            size_t checkpoint_size, char *text, size_t size)
{
    ENSURE(proof || count == 0);
    if (count > WITNESS_PROOF_MAX || checkpoint_size > WITNESS_CHECKPOINT_MAX || size < WITNESS_REQUEST_MAX)
        return 0;
    size_t at = (size_t)snprintf(text, size, "old %llu\n", (unsigned long long)from);
    for (size_t i = 0; i < count; i++) {
        at += (size_t)EVP_EncodeBlock((unsigned char *)text + at, proof[i], 32);
        text[at++] = '\n';
    }
    text[at++] = '\n';
    memcpy(text + at, checkpoint, checkpoint_size);
    ENSURE(at + checkpoint_size <= WITNESS_REQUEST_MAX);
    return at + checkpoint_size;
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

/* Whether this line is the witness's, and holds over the checkpoint's text. */
static bool holds(const struct witness_question *q, const char *line, size_t size, uint64_t *time)
{
    char note[WITNESS_CHECKPOINT_MAX + WITNESS_LINE_MAX];
    struct note checkpoint, cosigned;
    if (size > WITNESS_LINE_MAX || note_parse(q->checkpoint, q->checkpoint_size, &checkpoint) != 0)
        return false;
    memcpy(note, checkpoint.text, checkpoint.text_size);
    note[checkpoint.text_size] = '\n';
    memcpy(note + checkpoint.text_size + 1, line, size);
    return note_parse(note, checkpoint.text_size + 1 + size, &cosigned) == 0 &&
           note_verify(&cosigned, q->key, time) == 0;
}

/* Signature lines, as many as there are keys: those of other names, which nobody asked for, are let be. */
static void read_cosignature(const struct witness_question *q, const char *body, size_t size, struct witness_answer *a)
{
    char begin[sizeof DASH + NOTE_NAME_SIZE_MAX + 1];
    size_t begin_size = (size_t)snprintf(begin, sizeof begin, DASH "%s ", q->key->name);
    a->says = WITNESS_FORGED;
    for (const char *at = body, *end; at < body + size; at = end + 1) {
        end = memchr(at, '\n', (size_t)(body + size - at));
        if (!end || strncmp(at, DASH, sizeof DASH - 1) != 0) {
            a->says = WITNESS_GARBAGE;
            return;
        }
        size_t line = (size_t)(end + 1 - at);
        if (line <= begin_size || memcmp(at, begin, begin_size) != 0 || !holds(q, at, line, &a->time))
            continue;
        a->says = WITNESS_COSIGNED;
        a->line_size = line;
        memcpy(a->line, at, line);
        return;
    }
}

/* Decimal, without leading zeros, and a line feed. */
static bool read_size(const char *body, size_t size, uint64_t *out)
{
    uint64_t value = 0;
    if (size < 2 || size > 20 || body[size - 1] != '\n' || (body[0] == '0' && size > 2))
        return false;
    for (size_t i = 0; i < size - 1; i++) {
        if (body[i] < '0' || body[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(body[i] - '0'); /* 19 digits: no overflow */
    }
    *out = value;
    return value <= INT64_MAX;
}

static void read_conflict(const struct witness_question *q, const char *type, size_t type_size, const char *body,
                          size_t size, struct witness_answer *a)
{
    static const char wanted[] = "text/x.tlog.size";
    bool is_size = type_size == sizeof wanted - 1 && memcmp(type, wanted, type_size) == 0;
    if (!is_size || !read_size(body, size, &a->size))
        a->says = WITNESS_GARBAGE;
    else if (a->size != q->from)
        a->says = WITNESS_SIZE;
    else /* it was asked from this very size: it makes no sense, unless the heads of this size differ */
        a->says = q->from == q->size ? WITNESS_CONFLICT : WITNESS_GARBAGE;
}

void witness_wire_answer(const struct witness_question *q, int status, const char *type, size_t type_size,
                         const char *body, size_t body_size, struct witness_answer *a)
{
    ENSURE(q->from <= q->size && q->key->type == NOTE_COSIGNATURE);
    ENSURE(q->checkpoint_size <= WITNESS_CHECKPOINT_MAX);
    *a = (struct witness_answer){.status = status, .says = WITNESS_GARBAGE};
    if (body_size > WITNESS_ANSWER_MAX)
        return;
    if (status == 200)
        read_cosignature(q, body, body_size, a);
    else if (status == 409)
        read_conflict(q, type, type_size, body, body_size, a);
    else if (status == 422)
        a->says = WITNESS_CONFLICT;
    else if (status == 403 || status == 404)
        a->says = WITNESS_STRANGER;
    else if (status >= 400)
        a->says = WITNESS_REFUSED;
}

void witness_wire_text(const struct witness_answer *a, uint64_t asked_size, char text[WITNESS_TEXT_SIZE])
{
    unsigned long long size = a->size, asked = asked_size;
    switch (a->says) {
    case WITNESS_NOTHING:
        snprintf(text, WITNESS_TEXT_SIZE, "has not been asked");
        break;
    case WITNESS_SILENT:
        snprintf(text, WITNESS_TEXT_SIZE, "does not answer: %s", a->problem ? a->problem : "no connection");
        break;
    case WITNESS_COSIGNED:
        snprintf(text, WITNESS_TEXT_SIZE, "has cosigned %llu entries", asked);
        break;
    case WITNESS_SIZE:
        snprintf(text, WITNESS_TEXT_SIZE, "has seen %llu entries of this log, which has %llu here%s", size, asked,
                 size > asked ? ": the store was put back, or another copy of it runs" : "");
        break;
    case WITNESS_CONFLICT:
        snprintf(text, WITNESS_TEXT_SIZE,
                 "has seen another log than this of %llu entries (%d): the store was put back, or another copy of it "
                 "runs",
                 asked, a->status);
        break;
    case WITNESS_STRANGER:
        snprintf(text, WITNESS_TEXT_SIZE, "does not know this log or its key (%d)", a->status);
        break;
    case WITNESS_REFUSED:
        snprintf(text, WITNESS_TEXT_SIZE, "refuses to answer (%d)", a->status);
        break;
    case WITNESS_FORGED:
        snprintf(text, WITNESS_TEXT_SIZE, "gives no cosignature of its key over this checkpoint");
        break;
    case WITNESS_GARBAGE:
        snprintf(text, WITNESS_TEXT_SIZE, "answers what no witness does (%d)", a->status);
        break;
    }
}
