/* What is in files: while they are unlinked, with holes, while they are fetched; random writes against a model. */
#include "enclave/fs/testing/world.h"

#define MODEL_FILES 6
#define MODEL_SIZE 300000u

/* Unlinked while open: readable to the end, gone afterwards, also when the enclave ended meanwhile. */
static void test_unlinked_while_open(void **state)
{
    struct fs_node *node;
    char buffer[8];
    put_file("a", "data");
    assert_int_equal(sync_all(), 0);
    size_t records = host_memory.count;
    assert_int_equal(open_path("a", FS_OPEN_WRITE, &node), 0);
    assert_int_equal(call(FS_UNLINK, "a"), 0);
    put_file("a", "other");
    assert_int_equal(read_at(node, 0, buffer, 8), 4);
    assert_memory_equal(buffer, "data", 4);
    assert_int_equal(write_at(node, 4, "more", 4), 4);
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_file("a", "other");
    assert_int_equal(sync_all(), 0);
    assert_int_equal(host_memory.count, records); /* what the unlinked file left was removed */
}

/* A guest that ends while its read waits gives its file back before the answer is there; the file was unlinked, too. */
static void test_released_while_it_waits(void **state)
{
    struct fs_node *node;
    put_file("a", "data");
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_int_equal(open_path("a", 0, &node), 0);
    assert_int_equal(call(FS_UNLINK, "a"), 0);
    struct fs_op *read = make(FS_READ, node, NULL, 8), *last = make(FS_RELEASE, node, NULL, 0);
    bool done = false;
    read->size = 8;
    read->done = on_done;
    read->user = &done;
    fs_submit(read);
    fs_submit(last); /* freed when it is done */
    for (int turns = 0; !done && turns < 100; turns++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    assert_true(done);
    assert_int_equal(read->error, 0);
    assert_int_equal(read->transferred, 4);
    assert_memory_equal(read->buffer, "data", 4);
    fs_op_free(read);
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_names(NULL, "");
}

static void test_sparse_and_large(void **state)
{
    struct fs_node *node;
    static uint8_t piece[FS_IO_MAX], back[FS_IO_MAX];
    memset(piece, 7, sizeof piece);
    assert_int_equal(open_path("big", FS_OPEN_CREATE | FS_OPEN_WRITE, &node), 0);
    assert_int_equal(write_at(node, UINT64_C(1) << 39, "end", 3), 3);
    assert_int_equal(sync_all(), 0);
    assert_true(host_memory.count < 2 * 12); /* holes cost nothing */
    assert_int_equal(read_at(node, 12345, back, 100), 100);
    assert_int_equal(back[50], 0);
    for (uint64_t at = 0; at < 16u << 20; at += sizeof piece - 1000) /* over chunk borders */
        assert_true(write_at(node, at, piece, sizeof piece) == sizeof piece);
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_int_equal(open_path("big", FS_OPEN_WRITE, &node), 0);
    for (uint64_t at = 0; at < 16u << 20;) {
        int got = read_at(node, at, back, sizeof back);
        assert_true(got > 0);
        assert_memory_equal(back, piece, (size_t)got);
        at += (uint64_t)got;
    }
    assert_int_equal(size_of("big"), (UINT64_C(1) << 39) + 3);
    assert_int_equal(resize_to(node, 100), 0);
    assert_int_equal(resize_to(node, 200000), 0);
    assert_int_equal(read_at(node, 99, back, 3), 3);
    assert_memory_equal(back, "\7\0\0", 3);
    assert_int_equal(resize_to(node, FS_SIZE_MAX + 1), -EFBIG);
    /* No file has these sizes and offsets, which a C program calls negative. */
    for (uint64_t none = UINT64_C(1) << 63; none; none = none == UINT64_MAX ? 0 : UINT64_MAX) {
        assert_int_equal(resize_to(node, none), -EINVAL);
        assert_int_equal(read_at(node, none, back, 3), -EINVAL);
        assert_int_equal(write_at(node, none, piece, 3), -EINVAL);
    }
    release(node);
    assert_int_equal(call(FS_UNLINK, "big"), 0);
    assert_int_equal(sync_all(), 0);
    assert_true(host_memory.count < 2 * 6);
}

static void test_against_a_model(void **state)
{
    static uint8_t model[MODEL_FILES][MODEL_SIZE], piece[FS_IO_MAX], back[FS_IO_MAX];
    static uint64_t sizes[MODEL_FILES];
    char name[8];
    memset(model, 0, sizeof model);
    memset(sizes, 0, sizeof sizes);
    srand(6);
    for (int i = 0; i < MODEL_FILES; i++) {
        snprintf(name, sizeof name, "f%d", i);
        put_file(name, "");
    }
    for (int step = 0; step < 1500; step++) {
        int i = rand() % MODEL_FILES;
        struct fs_node *node;
        uint64_t at = (uint64_t)rand() % (MODEL_SIZE - FS_IO_MAX), size = (uint64_t)rand() % FS_IO_MAX;
        snprintf(name, sizeof name, "f%d", i);
        assert_int_equal(open_path(name, FS_OPEN_WRITE, &node), 0);
        switch (rand() % 5) {
        case 0:
        case 1:
            memset(piece, rand() % 3, size);
            assert_int_equal(write_at(node, at, piece, size), size);
            memcpy(model[i] + at, piece, size);
            if (size && at + size > sizes[i])
                sizes[i] = at + size;
            break;
        case 2:
            assert_int_equal(resize_to(node, at), 0);
            if (at < sizes[i])
                memset(model[i] + at, 0, sizes[i] - at);
            sizes[i] = at;
            break;
        default:
            for (uint64_t from = 0; from < sizes[i];) {
                int got = read_at(node, from, back, sizeof back);
                assert_true(got > 0);
                assert_memory_equal(back, model[i] + from, (size_t)got);
                from += (uint64_t)got;
            }
        }
        release(node);
        assert_int_equal(size_of(name), sizes[i]);
        if (step % 250 == 249) {
            assert_int_equal(sync_all(), 0);
            boot(false);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unlinked_while_open),
        TEST(test_released_while_it_waits),
        TEST(test_sparse_and_large),
        TEST(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
