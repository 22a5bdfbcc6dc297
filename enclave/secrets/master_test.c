/*
 * The master key over the emulated CPU's own EGETKEY and a host in memory: made once, found ever after, by the same
 * image on the same CPU alone; and nothing is begun anew over what may be somebody's store.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/crypto/crypto.h"
#include "enclave/kvstore/store.h"
#include "enclave/secrets/secrets.h"
#include "sgx/emulator/internal.h"
#include "sgx/trusted/bridge.h"
#include "tests/native/host_memory.h"

static struct worker worker;
static struct store *store;
static char why[256];
static int renewed;

static int setup(void **state)
{
    memset(&emu, 0, sizeof emu);
    memset(emu.fuse_key, 1, sizeof emu.fuse_key);
    memset(emu.secs.mrenclave, 2, 32);
    emu.secs.attributes = (struct sgx_attributes){SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT, 0xE7};
    host_memory_worker(&worker);
    store = store_new(&worker);
    return store ? 0 : -1;
}

static int teardown(void **state)
{
    store_close(store);
    store_free(store);
    loop_deinit(&worker.loop);
    host_memory_reset();
    return 0;
}

static unsigned begun_count;
static int begun_error;
static uint8_t begun_with[MASTER_KEY_SIZE];

static int begun(const uint8_t master[MASTER_KEY_SIZE], char *line, size_t size)
{
    memcpy(begun_with, master, sizeof begun_with);
    begun_count++;
    if (begun_error < 0)
        snprintf(line, size, "not this one");
    return begun_error;
}

static int open_or_begin(int first_boot)
{
    int first = -1;
    why[0] = 0;
    int error = master_open_store(store, &first, &renewed, begun, why, sizeof why);
    assert_int_equal(first, first_boot);
    return error;
}

/* What came of opening or creating it, with first_boot as expected; it is closed again. */
static int boot(int first_boot)
{
    struct kv_namespace *ns = kv_namespace_open(store, "system");
    struct kv_op op = {KV_PUT, ns, "who", 3, "CA", 2};
    int error = open_or_begin(first_boot);
    if (error == 0 && first_boot)
        error = store_create(store, &op, 1, why, sizeof why);
    assert_int_equal(error < 0, why[0] != 0);
    store_check(store);
    store_close(store);
    kv_namespace_close(ns);
    return error;
}

static struct host_record *master(void)
{
    return host_memory_find(STORE_MASTER_KEY, strlen(STORE_MASTER_KEY));
}

static void test_made_once(void **state)
{
    assert_int_equal(boot(1), 0);
    assert_int_equal(host_memory.count, 2 * 3);
    assert_int_equal(host_memory.commits, 1); /* key, root and what goes with them come together */
    uint8_t sealed[MASTER_KEY_SIZE + SEAL_OVERHEAD];
    assert_int_equal(master()->value_size, sizeof sealed);
    memcpy(sealed, master()->value, sizeof sealed);
    assert_int_equal(boot(0), 0);
    assert_memory_equal(master()->value, sealed, sizeof sealed);
    assert_int_equal(host_memory.commits, 1);
}

/* Ended before the first commit: nothing was written, and the next one is a first boot, too. */
static void test_begun_only(void **state)
{
    assert_int_equal(open_or_begin(1), 0);
    store_check(store);
    store_close(store);
    assert_int_equal(host_memory.count, 0);
    assert_int_equal(host_memory.commits, 0);
    assert_int_equal(boot(1), 0);
    assert_int_equal(boot(0), 0);
}

/* Whoever makes something of a first boot's key has the key that opens the store from then on, once. */
static void test_begun_has_the_key(void **state)
{
    begun_count = 0;
    assert_int_equal(boot(1), 0);
    assert_int_equal(boot(0), 0);
    assert_int_equal(begun_count, 1);
    assert_int_equal(store_open(store, begun_with, why, sizeof why), 0);
    store_close(store);
}

