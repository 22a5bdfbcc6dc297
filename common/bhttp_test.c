/* The examples of RFC 9292, section 5, and what is cut short, wrong, or too much. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/bhttp.h"
#include "common/hex.h"

#define REQUEST_LINES                                                                                          \
    "0a757365722d6167656e74346375726c2f372e31362e33206c69626375726c2f372e31362e33204f70656e53534c2f302e392e37" \
    "6c207a6c69622f312e322e3304686f73740f7777772e6578616d706c652e636f6d0f6163636570742d6c616e677561676506656e" \
    "2c206d69"
#define KNOWN "0003474554056874747073000a2f68656c6c6f2e747874406c" REQUEST_LINES "0000"
#define INDETERMINATE "0203474554056874747073000a2f68656c6c6f2e747874" REQUEST_LINES "000000"
struct bytes {
    uint8_t *at;
    size_t size;
};

/* In a block that is exactly as large, so that a sanitizer sees what is read behind it. */
static struct bytes bytes_of(const char *hex)
{
    size_t size = strlen(hex) / 2;
    uint8_t *at = malloc(size + !size);
    assert_true(hex_read(hex, 2 * size, at, size));
    return (struct bytes){at, size};
}

static int read_hex(const char *hex, struct bhttp_message *m, uint8_t **data)
{
    const char *why = NULL;
    struct bytes b = bytes_of(hex);
    int error = bhttp_read(b.at, b.size, m, &why);
    assert_true((error == 0) == (why == NULL));
    *data = b.at;
    return error;
}

static bool text_is(struct bhttp_text text, const char *wanted)
{
    return text.size == strlen(wanted) && memcmp(text.at, wanted, text.size) == 0;
}

static void is_example(const struct bhttp_message *m)
{
    static const char *const fields[][2] = {
        {"user-agent", "curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3"},
        {"host", "www.example.com"},
        {"accept-language", "en, mi"},
    };
    struct bhttp_field field;
    struct bhttp_lines left = m->header;
    assert_false(m->is_response);
    assert_true(text_is(m->method, "GET") && text_is(m->scheme, "https") && text_is(m->authority, ""));
    assert_true(text_is(m->path, "/hello.txt"));
    assert_int_equal(left.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(bhttp_next(&left, &field));
        assert_true(text_is(field.name, fields[i][0]) && text_is(field.value, fields[i][1]));
    }
    assert_false(bhttp_next(&left, &field));
    assert_int_equal(m->content_size, 0);
    assert_int_equal(m->trailer.count, 0);
}

static void examples_of_requests(void **state)
{
    static const char *const forms[] = {KNOWN, INDETERMINATE "00000000000000000000"};
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (size_t cut = 0; cut <= (i ? 12 : 2); cut++) { /* what may be left off, and no more */
            struct bhttp_message m;
            uint8_t *data;
            char hex[512];
            snprintf(hex, sizeof hex, "%.*s", (int)(strlen(forms[i]) - 2 * cut), forms[i]);
            assert_int_equal(read_hex(hex, &m, &data), 0);
            is_example(&m);
            free(data);
        }
}

/* Wherever a message is cut, nothing is read behind it, and only where something may be left off it is one. */
static void what_is_cut_short_is_none(void **state)
{
    static const struct {
        const char *hex;
        size_t least[3]; /* bytes of what is a message, too; 0: none more */
    } cases[] = {
        {KNOWN, {23, 133, 134}}, /* behind the path, the header section, the content */
        {INDETERMINATE, {23, 132, 133}},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (size_t size = 0; 2 * size < strlen(cases[i].hex); size++) {
            struct bhttp_message m;
            uint8_t *data;
            char hex[512];
            bool may = false;
            for (size_t k = 0; k < 3; k++)
                may |= cases[i].least[k] == size;
            snprintf(hex, sizeof hex, "%.*s", (int)(2 * size), cases[i].hex);
            assert_int_equal(read_hex(hex, &m, &data), may ? 0 : -EBADMSG);
            free(data);
        }
}

static void responses(void **state)
{
    struct bhttp_message m;
    struct bhttp_field field;
    uint8_t *data;
    (void)state;
    /* of section 5.2: two interim responses first */
    assert_int_equal(
        read_hex("034066"
                 "0772756e6e696e670a22736c656570203135220040"
                 "67046c696e6b233c2f7374796c652e6373733e3b2072656c3d7072656c6f61643b2061733d7374796c65"
                 "046c696e6b243c2f7363726970742e6a733e3b2072656c3d7072656c6f61643b2061733d73637269707400"
                 "40c80464617465"
                 "1d4d6f6e2c203237204a756c20323030392031323a32383a353320474d54"
                 "067365727665720641706163686500"
                 "3348656c6c6f20576f726c6421204d7920636f6e74656e7420696e636c75646573206120747261696c696e672043524c462e"
                 "0d0a0000",
                 &m, &data),
        0);
    assert_true(m.is_response);
    assert_int_equal(m.status, 200);
    assert_int_equal(m.header.count, 2);
    assert_int_equal(m.content_size, 51);
    assert_memory_equal(m.content, "Hello World! My content includes a trailing CRLF.\r\n", 51);
    free(data);
    /* chunks, and a trailer: known, and not */
    static const char *const forms[] = {
        "0140c8001d5468697320636f6e74656e7420636f6e7461696e732043524c462e0d0a0d07747261696c65720474657874",
        "0340c8000454686973"
        "0620636f6e7465"
        "136e7420636f6e7461696e732043524c462e0d0a"
        "0007747261696c6572047465787400",
    };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read_hex(forms[i], &m, &data), 0);
        assert_int_equal(m.content_size, 29);
        assert_memory_equal(m.content, "This content contains CRLF.\r\n", 29);
        assert_int_equal(m.trailer.count, 1);
        struct bhttp_lines left = m.trailer;
        assert_true(bhttp_next(&left, &field));
        assert_true(text_is(field.name, "trailer") && text_is(field.value, "text"));
        free(data);
    }
}

