/*
 * Backups of a store that is being written to, and what is put back where: one commit's records, whole or not at all,
 * and never over another commit without a word.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/kvstore/copy.h"
#include "host/kvstore/internal.h"
#include "host/kvstore/kvstore.h"

#define RECORDS 40u
#define VALUE_SIZE 3000u

static char top[64], data[80], to[80], error[512];
static struct kvstore *kv;
static struct kvstore_copied copied;

static int setup(void **state)
{
    snprintf(top, sizeof top, "/tmp/copy_test.XXXXXX");
    assert_non_null(mkdtemp(top));
    snprintf(data, sizeof data, "%s/data", top);
    snprintf(to, sizeof to, "%s/backup", top);
    return mkdir(data, 0700);
}

static int teardown(void **state)
{
    char command[100];
    if (kv)
        kvstore_close(kv);
    kv = NULL;
    snprintf(command, sizeof command, "rm -rf '%s'", top);
    return system(command);
}

static void open_store(const char *folder)
{
    assert_int_equal(kvstore_open(folder, &kv, error, sizeof error), 0);
}

static void close_store(void)
{
    kvstore_close(kv);
    kv = NULL;
}

/* A commit that gives each record and the root the same number, and so could be told from a mixture. */
static int write_round(uint32_t number)
{
    static char keys[RECORDS][33];
    struct kvstore_op ops[RECORDS + 1];
    uint32_t value[VALUE_SIZE / 4];
    for (size_t i = 0; i < VALUE_SIZE / 4; i++)
        value[i] = number;
    for (size_t i = 0; i < RECORDS; i++) {
        snprintf(keys[i], sizeof keys[i], "%032zu", i);
        ops[i] = (struct kvstore_op){.put = true, .key = {keys[i], 32}, .value = {value, VALUE_SIZE}};
    }
    ops[RECORDS] = (struct kvstore_op){.put = true, .key = {"root", 4}, .value = {value, 76}};
    return kvstore_commit(kv, ops, RECORDS + 1);
}

struct seen {
    uint32_t number, count;
};

static bool look(void *user, struct kvstore_bytes key, struct kvstore_bytes value)
{
    struct seen *seen = user;
    uint32_t number;
    memcpy(&number, (const char *)value.data + value.size - 4, 4);
    seen->number = seen->count ? seen->number : number;
    seen->count++;
    return number == seen->number;
}

/* The round that all of a store is of. */
static uint32_t round_of(const char *folder)
{
    struct seen seen = {0};
    struct kvstore *other;
    assert_int_equal(kvstore_open(folder, &other, error, sizeof error), 0);
    assert_int_equal(kvstore_scan(other, (struct kvstore_bytes){0}, (struct kvstore_bytes){0}, look, &seen), 0);
    kvstore_close(other);
    assert_int_equal(seen.count, RECORDS + 1);
    return seen.number;
}

static int backup(const char *from)
{
    return kvstore_backup(from, to, &copied, error, sizeof error);
}

static int restore(const char *folder, bool loses)
{
    return kvstore_restore(to, folder, loses, &copied, error, sizeof error);
}

static void forget_backup(void)
{
    char path[100];
    snprintf(path, sizeof path, "%s/data.mdb", to);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", to);
    unlink(path);
    snprintf(path, sizeof path, "%s/enclave-os.lock", to);
    unlink(path);
    assert_int_equal(rmdir(to), 0);
}

static void expect(int result, int expected, const char *word)
{
    if (result != expected || !strstr(error, word))
        fail_msg("%d and '%s', expected %d and '%s'", result, error, expected, word);
}

/* ---- out ---- */

/* With the writer. */
static struct {
    atomic_bool writes, done;
    atomic_uint acknowledged;
} * shared;

/* A server's process, which writes until it is told to end. Not a thread of this one: LMDB's locks are a process's, and
 * whoever opens a store twice in one begins its numbers anew. */
static void write_on(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* also where this test fails */
    if (kvstore_open(data, &kv, error, sizeof error) != 0)
        _exit(1);
    for (uint32_t number = 0; !atomic_load(&shared->done); number++) {
        if (write_round(number) != 0)
            _exit(2);
        atomic_store(&shared->acknowledged, number);
        atomic_store(&shared->writes, true);
    }
    kvstore_close(kv);
    _exit(0);
}

