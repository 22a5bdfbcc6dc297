/* See html.h. */
#include "enclave/page/html.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ensure.h"

#define ROOM_FIRST 8192u
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void put(struct html *h, const char *text, size_t size)
{
    ENSURE(h->size <= h->room);
    ENSURE(h->room <= h->limit || !h->text);
    if (h->failed || size > h->limit - h->size) {
        h->failed = true;
        return;
    }
    if (size > h->room - h->size) {
        size_t room = h->room ? h->room : ROOM_FIRST;
        while (room < h->size + size)
            room *= 2;
        room = room < h->limit ? room : h->limit;
        char *more = realloc(h->text, room);
        if (!more) {
            h->failed = true;
            return;
        }
        h->text = more;
        h->room = room;
    }
    memcpy(h->text + h->size, text, size);
    h->size += size;
}

void html_put(struct html *h, const char *literal)
{
    put(h, literal, strlen(literal));
}

/* How many bytes the character at text has; 0: it is none (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_size(const uint8_t *text, size_t size)
{
    uint8_t first = text[0];
    size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : 4;
    if (first >= 0x80 && (first < 0xc2 || first > 0xf4))
        return 0;
    if (length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] >= 0xa0) || (first == 0xf0 && text[1] < 0x90) ||
        (first == 0xf4 && text[1] >= 0x90))
        return 0;
    return length;
}

/* Controls, and what turns the direction in which a line is read: a name could make another of what is around it. */
static bool is_shown(const uint8_t *c, size_t length)
{
    if (length == 1)
        return c[0] >= 0x20 && c[0] != 0x7f;
    if (length == 2)
        return !(c[0] == 0xc2 && c[1] < 0xa0) && !(c[0] == 0xd8 && c[1] == 0x9c); /* C1, U+061C */
    return !(length == 3 && c[0] == 0xe2 &&
             ((c[1] == 0x80 && ((c[2] >= 0x8b && c[2] <= 0x8f) || (c[2] >= 0xa8 && c[2] <= 0xae))) ||
              (c[1] == 0x81 && c[2] >= 0xa0 && c[2] <= 0xaf)));
}

static const char *entity_of(uint8_t c)
{
    return c == '<'    ? "&lt;"
           : c == '>'  ? "&gt;"
           : c == '&'  ? "&amp;"
           : c == '"'  ? "&quot;"
           : c == '\'' ? "&#39;"
                       : NULL;
}

void html_text(struct html *h, const char *text, size_t size)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + size;
    while (at < end) {
        size_t length = utf8_size(at, (size_t)(end - at));
        const char *entity = entity_of(*at);
        if (entity)
            html_put(h, entity);
        else if (length == 0 || !is_shown(at, length))
            html_put(h, REPLACEMENT);
        else
            put(h, (const char *)at, length);
        at += length ? length : 1;
    }
}

void html_text_cut(struct html *h, const char *text, size_t size, size_t most)
{
    size_t shown = size;
    if (size > most)
        for (shown = most; shown > 0 && ((uint8_t)text[shown] & 0xc0) == 0x80;)
            shown--; /* not within a character */
    html_text(h, text, shown);
    if (shown < size)
        html_put(h, "…");
}

void html_number(struct html *h, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    html_put(h, text);
}

void html_hex(struct html *h, const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        char two[2] = {digits[data[i] >> 4], digits[data[i] & 15]};
        put(h, two, 2);
    }
}

#define YEAR_10000 UINT64_C(253402300800)

void html_time(struct html *h, uint64_t seconds)
{
    char text[80];
    struct tm tm;
    time_t at = (time_t)seconds;
    if (seconds >= YEAR_10000 || !gmtime_r(&at, &tm)) {
        html_number(h, seconds);
        return;
    }
    strftime(text, sizeof text, "<time datetime=\"%Y-%m-%dT%H:%M:%SZ\">%Y-%m-%d %H:%M:%S UTC</time>", &tm);
    html_put(h, text);
}

char *html_take(struct html *h, size_t *size)
{
    char *text = h->failed ? NULL : h->text;
    if (!text)
        free(h->text);
    *size = text ? h->size : 0;
    *h = (struct html){.limit = h->limit};
    return text;
}
