/*
 * The file in which a client remembers a log's head: what is written, read back, kept and refused; and what is written
 * for a third party where the log does not go on from it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "verifier/json.h"
#include "verifier/log.h"
#include "verifier/testing/manifests.h"

static char folder[] = "/tmp/remembered-XXXXXX", path[sizeof folder + 8];

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static char *read_back(size_t *size)
{
    static char text[16384];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    *size = fread(text, 1, sizeof text - 1, file);
    text[*size] = '\0';
    fclose(file);
    return text;
}

/* A world whose policy knows nothing of the log. */
static struct made *fresh(void)
{
    struct made *m = made_open();
    made_build(m);
    char *line = strstr(m->policy_text, "\"log\""), *end = strchr(line, '\n');
    memmove(line, end + 1, strlen(end));
    made_read_policy(m, m->policy_text);
    return m;
}

static int remember(struct made *m, enum verifier_verdict verdict)
{
    char error[256] = "";
    struct verifier_result *r = made_verify(m);
    assert_int_equal(verifier_result_verdict(r), verdict);
    int result = verifier_log_remember(m->client, r, path, error, sizeof error);
    assert_true((result == 0) == (error[0] == '\0'));
    verifier_result_destroy(r);
    return result;
}

/* A new policy for m that has the file's head. */
static int recall(struct made *m)
{
    char error[256] = "";
    made_read_policy(m, m->policy_text);
    int result = verifier_log_remembered(m->policy, path, NULL, error, sizeof error);
    assert_true((result == 0) == (error[0] == '\0'));
    return result;
}

static void test_goes_on(void **state)
{
    size_t size;
    struct made *m = fresh();
    unlink(path);
    assert_int_equal(recall(m), -ENOENT);
    assert_int_equal(remember(m, VERIFIER_VERIFIED), 0);
    assert_int_equal(recall(m), 0);
    assert_int_equal(m->policy->head_count, 1);
    assert_int_equal(m->policy->heads[0].size, 7);
    char *text = read_back(&size), *head = made_log_checkpoint(m->log, 7);
    assert_int_equal(strncmp(text, "enclave-os-log-state/1\nenclave-os/1d0203", 40), 0);
    assert_string_equal(strstr(text, "\n\n") + 2, head);
    free(head);
    made_log_grow(m->log, 300);
    assert_int_equal(remember(m, VERIFIER_VERIFIED), 0);
    assert_int_equal(recall(m), 0);
    assert_int_equal(m->policy->heads[0].size, 300);
    char error[256];
    for (int i = 0; i < 9; i++) /* again and again, as a client that stays does */
        assert_int_equal(verifier_log_remembered(m->policy, path, NULL, error, sizeof error), 0);
    assert_int_equal(m->policy->head_count, 1);
    /* who saw less, and writes later, takes nothing away */
    made_read_policy(m, m->policy_text);
    m->log->shown = 9;
    assert_int_equal(remember(m, VERIFIER_VERIFIED), 0);
    assert_int_equal(recall(m), 0);
    assert_int_equal(m->policy->heads[0].size, 300);
    /* who saw as much of another history, which another client has meanwhile written the first of */
    struct made_log *before = m->log;
    m->log = made_log_fork(before, 200);
    made_log_add(m->log, "another");
    made_log_grow(m->log, 300);
    made_read_policy(m, m->policy_text);
    assert_int_equal(remember(m, VERIFIER_VERIFIED), -EEXIST);
    assert_int_equal(recall(m), 0);
    assert_int_equal(m->policy->heads[0].size, 300);
    made_log_close(m->log);
    m->log = before;
    made_close(m);
}

static void test_not_written(void **state)
{
    struct made *m = fresh();
    unlink(path);
    verifier_policy_set_min_generation(m->policy, 42); /* refused */
    assert_int_equal(remember(m, VERIFIER_REFUSED), -EINVAL);
    assert_int_not_equal(access(path, F_OK), 0);
    made_read_policy(m, m->policy_text);
    m->without_log = true; /* verified, but the log was not judged */
    struct verifier_result *r = made_verify(m);
    char error[256];
    assert_int_equal(verifier_result_verdict(r), VERIFIER_VERIFIED);
    struct verifier_log *log = verifier_log_open(made_log_fetch, m->log, error, sizeof error);
    assert_int_equal(verifier_log_remember(log, r, path, error, sizeof error), -EINVAL);
    verifier_result_destroy(r);
    m->without_log = false; /* another head than the one that was judged */
    r = made_verify(m);
    made_log_grow(m->log, 8);
    verifier_log_close(log);
    log = verifier_log_open(made_log_fetch, m->log, error, sizeof error);
    assert_int_equal(verifier_log_remember(log, r, path, error, sizeof error), -EINVAL);
    assert_int_not_equal(access(path, F_OK), 0);
    verifier_log_close(log);
    verifier_result_destroy(r);
    made_close(m);
}

