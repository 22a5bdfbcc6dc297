/* Witnesses: their answers, to any question, and sets of them, as options and as JSON. */
#include <stdio.h>

#include "enclave/witness/set.h"
#include "enclave/witness/testing/cosigner.h"
#include "enclave/witness/wire.h"
#include "tests/fuzz/fuzz.h"

static struct cosigner log_key, witness;
static char checkpoint[WITNESS_CHECKPOINT_MAX];
static size_t checkpoint_size;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    cosigner_make(&log_key, "enclave-os/1", NOTE_ED25519);
    cosigner_make(&witness, "w", NOTE_COSIGNATURE);
    checkpoint_size = cosigner_checkpoint(&log_key, 9, 1, checkpoint, sizeof checkpoint);
    return 0;
}

static void try_answer(struct input in)
{
    static const int statuses[] = {200, 409, 422, 403, 404, 400, 500, 204, 301};
    struct witness_answer a;
    char text[WITNESS_TEXT_SIZE];
    int status = statuses[input_byte(&in) % (sizeof statuses / sizeof *statuses)];
    const char *type = input_byte(&in) % 4 ? "text/x.tlog.size" : "text/plain";
    const struct witness_question q = {&witness.key, input_byte(&in) % 10, 9, checkpoint, checkpoint_size};
    size_t size = SIZE_MAX;
    const char *body = (const char *)input_bytes(&in, &size);
    witness_wire_answer(&q, status, type, strlen(type), body, size, &a);
    MUST(a.says > WITNESS_SILENT && a.says != WITNESS_COSIGNED); /* no forgery is that lucky */
    MUST(a.says != WITNESS_SIZE || (a.size != q.from && a.size <= INT64_MAX));
    witness_wire_text(&a, q.size, text);
    MUST(memchr(text, 0, sizeof text));
}

static int ignore(void *user, const char *label, const void *value, size_t size)
{
    MUST(strlen(label) < 100 && (value || size == 0));
    return 0;
}

/* What was taken is written and read again as the same. */
static void try_set(struct witness_set *s)
{
    char why[WITNESS_WHY_SIZE];
    bool conditional;
    uint8_t replaces[32];
    if (!s)
        return;
    MUST(witness_set_leaves(s, ignore, NULL) == 0);
    char *record = witness_set_record(s);
    struct witness_set *again = record ? witness_set_read(record, strlen(record), &conditional, replaces, why) : NULL;
    MUST(again && witness_set_same(s, again));
    free(record);
    witness_set_unref(again);
    witness_set_unref(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[WITNESS_WHY_SIZE];
    bool conditional;
    uint8_t replaces[32];
    try_answer((struct input){data, data + size});
    try_set(witness_set_of_options((const char *)data, size, size % 3 == 2, 0, 0, why));
    try_set(witness_set_read((const char *)data, size, &conditional, replaces, why));
    return 0;
}
