/*
 * Request targets and authorities: what is taken apart how, what is refused, and that uriparser, which keeps to RFC
 * 3986 and shares no code with ours, sees the same parts. Random ones come from a seed, which is printed and can be
 * given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <uriparser/Uri.h>

#include "enclave/https/target.h"

#define ROUNDS 300000

static struct http_text text_of(const char *text)
{
    return (struct http_text){text, strlen(text)};
}

static bool same(struct http_text text, const char *wanted)
{
    return text.size == strlen(wanted) && (text.size == 0 || memcmp(text.data, wanted, text.size) == 0);
}

static const struct {
    const char *target, *authority, *path, *query, *first;
} good[] = {
    {"/", "", "/", "", ""},
    {"/a", "", "/a", "", "a"},
    {"/a/", "", "/a/", "", "a"},
    {"/a?b", "", "/a", "b", "a"},
    {"/a?", "", "/a", "", "a"},
    {"/?/a/b", "", "/", "/a/b", ""},
    {"/a/b%2Fc//d;e=f?g?h/i", "", "/a/b%2Fc//d;e=f", "g?h/i", "a"},
    {"/a/...", "", "/a/...", "", "a"},
    {"/a/.b/..c/d.", "", "/a/.b/..c/d.", "", "a"},
    {"/a/b[1]|c?d[]=%&{e}|`f`^\\", "", "/a/b[1]|c", "d[]=%&{e}|`f`^\\", "a"},
    {"/a:b@c/d", "", "/a:b@c/d", "", "a:b@c"},
    {"http://h/a/b?c", "h", "/a/b", "c", "a"},
    {"HTTPS://h:8443/a", "h:8443", "/a", "", "a"},
    {"http://[::1]:80/a", "[::1]:80", "/a", "", "a"},
    {"http://h", "h", "/", "", ""},
    {"http://h?/a/b", "h", "/", "/a/b", ""},
    {"https://h?a=b/c/d", "h", "/", "a=b/c/d", ""},
    {"http://h?http://x/a", "h", "/", "http://x/a", ""},
    {"http://h/?a", "h", "/", "a", ""},
};

static const char *const bad[] = {
    "",
    "a",
    "a/b",
    "?a",
    "#",
    "/a#b",
    "/a#",
    "http://h#/a/b",
    "http://h/a#",
    "http://h?#",
    "//a",
    "//a/b",
    "///",
    "/.",
    "/..",
    "/./a",
    "/../a",
    "/%2e",
    "/%2e%2e/a",
    "/.%2E/a",
    "/a/../b",
    "/a/..",
    "/a/.",
    "/a/./b",
    "/a/%2e%2e",
    "/a/%2E./b",
    "/a%2fb",
    "/a%2Fb/c",
    "/%61/b",
    "/a%5cb",
    "/a;x",
    "/a;x/b",
    "/a/%",
    "/a/%4",
    "/a/%zz",
    "/a/%00",
    "/a/b%",
    "/a b",
    "/a\tb",
    "/a\\b",
    "/a/b\\c",
    "/a/\"",
    "/a/<",
    "/a/{",
    "/a?<",
    "/a?\"",
    "/a/\x7f",
    "/a/\xc3\xa9",
    "/a?\xc3\xa9",
    "*",
    "**",
    "*a",
    "*/a",
    "*?a",
    "h:80",
    "[::1]:80",
    "http:",
    "http:/",
    "http://",
    "http:///a",
    "http:/a",
    "http:a",
    "http://?a",
    "http://:80/a",
    "http://u@h/a",
    "http://@h/a",
    "http://u:p@h/a",
    "http://h:x/a",
    "http://h:65536/a",
    "http://h:1:2/a",
    "http://[::1/a",
    "http://[::1]x/a",
    "http://::1/a",
    "http://[g::]/a",
    "http://[]/a",
    "http://[v1.a,b]/a",
    "http://h,i/a",
    "http://h\\i/a",
    "http://h//a",
    "http://h/../a",
    "http://h/%2e%2e/a",
    "ftp://h/a",
    "httpx://h/a",
    "ws://h/a",
    "javascript:a",
    "file:///a",
    "http://http://h/a",
    "://h/a",
    "/a/%c0%ae%",
};

