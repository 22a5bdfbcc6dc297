/* A key for each site, as long as its time is not over, and no longer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/hpke.h"
#include "enclave/https/site.h"
#include "enclave/ohttp/keys.h"
#include "enclave/ohttp/limits.h"
#include "enclave/thread/loop.h"

#define SECOND UINT64_C(1000000000)

static struct loop loop;
static struct http_site sites[OHTTP_KEYS_MAX + 2];
static unsigned released;

static void on_release(struct http_site *site)
{
    (void)site;
    released++;
}

/* The id of its key; what it is made of fits together. */
static int key_of(struct http_site *site)
{
    uint8_t list[OHTTP_KEYS_SIZE], secret[OHTTP_KEY_SIZE], public_key[OHTTP_KEY_SIZE];
    struct ohttp_key key;
    int error = keys_list(site, loop.now_ns, list);
    if (error < 0)
        return error;
    assert_int_equal(ohttp_keys_read(list, sizeof list, &key), 0);
    struct http_site *found = keys_find(key.id, loop.now_ns, secret);
    assert_ptr_equal(found, site);
    http_site_unref(found);
    assert_int_equal(hpke_public(secret, public_key), 0);
    assert_memory_equal(public_key, key.public_key, sizeof public_key);
    return key.id;
}

static bool is_known(int id)
{
    uint8_t secret[OHTTP_KEY_SIZE];
    struct http_site *found = keys_find((uint8_t)id, loop.now_ns, secret);
    http_site_unref(found);
    return found;
}

static void turn(uint64_t ns)
{
    while (loop_run_once(&loop, loop.now_ns + ns))
        ns = 0;
}

static void a_key_lives_as_long_as_its_site(void **state)
{
    (void)state;
    int first = key_of(&sites[0]), second = key_of(&sites[1]);
    assert_int_equal(key_of(&sites[0]), first); /* the same each time */
    assert_int_not_equal(first, second);
    http_site_retire(&sites[0], loop.now_ns + 10 * SECOND);
    turn(9 * SECOND);
    assert_true(is_known(first) && is_known(second)); /* those who verified it may still ask */
    turn(SECOND);
    assert_false(is_known(first));
    assert_true(is_known(second));
    http_site_unref(&sites[0]); /* ours: the last, but for what holds the key */
    turn(2 * SECOND);
    assert_int_equal(released, 1);
    http_site_retire(&sites[1], SITE_CUT_AT_ONCE);
    assert_false(is_known(second)); /* at once, whether somebody has looked or not */
    http_site_unref(&sites[1]);
    turn(2 * SECOND);
    assert_int_equal(released, 2);
}

static void there_is_a_bound(void **state)
{
    int ids[OHTTP_KEYS_MAX];
    (void)state;
    for (size_t i = 0; i < OHTTP_KEYS_MAX; i++)
        ids[i] = key_of(&sites[2 + i]);
    struct http_site more;
    http_site_init(&more, 99, NULL, NULL);
    assert_int_equal(key_of(&more), -EBUSY);
    for (size_t i = 0; i < OHTTP_KEYS_MAX; i++)
        assert_true(is_known(ids[i]));
    http_site_retire(&sites[2], SITE_CUT_AT_ONCE);
    turn(2 * SECOND);
    assert_true(key_of(&more) >= 0);
    keys_close();
    for (size_t i = 1; i < OHTTP_KEYS_MAX; i++)
        assert_false(is_known(ids[i]));
    for (size_t i = 0; i < OHTTP_KEYS_MAX; i++)
        http_site_unref(&sites[2 + i]);
    assert_int_equal(released, OHTTP_KEYS_MAX + 2); /* all references were given back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_lives_as_long_as_its_site),
        cmocka_unit_test(there_is_a_bound),
    };
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++)
        http_site_init(&sites[i], i + 1, NULL, on_release);
    if (loop_init(&loop, NULL) < 0 || keys_open(&loop) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