/* And where nothing comes of it, nothing is there. */
static void test_begun_in_vain(void **state)
{
    begun_error = -EINVAL;
    assert_int_equal(open_or_begin(1), -EINVAL);
    begun_error = 0;
    assert_string_equal(why, "not this one");
    assert_int_equal(host_memory.count, 0);
    assert_int_equal(boot(1), 0);
    assert_int_equal(boot(0), 0);
}

static void test_others_are_refused(void **state)
{
    assert_int_equal(boot(1), 0);
    size_t commits = host_memory.commits;
    emu.secs.mrenclave[0] ^= 1;
    assert_int_equal(boot(0), -EACCES);
    emu.secs.mrenclave[0] ^= 1;
    emu.fuse_key[0] ^= 1;
    assert_int_equal(boot(0), -EACCES);
    emu.fuse_key[0] ^= 1;
    emu.secs.attributes.flags |= SGX_FLAGS_DEBUG;
    assert_int_equal(boot(0), -EACCES);
    emu.secs.attributes.flags &= ~SGX_FLAGS_DEBUG;
    assert_int_equal(host_memory.commits, commits); /* left untouched */
    assert_int_equal(boot(0), 0);
}

/* ---- versions ---- */

#define BLOB_SIZE (MASTER_KEY_SIZE + SEAL_OVERHEAD)

static void keep_master(uint8_t blob[BLOB_SIZE])
{
    assert_int_equal(master()->value_size, BLOB_SIZE);
    memcpy(blob, master()->value, BLOB_SIZE);
}

static void set_microcode(uint8_t version)
{
    memset(emu.cpu_svn, version, sizeof emu.cpu_svn);
}

/* No record of the host's has anything of the blob. */
static void expect_gone(const uint8_t blob[BLOB_SIZE])
{
    for (size_t i = 0; i < host_memory.count; i++)
        assert_null(memmem(host_memory.records[i].value, host_memory.records[i].value_size, blob + SEAL_HEADER_SIZE,
                           AEAD_OVERHEAD));
}

static void test_newer_microcode(void **state)
{
    uint8_t before[BLOB_SIZE], after[BLOB_SIZE];
    assert_int_equal(boot(1), 0);
    keep_master(before);
    size_t commits = host_memory.commits;
    set_microcode(2);
    assert_int_equal(boot(0), 0);
    assert_int_equal(renewed, 1);
    assert_int_equal(host_memory.commits, commits + 1);
    keep_master(after);
    expect_gone(before);
    assert_int_equal(boot(0), 0); /* once, and with the same key: the store opens */
    assert_int_equal(renewed, 0);
    assert_memory_equal(master()->value, after, BLOB_SIZE);
    assert_int_equal(host_memory.commits, commits + 1);
    /* a host that kept the older blob is believed, as any that has the store, and has it sealed again */
    memcpy(master()->value, before, BLOB_SIZE);
    assert_int_equal(boot(0), 0);
    assert_int_equal(renewed, 1);
}

static void test_older_microcode(void **state)
{
    uint8_t before[BLOB_SIZE];
    set_microcode(3);
    assert_int_equal(boot(1), 0);
    keep_master(before);
    size_t commits = host_memory.commits;
    set_microcode(2);
    assert_int_equal(boot(0), -ENOKEY);
    assert_non_null(strstr(why, "newer microcode"));
    emu.fuse_key[0] ^= 1; /* nor is another CPU told more than it can know */
    assert_int_equal(boot(0), -ENOKEY);
    assert_non_null(strstr(why, "or on another CPU"));
    set_microcode(3);
    assert_int_equal(boot(0), -EACCES);
    emu.fuse_key[0] ^= 1;
    emu.cpu_svn[15] = 2; /* one component of it */
    assert_int_equal(boot(0), -ENOKEY);
    assert_int_equal(host_memory.commits, commits);
    set_microcode(3);
    assert_int_equal(boot(0), 0);
    assert_int_equal(renewed, 0);
    assert_memory_equal(master()->value, before, BLOB_SIZE);
}

