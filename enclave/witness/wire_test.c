/* What is asked of a witness, and what its answers are worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/witness/testing/cosigner.h"
#include "enclave/witness/wire.h"

static struct cosigner log_key, witness, other, namesake;
static char checkpoint[WITNESS_CHECKPOINT_MAX], older[WITNESS_CHECKPOINT_MAX], fork[WITNESS_CHECKPOINT_MAX];
static size_t checkpoint_size, older_size, fork_size;

static int setup(void **state)
{
    cosigner_make(&log_key, "enclave-os/1", NOTE_ED25519);
    cosigner_make(&witness, "w.example", NOTE_COSIGNATURE);
    cosigner_make(&other, "other.example", NOTE_COSIGNATURE);
    cosigner_make(&namesake, "w.example", NOTE_COSIGNATURE);
    checkpoint_size = cosigner_checkpoint(&log_key, 9, 1, checkpoint, sizeof checkpoint);
    older_size = cosigner_checkpoint(&log_key, 8, 2, older, sizeof older);
    fork_size = cosigner_checkpoint(&log_key, 9, 2, fork, sizeof fork);
    return 0;
}

static int teardown(void **state)
{
    cosigner_free(&log_key);
    cosigner_free(&witness);
    cosigner_free(&other);
    cosigner_free(&namesake);
    return 0;
}

/* What it says, asked from from for the checkpoint of 9. */
static struct witness_answer answer_of(uint64_t from, int status, const char *type, const char *body, size_t size)
{
    const struct witness_question q = {&witness.key, from, 9, checkpoint, checkpoint_size};
    struct witness_answer a;
    char *copy = malloc(size ? size : 1); /* so that reading beyond it is seen */
    if (size)
        memcpy(copy, body, size);
    witness_wire_answer(&q, status, type, strlen(type), copy, size, &a);
    free(copy);
    return a;
}

static enum witness_says says(int status, const char *body)
{
    return answer_of(5, status, "text/plain", body, strlen(body)).says;
}

static enum witness_says says_size(uint64_t from, const char *body)
{
    return answer_of(from, 409, "text/x.tlog.size", body, strlen(body)).says;
}

static void the_request_is_as_the_protocol_has_it(void **state)
{
    static const uint8_t proof[2][32] = {{0}, {255}};
    char text[WITNESS_REQUEST_MAX], wanted[WITNESS_REQUEST_MAX];
    size_t size = witness_wire_request(5, proof, 2, checkpoint, checkpoint_size, text, sizeof text);
    int wanted_size = snprintf(wanted, sizeof wanted,
                               "old 5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                               "/wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n%.*s",
                               (int)checkpoint_size, checkpoint);
    assert_int_equal(size, wanted_size);
    assert_memory_equal(text, wanted, size);
    static const uint8_t many[WITNESS_PROOF_MAX + 1][32];
    assert_true(witness_wire_request(UINT64_MAX, many, WITNESS_PROOF_MAX, checkpoint, WITNESS_CHECKPOINT_MAX, text,
                                     sizeof text) > 0);
    assert_int_equal(witness_wire_request(1, many, WITNESS_PROOF_MAX + 1, checkpoint, 9, text, sizeof text), 0);
    assert_int_equal(witness_wire_request(1, many, 0, checkpoint, WITNESS_CHECKPOINT_MAX + 1, text, sizeof text), 0);
}

static void a_cosignature_over_this_checkpoint_counts(void **state)
{
    char lines[3 * WITNESS_LINE_MAX];
    size_t size = cosigner_sign(&other, checkpoint, checkpoint_size, 5, lines, sizeof lines);
    size_t at = size;
    size += cosigner_sign(&witness, checkpoint, checkpoint_size, 1700000000, lines + size, sizeof lines - size);
    struct witness_answer a = answer_of(5, 200, "", lines, size); /* behind one that nobody asked for */
    assert_int_equal(a.says, WITNESS_COSIGNED);
    assert_int_equal(a.time, 1700000000);
    assert_int_equal(a.line_size, size - at);
    assert_memory_equal(a.line, lines + at, a.line_size);
    for (size_t i = at; i < size; i++) { /* any of its bits changed */
        char changed[3 * WITNESS_LINE_MAX];
        memcpy(changed, lines, size);
        changed[i] = (char)(changed[i] ^ 1);
        assert_int_not_equal(answer_of(5, 200, "", changed, size).says, WITNESS_COSIGNED);
        assert_int_not_equal(answer_of(5, 200, "", lines, i).says, WITNESS_COSIGNED);
    }
}

