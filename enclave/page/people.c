/* Who may change it, who may have all of it next, who watches, and who can recover it. */
#include <string.h>

#include "enclave/page/internal.h"

static void put_leaf(struct html *h, const struct page_leaf *leaf)
{
    html_text_cut(h, (const char *)leaf->value, leaf->size, PAGE_TEXT_MAX);
}

static void administrator(struct html *h, const struct page_leaf *leaf, const char *thumbprint)
{
    size_t role = strnlen((const char *)leaf->value, leaf->size);
    html_put(h, "<tr><td><code>");
    html_text(h, thumbprint, strlen(thumbprint));
    html_put(h, "</code></td><td>");
    html_text_cut(h, (const char *)leaf->value, role, PAGE_TEXT_MAX);
    html_put(h, "</td></tr>\n");
}

static void administrators(struct html *h, const struct page_facts *facts)
{
    const struct page_leaf *threshold = page_leaf(facts, "administrators", "", 0);
    size_t count = 0;
    for (size_t i = 0; i < facts->leaf_count; i++) {
        const char *thumbprint = page_named(&facts->leaves[i], "admin:");
        if (thumbprint && count++ == 0)
            html_put(
                h, "<div class=\"wide\" role=\"region\" aria-label=\"Table: administrators\" "
                   "tabindex=\"0\">\n<table>\n<thead>"
                   "<tr><th scope=\"col\">SHA-256 of the key</th><th scope=\"col\">Role</th></tr></thead>\n<tbody>\n");
        if (thumbprint)
            administrator(h, &facts->leaves[i], thumbprint);
    }
    html_put(h, count ? "</tbody>\n</table>\n</div>\n" : "<p>Nobody, ever: it has no administrators.</p>\n");
    if (count && threshold) {
        html_put(h, "<p>What it takes to change who they are: <code>");
        put_leaf(h, threshold);
        html_put(h, "</code> of those in the role admin.</p>\n");
    }
}

static void named(struct html *h, const struct page_facts *facts, const char *label, const char *name, const char *none)
{
    const struct page_leaf *leaf = page_leaf(facts, label, "", 0);
    html_put(h, "<div><dt>");
    html_put(h, name);
    html_put(h, "</dt><dd>");
    if (leaf) {
        html_put(h, "<code>");
        put_leaf(h, leaf);
        html_put(h, "</code>");
    } else {
        html_put(h, none);
    }
    html_put(h, "</dd></div>\n");
}

static void witnesses(struct html *h, const struct page_facts *facts)
{
    named(h, facts, "witnesses", "Witnesses, who would notice if it went back to an older state", "none");
    for (size_t i = 0; i < facts->leaf_count; i++) {
        const struct page_leaf *leaf = &facts->leaves[i];
        const char *name = page_named(leaf, "witness:");
        if (!name)
            continue;
        html_put(h, "<div><dt>Witness ");
        html_text_cut(h, name, strlen(name), PAGE_TEXT_MAX);
        html_put(h, "</dt><dd><code>");
        html_text_cut(h, (const char *)leaf->value, strnlen((const char *)leaf->value, leaf->size), PAGE_TEXT_MAX);
        html_put(h, "</code></dd></div>\n");
    }
}

void page_people(struct html *h, const struct page_facts *facts)
{
    html_put(h, "<section aria-labelledby=\"people\">\n<h2 id=\"people\">Who may change it</h2>\n");
    administrators(h, facts);
    html_put(h, "<dl class=\"facts\">\n");
    named(h, facts, "upgrade-rule", "Which other programs may ever have its data", "none");
    witnesses(h, facts);
    html_put(h, "<div><dt>Recovery</dt><dd>");
    html_put(h, page_leaf(facts, "recovery", "", 0) ? "several holders together can open its data elsewhere: "
                                                      "<a href=\"/_enclave/recovery/shares\">their sealed shares</a>"
                                                    : "nobody holds shares of its key");
    html_put(h, "</dd></div>\n");
    named(h, facts, "limits", "Limits it was started with (0: its own)", "its own");
    html_put(h, "</dl>\n</section>\n");
}
