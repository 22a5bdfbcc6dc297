/*
 * Files that are replaced: through links, with the permissions that they had, by several at once, in folders that take
 * none, and where something else is in their place. SEED= another order of what processes write at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/replace.h"

static char folder[] = "/tmp/replace-XXXXXX";
static const struct replace_how over = {.mode = 0644}, fresh = {.mode = 0640, .fresh = true};

static int replace(const char *path, const char *text, const struct replace_how *how)
{
    char why[REPLACE_WHY_SIZE] = "";
    int result = replace_file(path, text, strlen(text), how, why);
    assert_true((result == 0) == (why[0] == '\0'));
    return result;
}

static void expect(const char *path, const char *text)
{
    char found[64] = "";
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && read(fd, found, sizeof found - 1) >= 0);
    close(fd);
    assert_string_equal(found, text);
}

static mode_t mode_of(const char *path)
{
    struct stat s;
    assert_int_equal(lstat(path, &s), 0);
    return s.st_mode;
}

static void test_plain(void **state)
{
    umask(022);
    assert_int_equal(replace("new", "one", &fresh), 0);
    assert_int_equal(mode_of("new"), S_IFREG | 0640);
    assert_int_equal(replace("new", "two", &fresh), -EEXIST);
    expect("new", "one");
    assert_int_equal(replace("new", "two", &over), 0);
    expect("new", "two");
    assert_int_equal(replace("./new", "", &over), 0);
    expect("new", "");
    umask(077);
    assert_int_equal(replace("private", "x", &over), 0);
    assert_int_equal(mode_of("private"), S_IFREG | 0600);
    umask(022);
}

/* Whatever a file may be read and written by, it is the same afterwards. */
static void test_permissions(void **state)
{
    for (mode_t mode = 0; mode <= 0777; mode++) {
        assert_int_equal(replace("modes", "before", &over), 0);
        assert_int_equal(chmod("modes", mode), 0);
        assert_int_equal(replace("modes", "after", &over), 0);
        assert_int_equal(mode_of("modes"), S_IFREG | mode);
        chmod("modes", 0600);
        expect("modes", "after");
    }
}

static void test_owner(void **state)
{
    struct stat s;
    if (geteuid() != 0)
        skip();
    assert_int_equal(replace("owned", "x", &over), 0);
    assert_int_equal(chown("owned", 12345, 23456), 0);
    assert_int_equal(replace("owned", "y", &over), 0);
    assert_int_equal(stat("owned", &s), 0);
    assert_true(s.st_uid == 12345 && s.st_gid == 23456);
}

/* The link stays, and where it leads to is replaced: by names of all kinds, over several, and into folders. */
static void test_links(void **state)
{
    char absolute[128];
    assert_int_equal(mkdir("there", 0755), 0);
    assert_int_equal(mkdir("here", 0755), 0);
    snprintf(absolute, sizeof absolute, "%s/there/d", folder);
    const char *const links[][2] = {{"here/a", "../there/a"}, {"b", "there/b"},        {"here/c", "same"},
                                    {"here/d", absolute},     {"two", "here/a"},       {"three", "./two"},
                                    {"link", "here"},         {"link/e", "../there/e"}};
    const char *const ends[] = {"there/a", "there/b", "here/same", "there/d", "there/a", "there/a", NULL, "there/e"};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        assert_int_equal(symlink(links[i][1], links[i][0]), 0);
        if (!ends[i])
            continue;
        unlink(ends[i]);
        for (int round = 0; round < 3; round++) { /* a new file, one that is there, and a fresh one */
            if (round == 2)
                unlink(ends[i]);
            assert_int_equal(replace(links[i][0], links[i][1], round == 2 ? &fresh : &over), 0);
            assert_true(S_ISLNK(mode_of(links[i][0])));
            assert_true(S_ISREG(mode_of(ends[i])));
            expect(ends[i], links[i][1]);
        }
        assert_int_equal(replace(links[i][0], "no", &fresh), -EEXIST);
        assert_int_equal(chmod(ends[i], 0600), 0);
        assert_int_equal(replace(links[i][0], "x", &over), 0);
        assert_int_equal(mode_of(ends[i]), S_IFREG | 0600);
    }
    assert_int_equal(symlink("circle", "round"), 0);
    assert_int_equal(symlink("round", "circle"), 0);
    assert_int_equal(replace("circle", "x", &over), -ELOOP);
    assert_int_equal(replace_lock_folder("circle"), -ELOOP);
    assert_int_equal(symlink("nowhere/file", "lost"), 0);
    assert_int_equal(replace("lost", "x", &over), -ENOENT);
}

