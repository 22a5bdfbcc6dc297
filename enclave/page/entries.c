/* Of the history, the newest entries (docs/history.md). */
#include <string.h>

#include "enclave/page/internal.h"

static const char *text_of(const json_t *entry, const char *member)
{
    const char *text = json_string_value(json_object_get(entry, member));
    return text ? text : "";
}

static uint64_t number_of(const json_t *entry, const char *member)
{
    json_int_t number = json_integer_value(json_object_get(entry, member));
    return number > 0 ? (uint64_t)number : 0;
}

/* The entry by which the generation that is shown came about: the oldest of those that name it. */
uint64_t page_since(const struct page_facts *facts)
{
    uint64_t since = 0;
    for (size_t i = json_array_size(facts->entries); i-- > 0;) {
        const json_t *entry = json_array_get(facts->entries, i);
        uint64_t generation = number_of(entry, "generation");
        if (generation < facts->generation)
            return since;
        if (generation == facts->generation)
            since = number_of(entry, "time");
    }
    return json_array_size(facts->entries) == facts->log_size ? since : 0; /* else older ones may name it, too */
}

void page_measured(struct html *h, const struct page_facts *facts)
{
    for (size_t i = json_array_size(facts->entries); i-- > 0;) {
        const json_t *entry = json_array_get(facts->entries, i);
        const char *kind = text_of(entry, "kind"), *measurement = text_of(entry, "measurement");
        if ((strcmp(kind, "boot") != 0 && strcmp(kind, "begin") != 0) || !*measurement)
            continue;
        html_put(h, "<div><dt>Program (MRENCLAVE), as of its last start</dt><dd><code>");
        html_text_cut(h, measurement, strlen(measurement), PAGE_TEXT_MAX);
        html_put(h, "</code></dd></div>\n");
        return;
    }
}

static void by_whom(struct html *h, const json_t *by)
{
    size_t count = json_array_size(by);
    if (count == 0)
        html_put(h, "itself");
    for (size_t i = 0; i < count; i++) {
        const char *key = json_string_value(json_array_get(by, i));
        html_put(h, i > 0 ? ", <code>" : "<code>");
        html_text_cut(h, key ? key : "", key ? strlen(key) : 0, 12);
        html_put(h, "</code>");
    }
}

static void entry_row(struct html *h, const json_t *entry)
{
    const char *what = text_of(entry, "what"), *kind = text_of(entry, "kind");
    html_put(h, "<tr><td>");
    html_number(h, number_of(entry, "index"));
    html_put(h, "</td><td>");
    html_time(h, number_of(entry, "time"));
    html_put(h, "</td><td>");
    html_text_cut(h, kind, strlen(kind), PAGE_TEXT_MAX);
    html_put(h, "</td><td>");
    html_text_cut(h, what, strlen(what), PAGE_TEXT_MAX);
    html_put(h, "</td><td>");
    by_whom(h, json_object_get(entry, "by"));
    html_put(h, "</td><td>");
    html_number(h, number_of(entry, "generation"));
    html_put(h, "</td></tr>\n");
}

void page_history(struct html *h, const struct page_facts *facts)
{
    size_t count = json_array_size(facts->entries);
    html_put(h, "<section aria-labelledby=\"history\">\n<h2 id=\"history\">History</h2>\n<p>");
    html_number(h, facts->log_size);
    html_put(h, facts->log_size == 1 ? " entry" : " entries");
    html_put(h, " in a log to which can only be added");
    html_put(h, count < facts->log_size ? ", of which these are the newest" : "");
    html_put(
        h, ". Times are by the host's clock.</p>\n"
           "<div class=\"wide\" role=\"region\" aria-label=\"Table: history\" tabindex=\"0\">\n<table>\n<thead><tr>"
           "<th scope=\"col\">No.</th><th scope=\"col\">When</th><th scope=\"col\">Kind</th><th scope=\"col\">What</th>"
           "<th scope=\"col\">By whose key</th><th scope=\"col\">Generation</th></tr></thead>\n<tbody>\n");
    for (size_t i = count; i-- > 0;)
        if (json_is_object(json_array_get(facts->entries, i)))
            entry_row(h, json_array_get(facts->entries, i));
    html_put(h, "</tbody>\n</table>\n</div>\n</section>\n");
}
