/* The apps: their code, who decides about it, and where they may connect. */
#include <string.h>

#include "enclave/page/internal.h"

/* The value of a line NAME=VALUE of text; *size 0: there is none. */
static const char *line_of(const struct page_leaf *leaf, const char *name, size_t *size)
{
    const char *at = (const char *)leaf->value, *end = at + leaf->size;
    size_t name_size = strlen(name);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        if ((size_t)(stop - at) > name_size && memcmp(at, name, name_size) == 0 && at[name_size] == '=') {
            *size = (size_t)(stop - at) - name_size - 1;
            return at + name_size + 1;
        }
        at = newline ? newline + 1 : end;
    }
    *size = 0;
    return at;
}

static bool is(const char *text, size_t size, const char *word)
{
    return size == strlen(word) && memcmp(text, word, size) == 0;
}

static void who_decides(struct html *h, const struct page_leaf *rule)
{
    size_t size = 0;
    const char *word = rule ? line_of(rule, "rule", &size) : "";
    if (is(word, size, "operator"))
        html_put(h, "the operator: any code, at any time");
    else if (is(word, size, "publisher"))
        html_put(h, "its publisher: only code that was signed by them");
    else if (is(word, size, "frozen"))
        html_put(h, "nobody: it is frozen");
    else
        html_text_cut(h, word, size, PAGE_TEXT_MAX);
}

static void app_row(struct html *h, const struct page_facts *facts, const struct page_leaf *code, const char *name)
{
    size_t size = strlen(name);
    const struct page_leaf *egress = page_leaf(facts, "egress:", name, size);
    const struct page_leaf *names = page_leaf(facts, "hostnames:", name, size);
    html_put(h, "<tr><th scope=\"row\"><a href=\"/");
    html_text(h, name, size);
    html_put(h, "/\">");
    html_text(h, name, size);
    html_put(h, "</a>");
    if (names) {
        html_put(h, " <small>");
        html_text_cut(h, (const char *)names->value, names->size, PAGE_TEXT_MAX);
        html_put(h, "</small>");
    }
    html_put(h, "</th><td><code>");
    html_hex(h, code->value, code->size <= 64 ? code->size : 64);
    html_put(h, "</code></td><td>");
    who_decides(h, page_leaf(facts, "rule:", name, size));
    html_put(h, "</td><td>");
    if (egress)
        html_text_cut(h, (const char *)egress->value, egress->size, PAGE_TEXT_MAX);
    else
        html_put(h, "nowhere");
    html_put(h, "</td><td>");
    html_put(h, page_leaf(facts, "settings:", name, size) ? "yes, by their salted hash" : "none");
    html_put(h, "</td></tr>\n");
}

void page_apps(struct html *h, const struct page_facts *facts)
{
    size_t count = 0;
    html_put(h, "<section aria-labelledby=\"apps\">\n<h2 id=\"apps\">Apps</h2>\n");
    for (size_t i = 0; i < facts->leaf_count; i++) {
        const char *name = page_named(&facts->leaves[i], "app:");
        if (!name || ++count > PAGE_APPS_MAX)
            continue;
        if (count == 1)
            html_put(h,
                     "<div class=\"wide\" role=\"region\" aria-label=\"Table: apps\" tabindex=\"0\">\n<table>\n<thead>"
                     "<tr><th scope=\"col\">Name</th><th scope=\"col\">SHA-256 of its code</th>"
                     "<th scope=\"col\">Who decides about its code</th><th scope=\"col\">May connect to</th>"
                     "<th scope=\"col\">Settings</th></tr></thead>\n<tbody>\n");
        app_row(h, facts, &facts->leaves[i], name);
    }
    if (count == 0) {
        html_put(h, "<p>None is deployed.</p>\n</section>\n");
        return;
    }
    html_put(h, "</tbody>\n</table>\n</div>\n");
    if (count > PAGE_APPS_MAX) {
        html_put(h, "<p>And ");
        html_number(h, count - PAGE_APPS_MAX);
        html_put(h, " more: the <a href=\"/_enclave/manifest\">manifest</a> has all of them.</p>\n");
    }
    html_put(h, "</section>\n");
}
