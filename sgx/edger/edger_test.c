/*
 * Tests of edger: the bridges it makes from test.edl, run against a pretended enclave range, and its messages for
 * interfaces with an error.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "test_u.h"

/* ---- a pretended runtime: what lies in `secret` is "inside" ---------------------------------------------------- */

static _Alignas(64) uint8_t memory[3 * 4096];
#define SECRET_SIZE 4096u
static uint8_t *const secret = memory + 4096;
static _Alignas(16) uint8_t scratch[16384];
static size_t scratch_limit = sizeof scratch;
static int ocallocs;
const void *seen_pointer;

bool sgx_is_outside_enclave(const void *p, size_t size)
{
    uintptr_t start = (uintptr_t)p, base = (uintptr_t)secret;
    if (!p || size > UINTPTR_MAX - start)
        return false;
    return start + size <= base || start >= base + SECRET_SIZE;
}

void sgx_copy_in(void *dst, const void *untrusted_src, size_t size)
{
    assert_true(sgx_is_outside_enclave(untrusted_src, size));
    memcpy(dst, untrusted_src, size);
}

void sgx_copy_out(void *untrusted_dst, const void *src, size_t size)
{
    assert_true(sgx_is_outside_enclave(untrusted_dst, size));
    memcpy(untrusted_dst, src, size);
}

void *sgx_ocalloc(size_t size)
{
    assert_int_equal(ocallocs, 0);
    if (size > scratch_limit)
        return NULL;
    ocallocs++;
    return scratch;
}

void sgx_ocfree(void)
{
    ocallocs--;
}

int64_t sgx_ocall(uint32_t index, void *ms)
{
    return enclave_ocall_dispatch(index, ms);
}

int64_t enclave_bridge_dispatch(uint32_t index, void *untrusted_ms);

int enclave_ecall(struct enclave *e, uint32_t index, void *ms)
{
    return (int)enclave_bridge_dispatch(index, ms);
}

/* The trusted objects' OCALL proxies are renamed t_*, as in the image they live in another world. */
int32_t add(int32_t a, int32_t b)
{
    return a + b;
}

static char sent[16], printed[16];

int32_t send(const void *data, size_t n, struct pair *answer)
{
    assert_true((const uint8_t *)data >= scratch && (const uint8_t *)data < scratch + sizeof scratch);
    memcpy(sent, data, n);
    *answer = (struct pair){77, 78};
    return 1;
}

void print(const char *text)
{
    snprintf(printed, sizeof printed, "%s", text);
}

/* ---- the bridges ------------------------------------------------------------------------------------------- */

static void test_calls(void **state)
{
    struct pair p = {3, 4};
    int32_t result = 0;
    assert_int_equal(sum_u(NULL, &result, &p, 255, -2), 0);
    assert_int_equal(result, 260);
    assert_ptr_not_equal(seen_pointer, &p);

    uint8_t bytes[5] = {9, 9, 9, 9, 9};
    assert_int_equal(fill_u(NULL, bytes, 4), 0);
    assert_memory_equal(bytes, "\1\2\3\4\11", 5); /* [out] copies nothing in, and not a byte too many out */

    uint32_t values[3] = {1, 2, 3};
    assert_int_equal(scale_u(NULL, &result, values, 3, 10), 0);
    assert_true(result == 3 && values[0] == 10 && values[2] == 30);

    assert_int_equal(measure_u(NULL, &result, "hello"), 0);
    assert_int_equal(result, 5);

    assert_int_equal(swap_u(NULL, &result, &p), 0);
    assert_true(p.a == 4 && p.b == 3 && result == 3);
}

static void test_ocalls(void **state)
{
    uint64_t result = 0;
    memcpy(secret, "outgoing", 8);
    assert_int_equal(address_u(NULL, &result, secret), 0); /* [user_check]: as it is */
    assert_int_equal(result, 78);
    assert_memory_equal(sent, "outgoing", 8);
    assert_string_equal(printed, "done");
    assert_int_equal(ocallocs, 0);

    struct pair p = {1, 2};
    int32_t small = 0;
    scratch_limit = 8;
    assert_int_equal(swap_u(NULL, &small, &p), 0);
    assert_int_equal(small, -ENOMEM);
    scratch_limit = sizeof scratch;
}

static void test_refusals(void **state)
{
    int32_t result = 0;
    struct pair p = {0};
    uint32_t value = 1;
    assert_int_equal(sum_u(NULL, &result, (struct pair *)secret, 0, 0), -EPERM);
    assert_int_equal(sum_u(NULL, &result, (struct pair *)(secret - 8), 0, 0), -EPERM); /* half inside */
    assert_int_equal(sum_u(NULL, &result, NULL, 0, 0), -EPERM);
    assert_int_equal(swap_u(NULL, &result, (struct pair *)(secret + 4090)), -EPERM);
    assert_int_equal(fill_u(NULL, secret, 1), -EPERM);
    assert_int_equal(fill_u(NULL, secret, 4097), -E2BIG);
    assert_int_equal(scale_u(NULL, &result, &value, 0x40000001, 1), -E2BIG);
    assert_int_equal(enclave_bridge_dispatch(0, secret), -EPERM);
    assert_int_equal(enclave_bridge_dispatch(0, secret - 8), -EPERM);
    assert_int_equal(enclave_bridge_dispatch(0, NULL), -EPERM);
    assert_int_equal(enclave_bridge_dispatch(6, &p), -ENOSYS);
    assert_int_equal(enclave_bridge_dispatch(UINT32_MAX, &p), -ENOSYS);
    assert_int_equal(enclave_ocall_dispatch(3, &p), -ENOSYS);
}

