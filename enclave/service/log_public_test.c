/* What paths of the log name, and that there is one way to write each. */
#include "enclave/service/log_public.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/service/system.h"

/* Nobody reads here. */
struct system enclave_system;

size_t history_checkpoint(struct history *h, char text[HISTORY_CHECKPOINT_MAX], struct history_head *head)
{
    (void)h, (void)text, (void)head;
    abort();
}

int history_read(struct worker *w, struct history *h, const struct history_part *part, history_read_done done,
                 void *user)
{
    (void)w, (void)h, (void)part, (void)done, (void)user;
    abort();
}

static bool part_of(const char *path, struct history_part *part)
{
    /* as long as it is, so that a sanitizer sees who reads behind it */
    size_t size = strlen(path);
    char *copy = malloc(size ? size : 1);
    memcpy(copy, path, size);
    bool is = log_public_part((struct http_text){copy, size}, part);
    free(copy);
    return is;
}

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        struct history_part part;
    } good[] = {
        {"tile/0/000", {HISTORY_TILE, 0, 0, 256}},
        {"tile/0/067.p/1", {HISTORY_TILE, 0, 67, 1}},
        {"tile/7/999.p/255", {HISTORY_TILE, 7, 999, 255}},
        {"tile/1/x001/000", {HISTORY_TILE, 1, 1000, 256}},
        {"tile/0/x001/x234/067", {HISTORY_TILE, 0, 1234067, 256}},
        {"tile/0/x123/x000/067.p/20", {HISTORY_TILE, 0, 123000067, 20}},
        {"tile/entries/000.p/7", {HISTORY_ENTRIES, 0, 0, 7}},
        {"tile/entries/x001/234", {HISTORY_ENTRIES, 0, 1234, 256}},
        {"tile/0/x999/x999/x999/x999/x999/999", {HISTORY_TILE, 0, UINT64_C(999999999999999999), 256}},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct history_part part;
        if (!part_of(good[i].path, &part))
            fail_msg("%s is not taken", good[i].path);
        assert_int_equal(part.kind, good[i].part.kind);
        assert_int_equal(part.level, good[i].part.level);
        assert_int_equal(part.index, good[i].part.index);
        assert_int_equal(part.width, good[i].part.width);
    }
}

static void test_no_parts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/00a",
        "tile/0/ 00",
        "tile/0/-01",
        "tile/8/000",
        "tile/9/000",
        "tile/00/000",
        "tile/10/000",
        "tile/a/000",
        "tile//000",
        "tile/0//000",
        "tile/0/000/",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/1000",
        "tile/0/000.p/1x",
        "tile/0/000.p/1/",
        "tile/0/000.p/+1",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/x001/",
        "tile/0/x001/x002",
        "tile/0/001/002",
        "tile/0/x001/x234/067/",
        "tile/0/x001x234/067",
        "tile/0/x001/x999/x999/x999/x999/x999/999",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/entries",
        "tile/entries/",
        "tile/entries/0",
        "tile/entries/000.p/256",
        "tile/data/000",
        "tile/-/000",
        "checkpoint",
        "tile/0/000?x",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct history_part part;
        if (part_of(bad[i], &part))
            fail_msg("%s is taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_no_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
