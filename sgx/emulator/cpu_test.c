/*
 * The emulated CPU's state checks itself: right after pages were added, and each kind of damage is noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/testing/stops.h"
#include "sgx/emulator/internal.h"

#define SIZE 0x10000u
#define CODE 0x0000u
#define TCS 0x1000u
#define NOTHING 0x8000u

static char folder[] = "/tmp/emulator-XXXXXX";
static struct backend *backend;

static struct emu_page *page(uint64_t offset)
{
    return &emu.pages[offset / SGX_PAGE_SIZE];
}

static void add(uint64_t offset, uint64_t flags, const void *content)
{
    char error[256];
    struct sgx_secinfo secinfo = {.flags = flags};
    assert_int_equal(
        backend->ops->add_pages(backend, offset, SGX_PAGE_SIZE, content, &secinfo, true, error, sizeof error), 0);
}

static int set_up(void **state)
{
    char error[256];
    static uint8_t tcs_page[SGX_PAGE_SIZE];
    struct sgx_tcs tcs = {.ossa = 0x2000, .nssa = 2, .fslimit = 0xfff, .gslimit = 0xfff};
    memcpy(tcs_page, &tcs, sizeof tcs);
    if (!mkdtemp(folder) || emulator_open(folder, &backend, error, sizeof error) != 0)
        return -1;
    struct sgx_secs secs = {.size = SIZE, .ssa_frame_size = 1};
    secs.attributes.flags = SGX_FLAGS_MODE64BIT;
    secs.attributes.xfrm = backend->xfrm;
    if (backend->ops->create(backend, &secs, 0, error, sizeof error) != 0)
        return -1;
    add(CODE, SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_X, NULL);
    add(TCS, SECINFO_TYPE(PT_TCS), tcs_page);
    return 0;
}

static int tear_down(void **state)
{
    char path[64];
    backend->ops->destroy(backend);
    snprintf(path, sizeof path, "%s/fuse-key", folder);
    unlink(path);
    return rmdir(folder);
}

static void (*damage)(void);

static void damage_and_check(void)
{
    damage();
    emu_check();
}

static bool is_noticed(void (*how)(void))
{
    damage = how;
    return stops(damage_and_check, BROKEN);
}

static void none(void)
{
}

static void no_page_with_permissions(void)
{
    page(NOTHING)->r = 1;
}

static void type_that_is_none(void)
{
    page(CODE)->type = 7;
}

static void tcs_that_can_be_read(void)
{
    page(TCS)->r = 1;
}

static void tcs_without_its_page(void)
{
    *page(TCS) = (struct emu_page){0};
}

static void tcs_outside(void)
{
    emu.tcs[0].address = emu.secs.base + SIZE;
}

static void tcs_unaligned(void)
{
    emu.tcs[0].address++;
}

static void more_frames_than_there_are(void)
{
    emu.tcs[0].cssa = emu.tcs[0].nssa + 1;
}

static void more_than_fit(void)
{
    emu.tcs_count = EMU_TCS_MAX + 1;
}

static void marked_before_it_runs(void)
{
    page(CODE)->modified = 1;
}

static void page_in_the_hole(void)
{
    emu.hole = SGX_PAGE_SIZE;
}

static void test_damage(void **state)
{
    assert_false(is_noticed(none));
    assert_true(is_noticed(no_page_with_permissions));
    assert_true(is_noticed(type_that_is_none));
    assert_true(is_noticed(tcs_that_can_be_read));
    assert_true(is_noticed(tcs_without_its_page));
    assert_true(is_noticed(tcs_outside));
    assert_true(is_noticed(tcs_unaligned));
    assert_true(is_noticed(more_frames_than_there_are));
    assert_true(is_noticed(more_than_fit));
    assert_true(is_noticed(marked_before_it_runs));
    assert_true(is_noticed(page_in_the_hole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