static void targets_have_parts(void **state)
{
    struct http_target t;
    int wrong = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int status = http_target_parse(text_of(good[i].target), false, &t);
        if (status || !same(t.authority, good[i].authority) || !same(t.path, good[i].path) ||
            !same(t.query, good[i].query) || !same(http_target_first(&t), good[i].first))
            wrong++, print_error("%s: status %d, path %.*s\n", good[i].target, status, (int)t.path.size, t.path.data);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (http_target_parse(text_of(bad[i]), false, &t) != 400)
            wrong++, print_error("%s is taken\n", bad[i]);
    assert_int_equal(wrong, 0);
}

static void options_may_ask_the_server(void **state)
{
    struct http_target t;
    assert_int_equal(http_target_parse(text_of("*"), true, &t), 0);
    assert_true(same(t.path, "*") && t.authority.size == 0);
    assert_int_equal(http_target_parse(text_of("http://h"), true, &t), 0);
    assert_true(same(t.path, "*") && same(t.authority, "h"));
    assert_int_equal(http_target_parse(text_of("http://h?"), true, &t), 0);
    assert_true(same(t.path, "/"));
    assert_int_equal(http_target_parse(text_of("http://h/"), true, &t), 0);
    assert_true(same(t.path, "/"));
    assert_int_equal(http_target_parse(text_of("**"), true, &t), 400);
}

static void long_targets_are_refused(void **state)
{
    static char text[HTTP_TARGET_MAX + 2];
    struct http_target t;
    memset(text, 'a', sizeof text);
    text[0] = '/';
    assert_int_equal(http_target_parse((struct http_text){text, HTTP_TARGET_MAX}, false, &t), 0);
    assert_int_equal(t.path.size, HTTP_TARGET_MAX);
    assert_int_equal(http_target_parse((struct http_text){text, HTTP_TARGET_MAX + 1}, false, &t), 414);
}

static void prefixes_are_cut(void **state)
{
    static const char *const cuts[][4] = {
        {"/app/x?y", "/x", "y", "/x?y"}, {"/app?y", "/", "y", "/?y"},   {"/app", "/", "", "/"},
        {"/app/", "/", "", "/"},         {"/app//x", "//x", "", "//x"}, {"http://h/app?y", "/", "y", "/?y"},
    };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        char text[64];
        struct http_target t;
        strcpy(text, cuts[i][0]);
        assert_int_equal(http_target_parse(text_of(text), false, &t), 0);
        http_target_cut(&t);
        assert_true(same(t.path, cuts[i][1]) && same(t.query, cuts[i][2]) && same(t.whole, cuts[i][3]));
    }
}