/* ---- messages ---------------------------------------------------------------------------------------------- */

#define TRUSTED(text) "enclave {\n  trusted {\n    " text "\n  };\n};\n"
#define UNTRUSTED(text) "enclave { untrusted {\n " text "\n }; };\n"

static const struct {
    const char *edl, *message;
} bad[] = {
    {"", "1:1: error: expected 'enclave', found 'the end of the file'"},
    {"enclave {\n", "2:1: error: expected include, trusted or untrusted, found 'the end of the file'"},
    {"enclave { /* no end", "1:11: error: this comment has no end"},
    {"enclave { include \"x.h\n};", "1:19: error: this string has no end"},
    {"enclave { include x };", "1:19: error: expected a file name in quotes, found 'x'"},
    {"enclave { };\nmore", "2:1: error: 'more' after the end of the enclave"},
    {"enclave { @ };", "1:11: error: unexpected character '@'"},
    {TRUSTED("int f();"), "3:5: error: an ECALL must be public (private ones are not supported)"},
    {TRUSTED("public int f()"), "4:3: error: expected ';', found '}'"},
    {TRUSTED("public wint f();"), "3:12: error: unknown type 'wint'"},
    {TRUSTED("public int *f();"), "3:12: error: a function returns a scalar or void"},
    {TRUSTED("public int f(int);"), "3:21: error: expected a parameter's name, found ')'"},
    {TRUSTED("public int f(int *p);"), "3:23: error: pointer 'p' needs a direction: [in], [out] or [user_check]"},
    {TRUSTED("public int f([in] int **p);"), "3:28: error: pointers to pointers are not supported"},
    {TRUSTED("public int f([in] int p[3]);"), "3:28: error: arrays are not supported: use a pointer with count="},
    {TRUSTED("public int f([in] int p);"), "3:18: error: attributes are for pointers; 'p' is none"},
    {TRUSTED("public int f([in, user_check] int *p);"), "3:18: error: [user_check] excludes [in] and [out]"},
    {TRUSTED("public int f([user_check, size=3] int *p);"),
     "3:18: error: [user_check] copies nothing: size, count and string have no meaning"},
    {TRUSTED("public int f([out] const int *p);"), "3:18: error: [out] cannot write through a pointer to const"},
    {TRUSTED("public int f([in] void *p);"), "3:18: error: a void pointer needs size="},
    {TRUSTED("public int f([in, string] int *p);"), "3:36: error: [string] needs a char pointer"},
    {TRUSTED("public int f([out, string] char *p);"), "3:18: error: [string] goes with [in] alone"},
    {TRUSTED("public int f([in, size=n] void *p);"), "3:28: error: function 'f' has no parameter 'n'"},
    {TRUSTED("public int f([in, size=q] void *p, [in] int *q);"), "3:28: error: 'q' is a pointer, not a number"},
    {TRUSTED("public int f([in, size=0] void *p);"), "3:28: error: '0' is not a positive number"},
    {TRUSTED("public int f([in, size=1, size=2] void *p);"), "3:31: error: the same attribute twice"},
    {TRUSTED("public int f([in, in] int *p);"), "3:23: error: the same attribute twice"},
    {TRUSTED("public int f([in, out, out] int *p);"), "3:28: error: the same attribute twice"},
    {TRUSTED("public int f([user_check, user_check] int *p);"), "3:31: error: the same attribute twice"},
    {TRUSTED("public int f([string, in, string] char *p);"), "3:31: error: the same attribute twice"},
    {TRUSTED("public int f([in] const char const *p);"), "3:34: error: const twice"},
    {"enclave { include \"a.h\"\ninclude \"a.h\" };", "2:9: error: \"a.h\" is included twice"},
    {TRUSTED("public int f([inn] int *p);"), "3:19: error: unknown attribute 'inn'"},
    {TRUSTED("public int f(int a, int a);"), "3:29: error: a second parameter 'a'"},
    {TRUSTED("public int f(void a);"), "3:23: error: parameter 'a' has type void"},
    {TRUSTED("public int f(struct s a);"), "3:27: error: structs are passed by pointer"},
    {TRUSTED("public int f(); public void f(int a);"), "3:33: error: function 'f' is already declared at line 3"},
    {UNTRUSTED("int g(int a) int h();"), "2:15: error: expected ';', found 'int'"},
};

/* Run edger on text; the first line of its messages goes into message. Returns its exit status. */
static int run_edger(const char *text, char *message, size_t size, char path[64])
{
    strcpy(path, "/tmp/edger_test_XXXXXX.edl");
    int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    char command[256];
    snprintf(command, sizeof command, "'%s' %s /nonexistent 2>&1", EDGER, path);
    FILE *out = popen(command, "r");
    message[0] = '\0';
    if (!fgets(message, (int)size, out))
        message[0] = '\0';
    message[strcspn(message, "\n")] = '\0';
    int status = pclose(out);
    unlink(path);
    return WEXITSTATUS(status);
}

static void test_messages(void **state)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char message[256], expected[256], path[64];
        assert_int_equal(run_edger(bad[i].edl, message, sizeof message, path), 1);
        snprintf(expected, sizeof expected, "%s:%s", path, bad[i].message);
        assert_string_equal(message, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_ocalls),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
