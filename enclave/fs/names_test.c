/* What POSIX says of names, directories and links, and that no path leads out; random names against a model. */
#include "enclave/fs/testing/world.h"

static void test_files(void **state)
{
    struct fs_node *node;
    char buffer[64];
    assert_int_equal(open_path("a", 0, &node), -ENOENT);
    put_file("a", "hello");
    assert_file("a", "hello");
    assert_int_equal(open_path("a", FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE, &node), -EEXIST);
    assert_int_equal(open_path("a", FS_OPEN_DIRECTORY, &node), -ENOTDIR);
    assert_int_equal(open_path("a/b", FS_OPEN_CREATE, &node), -ENOTDIR);
    assert_int_equal(open_path("a/", 0, &node), -ENOTDIR);
    assert_int_equal(open_path("none/b", FS_OPEN_CREATE, &node), -ENOENT);
    assert_int_equal(open_path("a", FS_OPEN_WRITE, &node), 0);
    struct fs_op *op = make(FS_WRITE, node, NULL, 6);
    op->flags = FS_APPEND;
    op->size = 6;
    memcpy(op->buffer, " world", 6);
    assert_int_equal(go(op)->offset, 11);
    fs_op_free(op);
    assert_int_equal(resize_to(node, 7), 0);
    assert_int_equal(resize_to(node, 9), 0);
    assert_int_equal(read_at(node, 0, buffer, sizeof buffer), 9);
    assert_memory_equal(buffer, "hello w\0\0", 9);
    assert_int_equal(read_at(node, 9, buffer, 1), 0);
    assert_int_equal(read_at(node, 1u << 30, buffer, 1), 0);
    release(node);
    assert_int_equal(call(FS_UNLINK, "a"), 0);
    assert_int_equal(call(FS_UNLINK, "a"), -ENOENT);
}

static void test_directories(void **state)
{
    struct fs_node *node;
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    assert_int_equal(call(FS_MKDIR, "d"), -EEXIST);
    assert_int_equal(call(FS_MKDIR, "d/e/"), 0);
    assert_int_equal(call(FS_MKDIR, "none/e"), -ENOENT);
    put_file("d/e/f", "x");
    put_file("top", "y");
    assert_names(NULL, "d top ");
    assert_names("d", "e ");
    assert_int_equal(call(FS_RMDIR, "d"), -ENOTEMPTY);
    assert_int_equal(call(FS_RMDIR, "top"), -ENOTDIR);
    assert_int_equal(call(FS_UNLINK, "d"), -EISDIR);
    assert_int_equal(open_path("d", FS_OPEN_WRITE, &node), -EISDIR);
    assert_int_equal(call(FS_UNLINK, "d/e/f"), 0);
    assert_int_equal(call(FS_RMDIR, "d/e"), 0);
    assert_int_equal(call(FS_RMDIR, "d/."), -EINVAL);
    assert_int_equal(call(FS_MKDIR, "d/e//"), 0);
    assert_int_equal(call(FS_RMDIR, "d/e/.."), -ENOTEMPTY);
    assert_int_equal(call(FS_MKDIR, "d/e/"), -EEXIST);
    assert_int_equal(call(FS_MKDIR, "top/"), -EEXIST);
    assert_int_equal(open_path("d/e", FS_OPEN_CREATE, &node), -EISDIR);
    assert_int_equal(open_path("d/f/", FS_OPEN_CREATE, &node), -EISDIR);
    assert_int_equal(open_path("d/e", FS_OPEN_CREATE | FS_OPEN_DIRECTORY, &node), -EINVAL);
    assert_int_equal(call(FS_RMDIR, "d/e"), 0);
    assert_int_equal(call(FS_RMDIR, "d"), 0);
    assert_names(NULL, "top ");
}

