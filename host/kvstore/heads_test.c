/*
 * The first two pages of LMDB's file, which say where everything is: of each of their bits, flipped, it is known
 * whether it counts, and what counts is mended. And what is no damage: a commit whose note was not written any more,
 * and others' commits, which are not noted.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/kvstore/copy.h"
#include "host/kvstore/internal.h"
#include "host/kvstore/kvstore.h"

#define PAGE 4096
#define AT_NOTE 1024 /* heads.c's */
#define NOTE_SIZE 320

static char folder[64], path[96], error[512];
static struct kvstore *kv;
static uint8_t pages[2 * PAGE]; /* as they were written */

/* Each mending says a line: not thousands of them. */
static int standard_error = -1;
static void quiet(bool is)
{
    fflush(stderr);
    int fd = is ? open("/dev/null", O_WRONLY) : standard_error;
    if (is && standard_error < 0)
        standard_error = dup(STDERR_FILENO);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    if (is)
        close(fd);
}

static int setup(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/heads_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    return 0;
}

static int teardown(void **state)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void open_store(void)
{
    if (kvstore_open(folder, &kv, error, sizeof error) < 0)
        fail_msg("%s", error);
}

static void write_number(uint32_t number)
{
    struct kvstore_op op = {.put = true, .key = {"root", 4}, .value = {&number, sizeof number}};
    assert_int_equal(kvstore_commit(kv, &op, 1), 0);
}

static void expect_number(uint32_t expected)
{
    void *value;
    size_t size;
    open_store();
    assert_int_equal(kvstore_get(kv, (struct kvstore_bytes){"root", 4}, &value, &size), 0);
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(value, &expected, size);
    free(value);
    kvstore_close(kv);
}

static void read_pages(uint8_t into[2 * PAGE])
{
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, into, 2 * PAGE, 0), 2 * PAGE);
    close(fd);
}

static void write_pages(const uint8_t *from)
{
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, from, 2 * PAGE, 0), 2 * PAGE);
    close(fd);
}

/* After so many commits; both heads and both notes are there. */
static void make_store(uint32_t commits)
{
    open_store();
    for (uint32_t i = 1; i <= commits; i++)
        write_number(i);
    kvstore_close(kv);
    read_pages(pages);
}

static bool counts(size_t at)
{
    return at % PAGE < KVSTORE_HEAD_SIZE;
}

static bool is_note(size_t at)
{
    return at % PAGE >= AT_NOTE && at % PAGE < AT_NOTE + NOTE_SIZE;
}