/* Each bit and each length of the file: the head that is there is the one that was written, or there is none. */
static void test_damaged(void **state)
{
    size_t size;
    struct made *m = fresh();
    unlink(path);
    assert_int_equal(remember(m, VERIFIER_VERIFIED), 0);
    char *whole = read_back(&size), copy[16384];
    char *second = strstr(whole, "w.example/1"); /* from here on are witnesses' lines, which are others' */
    size_t own = (size_t)(second - whole) - 4;
    memcpy(copy, whole, size);
    for (size_t i = 0; i < size; i += i < own ? 1 : 7) {
        copy[i] ^= (char)(1 << i % 8);
        write_file(copy, size);
        struct verifier_policy *p = verifier_policy_create();
        char error[256];
        int result = verifier_log_remembered(p, path, NULL, error, sizeof error);
        assert_true(result == -EBADMSG || (result == 0 && i >= own));
        assert_true(result == 0 || p->head_count == 0);
        verifier_policy_destroy(p);
        copy[i] ^= (char)(1 << i % 8);
    }
    for (size_t cut = 0; cut < size; cut++) {
        write_file(copy, cut);
        struct verifier_policy *p = verifier_policy_create();
        char error[256];
        int result = verifier_log_remembered(p, path, NULL, error, sizeof error);
        assert_true(result == -EBADMSG || (result == 0 && cut >= own));
        verifier_policy_destroy(p);
    }
    /* and nothing is written over it */
    write_file("something else", 14);
    assert_int_equal(remember(m, VERIFIER_VERIFIED), -EBADMSG);
    read_back(&size);
    assert_int_equal(size, 14);
    made_close(m);
}