static void test_nothing_leads_out(void **state)
{
    struct fs_node *node, *inner;
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    assert_int_equal(call(FS_MKDIR, "d/e"), 0);
    put_file("secret", "s");
    static const char *const out[] = {"..", "../secret", "d/../../secret", "/secret",
                                      "/",  "d/../..",   "./../secret",    "d/e/../../../secret"};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        assert_int_equal(open_path(out[i], 0, &node), -EPERM);
    assert_int_equal(open_path("d/../secret", 0, &node), 0);
    release(node);
    assert_int_equal(open_path("d/e", FS_OPEN_DIRECTORY, &inner), 0);
    static const char *const up[] = {"..", "../../secret", "../e"};
    for (size_t i = 0; i < 3; i++) {
        struct fs_op *op = go(make(FS_OPEN, inner, up[i], 0));
        assert_int_equal(error_of(op), -EPERM); /* not out of the directory that was opened, either */
    }
    assert_int_equal(error_of(go(fs_op_new(&worker, fs, FS_RENAME, inner, "x", 1, "../y", 4, 0))), -EPERM);
    release(inner);
    assert_int_equal(open_path("", 0, &node), -ENOENT);
    char nul[] = "a\0b";
    struct fs_op *op = fs_op_new(&worker, fs, FS_OPEN, NULL, nul, 3, NULL, 0, 0);
    op->flags = FS_OPEN_CREATE;
    assert_int_equal(error_of(go(op)), -EINVAL);
    char longname[300];
    memset(longname, 'n', 299);
    longname[299] = 0;
    assert_int_equal(open_path(longname, FS_OPEN_CREATE, &node), -ENAMETOOLONG);
}

static void test_rename(void **state)
{
    put_file("a", "A");
    put_file("b", "B");
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    assert_int_equal(call(FS_MKDIR, "d/sub"), 0);
    assert_int_equal(rename_path("a", "b"), 0);
    assert_file("b", "A");
    assert_int_equal(call(FS_STAT, "a"), -ENOENT);
    assert_int_equal(rename_path("b", "b"), 0);
    assert_int_equal(rename_path("b", "d"), -EISDIR);
    assert_int_equal(rename_path("d", "b"), -ENOTDIR);
    assert_int_equal(rename_path("d", "d/sub/d"), -EINVAL);
    assert_int_equal(rename_path("d", "d"), 0);
    assert_int_equal(rename_path("none", "x"), -ENOENT);
    assert_int_equal(rename_path("b", "d/c"), 0);
    assert_int_equal(call(FS_MKDIR, "e"), 0);
    assert_int_equal(rename_path("e", "d"), -ENOTEMPTY);
    assert_int_equal(rename_path("d", "e"), 0);
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_names(NULL, "e ");
    assert_names("e", "c sub "); /* in the order in which they were made */
}

static void test_many_files(void **state)
{
    char name[32];
    struct fs_node *node;
    enum { MANY = 6000 };
    assert_int_equal(call(FS_MKDIR, "many"), 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "many/file%d", i);
        assert_int_equal(open_path(name, FS_OPEN_CREATE | FS_OPEN_WRITE, &node), 0);
        release(node);
    }
    assert_int_equal(sync_all(), 0);
    boot(false);
    for (int i = 0; i < MANY; i += 7) {
        snprintf(name, sizeof name, "many/file%d", i);
        assert_int_equal(call(FS_STAT, name), 0);
        assert_int_equal(call(FS_UNLINK, name), 0);
    }
}

static void assert_leads(const char *link, const char *expected)
{
    struct fs_op *op = go(make(FS_READLINK, NULL, link, FS_PATH_MAX));
    assert_int_equal(op->error, 0);
    assert_int_equal(op->transferred, strlen(expected));
    assert_memory_equal(op->buffer, expected, op->transferred);
    fs_op_free(op);
}

/* What opening says, with and without following what the path ends in. */
static void assert_opens(const char *path, int followed, int not_followed)
{
    struct fs_node *node;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(open_path(path, i ? 0 : FS_FOLLOW, &node), i ? not_followed : followed);
        if (node)
            release(node);
    }
}