static void test_under_writes(void **state)
{
    int status;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    pid_t writer = fork();
    if (writer == 0)
        write_on();
    while (!atomic_load(&shared->writes) && waitpid(writer, &status, WNOHANG) == 0)
        usleep(1000);
    for (int i = 0; i < 20; i++) {
        uint32_t before = atomic_load(&shared->acknowledged);
        assert_int_equal(backup(data), 0);
        uint32_t after = atomic_load(&shared->acknowledged);
        assert_int_equal(copied.records, RECORDS + 1);
        uint32_t number = round_of(to);
        assert_true(number >= before && number <= after + 1); /* one may be on disk, and not said to be */
        forget_backup();
    }
    atomic_store(&shared->done, true);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    munmap(shared, sizeof *shared);
}

static void test_refused(void **state)
{
    expect(kvstore_backup("/nonexistent", to, &copied, error, sizeof error), -ENOENT, "there is no store");
    expect(backup(data), -ENOENT, "there is no store");
    assert_int_not_equal(access(to, F_OK), 0);
    open_store(data);
    expect(backup(data), -ENOENT, "nothing was ever stored");
    assert_int_not_equal(access(to, F_OK), 0);
    assert_int_equal(write_round(1), 0);
    expect(kvstore_backup(data, "/nonexistent/x", &copied, error, sizeof error), -ENOENT, "No such file");
    expect(kvstore_backup(data, "/dev/null", &copied, error, sizeof error), -ENOTDIR, "/dev/null");
    assert_int_equal(backup(data), 0);
    expect(backup(data), -EEXIST, "there is a backup or a store in it already");
    expect(kvstore_backup(data, data, &copied, error, sizeof error), -EEXIST, "choose another name");
    assert_int_equal(round_of(to), 1);
}

/* An empty folder will do, and a backup has nothing of what was deleted, as the store's free pages have. */
static void test_no_free_pages(void **state)
{
    static const char word[] = "what is gone is gone, and stays so";
    char command[300];
    struct kvstore_op op = {.put = true, .key = {"secret", 6}, .value = {word, sizeof word}};
    open_store(data);
    assert_int_equal(write_round(1), 0);
    assert_int_equal(kvstore_commit(kv, &op, 1), 0);
    op.put = false;
    assert_int_equal(kvstore_commit(kv, &op, 1), 0);
    assert_int_equal(mkdir(to, 0700), 0);
    assert_int_equal(backup(data), 0);
    snprintf(command, sizeof command, "grep -q '%s' '%s/data.mdb'", word, data);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "grep -q '%s' '%s/data.mdb'", word, to);
    assert_int_not_equal(system(command), 0);
}

/* Of two at once into the same folder one says that it was made, and what it has made stays; the other is told. */
static void test_two_at_once(void **state)
{
    char part[100], byte = 0;
    snprintf(part, sizeof part, "%s/data.mdb.part", to);
    open_store(data);
    assert_int_equal(write_round(1), 0);
    assert_int_equal(mkdir(to, 0700), 0);
    int fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(write(fd, "x", 1), 1);
    expect(backup(data), -EBUSY, "another backup or restore is writing to it");
    assert_int_equal(pread(fd, &byte, 1, 0), 1);
    assert_int_equal(access(part, F_OK), 0);
    close(fd);
    assert_int_equal(backup(data), 0); /* over what one that was killed has left */
    assert_int_not_equal(access(part, F_OK), 0);
    assert_int_equal(round_of(to), 1);
    forget_backup();
    close_store();
    for (int i = 0; i < 20; i++) {
        pid_t children[4];
        int status, good = 0;
        for (size_t k = 0; k < 4; k++)
            if ((children[k] = fork()) == 0) {
                int result = backup(data);
                _exit(result == 0 ? 0 : result == -EBUSY || result == -EEXIST ? 1 : 2);
            }
        for (size_t k = 0; k < 4; k++) {
            assert_int_equal(waitpid(children[k], &status, 0), children[k]);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
            good += WEXITSTATUS(status) == 0;
        }
        assert_int_equal(good, 1);
        assert_int_not_equal(access(part, F_OK), 0);
        assert_int_equal(round_of(to), 1);
        forget_backup();
    }
}