static void test_image_versions(void **state)
{
    emu.secs.isvsvn = 4;
    assert_int_equal(boot(1), 0);
    emu.secs.isvsvn = 5;
    assert_int_equal(boot(0), 0);
    assert_int_equal(renewed, 1);
    emu.secs.isvsvn = 4;
    assert_int_equal(boot(0), -EKEYEXPIRED);
    assert_non_null(strstr(why, "higher security version"));
    emu.secs.isvsvn = 5;
    assert_int_equal(boot(0), 0);
    assert_int_equal(renewed, 0);
}

/* Killed before the write, after it, and between the write and its answer: the store opens, and is sealed again by then
 * or at the next start. */
static void test_killed_while_sealing_again(void **state)
{
    uint8_t before[BLOB_SIZE];
    for (int kept = 0; kept < 2; kept++) {
        set_microcode((uint8_t)(1 + kept));
        assert_int_equal(boot(kept == 0), 0);
        keep_master(before);
        set_microcode((uint8_t)(2 + kept));
        host_memory.commit_status = -EIO;
        host_memory.keep_failed = kept;
        assert_int_equal(boot(0), 0); /* it opens all the same */
        assert_int_equal(renewed, -EIO);
        assert_int_equal(memcmp(master()->value, before, BLOB_SIZE) == 0, !kept);
        host_memory.commit_status = 0;
        host_memory.keep_failed = false;
        assert_int_equal(boot(0), 0);
        assert_int_equal(renewed, !kept);
        expect_gone(before);
    }
}

/* What is not opened is not sealed again: a store that is not what its root says stays as it is. */
static void test_damaged_is_left(void **state)
{
    uint8_t before[BLOB_SIZE];
    assert_int_equal(boot(1), 0);
    keep_master(before);
    set_microcode(2);
    host_memory_find(STORE_ROOT_KEY, strlen(STORE_ROOT_KEY))->value[9] ^= 1;
    host_memory_find(STORE_ROOT_COPY_KEY, strlen(STORE_ROOT_COPY_KEY))->value[9] ^= 1;
    assert_int_equal(boot(0), -EBADMSG);
    assert_memory_equal(master()->value, before, BLOB_SIZE);
}

static struct host_record *master_copy(void)
{
    return host_memory_find(STORE_MASTER_COPY_KEY, strlen(STORE_MASTER_COPY_KEY));
}

/* One of the two is written again from the other. */
static void test_damage(void **state)
{
    assert_int_equal(boot(1), 0);
    for (int which = 0; which < 2; which++) {
        size_t size = master()->value_size;
        for (size_t i = 0; i < size; i++) {
            (which ? master_copy() : master())->value[i] ^= 1;
            assert_int_equal(boot(0), 0);
            assert_memory_equal(master()->value, master_copy()->value, size);
        }
        for (size_t left = 0; left < size; left += 7) {
            (which ? master_copy() : master())->value_size = left;
            assert_int_equal(boot(0), 0);
            assert_int_equal((which ? master_copy() : master())->value_size, size);
        }
        host_memory_delete(which ? STORE_MASTER_COPY_KEY : STORE_MASTER_KEY,
                           strlen(which ? STORE_MASTER_COPY_KEY : STORE_MASTER_KEY));
        assert_int_equal(boot(0), 0);
        assert_memory_equal(master()->value, master_copy()->value, size);
    }
}