static void what_is_not_over_this_checkpoint_counts_for_nothing(void **state)
{
    char line[WITNESS_LINE_MAX];
    line[cosigner_sign(&witness, older, older_size, 5, line, sizeof line)] = 0;
    assert_int_equal(says(200, line), WITNESS_FORGED); /* one from before */
    line[cosigner_sign(&witness, fork, fork_size, 5, line, sizeof line)] = 0;
    assert_int_equal(says(200, line), WITNESS_FORGED); /* of another tree of this size */
    line[cosigner_sign(&namesake, checkpoint, checkpoint_size, 5, line, sizeof line)] = 0;
    assert_int_equal(says(200, line), WITNESS_FORGED); /* by another key */
    line[cosigner_sign(&other, checkpoint, checkpoint_size, 5, line, sizeof line)] = 0;
    assert_int_equal(says(200, line), WITNESS_FORGED); /* by another witness */
    const char *log_line = strstr(checkpoint, "\n\n") + 2;
    assert_int_equal(answer_of(5, 200, "", log_line, strlen(log_line)).says, WITNESS_FORGED);
    assert_int_equal(says(200, ""), WITNESS_FORGED);
    assert_int_equal(says(200, "ok\n"), WITNESS_GARBAGE);
    assert_int_equal(says(200, "\xe2\x80\x94 w.example AAAA"), WITNESS_GARBAGE); /* no line */
    assert_int_equal(says(200, "\n"), WITNESS_GARBAGE);
    assert_int_equal(says(200, "\xe2\x80\x94 w.example \n"), WITNESS_FORGED);
}

static void sizes_are_read_strictly(void **state)
{
    struct witness_answer a = answer_of(5, 409, "text/x.tlog.size", "7\n", 2);
    assert_int_equal(a.says, WITNESS_SIZE);
    assert_int_equal(a.size, 7);
    assert_int_equal(says_size(5, "0\n"), WITNESS_SIZE);
    assert_int_equal(says_size(5, "9\n"), WITNESS_SIZE);
    assert_int_equal(says_size(5, "9223372036854775807\n"), WITNESS_SIZE);
    assert_int_equal(says_size(5, "9223372036854775808\n"), WITNESS_GARBAGE);
    assert_int_equal(says_size(5, "18446744073709551617\n"), WITNESS_GARBAGE);
    assert_int_equal(says_size(5, "5\n"), WITNESS_GARBAGE);  /* it was asked from there */
    assert_int_equal(says_size(9, "9\n"), WITNESS_CONFLICT); /* and the heads of it differ */
    static const char *const bad[] = {"",     "\n",   "7",     "07\n",   "+7\n", "-7\n",
                                      " 7\n", "7 \n", "7\r\n", "7\n7\n", "0x7\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(says_size(5, bad[i]), WITNESS_GARBAGE);
    assert_int_equal(says(409, "7\n"), WITNESS_GARBAGE); /* of another type */
}

static void other_statuses_say_what_they_say(void **state)
{
    assert_int_equal(says(422, "x"), WITNESS_CONFLICT);
    assert_int_equal(says(403, ""), WITNESS_STRANGER);
    assert_int_equal(says(404, ""), WITNESS_STRANGER);
    assert_int_equal(says(400, ""), WITNESS_REFUSED);
    assert_int_equal(says(429, ""), WITNESS_REFUSED);
    assert_int_equal(says(500, ""), WITNESS_REFUSED);
    assert_int_equal(says(599, ""), WITNESS_REFUSED);
    assert_int_equal(says(204, ""), WITNESS_GARBAGE);
    assert_int_equal(says(301, ""), WITNESS_GARBAGE);
    char line[WITNESS_LINE_MAX];
    line[cosigner_sign(&witness, checkpoint, checkpoint_size, 5, line, sizeof line)] = 0;
    assert_int_equal(says(201, line), WITNESS_GARBAGE);
    static char huge[WITNESS_ANSWER_MAX + 1];
    memset(huge, '\n', sizeof huge);
    assert_int_equal(answer_of(5, 409, "text/x.tlog.size", huge, sizeof huge).says, WITNESS_GARBAGE);
}

static void each_has_its_words(void **state)
{
    char text[WITNESS_TEXT_SIZE];
    for (enum witness_says s = WITNESS_NOTHING; s <= WITNESS_GARBAGE; s++) {
        const struct witness_answer a = {.says = s, .status = 409, .size = UINT64_MAX};
        text[0] = 0;
        witness_wire_text(&a, UINT64_MAX, text);
        assert_true(strlen(text) > 10 && !strchr(text, '"') && !strchr(text, '\\'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_as_the_protocol_has_it),
        cmocka_unit_test(a_cosignature_over_this_checkpoint_counts),
        cmocka_unit_test(what_is_not_over_this_checkpoint_counts_for_nothing),
        cmocka_unit_test(sizes_are_read_strictly),
        cmocka_unit_test(other_statuses_say_what_they_say),
        cmocka_unit_test(each_has_its_words),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
