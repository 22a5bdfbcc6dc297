/* See image.h. */
#include "enclave/wasm/image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/ensure.h"
#include "common/references.h"

/* ---- images ------------------------------------------------------------------------------------------------------ */

static bool fits(uint64_t memory_bytes, uint64_t offset, uint64_t size, const uint8_t *roles, size_t memories)
{
    size_t data = 0;
    for (size_t i = 0; i < memories; i++) {
        if (roles[i] > MEMORY_MARKS)
            return false;
        data += roles[i] == MEMORY_DATA;
    }
    return data == 1 && memories <= UINT32_MAX && offset <= memory_bytes && size <= memory_bytes - offset;
}

struct memory_image *image_new(uint64_t memory_bytes, uint64_t offset, const uint8_t *bytes, uint64_t size,
                               const uint8_t *roles, size_t memories)
{
    struct memory_image *image = fits(memory_bytes, offset, size, roles, memories) ? calloc(1, sizeof *image) : NULL;
    if (!image)
        return NULL;
    atomic_store(&image->references, 1);
    image->memory_bytes = memory_bytes;
    image->offset = offset;
    image->size = size;
    image->memories = (uint32_t)memories;
    image->roles = malloc(memories);
    /* Where code lies: the data were part of it. */
    void *mapped = size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : NULL;
    image->bytes = mapped == MAP_FAILED ? NULL : mapped;
    if (mapped == MAP_FAILED || !image->roles) {
        image_unref(image);
        return NULL;
    }
    if (size)
        memcpy(image->bytes, bytes, size);
    memcpy(image->roles, roles, memories);
    ENSURE(image->offset + image->size <= image->memory_bytes);
    ENSURE(image->memories > 0);
    return image;
}

struct memory_image *image_ref(struct memory_image *image)
{
    references_take(&image->references);
    return image;
}

void image_unref(struct memory_image *image)
{
    if (!image || !references_give(&image->references))
        return;
    if (image->bytes)
        ENSURE(munmap(image->bytes, image->size) == 0);
    free(image->roles);
    free(image);
}

/* ---- memories ---------------------------------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

void image_fill(const struct memory_image *image, uint8_t *memory)
{
    if (image->size)
        memcpy(memory + image->offset, image->bytes, image->size);
}

/* From here to there, as at first. */
static void put_back(const struct memory_image *image, uint8_t *memory, size_t from, size_t to)
{
    size_t begin = image->offset, end = begin + image->size;
    if (from < begin)
        memset(memory + from, 0, least(to, begin) - from);
    size_t first = most(from, begin), last = least(to, end);
    if (first < last)
        memcpy(memory + first, image->bytes + (first - begin), last - first);
    first = most(from, end);
    if (first < to)
        memset(memory + first, 0, to - first);
}

/* Cards from first up to last, and everywhere else where these marks may stand for one. */
static void put_back_cards(const struct memory_image *image, uint8_t *memory, size_t capacity, size_t first,
                           size_t last)
{
    ENSURE(first < last && last <= IMAGE_MARKS);
    for (; first * IMAGE_CARD < capacity; first += IMAGE_MARKS, last += IMAGE_MARKS)
        put_back(image, memory, first * IMAGE_CARD, least(last * IMAGE_CARD + IMAGE_SLACK, capacity));
}

#define WORD sizeof(uint64_t)

/* Eight marks of all, which are cleared. */
static uint64_t take_marks(uint8_t *const *marks, size_t count, size_t at)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t word;
        memcpy(&word, marks[i] + at, WORD);
        if (word)
            memset(marks[i] + at, 0, WORD);
        all |= word;
    }
    return all;
}

void image_restore(const struct memory_image *image, uint8_t *memory, size_t capacity, uint8_t *const *marks,
                   size_t count)
{
    ENSURE(capacity >= image->memory_bytes);
    size_t cards = least((capacity + IMAGE_CARD - 1) / IMAGE_CARD, IMAGE_MARKS);
    size_t first = 0; /* of a run of marked cards, if it has begun */
    bool in_run = false;
    for (size_t at = 0; at < cards; at += WORD) {
        uint8_t marked[WORD];
        uint64_t word = take_marks(marks, count, at);
        if (!word && !in_run)
            continue;
        memcpy(marked, &word, WORD);
        for (size_t i = 0; i < WORD; i++) {
            if (marked[i] && !in_run)
                first = at + i;
            if (!marked[i] && in_run)
                put_back_cards(image, memory, capacity, first, at + i);
            in_run = marked[i];
        }
    }
    if (in_run)
        put_back_cards(image, memory, capacity, first, least((cards + WORD - 1) & ~(WORD - 1), IMAGE_MARKS));
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

bool image_is(const struct memory_image *image, const uint8_t *memory, size_t capacity)
{
    size_t end = image->offset + image->size;
    if (image->size && memcmp(memory + image->offset, image->bytes, image->size) != 0)
        return false;
    return is_zero(memory, image->offset) && is_zero(memory + end, capacity - end);
}