static void put_byte(int fd, size_t at, uint8_t byte)
{
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

/* Every bit of both: a head's is found and mended, a note's or any other's changes nothing that is read. */
static void flip_all(uint32_t number)
{
    uint8_t now[2 * PAGE];
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    for (size_t at = 0; at < 2 * PAGE; at++) {
        for (int bit = 0; bit < 8; bit++) {
            put_byte(fd, at, pages[at] ^ (uint8_t)(1 << bit));
            if (counts(at))
                assert_int_equal(kvstore_judge_heads(folder, error, sizeof error), -EIO);
            assert_int_equal(kvstore_mend_heads(folder, error, sizeof error), 0);
            assert_int_equal(pread(fd, now, 1, (off_t)at), 1);
            assert_int_equal(now[0] == pages[at], counts(at));
        }
        put_byte(fd, at, pages[at]);
    }
    for (size_t at = 0; at < 2 * PAGE; at += counts(at) || is_note(at) ? 11 : 397) {
        put_byte(fd, at, pages[at] ^ (uint8_t)(1 << at % 8));
        expect_number(number);
        read_pages(now);
        assert_memory_equal(now, pages, KVSTORE_HEAD_SIZE);
        assert_memory_equal(now + PAGE, pages + PAGE, KVSTORE_HEAD_SIZE);
        put_byte(fd, at, pages[at]);
    }
    close(fd);
}

static void test_all_bits(void **state)
{
    make_store(12);
    quiet(true);
    flip_all(12);
    quiet(false);
}

/* Who may change nothing says so. */
static void test_backup_refuses(void **state)
{
    struct kvstore_copied copied;
    uint8_t now[2 * PAGE];
    char to[96];
    make_store(6);
    memcpy(now, pages, sizeof now);
    now[88] ^= 2;
    write_pages(now);
    snprintf(to, sizeof to, "%s/copy", folder);
    assert_int_equal(kvstore_backup(folder, to, &copied, error, sizeof error), -EIO);
    assert_non_null(strstr(error, "a server that is started over it mends it"));
    read_pages(pages);
    assert_memory_equal(now, pages, sizeof now);
    expect_number(6);
    assert_int_equal(kvstore_backup(folder, to, &copied, error, sizeof error), 0);
}

/* A copy is noted, too, from its first byte on. */
static void test_copy(void **state)
{
    struct kvstore_copied copied;
    char to[96], command[220];
    make_store(5);
    snprintf(to, sizeof to, "%s/copy", folder);
    assert_int_equal(kvstore_backup(folder, to, &copied, error, sizeof error), 0);
    snprintf(command, sizeof command, "mv '%s/data.mdb' '%s'", to, path);
    assert_int_equal(system(command), 0);
    read_pages(pages);
    quiet(true);
    for (size_t at = 0; at < 2 * PAGE; at += at % PAGE < KVSTORE_HEAD_SIZE - 1 ? 1 : PAGE - KVSTORE_HEAD_SIZE + 1) {
        uint8_t now[2 * PAGE];
        memcpy(now, pages, sizeof now);
        now[at] ^= 0x20;
        write_pages(now);
        assert_int_equal(kvstore_mend_heads(folder, error, sizeof error), 0);
        read_pages(now);
        assert_memory_equal(now, pages, sizeof now);
    }
    quiet(false);
    expect_number(5);
}

/* Killed between the head and the note, and what tools write: the newest commit stays the newest. */
static void test_not_noted(void **state)
{
    uint8_t newer[2 * PAGE];
    make_store(20);
    for (uint32_t more = 1; more <= 5; more++) {
        open_store();
        for (uint32_t i = 1; i <= more; i++)
            write_number(100 + i);
        kvstore_close(kv);
        read_pages(newer);
        for (int page = 0; page < 2; page++) /* no note but those of before */
            memcpy(newer + page * PAGE + AT_NOTE, pages + page * PAGE + AT_NOTE, NOTE_SIZE);
        write_pages(newer);
        assert_int_equal(kvstore_judge_heads(folder, error, sizeof error), 0);
        expect_number(100 + more);
        read_pages(pages);
    }
}

/* What differs in more than a byte may be another commit's: nothing is put in its place. */
static void test_nobody_knows(void **state)
{
    uint8_t now[2 * PAGE];
    make_store(8);
    for (size_t at = 0; at < KVSTORE_HEAD_SIZE - 8; at += 8) {
        memcpy(now, pages, sizeof now);
        memset(now + at, 0xa5, 8);
        write_pages(now);
        assert_int_equal(kvstore_open(folder, &kv, error, sizeof error), -EIO);
        assert_non_null(strstr(error, "restore a backup"));
        memcpy(now, pages, sizeof now); /* both of them */
        now[at] ^= 1;
        now[PAGE + at] ^= 1;
        write_pages(now);
        assert_int_equal(kvstore_open(folder, &kv, error, sizeof error), -EIO);
        assert_non_null(strstr(error, "restore a backup"));
    }
}

/* From before there were notes: it opens, and has them from then on. */
static void test_no_notes(void **state)
{
    uint8_t now[2 * PAGE];
    make_store(9);
    memcpy(now, pages, sizeof now);
    memset(now + AT_NOTE, 0, NOTE_SIZE);
    memset(now + PAGE + AT_NOTE, 0, NOTE_SIZE);
    write_pages(now);
    expect_number(9);
    read_pages(now);
    assert_memory_equal(now + PAGE, pages + PAGE, PAGE);
    now[80] ^= 4;
    write_pages(now);
    expect_number(9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_all_bits),  TEST(test_backup_refuses), TEST(test_copy),
                                       TEST(test_not_noted), TEST(test_nobody_knows),   TEST(test_no_notes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