#define GET_A "000347455405687474707301610161" /* GET https a a */

static void wrong_ones(void **state)
{
    static const char *const cases[] = {
        "",
        "04",                             /* a framing that there is none of */
        "c000000000000000",               /* the same, in eight bytes, cut */
        "0000056874747073016101610000",   /* no method */
        "000247200568747470730161016100", /* a blank in it */
        GET_A "0401410161",               /* a capital in a name */
        GET_A "04013a0161",               /* a pseudo-field */
        GET_A "0401200161",               /* a blank in a name */
        GET_A "03000161",                 /* no name */
        GET_A "040161010a",               /* a line end in a value */
        GET_A "0401610100",               /* a zero in a value */
        GET_A "0501610220"
              "61",                             /* a blank at a value's beginning */
        GET_A "050161026109",                   /* a tab at its end */
        GET_A "0401610261",                     /* longer than its section */
        GET_A "05016101",                       /* a section longer than the message */
        GET_A "ffffffffffffffff",               /* the longest length that there is */
        GET_A "00ffffffffffffffff",             /* of content */
        GET_A "0000ffffffffffffffff",           /* of trailers */
        GET_A "0000000001",                     /* something behind it that is no padding */
        "0203474554056874747073016101610001",   /* a piece that is cut short */
        "020347455405687474707301610161000161", /* pieces without an end */
        "0203474554056874747073016101610161",   /* lines without an end */
        "0140638000",                           /* a status that there is none of: 99 */
        "014258",                               /* 600 */
        "014065",                               /* an interim one only */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bhttp_message m;
        uint8_t *data;
        if (read_hex(cases[i], &m, &data) == 0)
            fail_msg("%s is taken for a message", cases[i]);
        free(data);
    }
}

static void interim_responses_have_a_bound(void **state)
{
    (void)state;
    for (size_t count = BHTTP_INTERIM_MAX; count <= BHTTP_INTERIM_MAX + 1; count++) {
        char hex[256] = "01";
        struct bhttp_message m;
        uint8_t *data;
        for (size_t i = 0; i < count; i++)
            strcat(hex, "406600");
        strcat(hex, "40c8");
        assert_int_equal(read_hex(hex, &m, &data), count > BHTTP_INTERIM_MAX ? -EBADMSG : 0);
        free(data);
    }
}

static void what_is_written_is_read(void **state)
{
    static const struct bhttp_field fields[] = {{{"Content-Type", 12}, {"text/plain", 10}}, {{"x", 1}, {"", 0}}};
    static const size_t sizes[] = {0, 1, 63, 64, 16383, 16384, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t capacity = sizes[i] + 256;
        uint8_t *data = malloc(capacity), *content = malloc(sizes[i] + 1);
        struct bytes_writer w = bytes_writer_make(data, capacity);
        struct bhttp_message m;
        struct bhttp_field field;
        const char *why;
        memset(content, 0xa5, sizes[i]);
        bhttp_put_request(&w, "POST", "example.com", "/x?y", fields, 2, content, sizes[i]);
        assert_false(w.failed);
        assert_int_equal(bhttp_read(data, w.size, &m, &why), 0);
        assert_true(text_is(m.method, "POST") && text_is(m.authority, "example.com") && text_is(m.path, "/x?y"));
        struct bhttp_lines left = m.header;
        assert_true(bhttp_next(&left, &field) && text_is(field.name, "content-type"));
        assert_true(bhttp_next(&left, &field) && text_is(field.name, "x") && field.value.size == 0);
        assert_int_equal(m.content_size, sizes[i]);
        assert_memory_equal(m.content, content, sizes[i]);
        struct bytes_writer small = bytes_writer_make(data, w.size - 1); /* no room is an error, not an overflow */
        bhttp_put_request(&small, "POST", "example.com", "/x?y", fields, 2, content, sizes[i]);
        assert_true(small.failed);
        free(data);
        free(content);
    }
}

static void integers_of_a_later_time(void **state)
{
    static const uint32_t values[] = {0, 1, 63, 64, 16384, (1u << 30) - 1};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t data[3 + BHTTP_LATER_SIZE] = {1, 0x40, 0xc8};
        struct bhttp_message m;
        const char *why;
        bhttp_put_later(data + 3, values[i]);
        assert_int_equal(bhttp_read(data, sizeof data, &m, &why),
                         values[i] ? -EBADMSG : 0); /* that much is not there */
        uint32_t v = (uint32_t)(data[3] & 0x3f) << 24 | (uint32_t)data[4] << 16 | (uint32_t)data[5] << 8 | data[6];
        assert_int_equal(v, values[i]);
        assert_int_equal(data[3] >> 6, 2);
    }
    struct bytes_writer w = bytes_writer_make((uint8_t[8]){0}, 8);
    bhttp_put_int(&w, UINT64_C(1) << 62);
    assert_true(w.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_requests),
        cmocka_unit_test(what_is_cut_short_is_none),
        cmocka_unit_test(responses),
        cmocka_unit_test(wrong_ones),
        cmocka_unit_test(interim_responses_have_a_bound),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(integers_of_a_later_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
