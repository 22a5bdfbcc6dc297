/*
 * What two clients remember, compared: every pair of heads of two small histories, with and without a server that has
 * either of them at any size, against what is true; the evidence that comes of it, by itself; servers that do not
 * answer or lie; and files that are none.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "verifier/log.h"
#include "verifier/testing/logs.h"

#define SIZE_MOST 6u

static char folder[] = "/tmp/compared-XXXXXX", a[64], b[64], evidence[64];
static struct made_log *histories[2]; /* alike up to where they were parted */

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void remember(const char *path, struct made_log *log, size_t size)
{
    char text[2048], *head = made_log_checkpoint(log, size);
    int length = snprintf(text, sizeof text, "enclave-os-log-state/1\n%s\n\n%s", made_log_key(log), head);
    write_file(path, text, (size_t)length);
    free(head);
}

static void part(size_t at)
{
    histories[0] = made_log_open("log");
    made_log_grow(histories[0], 600);
    histories[1] = made_log_fork(histories[0], at);
    made_log_add(histories[1], "another");
    made_log_grow(histories[1], 600);
}

static void part_end(void)
{
    made_log_close(histories[0]);
    made_log_close(histories[1]);
}

/* The outcome; evidence there is of a conflict alone, and says by itself that it is one. */
static enum verifier_comparison compare(const char *one, const char *other, struct made_log *server, size_t shown)
{
    struct verifier_log_comparison c, again;
    struct verifier_log *log = NULL;
    char error[256];
    if (server) {
        server->shown = shown;
        log = verifier_log_open(made_log_fetch, server, error, sizeof error);
    }
    assert_int_equal(verifier_log_compare(one, other, log, NULL, 0, &c), 0);
    assert_true(strlen(c.why) > 10);
    assert_true((c.evidence != NULL) == (c.outcome == VERIFIER_CONFLICT));
    if (c.evidence) {
        write_file(evidence, c.evidence, strlen(c.evidence));
        assert_int_equal(verifier_log_compare(evidence, NULL, NULL, NULL, 0, &again), 0);
        assert_int_equal(again.outcome, VERIFIER_CONFLICT);
        verifier_free(again.evidence);
        verifier_free(c.evidence);
    }
    verifier_log_close(log);
    return c.outcome;
}

/* Whether heads of these sizes are of one history. */
static bool is_one(int one, size_t size, int other, size_t other_size, size_t parted)
{
    return one == other || size <= parted || other_size <= parted;
}

static enum verifier_comparison expected(size_t parted, size_t size_a, int of_b, size_t size_b, int server, size_t s)
{
    if (size_a == size_b && !is_one(0, size_a, of_b, size_b, parted))
        return VERIFIER_CONFLICT;
    if (s >= size_a && !is_one(0, size_a, server, s, parted))
        return VERIFIER_CONFLICT;
    if (s >= size_b && !is_one(of_b, size_b, server, s, parted))
        return VERIFIER_CONFLICT;
    return size_a == size_b || (s >= size_a && s >= size_b) ? VERIFIER_CONSISTENT : VERIFIER_UNPROVEN;
}

static void test_all(void **state)
{
    for (size_t parted = 1; parted < SIZE_MOST - 1; parted += 2) {
        part(parted);
        for (size_t i = 1; i <= SIZE_MOST; i++) {
            remember(a, histories[0], i);
            for (size_t j = 1; j <= 2 * SIZE_MOST; j++) {
                int of_b = j > SIZE_MOST;
                size_t size_b = of_b ? j - SIZE_MOST : j;
                remember(b, histories[of_b], size_b);
                assert_int_equal(compare(a, b, NULL, 0), expected(parted, i, of_b, size_b, 0, 0));
                for (size_t s = 1; s <= SIZE_MOST; s += 2)
                    for (int server = 0; server < 2; server++) {
                        enum verifier_comparison e = expected(parted, i, of_b, size_b, server, s);
                        assert_int_equal(compare(a, b, histories[server], s), e);
                        assert_int_equal(compare(b, a, histories[server], s), e);
                    }
            }
        }
        part_end();
    }
}

/* A server that does not answer, or lies, changes nothing but what can be proven. */
static void test_servers(void **state)
{
    part(300);
    for (int of_b = 0; of_b < 2; of_b++) {
        remember(a, histories[0], 290);
        remember(b, histories[of_b], 400);
        for (int server = 0; server < 2; server++) {
            enum verifier_comparison truth = server == of_b ? VERIFIER_CONSISTENT : VERIFIER_CONFLICT;
            assert_int_equal(compare(a, b, histories[server], 600), truth);
            for (unsigned at = 2; at < 8; at++) {
                static const int errors[] = {-EIO, -EAGAIN, -ENOENT, -EBADMSG};
                for (size_t e = 0; e < 4; e++) {
                    histories[server]->fetched = 0;
                    histories[server]->fail_at = at;
                    histories[server]->fail_with = errors[e];
                    enum verifier_comparison outcome = compare(a, b, histories[server], 600);
                    assert_true(outcome == VERIFIER_UNPROVEN || outcome == truth);
                    assert_true(at > 2 || outcome == VERIFIER_UNPROVEN);
                }
            }
            histories[server]->fail_at = 0;
            histories[server]->tampered = "tile/1/000.p/2";
            assert_int_equal(compare(a, b, histories[server], 600), VERIFIER_UNPROVEN);
            histories[server]->tampered = "tile/0/001";
            assert_int_equal(compare(a, b, histories[server], 600), VERIFIER_UNPROVEN);
            histories[server]->tampered = NULL;
        }
    }
    part_end();
}

