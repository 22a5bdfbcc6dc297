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

static int open_or_begin(int first_boot)
{
    int first = -1;
    why[0] = 0;
    int error = master_open_store(store, &first, why, sizeof why);
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
    assert_int_equal(host_memory.count, 3);
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

static void test_damage(void **state)
{
    assert_int_equal(boot(1), 0);
    struct host_record *r = master();
    for (size_t i = 0; i < r->value_size; i++) {
        r->value[i] ^= 1;
        int error = boot(0);
        assert_true(error == -EBADMSG || error == -EACCES);
        r->value[i] ^= 1;
    }
    for (size_t size = 0; size < r->value_size; size += 7) {
        size_t whole = r->value_size;
        r->value_size = size;
        assert_int_equal(boot(0), -EBADMSG);
        r->value_size = whole;
    }
    assert_int_equal(boot(0), 0);
}

/* A host that hides the key, of a store with records or of one with a root alone, gets no second store. */
static void test_nothing_is_begun_over_a_store(void **state)
{
    assert_int_equal(boot(1), 0);
    host_memory_delete(STORE_MASTER_KEY, strlen(STORE_MASTER_KEY));
    assert_int_equal(boot(1), -EBADMSG);
    assert_null(master());
    assert_non_null(strstr(why, "not starting anew"));
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
    assert_int_equal(host_memory.count, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_made_once),
                                       TEST(test_begun_only),
                                       TEST(test_others_are_refused),
                                       TEST(test_damage),
                                       TEST(test_nothing_is_begun_over_a_store),
                                       TEST(test_failed_first_commit),
                                       TEST(test_first_commit_made_after_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