static void authorities_are_judged(void **state)
{
    static const char *const right[] = {"h",     "h:80",        "h:",      "127.0.0.1:8443",  "[::1]",     "[::1]:8443",
                                        "h%41",  "a-b_c.ex.",   "h:65535", "h:00080",         "1.2.3.4.5", "[v1.a:b]",
                                        "[::]:", "a!$&'()*+;=", "xn--a",   "[::ffff:1.2.3.4]"};
    static const char *const wrong[] = {
        "",          "a b",     "u@h",       "h/x",
        "a, b",      "a,b",     "h:xx",      "h:1:2",
        "[::1",      "::1",     "h\"x",      "h\\x",
        "h?x",       "h#x",     "<a>",       "a\tb",
        "h\xff\xfe", "h:65536", "h:-1",      "h: 80",
        "h :80",     "[]",      "[]:80",     "[::1]80",
        "[::1%25e]", "[::g]",   "[1.2.3.4]", "[<b.httttttttttttttttttttttttttttttttttttttttttttttttttttttttttt]",
        "[v1.]",     "[v.a]",   "[vg.a]",    "h%",
        "h%4",       "h%zz",    "h%00",      ":80",
        ":",         "a]",      "[a",        "h|i",
        "h^",        "h`",      "{h}",       "h:99999999999999999999",
        " h",        "h ",      "a,,b",      "[v1.a,b]"};
    int bad_ones = 0;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (!http_authority_valid(text_of(right[i])))
            bad_ones++, print_error("%s is refused\n", right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (http_authority_valid(text_of(wrong[i])))
            bad_ones++, print_error("%s is taken\n", wrong[i]);
    assert_int_equal(bad_ones, 0);
}

/* ---- held against uriparser ------------------------------------------------------------------------------------ */

static uint64_t seed;

static unsigned pick(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

static void invent(char *text, size_t size, bool authority)
{
    static const char *const pieces[] = {
        "http://", "https://", "//",      "/",        "/",   "?",   "#",    "@", ":",  "[", "]",  "::1",
        "[::1]",   ":80",      ":65536",  "%41",      "%2f", "%2e", "%00",  "%", "%4", ".", "..", "a",
        "app",     "h",        "1.2.3.4", ";",        "=",   "&",   ",",    "-", "_",  "~", "!",  "*",
        " ",       "\\",       "\x7f",    "\xc3\xa9", "<",   "\"",  "v1.x", "0", "+",  "$"};
    unsigned parts = 1 + pick(authority ? 4 : 8);
    text[0] = 0;
    if (!authority)
        strcat(text, pick(2) ? "/" : "http://h");
    while (parts--)
        strncat(text, pieces[pick(sizeof pieces / sizeof *pieces)], size - strlen(text) - 1);
}

static bool is_range(struct http_text text, const UriTextRangeA *range)
{
    size_t size = range->first ? (size_t)(range->afterLast - range->first) : 0;
    return text.size == size && (size == 0 || memcmp(text.data, range->first, size) == 0);
}

/* uriparser keeps segments, and empty ones elsewhere. */
static bool is_path(struct http_text path, const UriUriA *uri)
{
    size_t at = 0;
    for (const UriPathSegmentA *segment = uri->pathHead; segment; segment = segment->next) {
        size_t size = (size_t)(segment->text.afterLast - segment->text.first);
        if (at >= path.size || path.data[at] != '/' || path.size - at - 1 < size ||
            memcmp(path.data + at + 1, segment->text.first, size) != 0)
            return false;
        at += 1 + size;
    }
    return at == path.size || (!uri->pathHead && same(path, "/"));
}

static void uriparser_sees_the_same(void **state)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[256];
        struct http_target t;
        UriUriA uri;
        const char *error;
        invent(text, sizeof text, false);
        if (http_target_parse(text_of(text), false, &t) != 0)
            continue;
        taken++;
        if (strpbrk(text, "\\^|`{}") ||
            (strpbrk(text, "[]%") && t.query.size)) /* what browsers send, and RFC 3986 has not */
            continue;
        if (strpbrk(t.path.data, "[]"))
            continue;
        if (uriParseSingleUriA(&uri, text, &error) != URI_SUCCESS)
            fail_msg("only we take %s", text);
        bool equal =
            is_path(t.path, &uri) && is_range(t.query, &uri.query) && !uri.fragment.first && !uri.userInfo.first;
        if (!equal)
            fail_msg("%s: not the same parts", text);
        uriFreeUriMembersA(&uri);
    }
    assert_true(taken > ROUNDS / 100);
}

static void uriparser_judges_authorities_alike(void **state)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[256], whole[272];
        UriUriA uri;
        const char *error;
        invent(text, sizeof text, true);
        snprintf(whole, sizeof whole, "x://%s", text);
        bool ours = http_authority_valid(text_of(text)),
             theirs = uriParseSingleUriA(&uri, whole, &error) == URI_SUCCESS;
        bool only_authority = theirs && !uri.pathHead && !uri.query.first && !uri.fragment.first &&
                              !uri.userInfo.first && uri.hostText.first != uri.hostText.afterLast;
        taken += ours;
        if (ours && !only_authority)
            fail_msg("only we take %s", text);
        /* Stricter: commas, NUL, and ports that do not exist. */
        if (only_authority && !ours && !strpbrk(text, ",") && !strstr(text, "%00") && !strstr(text, ":6553"))
            fail_msg("only uriparser takes %s", text);
        if (theirs)
            uriFreeUriMembersA(&uri);
    }
    assert_true(taken > ROUNDS / 100);
}

static void encodings_are_decoded_once(void **state)
{
    (void)state;
    static const char *const of[][2] = {{"app%3Acounter", "app:counter"},
                                        {"a%2fb%2Fc", "a/b/c"},
                                        {"%253A", "%3A"},
                                        {"plain", "plain"},
                                        {"", ""},
                                        {"%41%42", "AB"}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char out[32] = {0};
        size_t size = http_text_decode((struct http_text){of[i][0], strlen(of[i][0])}, out);
        assert_int_equal(size, strlen(of[i][1]));
        assert_string_equal(out, of[i][1]);
    }
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_have_parts),         cmocka_unit_test(options_may_ask_the_server),
        cmocka_unit_test(long_targets_are_refused),   cmocka_unit_test(prefixes_are_cut),
        cmocka_unit_test(encodings_are_decoded_once), cmocka_unit_test(authorities_are_judged),
        cmocka_unit_test(uriparser_sees_the_same),    cmocka_unit_test(uriparser_judges_authorities_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
