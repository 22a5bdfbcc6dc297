/*
 * Text of a web page, as it is put together: what is literal, and what others have chosen, which is always escaped, so
 * that nothing a guest, an operator or a client calls itself becomes markup.
 *
 *     struct html h = {.limit = PAGE_SIZE_MAX};
 *     html_put(&h, "<td>");
 *     html_text(&h, name, strlen(name));
 *     char *text = html_take(&h, &size);      NULL: no memory, or it would have been longer than limit
 *
 * One thread at a time.
 */
#ifndef ENCLAVE_OS_ENCLAVE_PAGE_HTML_H
#define ENCLAVE_OS_ENCLAVE_PAGE_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct html {
    char *text;
    size_t size, room, limit;
    bool failed; /* nothing more is put */
};

void html_put(struct html *h, const char *literal);
/* Any bytes: markup is escaped, and what no page may contain (controls, broken UTF-8) is shown as U+FFFD. */
void html_text(struct html *h, const char *text, size_t size);
/* The first bytes of it, at most, with an ellipsis where that was not all. */
void html_text_cut(struct html *h, const char *text, size_t size, size_t most);
void html_number(struct html *h, uint64_t number);
void html_hex(struct html *h, const uint8_t *data, size_t size);
/* A moment, in seconds since 1970, as <time>, in UTC; what no calendar has is shown as a number. */
void html_time(struct html *h, uint64_t seconds);

/* All of it, malloc'ed, the caller's; h is empty. NULL: see above. */
char *html_take(struct html *h, size_t *size);

#endif