static void test_symbolic_links(void **state)
{
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    put_file("d/f", "hello");
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "l", "d/f"), 0);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "dl", "d"), 0);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "d/up", "../l"), 0);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "l", "d/f"), -EEXIST);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "d", "d/f"), -EEXIST);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "new/", "d/f"), -ENOENT);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "new", ""), -ENOENT);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "new", "/d/f"), -EPERM);
    assert_int_equal(sync_all(), 0);
    for (int booted = 0; booted < 2; booted++) {
        assert_opens("l", 0, -ELOOP);
        assert_opens("dl", 0, -ELOOP);
        assert_opens("dl/", 0, 0);
        assert_opens("l/", -ENOTDIR, -ENOTDIR);
        assert_opens("dl/f", 0, 0);
        assert_opens("dl/up", 0, -ELOOP);
        assert_opens("dl/../l", 0, -ELOOP);
        assert_leads("l", "d/f");
        assert_leads("dl/up", "../l");
        assert_int_equal(error_of(go(make(FS_READLINK, NULL, "d/f", 8))), -EINVAL);
        assert_int_equal(stat_of("l", 0).type, FS_SYMLINK);
        assert_int_equal(stat_of("l", 0).size, 3);
        assert_int_equal(stat_of("l", FS_FOLLOW).size, 5);
        assert_names(NULL, "d l dl ");
        boot(false);
    }
    assert_int_equal(call(FS_RMDIR, "dl"), -ENOTDIR);
    assert_int_equal(call(FS_RMDIR, "dl/"), -ENOTDIR);
    assert_int_equal(call(FS_UNLINK, "dl/"), -ENOTDIR);
    assert_int_equal(call(FS_MKDIR, "dl"), -EEXIST);
    assert_int_equal(rename_path("dl", "dl2"), 0);
    assert_int_equal(rename_path("l", "d/f"), 0); /* over the file that it leads to */
    assert_opens("d/f", -ENOENT, -ELOOP);         /* as there is no d/d/f */
    assert_int_equal(call(FS_UNLINK, "dl2"), 0);
    assert_names("d", "up f ");
}

static void test_links_lead_nowhere_else(void **state)
{
    struct fs_node *node, *inner;
    char name[16], next[16];
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    assert_int_equal(call(FS_MKDIR, "d/e"), 0);
    put_file("secret", "s");
    static const char *const out[] = {"../secret", "../../secret", "e/../../secret", "..", "e/../.."};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        snprintf(name, sizeof name, "d/out%zu", i);
        assert_int_equal(to_path(FS_MAKE_SYMLINK, name, out[i]), 0);
    }
    assert_opens("d/out0", 0, -ELOOP); /* from the root it is inside */
    assert_opens("d/out1", -EPERM, -ELOOP);
    assert_int_equal(open_path("d", FS_OPEN_DIRECTORY, &inner), 0);
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        snprintf(name, sizeof name, "out%zu", i);
        struct fs_op *op = make(FS_OPEN, inner, name, 0);
        op->flags = FS_FOLLOW;
        assert_int_equal(error_of(go(op)), -EPERM); /* but not from there */
        snprintf(name, sizeof name, "out%zu/x", i);
        assert_int_equal(error_of(go(make(FS_MKDIR, inner, name, 0))), -EPERM);
    }
    release(inner);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "loop", "loop"), 0);
    assert_opens("loop", -ELOOP, -ELOOP);
    assert_opens("loop/x", -ELOOP, -ELOOP);
    for (int i = 0; i < 50; i++) { /* a chain: 40 are followed */
        snprintf(name, sizeof name, "c%d", i);
        snprintf(next, sizeof next, "c%d", i + 1);
        assert_int_equal(to_path(FS_MAKE_SYMLINK, name, next), 0);
    }
    put_file("c50", "end");
    assert_opens("c10", 0, -ELOOP);
    assert_opens("c9", -ELOOP, -ELOOP);
    assert_opens("c0", -ELOOP, -ELOOP);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "dangling", "made"), 0);
    assert_opens("dangling", -ENOENT, -ELOOP);
    assert_int_equal(open_path("dangling", FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE | FS_FOLLOW, &node), -EEXIST);
    assert_int_equal(open_path("dangling", FS_OPEN_CREATE | FS_FOLLOW, &node), 0);
    release(node);
    assert_file("made", "");
}

