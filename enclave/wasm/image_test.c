/* What was written is put back, wherever it lies, and nothing else is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/wasm/image.h"

#define MINIMUM (4 * 65536u)
#define OFFSET 5000u
#define SIZE 20000u

static struct memory_image *image;
static uint8_t *memory, *marks[2];

static int setup(void **state)
{
    static const uint8_t roles[] = {MEMORY_DATA, MEMORY_MARKS, MEMORY_MARKS};
    uint8_t bytes[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
    image = image_new(MINIMUM, OFFSET, bytes, SIZE, roles, sizeof roles);
    return image ? 0 : -1;
}

static int teardown(void **state)
{
    image_unref(image);
    return 0;
}

static void begin(size_t capacity)
{
    memory = calloc(1, capacity);
    for (size_t i = 0; i < 2; i++)
        marks[i] = calloc(1, IMAGE_MARKS);
    image_fill(image, memory);
    assert_true(image_is(image, memory, capacity));
}

static void end(void)
{
    free(memory);
    free(marks[0]);
    free(marks[1]);
}

static void write_at(size_t address, size_t width, size_t whose)
{
    memset(memory + address, 0xa5, width);
    marks[whose][address / IMAGE_CARD % IMAGE_MARKS] = 1;
}

/* At each card's ends and within, by either of two modules, with as much as one mark is good for. */
static void every_place_is_put_back(void **state)
{
    const size_t capacity = MINIMUM + 3 * 65536u;
    begin(capacity);
    for (size_t card = 0; card < capacity / IMAGE_CARD; card++) {
        const size_t starts[] = {0, 1, 2048, IMAGE_CARD - 1};
        for (size_t i = 0; i < 4; i++) {
            size_t at = card * IMAGE_CARD + starts[i];
            size_t width = capacity - at < IMAGE_SLACK ? capacity - at : IMAGE_SLACK;
            write_at(at, width, i % 2);
            assert_false(image_is(image, memory, capacity));
            image_restore(image, memory, capacity, marks, 2);
            assert_true(image_is(image, memory, capacity));
        }
    }
    for (size_t i = 0; i < IMAGE_MARKS; i++)
        assert_true(marks[0][i] == 0 && marks[1][i] == 0);
    end();
}

static void what_is_not_marked_stays(void **state)
{
    begin(MINIMUM);
    memory[3 * IMAGE_CARD + IMAGE_SLACK + 1] ^= 1;
    marks[0][2] = 1;
    image_restore(image, memory, MINIMUM, marks, 2);
    assert_false(image_is(image, memory, MINIMUM));
    end();
}

static void random_writes_are_put_back(void **state)
{
    const size_t capacity = MINIMUM + 65536u;
    begin(capacity);
    srand(15);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned count = (unsigned)rand() % 20;
        for (unsigned i = 0; i < count; i++) {
            size_t at = (size_t)rand() % capacity, width = 1 + (size_t)rand() % 16;
            write_at(at, width < capacity - at ? width : capacity - at, (unsigned)rand() % 2);
        }
        image_restore(image, memory, capacity, marks, 2);
        assert_true(image_is(image, memory, capacity));
    }
    end();
}

/* Cards that lie IMAGE_MARKS apart share a mark. */
static void beyond_what_there_are_marks_for(void **state)
{
    const size_t capacity = (size_t)IMAGE_CARD * IMAGE_MARKS + 4 * 65536u;
    begin(capacity);
    write_at(capacity - 1, 1, 0);
    write_at((size_t)IMAGE_CARD * IMAGE_MARKS + 17, 4, 1);
    write_at((size_t)IMAGE_CARD * IMAGE_MARKS - 2, 4, 1);
    image_restore(image, memory, capacity, marks, 2);
    assert_true(image_is(image, memory, capacity));
    end();
}

static void numbers_that_do_not_fit_are_no_image(void **state)
{
    const uint8_t one[] = {MEMORY_DATA, MEMORY_MARKS}, two[] = {MEMORY_DATA, MEMORY_DATA}, odd[] = {MEMORY_DATA, 2};
    assert_null(image_new(100, 90, one, 11, one, 2));
    assert_null(image_new(100, UINT64_MAX, one, 2, one, 2));
    assert_null(image_new(100, 0, one, 2, two, 2));
    assert_null(image_new(100, 0, one, 2, odd, 2));
    assert_null(image_new(100, 0, one, 2, one + 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_is_put_back),
        cmocka_unit_test(what_is_not_marked_stays),
        cmocka_unit_test(random_writes_are_put_back),
        cmocka_unit_test(beyond_what_there_are_marks_for),
        cmocka_unit_test(numbers_that_do_not_fit_are_no_image),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