/* Where everybody may put a link, somebody else's is not followed. */
static void test_strangers_link(void **state)
{
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir("everybody", 0755), 0);
    assert_int_equal(chmod("everybody", 01777), 0);
    assert_int_equal(symlink("../victim", "everybody/link"), 0);
    assert_int_equal(replace("everybody/link", "mine", &over), 0);
    assert_int_equal(lchown("everybody/link", 12345, 12345), 0);
    assert_int_equal(replace("everybody/link", "theirs", &over), -EACCES);
    expect("victim", "mine");
}

static void test_no_file(void **state)
{
    char why[REPLACE_WHY_SIZE], long_name[5000];
    assert_int_equal(mkdir("folder", 0755), 0);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(replace("folder", "x", &over), -EINVAL);
    assert_int_equal(replace("pipe", "x", &over), -EINVAL);
    assert_int_equal(replace("none/x", "x", &over), -ENOENT);
    assert_int_equal(replace("private/x", "x", &over), -ENOTDIR);
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(replace(long_name, "x", &over), -ENAMETOOLONG);
    assert_true(S_ISFIFO(mode_of("pipe")));
    assert_int_equal(replace_file("folder", "x", 1, &over, why), -EINVAL);
    assert_string_equal(why, "Is a directory");
}

/* A folder that takes no file: what is there stays, and the reason is told in words. */
static void test_read_only(void **state)
{
    char why[REPLACE_WHY_SIZE] = "";
    int status;
    assert_int_equal(mkdir("closed", 0755), 0);
    assert_int_equal(replace("closed/file", "before", &over), 0);
    assert_int_equal(chmod("closed/file", 0666), 0);
    assert_int_equal(chmod("closed", 0555), 0);
    pid_t child = fork();
    if (child == 0) { /* root may write anywhere */
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(3);
        int result = replace_file("closed/file", "after", 5, &over, why);
        _exit(result == -EACCES && strstr(why, "no file can be made in its folder") && strstr(why, "denied") ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect("closed/file", "before");
    assert_int_equal(chmod("closed", 0755), 0);
}

/* Several processes write one file, through a link and not, and others read it: it is whole at any time. Of fresh ones
 * one comes first, and no other writes over it. */
static void test_at_once(void **state)
{
    enum { PROCESSES = 6, ROUNDS = 20, SIZE = 20000 };
    static char text[SIZE], found[SIZE + 1];
    int status, made = 0;
    const char *seed = getenv("SEED");
    unsigned number = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)getpid();
    print_message("SEED=%u\n", number);
    assert_int_equal(symlink("shared", "also"), 0);
    memset(text, 'a', SIZE);
    assert_int_equal(replace("shared", "", &over), 0);
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() != 0)
            continue;
        char why[REPLACE_WHY_SIZE];
        srand(number + (unsigned)i);
        int first = replace_file("first", text, 1, &fresh, why) == 0;
        for (int r = 0; r < ROUNDS; r++) {
            memset(text, 'a' + rand() % 26, SIZE);
            if (replace_file(rand() % 2 ? "shared" : "also", text, SIZE, &over, why) != 0)
                _exit(100);
            int fd = open("shared", O_RDONLY);
            ssize_t n = read(fd, found, sizeof found);
            close(fd);
            for (ssize_t at = 0; at < n; at++)
                if (found[at] != found[0])
                    _exit(101);
            if (n != SIZE && n != 0)
                _exit(102);
        }
        _exit(first);
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        made += WEXITSTATUS(status);
    }
    assert_int_equal(made, 1);
    assert_true(S_ISLNK(mode_of("also")));
}

/* Locks of one file are of one folder, through links, too. */
static void test_lock(void **state)
{
    int fd = replace_lock_folder("two"), status;
    struct stat locked, there;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &locked), 0);
    assert_int_equal(stat("there", &there), 0);
    assert_true(locked.st_ino == there.st_ino && locked.st_dev == there.st_dev);
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        close(fd); /* or it would hold the lock, too */
        int other = replace_lock_folder("there/a");
        _exit(other >= 0 && write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(read(ends[0], &byte, 1), -1);
    fcntl(ends[0], F_SETFL, 0);
    close(fd);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
}

/* Nothing lies beside anything. */
static void test_nothing_left(void **state)
{
    assert_int_not_equal(system("find . -name '*.tmp*' | grep -q ."), 0);
}

static int open_folder(void **state)
{
    return mkdtemp(folder) && chmod(folder, 0755) == 0 && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return chdir("/") != 0 || system(command) != 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),        cmocka_unit_test(test_permissions),    cmocka_unit_test(test_owner),
        cmocka_unit_test(test_links),        cmocka_unit_test(test_strangers_link), cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_read_only),    cmocka_unit_test(test_at_once),        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_nothing_left),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