/* One that is killed while it reads holds pages for no longer than until the next commit. */
static void test_killed_backup(void **state)
{
    struct stat before, after;
    char path[100];
    int pipes[2];
    uint8_t byte;
    snprintf(path, sizeof path, "%s/data.mdb", data);
    open_store(data);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(write_round(i), 0);
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        MDB_env *env;
        MDB_txn *txn;
        if (mdb_env_create(&env) != 0 || mdb_env_open(env, data, MDB_RDONLY | MDB_NOTLS, 0600) != 0 ||
            mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 || write(pipes[1], "r", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(stat(path, &before), 0);
    for (uint32_t i = 0; i < 60; i++)
        assert_int_equal(write_round(i), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size <= before.st_size + 4 * (off_t)(RECORDS * VALUE_SIZE));
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- back ---- */

static void make_backup_of(uint32_t round)
{
    open_store(data);
    assert_int_equal(write_round(round), 0);
    assert_int_equal(backup(data), 0);
}

static void test_same_commit(void **state)
{
    make_backup_of(1);
    close_store();
    assert_int_equal(restore(data, false), 0);
    assert_true(copied.same && copied.replaced);
    assert_int_equal(copied.records, RECORDS + 1);
    assert_int_equal(round_of(data), 1);
    expect(restore(data, false), -EEXIST, "from an earlier restore");
    assert_int_equal(round_of(data), 1);
}

static void test_another_commit(void **state)
{
    char path[128];
    make_backup_of(1);
    assert_int_equal(write_round(2), 0);
    close_store();
    expect(restore(data, false), -ESTALE, "not the commit that the backup has");
    assert_int_equal(round_of(data), 2);
    assert_int_equal(restore(data, true), 0);
    assert_true(!copied.same && copied.replaced);
    assert_int_equal(round_of(data), 1);
    snprintf(path, sizeof path, "%s/replaced", top); /* what was there is not lost */
    assert_int_equal(mkdir(path, 0700), 0);
    char from[128], there[160];
    snprintf(from, sizeof from, "%s/" KVSTORE_REPLACED, data);
    snprintf(there, sizeof there, "%s/data.mdb", path);
    assert_int_equal(rename(from, there), 0);
    assert_int_equal(round_of(path), 2);
}

static void test_elsewhere(void **state)
{
    char other[128];
    snprintf(other, sizeof other, "%s/other", top);
    make_backup_of(3);
    expect(restore(other, false), -ESTALE, "no store in it to compare with");
    assert_int_not_equal(access(other, F_OK), 0);
    assert_int_equal(restore(other, true), 0);
    assert_true(!copied.same && !copied.replaced);
    assert_int_equal(round_of(other), 3);
}

static void test_in_use(void **state)
{
    make_backup_of(1);
    expect(restore(data, true), -EBUSY, "in use by another process");
    assert_int_equal(write_round(2), 0);
    expect(kvstore_restore(data, to, true, &copied, error, sizeof error), -EBUSY, "enclavectl backup copies such");
}

static void test_no_backup(void **state)
{
    char path[100];
    expect(kvstore_restore("/nonexistent", data, true, &copied, error, sizeof error), -ENOENT, "there is no store");
    make_backup_of(1);
    close_store();
    snprintf(path, sizeof path, "%s/data.mdb", to);
    assert_int_equal(truncate(path, 100), 0);
    assert_true(restore(data, true) < 0);
    assert_int_equal(truncate(path, 0), 0);
    assert_true(restore(data, true) < 0);
    assert_int_equal(round_of(data), 1);
}

static void open_and_read(void)
{
    struct seen seen = {0};
    if (kvstore_open(data, &kv, error, sizeof error) == 0)
        kvstore_scan(kv, (struct kvstore_bytes){0}, (struct kvstore_bytes){0}, look, &seen);
}

static void back_up(void)
{
    if (backup(data) < 0)
        _exit(1);
}

/* In a process of its own: it exits, and is not killed by a signal. */
static void expect_end(void (*act)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(300);               /* a hang */
        signal(SIGSEGV, SIG_DFL); /* cmocka's */
        kvstore_watch_signals();
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

/* All pages but the heads. */
static void spoil(const char *path, int byte)
{
    char bytes[4096];
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    memset(bytes, byte, sizeof bytes);
    for (long page = 2; page < 200; page++) {
        assert_int_equal(fseek(file, page * 4096, SEEK_SET), 0);
        assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    }
    assert_int_equal(fclose(file), 0);
}

/* A file that ends before its pages do, and one whose pages are nonsense. */
static void test_damaged(void **state)
{
    char path[100], part[100];
    make_backup_of(1);
    close_store();
    snprintf(path, sizeof path, "%s/data.mdb", data);
    snprintf(part, sizeof part, "%s/data.mdb.part", to);
    assert_int_equal(truncate(path, 2 * 4096), 0);
    expect_end(open_and_read);
    snprintf(path, sizeof path, "%s/data.mdb", to);
    assert_int_equal(unlink(path), 0);
    expect_end(back_up);
    assert_int_equal(access(part, F_OK), -1);
    snprintf(path, sizeof path, "%s/data.mdb", data);
    spoil(path, 0xff);
    expect_end(back_up);
    assert_int_equal(access(part, F_OK), -1);
    spoil(path, 0);
    expect_end(back_up);
    assert_int_equal(access(part, F_OK), -1);
}

static void remove_locks(void)
{
    char path[100];
    snprintf(path, sizeof path, "%s/enclave-os.lock", data);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", data);
    unlink(path);
}

static char fresh[100]; /* where nothing is */

static void restore_fresh(void)
{
    if (restore(fresh, true) < 0)
        _exit(1);
}

/* Where nothing was nothing is, or a server would begin anew there: be the backup cut short, nonsense, or none. */
static void test_failed_leaves_nothing(void **state)
{
    char path[128], lock[128];
    snprintf(fresh, sizeof fresh, "%s/fresh", top);
    snprintf(lock, sizeof lock, "%s/enclave-os.lock", fresh);
    snprintf(path, sizeof path, "%s/data.mdb", to);
    make_backup_of(1);
    close_store();
    spoil(path, 0xff);
    expect_end(restore_fresh);
    assert_int_not_equal(access(fresh, F_OK), 0);
    assert_int_equal(truncate(path, 2 * 4096), 0);
    expect_end(restore_fresh);
    assert_int_not_equal(access(fresh, F_OK), 0);
    assert_int_equal(mkdir(fresh, 0700), 0); /* one that was there stays, empty */
    expect_end(restore_fresh);
    assert_int_equal(rmdir(fresh), 0);
    forget_backup();
    make_backup_of(1);
    close_store();
    assert_int_equal(mkdir(fresh, 0700), 0);
    snprintf(path, sizeof path, "%s/" KVSTORE_FILE, fresh);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(restore(fresh, true) < 0);
    assert_int_not_equal(access(lock, F_OK), 0);
}

/* Nor does one begin where a restore was killed; given again, that does. */
static void test_killed_restore(void **state)
{
    char path[100];
    make_backup_of(1);
    close_store();
    remove_locks();
    snprintf(path, sizeof path, "%s/data.mdb", data);
    snprintf(error, sizeof error, "%s/data.mdb.part", data);
    assert_int_equal(rename(path, error), 0);
    expect(kvstore_open(data, &kv, error, sizeof error), -ENODATA, "restore it again");
    kv = NULL;
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(restore(data, true), 0);
    assert_int_equal(round_of(data), 1);
}

/* What never was a store's is no record of it, and is in nobody's way: not even a table that has a record's name. */
static void put_junk(void)
{
    static char value[5 << 20], key[511];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_mapsize(env, 1ul << 32), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 2), 0);
    assert_int_equal(mdb_env_open(env, data, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    for (size_t length = KVSTORE_KEY_MAX; length <= sizeof key; length++) { /* the first one for its value's sake */
        MDB_val k = {length, key}, v = {length == KVSTORE_KEY_MAX ? sizeof value : length % 3, value};
        assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    }
    MDB_val root = {4, "root"};
    assert_int_equal(mdb_del(txn, dbi, &root, NULL), 0);
    assert_int_equal(mdb_dbi_open(txn, "root", MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_dbi_open(txn, "a table", MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static bool count_keys(void *user, struct kvstore_bytes key, struct kvstore_bytes value)
{
    assert_in_range(key.size, 1, KVSTORE_KEY_MAX);
    assert_in_range(value.size, 0, KVSTORE_VALUE_MAX);
    (*(size_t *)user)++;
    return true;
}

static void test_junk(void **state)
{
    char key[KVSTORE_KEY_MAX] = {0};
    void *value;
    size_t size, keys = 0;
    struct kvstore_op table = {.key = {"a table", 7}};
    open_store(data);
    assert_int_equal(write_round(1), 0);
    close_store();
    put_junk();
    open_store(data);
    assert_int_equal(kvstore_scan(kv, (struct kvstore_bytes){0}, (struct kvstore_bytes){0}, count_keys, &keys), 0);
    assert_int_equal(keys, RECORDS + 2); /* and two tables, less the root */
    assert_int_equal(kvstore_get(kv, (struct kvstore_bytes){key, sizeof key}, &value, &size), -ENOENT);
    assert_int_equal(write_round(2), 0); /* over the table */
    assert_int_equal(kvstore_commit(kv, &table, 1), 0);
    table = (struct kvstore_op){.put = true, .key = {"k", 1}, .value = {key, KVSTORE_VALUE_MAX + 1}};
    assert_int_equal(kvstore_commit(kv, &table, 1), -EINVAL);
    close_store();
    assert_int_equal(round_of(data), 2);
}

/* A pipe in the place of a file is refused, and not waited for. */
static void test_pipe(void **state)
{
    char path[100];
    make_backup_of(1);
    close_store();
    snprintf(path, sizeof path, "%s/data.mdb", to);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(300); /* a hang */
    expect(restore(data, true), -EINVAL, "it is not a file");
    expect(kvstore_backup(to, top, &copied, error, sizeof error), -EINVAL, "it is not a file");
    alarm(0);
}

/* Records by name, without a trace in the folder. */
static void test_read(void **state)
{
    static const char *const names[] = {"root", "none"};
    struct kvstore_value values[2];
    char command[200];
    open_store(data);
    assert_int_equal(write_round(7), 0);
    expect(kvstore_read(data, names, 2, values, error, sizeof error), -EBUSY, "a server has it open");
    close_store();
    snprintf(command, sizeof command, "cd '%s' && rm *lock* && ! ls | grep lock", data);
    assert_int_equal(system(command), 0);
    assert_int_equal(kvstore_read(data, names, 2, values, error, sizeof error), 0);
    assert_true(values[0].size == 76 && *(uint32_t *)values[0].data == 7 && !values[1].data);
    free(values[0].data);
    assert_int_not_equal(system(command), 0); /* there is none to remove */
}

/* As a service that is not root. */
static void start_and_end(void)
{
    if (setgid(12346) != 0 || setuid(12345) != 0 || kvstore_open(data, &kv, error, sizeof error) != 0 ||
        write_round(9) != 0)
        _exit(2);
    kvstore_close(kv);
    _exit(1);
}

static void expect_the_services(void)
{
    const char *names[] = {"data.mdb", "enclave-os.lock", "lock.mdb"};
    char path[100];
    struct stat st;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", data, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_uid, 12345);
        assert_int_equal(st.st_gid, 12346);
    }
    expect_end(start_and_end);
}

/* What root puts back, copies, or opens to look at is the service's whose folder it is. */
static void test_owner(void **state)
{
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(top, 0755), 0);
    make_backup_of(1);
    close_store();
    assert_int_equal(chown(data, 12345, 12346), 0);
    assert_int_equal(restore(data, true), 0);
    forget_backup();
    assert_int_equal(backup(data), 0); /* of one that has no lock of LMDB's yet */
    expect_the_services();
    remove_locks();
    open_store(data);
    close_store();
    expect_the_services();
}

/* What root would give away belongs to somebody else under another name. */
static void test_not_given(void **state)
{
    char path[100], other[100];
    struct stat st;
    if (geteuid() != 0)
        skip();
    make_backup_of(1);
    close_store();
    remove_locks();
    assert_int_equal(chown(data, 12345, 12346), 0);
    snprintf(path, sizeof path, "%s/lock.mdb", data);
    snprintf(other, sizeof other, "%s/roots", top);
    int fd = open(other, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    assert_int_equal(link(other, path), 0);
    forget_backup();
    backup(data);
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(st.st_uid, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_under_writes),   TEST(test_refused),     TEST(test_no_free_pages),  TEST(test_two_at_once),
        TEST(test_killed_backup),  TEST(test_same_commit), TEST(test_another_commit), TEST(test_elsewhere),
        TEST(test_in_use),         TEST(test_no_backup),   TEST(test_damaged),        TEST(test_junk),
        TEST(test_pipe),           TEST(test_owner),       TEST(test_not_given),      TEST(test_failed_leaves_nothing),
        TEST(test_killed_restore), TEST(test_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