static void test_names_of_a_file(void **state)
{
    struct fs_node *node;
    char text[8];
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    put_file("a", "text");
    assert_int_equal(to_path(FS_LINK, "a", "b"), 0);
    assert_int_equal(to_path(FS_LINK, "b", "d/c"), 0);
    assert_int_equal(to_path(FS_LINK, "a", "b"), -EEXIST);
    assert_int_equal(to_path(FS_LINK, "a", "a"), -EEXIST);
    assert_int_equal(to_path(FS_LINK, "a", "new/"), -ENOENT);
    assert_int_equal(to_path(FS_LINK, "none", "new"), -ENOENT);
    assert_int_equal(to_path(FS_LINK, "d", "new"), -EPERM);
    assert_int_equal(sync_all(), 0);
    for (int booted = 0; booted < 2; booted++) {
        assert_int_equal(stat_of("a", 0).links, 3);
        assert_int_equal(stat_of("d/c", 0).id, stat_of("b", 0).id);
        boot(false);
    }
    assert_int_equal(rename_path("a", "d/c"), 0); /* two names of one file: nothing happens */
    assert_names(NULL, "d a b ");
    assert_int_equal(open_path("b", FS_OPEN_WRITE, &node), 0);
    assert_int_equal(write_at(node, 4, "!", 1), 1);
    assert_file("d/c", "text!");
    assert_int_equal(call(FS_UNLINK, "a"), 0);
    assert_names(NULL, "d b ");
    assert_file("b", "text!");
    assert_int_equal(rename_path("d/c", "e"), 0);
    put_file("other", "x");
    assert_int_equal(rename_path("other", "b"), 0); /* over one of the names */
    assert_file("b", "x");
    assert_file("e", "text!");
    assert_int_equal(stat_of("e", 0).links, 1);
    assert_int_equal(call(FS_UNLINK, "e"), 0);
    assert_int_equal(read_at(node, 0, text, 8), 5); /* still open */
    release(node);
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_names(NULL, "d b ");
    assert_file("b", "x");
}

/* Names of the same files made, moved and removed in any order; after each crash the tree is as it was. */
static void test_names_against_a_model(void **state)
{
    enum { NAMES = 12 };
    const char *text = getenv("SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : 11;
    int model[NAMES] = {0}, files = 0; /* 0: none; else which file */
    char name[8], to[8], content[16];
    print_message("seed %u\n", seed);
    srand(seed);
    for (int turn = 0; turn < 3000; turn++) {
        int a = rand() % NAMES, b = rand() % NAMES;
        snprintf(name, sizeof name, "n%d", a);
        snprintf(to, sizeof to, "n%d", b);
        switch (rand() % 4) {
        case 0:
            if (model[a])
                break;
            snprintf(content, sizeof content, "%d", model[a] = ++files);
            put_file(name, content);
            break;
        case 1:
            assert_int_equal(to_path(FS_LINK, name, to), !model[a] ? -ENOENT : model[b] ? -EEXIST : 0);
            model[b] = model[a] && !model[b] ? model[a] : model[b];
            break;
        case 2:
            assert_int_equal(rename_path(name, to), model[a] ? 0 : -ENOENT);
            if (model[a] && model[a] != model[b]) {
                model[b] = model[a];
                model[a] = 0;
            }
            break;
        default:
            assert_int_equal(call(FS_UNLINK, name), model[a] ? 0 : -ENOENT);
            model[a] = 0;
        }
        if (turn % 100 == 99) {
            assert_int_equal(sync_all(), 0);
            boot(false);
        }
        for (int i = 0; i < NAMES; i++) {
            snprintf(name, sizeof name, "n%d", i);
            snprintf(content, sizeof content, "%d", model[i]);
            if (!model[i])
                assert_int_equal(call(FS_STAT, name), -ENOENT);
            else
                assert_file(name, content);
            uint64_t links = 0;
            for (int k = 0; k < NAMES; k++)
                links += model[k] == model[i];
            assert_true(!model[i] || stat_of(name, 0).links == links);
        }
    }
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(call(FS_UNLINK, name), model[i] ? 0 : -ENOENT);
    }
    assert_names(NULL, "");
    assert_int_equal(fs->node_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files),
        TEST(test_directories),
        TEST(test_nothing_leads_out),
        TEST(test_rename),
        TEST(test_many_files),
        TEST(test_symbolic_links),
        TEST(test_links_lead_nowhere_else),
        TEST(test_names_of_a_file),
        TEST(test_names_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
