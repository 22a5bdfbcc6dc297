/*
 * The page: well formed whatever stands in it, with nothing in it that somebody else's text made, and bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <expat.h>

#include "enclave/page/html.h"
#include "enclave/page/page.h"

static const uint8_t zeros[32];

/* ---- as a browser reads it ------------------------------------------------------------------------------------ */

struct seen {
    unsigned elements, links, rows, scripts;
    bool in_script;
    size_t size;
    char text[1 << 20]; /* all that is not markup */
};
static struct seen seen;

static void on_element(void *user, const char *name, const char **attributes)
{
    static const char *const known[] = {
        "html", "head",  "meta",   "title",   "link", "body",   "a",    "header", "p",     "h1",     "h2",
        "main", "aside", "strong", "section", "dl",   "div",    "dt",   "dd",     "code",  "small",  "table",
        "tr",   "thead", "th",     "td",      "b",    "footer", "time", "pre",    "tbody", "script",
    };
    bool is_known = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        is_known = is_known || strcmp(name, known[i]) == 0;
    if (!is_known)
        fail_msg("an element %s", name);
    seen.elements++;
    seen.rows += strcmp(name, "tr") == 0;
    seen.in_script = strcmp(name, "script") == 0;
    seen.scripts += seen.in_script;
    for (; *attributes; attributes += 2) {
        assert_true(strncmp(attributes[0], "on", 2) != 0 && strcmp(attributes[0], "style") != 0);
        if (strcmp(attributes[0], "src") == 0)
            assert_string_equal(attributes[1], "/_enclave/page.js");
        if (strcmp(attributes[0], "integrity") == 0)
            assert_string_equal(attributes[1], page_script_integrity);
        if (strcmp(attributes[0], "href") != 0)
            continue;
        assert_true(attributes[1][0] == '#' || (attributes[1][0] == '/' && attributes[1][1] != '/'));
        seen.links++;
    }
}

static void on_end(void *user, const char *name)
{
    seen.in_script = false;
}

static void on_text(void *user, const char *text, int size)
{
    assert_false(seen.in_script); /* it has a file, and nothing beside it */
    assert_true(seen.size + (size_t)size < sizeof seen.text);
    memcpy(seen.text + seen.size, text, (size_t)size);
    seen.size += (size_t)size;
    seen.text[seen.size] = '\0';
}