static void test_others(void **state)
{
    static const uint8_t another[32] = {9};
    char error[256];
    struct made *m = fresh();
    unlink(path);
    assert_int_equal(remember(m, VERIFIER_VERIFIED), 0);
    struct verifier_policy *p = verifier_policy_create();
    assert_int_equal(verifier_policy_expect_instance(p, another), 0);
    assert_int_equal(verifier_log_remembered(p, path, NULL, error, sizeof error), -EEXIST);
    assert_int_equal(p->head_count, 0);
    verifier_policy_destroy(p);
    unlink(path);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(recall(m), -EISDIR);
    rmdir(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(recall(m), -EINVAL);
    unlink(path);
    char *large = calloc(1, 128u << 10);
    write_file(large, 128u << 10);
    free(large);
    assert_int_equal(recall(m), -EFBIG);
    made_close(m);
}

/* ---- conflicts --------------------------------------------------------------------------------------------------- */

static struct json json;

static void expect_conflict(struct made *m, const char *kind, bool proof)
{
    char text[64], error[256];
    struct verifier_log *log = verifier_log_open(made_log_fetch, m->log, error, sizeof error);
    assert_non_null(log);
    char *written = verifier_log_conflict(log, path, m->certificate, m->evidence.certificate_size);
    verifier_log_close(log);
    if (!kind) {
        assert_null(written);
        return;
    }
    assert_non_null(written);
    assert_null(verifier__json_parse(&json, written, strlen(written)));
    assert_true(verifier__json_text(&json, verifier__json_member(&json, 0, "kind", JSON_STRING), text, sizeof text));
    assert_string_equal(text, kind);
    assert_true(verifier__json_member(&json, 0, "before", JSON_STRING) > 0);
    assert_true(verifier__json_member(&json, 0, "now", JSON_STRING) > 0);
    assert_true((verifier__json_member(&json, 0, "proof", JSON_ARRAY) > 0) == proof);
    verifier__json_free(&json);
    verifier_free(written);
}

static void test_conflicts(void **state)
{
    struct made *m = fresh();
    unlink(path);
    expect_conflict(m, NULL, false); /* nothing is remembered */
    assert_int_equal(remember(m, VERIFIER_VERIFIED), 0);
    expect_conflict(m, NULL, false);
    made_log_grow(m->log, 300);
    expect_conflict(m, NULL, false);
    m->log->missing = "tile/0/000"; /* no proof of anything */
    expect_conflict(m, NULL, false);
    m->log->missing = NULL;
    m->log->tampered = "tile/0/000";
    expect_conflict(m, NULL, false);
    m->log->tampered = NULL;
    m->log->shown = 6;
    expect_conflict(m, "shorter", false);
    struct made_log *before = m->log;
    for (size_t at = 3; at <= 6; at++) { /* of 7 remembered ones: the proof says where both heads come from */
        m->log = made_log_fork(before, at);
        made_log_add(m->log, "another");
        made_log_grow(m->log, 7);
        expect_conflict(m, "rewritten", false);
        made_log_grow(m->log, 8);
        expect_conflict(m, "rewritten", true);
        made_log_grow(m->log, 300);
        expect_conflict(m, "rewritten", true);
        made_log_close(m->log);
    }
    m->log = made_log_open("another"); /* its key is another one: anybody may have written that */
    made_log_grow(m->log, 9);
    expect_conflict(m, NULL, false);
    made_log_close(m->log);
    m->log = before;
    made_close(m);
}

/* A server that stops to answer, at each request and in each way: nothing is said of it, and no conflict is written,
 * whatever its history is. What is wrong with it is said as soon as it answers. */
static void test_no_answer(void **state)
{
    static const int errors[] = {-EIO, -EAGAIN, -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET, -EPIPE, -ENOMEM};
    char error[256];
    struct made *m = fresh();
    unlink(path);
    assert_int_equal(remember(m, VERIFIER_VERIFIED), 0);
    struct made_log *before = m->log;
    for (int forked = 0; forked < 2; forked++) {
        m->log = made_log_fork(before, forked ? 6 : 7); /* 7 are remembered, 5 are in the certificate */
        made_log_add(m->log, "another");
        made_log_grow(m->log, 70000);
        assert_int_equal(recall(m), 0);
        unsigned needed = 0;
        for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
            bool whole = false;
            for (unsigned at = 1; !whole; at++) {
                m->log->fetched = 0;
                m->log->fail_at = at;
                m->log->fail_with = errors[e];
                errno = 0;
                struct verifier_log *log = verifier_log_open(made_log_fetch, m->log, error, sizeof error);
                assert_true(log || (at == 1 && errno == -errors[e] && verifier_no_answer(-errno)));
                const struct verifier_log_view *view =
                    log ? verifier_log_view(log, m->policy, m->certificate, m->evidence.certificate_size) : NULL;
                whole = m->log->fetched < at;
                assert_true(whole == (view != NULL));
                assert_true(!view || view->proof_count == 2);
                assert_true(!log || view || *verifier_log_error(log));
                char *text =
                    log ? verifier_log_conflict(log, path, m->certificate, m->evidence.certificate_size) : NULL;
                assert_true((text != NULL) == (whole && forked));
                verifier_free(text);
                verifier_log_close(log);
                needed = at;
            }
        }
        assert_true(needed > 3);
        made_log_close(m->log);
    }
    m->log = before;
    made_close(m);
}

/* Through a link the file that it leads to is written, which keeps its permissions. */
static void test_link(void **state)
{
    char target[sizeof path + 8];
    struct stat s;
    struct made *m = fresh();
    snprintf(target, sizeof target, "%s.there", path);
    unlink(path);
    assert_int_equal(symlink(strrchr(target, '/') + 1, path), 0);
    assert_int_equal(recall(m), -ENOENT);
    assert_int_equal(remember(m, VERIFIER_VERIFIED), 0);
    assert_int_equal(chmod(target, 0600), 0);
    made_log_grow(m->log, 9);
    assert_int_equal(remember(m, VERIFIER_VERIFIED), 0);
    assert_int_equal(recall(m), 0);
    assert_int_equal(m->policy->heads[0].size, 9);
    assert_true(lstat(path, &s) == 0 && S_ISLNK(s.st_mode));
    assert_true(lstat(target, &s) == 0 && s.st_mode == (S_IFREG | 0600));
    unlink(target);
    made_close(m);
}

static int open_folder(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/state", folder);
    return 0;
}

static int remove_folder(void **state)
{
    unlink(path);
    return rmdir(folder); /* nothing else was left there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on), cmocka_unit_test(test_not_written), cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_others),  cmocka_unit_test(test_conflicts),   cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_link),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
