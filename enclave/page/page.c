/* See page.h. */
#include "enclave/page/page.h"

#include <string.h>

#include "common/ensure.h"
#include "enclave/page/internal.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
    "<title>What runs here: Enclave OS</title>\n<link rel=\"stylesheet\" "
    "href=\"/_enclave/page.css\"/>\n<script defer=\"defer\" src=\"/_enclave/page.js\" integrity=\"";

static const char body[] =
    "\"></script>\n</head>\n<body>\n"
    "<a class=\"skip\" href=\"#main\">Skip to the facts</a>\n"
    "<header>\n<p class=\"mark\">Enclave OS</p>\n<h1>What runs here</h1>\n"
    "<p class=\"lead\">This is what the enclave at the other end of your connection says of itself: its code, who may "
    "change it, and what has become of it so far.</p>\n</header>\n<main id=\"main\">\n"
    "<aside class=\"caution\" aria-labelledby=\"worth\">\n<h2 id=\"worth\">What this page proves</h2>\n"
    "<p><strong>By itself, nothing.</strong> Any server can show a page like this one. The proof is in the certificate "
    "of this connection, and a page cannot see that: <a href=\"#check\">check it from outside</a>.</p>\n</aside>\n";

static const char foot[] =
    "</main>\n<footer>\n<p>The same for programs: <a href=\"/_enclave/manifest\">manifest</a>, "
    "<a href=\"/_enclave/log/checkpoint\">head of the history</a>.</p>\n</footer>\n</body>\n</html>\n";

static void fact(struct html *h, const char *name)
{
    html_put(h, "<div><dt>");
    html_put(h, name);
    html_put(h, "</dt><dd>");
}

static void in_short(struct html *h, const struct page_facts *facts)
{
    uint64_t since = page_since(facts);
    html_put(h, "<section aria-labelledby=\"short\">\n<h2 id=\"short\">In short</h2>\n<dl class=\"facts\">\n");
    fact(h, "Generation");
    html_put(h, "<b>");
    html_number(h, facts->generation);
    html_put(h, "</b>");
    if (since) {
        html_put(h, " since ");
        html_time(h, since);
        html_put(h, " <small>(the host's clock)</small>");
    }
    html_put(h, "</dd></div>\n");
    fact(h, "Instance");
    html_put(h, "<code>");
    html_hex(h, facts->instance, 32);
    html_put(h, "</code></dd></div>\n");
    fact(h, "Root over all that is attested");
    html_put(h, "<code>");
    html_hex(h, facts->root, 32);
    html_put(h, "</code></dd></div>\n");
    page_measured(h, facts);
    html_put(h, "</dl>\n</section>\n");
}

/* Only what is certainly a host and a port is repeated in a command. */
static bool is_plain(const char *authority)
{
    return *authority && strlen(authority) < 256 &&
           authority[strspn(authority, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]")] == '\0';
}

static void check(struct html *h, const struct page_facts *facts)
{
    const char *authority = is_plain(facts->authority) ? facts->authority : "HOST:8443";
    html_put(h, "<section aria-labelledby=\"check\">\n<h2 id=\"check\">Check it from outside</h2>\n"
                "<p>With <code>enclavectl</code> from a source that you trust, or the verifier's library, on a machine "
                "of yours. The first command writes down whose enclave this is, to be compared with what its owner "
                "told you; the others hold to that.</p>\n<pre tabindex=\"0\"><code>enclavectl policy from https://");
    html_text(h, authority, strlen(authority));
    html_put(h, " --out policy.json\nenclavectl verify https://");
    html_text(h, authority, strlen(authority));
    html_put(h, " --policy policy.json\nenclavectl log https://");
    html_text(h, authority, strlen(authority));
    html_put(h, " --policy policy.json</code></pre>\n</section>\n");
}

char *page_render(const struct page_facts *facts, size_t *size)
{
    struct html h = {.limit = PAGE_SIZE_MAX};
    ENSURE(facts->instance && facts->root && facts->authority);
    ENSURE(json_is_array(facts->entries));
    html_put(&h, head);
    html_put(&h, page_script_integrity);
    html_put(&h, body);
    in_short(&h, facts);
    page_apps(&h, facts);
    page_people(&h, facts);
    page_history(&h, facts);
    page_steps(&h);
    check(&h, facts);
    html_put(&h, foot);
    return html_take(&h, size);
}