static void read_page(const struct page_facts *facts)
{
    size_t size;
    char *page = page_render(facts, &size);
    assert_non_null(page);
    memset(&seen, 0, sizeof seen);
    XML_Parser parser = XML_ParserCreate("UTF-8");
    XML_SetElementHandler(parser, on_element, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    if (XML_Parse(parser, page, (int)size, 1) != XML_STATUS_OK)
        fail_msg("line %lu: %s", XML_GetCurrentLineNumber(parser), XML_ErrorString(XML_GetErrorCode(parser)));
    assert_int_equal(seen.scripts, 1);
    XML_ParserFree(parser);
    free(page);
}

static void contains(const char *part)
{
    if (!strstr(seen.text, part))
        fail_msg("'%s' is not in: %s", part, seen.text);
}

/* ---- what it says ---------------------------------------------------------------------------------------------- */

#define LEAF(label, text)                               \
    {                                                   \
        label, (const uint8_t *)(text), sizeof text - 1 \
    }

static json_t *entries_of(const char *text)
{
    json_t *entries = json_loads(text, 0, NULL);
    assert_non_null(entries);
    return entries;
}

static void tells_what_is_attested(void **state)
{
    static const struct page_leaf leaves[] = {
        {"app:counter", zeros, 32},
        {"app:hello", zeros, 32},
        LEAF("admin:aa11", "deploy\0key"),
        LEAF("administrators", "threshold=1"),
        LEAF("upgrade-rule", "{\"rule\":\"none\"}"),
        LEAF("egress:counter", "a.example:443,b.example:8443"),
        LEAF("rule:counter", "id=00\nrule=publisher\nkey=11\n"),
        LEAF("rule:hello", "id=00\nrule=frozen"),
        LEAF("settings:hello", "hash"),
        LEAF("hostnames:hello", "a.example.com,b.example.com"),
        LEAF("witness:dawn", "https://w.example\0vkey"),
        LEAF("witnesses", "quorum=1;seconds=60;commits=1000"),
    };
    json_t *entries =
        entries_of("[{\"index\":4,\"time\":1795789846,\"kind\":\"boot\",\"by\":[],\"what\":\"start\",\"generation\":6,"
                   "\"measurement\":\"c0ffee\"},"
                   "{\"index\":5,\"time\":1795789900,\"kind\":\"generation\",\"by\":[\"df72f21566ab8117c776\"],"
                   "\"what\":\"app push hello\","
                   "\"generation\":7},{\"index\":6,\"time\":1795789960,\"kind\":\"state\",\"by\":[],\"what\":\"\","
                   "\"generation\":7}]");
    const struct page_facts facts = {.leaves = leaves,
                                     .leaf_count = sizeof leaves / sizeof *leaves,
                                     .generation = 7,
                                     .instance = zeros,
                                     .root = zeros,
                                     .entries = entries,
                                     .log_size = 7,
                                     .authority = "box.example:8443"};
    read_page(&facts);
    contains("By itself, nothing.");
    contains("7 since 2026-11-27 14:31:40 UTC");
    contains("c0ffee");
    contains("its publisher: only code that was signed by them");
    contains("nobody: it is frozen");
    contains("a.example:443,b.example:8443");
    contains("nowhere");
    contains("hello a.example.com,b.example.com");
    contains("yes, by their salted hash");
    contains("aa11");
    contains("deploy");
    contains("{\"rule\":\"none\"}");
    contains("https://w.example");
    contains("df72f21566ab…");
    contains("of which these are the newest");
    contains("enclavectl verify https://box.example:8443 --policy policy.json");
    assert_int_equal(seen.rows, 3 + 2 + 4); /* with a heading each */
    json_decref(entries);
}

static void says_what_there_is_not(void **state)
{
    json_t *entries = entries_of("[{},7,{\"by\":7,\"time\":-1,\"generation\":\"x\"}]");
    const struct page_facts facts = {
        .generation = 1, .instance = zeros, .root = zeros, .entries = entries, .log_size = 3, .authority = ""};
    read_page(&facts);
    contains("None is deployed.");
    contains("Nobody, ever: it has no administrators.");
    contains("nobody holds shares");
    contains("https://HOST:8443");
    assert_null(strstr(seen.text, "since"));
    json_decref(entries);
}

/* ---- what others have chosen ------------------------------------------------------------------------------------ */

static void keeps_text_text(void **state)
{
#define EVIL "</code><script>alert(1)</script>\"'&\x01\xff\xe2\x80\xae"
    static const struct page_leaf leaves[] = {{"app:" EVIL, zeros, 32},      LEAF("admin:" EVIL, EVIL),
                                              LEAF("administrators", EVIL),  LEAF("upgrade-rule", EVIL),
                                              LEAF("egress:" EVIL, EVIL),    LEAF("rule:" EVIL, "rule=" EVIL),
                                              LEAF("hostnames:" EVIL, EVIL), LEAF("witness:" EVIL, EVIL),
                                              LEAF("witnesses", EVIL),       LEAF("limits", EVIL)};
    json_t *entries = json_pack("[{s:s,s:s,s:[s],s:s,s:I}]", "kind", "<script>\"'&", "what", "</td><script>", "by",
                                "<script>", "measurement", "<script>", "generation", (json_int_t)1);
    assert_non_null(entries);
    const struct page_facts facts = {.leaves = leaves,
                                     .leaf_count = sizeof leaves / sizeof *leaves,
                                     .generation = 1,
                                     .instance = zeros,
                                     .root = zeros,
                                     .entries = entries,
                                     .log_size = 1,
                                     .authority = "x;rm -rf /"};
    read_page(&facts); /* no script but its own, and well formed */
    contains("</code><script>alert(1)</script>\"'&\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    contains("</td><script>");
    contains("https://HOST:8443");
    json_decref(entries);
}

static void is_bounded(void **state)
{
    enum { APPS = 1000 };
    static char label[APPS][3][80], text[5000];
    static struct page_leaf leaves[3 * APPS];
    memset(text, '"', sizeof text); /* six bytes each on the page */
    for (size_t i = 0; i < APPS; i++) {
        static const char *const kinds[] = {"app", "egress", "rule"};
        for (size_t k = 0; k < 3; k++) {
            snprintf(label[i][k], sizeof label[i][k], "%s:name-that-is-rather-long-as-names-go-%zu", kinds[k], i);
            leaves[3 * i + k] = (struct page_leaf){label[i][k], (const uint8_t *)text, sizeof text};
        }
    }
    json_t *entries = json_array();
    for (size_t i = 0; i < PAGE_ENTRIES_MAX; i++)
        json_array_append_new(entries, json_pack("{s:s%}", "what", text, sizeof text));
    const struct page_facts facts = {.leaves = leaves,
                                     .leaf_count = 3 * APPS,
                                     .generation = UINT64_MAX,
                                     .instance = zeros,
                                     .root = zeros,
                                     .entries = entries,
                                     .log_size = UINT64_MAX,
                                     .authority = ""};
    read_page(&facts);
    contains("And 800 more");
    assert_int_equal(seen.rows, 1 + PAGE_APPS_MAX + 1 + PAGE_ENTRIES_MAX);
    json_decref(entries);
}

static void cuts_between_characters(void **state)
{
    static const struct {
        const char *text, *page;
        size_t most;
    } cases[] = {
        {"abc", "abc", 3},
        {"abcd", "abc…", 3},
        {"ab\xc3\xa9", "ab…", 3},
        {"ab\xc3\xa9", "ab\xc3\xa9", 4},
        {"\xe2\x82\xac", "…", 2},
        {"\xc3", "\xef\xbf\xbd", 9},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 9},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 9},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd", 9},
        {"\xf0\x9f\x94\x92<", "\xf0\x9f\x94\x92&lt;", 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct html h = {.limit = 100};
        size_t size, length = strlen(cases[i].text);
        html_text_cut(&h, cases[i].text, length, cases[i].most);
        char *page = html_take(&h, &size);
        assert_int_equal(size, strlen(cases[i].page));
        assert_memory_equal(page, cases[i].page, size);
        free(page);
    }
}

static void ends_at_its_limit(void **state)
{
    struct html h = {.limit = 10};
    size_t size;
    html_put(&h, "0123456789");
    char *page = html_take(&h, &size);
    assert_int_equal(size, 10);
    free(page);
    html_put(&h, "01234567");
    html_text(&h, "<", 1);
    html_put(&h, "8");
    assert_null(html_take(&h, &size));
    assert_int_equal(size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_is_attested),  cmocka_unit_test(says_what_there_is_not),
        cmocka_unit_test(keeps_text_text),         cmocka_unit_test(is_bounded),
        cmocka_unit_test(cuts_between_characters), cmocka_unit_test(ends_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