/* Evidence of what is not a conflict says nothing, and evidence beside a state adds what it knows. */
static void test_evidence(void **state)
{
    char error[256];
    part(5);
    remember(a, histories[0], 7);
    histories[1]->shown = 6;
    struct verifier_log *log = verifier_log_open(made_log_fetch, histories[1], error, sizeof error);
    char *shorter = verifier_log_conflict(log, a, "", 0);
    verifier_log_close(log);
    assert_non_null(strstr(shorter, "\"shorter\""));
    write_file(b, shorter, strlen(shorter));
    verifier_free(shorter);
    assert_int_equal(compare(b, NULL, NULL, 0), VERIFIER_UNPROVEN);
    assert_int_equal(compare(a, b, NULL, 0), VERIFIER_UNPROVEN);
    assert_int_equal(compare(a, b, histories[0], 8), VERIFIER_CONFLICT); /* its second head is of no such history */
    assert_int_equal(compare(a, b, histories[1], 8), VERIFIER_CONFLICT);
    part_end();
}

static void expect_error(const char *one, const char *other, struct made_log *server, int expected_error)
{
    struct verifier_log_comparison c;
    char error[256];
    struct verifier_log *log = server ? verifier_log_open(made_log_fetch, server, error, sizeof error) : NULL;
    assert_int_equal(verifier_log_compare(one, other, log, NULL, 0, &c), expected_error);
    assert_null(c.evidence);
    assert_true(strlen(c.why) > 10);
    verifier_log_close(log);
}

/* Each byte of evidence: it says what it said, or is refused, or proves nothing. */
static void test_damaged(void **state)
{
    static char text[8192];
    part(3);
    remember(a, histories[0], 7);
    assert_int_equal(compare(a, a, histories[1], 200), VERIFIER_CONFLICT);
    FILE *file = fopen(evidence, "r");
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    for (size_t i = 0; i < size; i++) {
        struct verifier_log_comparison c;
        text[i] ^= (char)(1 << i % 7);
        write_file(b, text, size);
        if (verifier_log_compare(b, NULL, NULL, NULL, 0, &c) == 0 && c.outcome == VERIFIER_CONFLICT) {
            /* what was changed is neither a head, nor the proof, nor the key: kind, witnesses, spaces */
            assert_non_null(c.evidence);
            write_file(evidence, c.evidence, strlen(c.evidence));
            verifier_free(c.evidence);
            assert_int_equal(verifier_log_compare(evidence, a, NULL, NULL, 0, &c), 0);
            assert_int_equal(c.outcome, VERIFIER_CONFLICT);
        }
        verifier_free(c.evidence);
        text[i] ^= (char)(1 << i % 7);
    }
    part_end();
}

static void test_others(void **state)
{
    part(3);
    struct made_log *other = made_log_open("another");
    made_log_grow(other, 9);
    remember(a, histories[0], 7);
    remember(b, other, 9);
    expect_error(a, b, NULL, -EEXIST);
    expect_error(b, a, NULL, -EEXIST);
    expect_error(a, NULL, other, -EEXIST);
    expect_error("/nonexistent", a, NULL, -ENOENT);
    expect_error(a, "/nonexistent", NULL, -ENOENT);
    expect_error(folder, a, NULL, -EISDIR);
    expect_error("/dev/null", a, NULL, -EINVAL);
    static const char *const texts[] = {"",
                                        "{",
                                        "{}",
                                        "[1]",
                                        "{\"format\": \"enclave-os-log-conflict/1\"}",
                                        "{\"format\": \"enclave-os-log-conflict/2\"}",
                                        "enclave-os-log-state/1\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file(b, texts[i], strlen(texts[i]));
        expect_error(a, b, NULL, -EBADMSG);
    }
    made_log_close(other);
    part_end();
}

static int open_folder(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(a, sizeof a, "%s/a", folder);
    snprintf(b, sizeof b, "%s/b", folder);
    snprintf(evidence, sizeof evidence, "%s/evidence", folder);
    return 0;
}

static int remove_folder(void **state)
{
    unlink(a);
    unlink(b);
    unlink(evidence);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),     cmocka_unit_test(test_servers), cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