/* One of the two is another instance's of this image, and opens: the store is opened by the other, and it is mended. */
static void test_another_instances(void **state)
{
    uint8_t others[BLOB_SIZE], ours[BLOB_SIZE];
    assert_int_equal(boot(1), 0);
    keep_master(others);
    host_memory_reset();
    assert_int_equal(boot(1), 0);
    keep_master(ours);
    for (int which = 0; which < 2; which++) {
        memcpy((which ? master_copy() : master())->value, others, sizeof others);
        assert_int_equal(boot(0), 0);
        assert_memory_equal(master()->value, ours, sizeof ours);
        assert_memory_equal(master_copy()->value, ours, sizeof ours);
    }
    memcpy(master()->value, others, sizeof others);
    memcpy(master_copy()->value, others, sizeof others);
    assert_int_equal(boot(0), -EBADMSG);
    assert_memory_equal(master()->value, others, sizeof others); /* and is left untouched */
}

/* Both: there is no way in. */
static void test_damage_of_both(void **state)
{
    assert_int_equal(boot(1), 0);
    size_t commits = host_memory.commits;
    for (size_t i = 0; i < master()->value_size; i++) {
        master()->value[i] ^= 1;
        master_copy()->value[i / 2] ^= 2;
        int error = boot(0);
        assert_true(error == -EBADMSG || error == -EACCES || error == -ENOKEY || error == -EKEYEXPIRED);
        master()->value[i] ^= 1;
        master_copy()->value[i / 2] ^= 2;
    }
    host_memory_delete(STORE_MASTER_COPY_KEY, strlen(STORE_MASTER_COPY_KEY));
    master()->value_size -= 1;
    assert_int_equal(boot(0), -EBADMSG);
    assert_int_equal(host_memory.commits, commits);
}

/* A host that hides the key, of a store with records or of one with a root alone, gets no second store. */
static void test_nothing_is_begun_over_a_store(void **state)
{
    assert_int_equal(boot(1), 0);
    host_memory_delete(STORE_MASTER_KEY, strlen(STORE_MASTER_KEY));
    host_memory_delete(STORE_MASTER_COPY_KEY, strlen(STORE_MASTER_COPY_KEY));
    assert_int_equal(boot(1), -EBADMSG);
    assert_null(master());
    assert_non_null(strstr(why, "not starting anew over them (it was handed over"));
}

/* A first commit that fails leaves nothing behind; the next boot is a first one again. */
static void test_failed_first_commit(void **state)
{
    host_memory.commit_status = -EIO;
    assert_int_equal(boot(1), -EIO);
    assert_int_equal(host_memory.count, 0);
    host_memory.commit_status = 0;
    assert_int_equal(boot(1), 0);
    assert_int_equal(boot(0), 0);
}

static bool cannot_be_read(uint32_t method, int *status, uint8_t **answer, size_t *size)
{
    *status = -EIO;
    return method == RPC_KV_GET && host_memory.commits > 0;
}

/* Made, and said to have failed: it is known to be made where the root can be read, or else at the next boot. */
static void test_first_commit_made_after_all(void **state)
{
    host_memory.commit_status = -EIO;
    host_memory.keep_failed = true;
    assert_int_equal(boot(1), 0);
    assert_int_equal(boot(0), 0);
    host_memory_reset();
    host_memory.commit_status = -EIO;
    host_memory.keep_failed = true;
    host_memory.answer = cannot_be_read;
    assert_int_equal(boot(1), -ENOTRECOVERABLE);
    host_memory.answer = NULL;
    assert_int_equal(boot(0), 0);
    assert_int_equal(host_memory.count, 2 * 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_made_once),
                                       TEST(test_begun_only),
                                       TEST(test_begun_has_the_key),
                                       TEST(test_begun_in_vain),
                                       TEST(test_others_are_refused),
                                       TEST(test_newer_microcode),
                                       TEST(test_older_microcode),
                                       TEST(test_image_versions),
                                       TEST(test_killed_while_sealing_again),
                                       TEST(test_damaged_is_left),
                                       TEST(test_damage),
                                       TEST(test_another_instances),
                                       TEST(test_damage_of_both),
                                       TEST(test_nothing_is_begun_over_a_store),
                                       TEST(test_failed_first_commit),
                                       TEST(test_first_commit_made_after_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
