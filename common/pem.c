/* See pem.h. */
#include "common/pem.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DASHES "-----"
#define DASHES_SIZE 5u

enum line_kind { TEXT, BEGIN, END, MISPLACED };

struct line {
    const char *text;
    size_t size; /* without what ends the line, and blanks before that */
    enum line_kind kind;
    const char *label; /* of BEGIN and END */
    size_t label_size;
};

/* Where the mark stands in the line; size: nowhere. */
static size_t find(const struct line *l, const char *mark)
{
    size_t mark_size = strlen(mark);
    for (size_t i = 0; i + mark_size <= l->size; i++)
        if (memcmp(l->text + i, mark, mark_size) == 0)
            return i;
    return l->size;
}

static void take_label(struct line *l, const char *mark, enum line_kind kind)
{
    size_t at = find(l, mark), mark_size = strlen(mark);
    if (at == l->size)
        return;
    l->kind = MISPLACED;
    if (at != 0 || l->size < mark_size + DASHES_SIZE + 1 ||
        memcmp(l->text + l->size - DASHES_SIZE, DASHES, DASHES_SIZE) != 0)
        return;
    l->kind = kind;
    l->label = l->text + mark_size;
    l->label_size = l->size - mark_size - DASHES_SIZE;
}

static struct line next_line(const char **at, const char *end)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    struct line l = {.text = *at, .size = (size_t)((stop ? stop : end) - *at), .kind = TEXT};
    *at = stop ? stop + 1 : end;
    while (l.size > 0 && (l.text[l.size - 1] == '\r' || l.text[l.size - 1] == ' ' || l.text[l.size - 1] == '\t'))
        l.size--;
    take_label(&l, DASHES "BEGIN ", BEGIN);
    if (l.kind == TEXT)
        take_label(&l, DASHES "END ", END);
    return l;
}

static bool is_text(const struct line *l)
{
    for (size_t i = 0; i < l->size; i++)
        if (((unsigned char)l->text[i] < ' ' && l->text[i] != '\t') || l->text[i] == 0x7f)
            return false;
    return true;
}

static bool is_called(const struct line *l, const char *label)
{
    return l->label_size == strlen(label) && memcmp(l->label, label, l->label_size) == 0;
}

static bool is_private_key(const struct line *l)
{
    static const char end[] = "PRIVATE KEY";
    size_t size = sizeof end - 1;
    return l->label_size >= size && memcmp(l->label + l->label_size - size, end, size) == 0;
}

/* What is wrong with the line, whether the one before it stood in a block or not; NULL: nothing. */
static const char *judge_line(const struct line *l, bool inside, const char *label)
{
    if (!is_text(l))
        return "bytes that are no text; it has to be PEM, and this may be DER";
    if (l->kind == MISPLACED)
        return "the beginning or end of a block has to stand alone in its line, from its first column";
    if (l->kind == BEGIN && inside)
        return "a block begins within another, whose end is missing";
    if (l->kind == END && !inside)
        return "a block ends that did not begin";
    if (l->kind == BEGIN && is_private_key(l))
        return "a private key, which belongs to its owner alone; take it out";
    return l->kind == END && !is_called(l, label) ? "the block ends with another name than it began" : NULL;
}

static long refuse(char why[PEM_WHY_SIZE], unsigned line, const char *what)
{
    snprintf(why, PEM_WHY_SIZE, "line %u: %s", line, what);
    return -1;
}

static long refuse_block(char why[PEM_WHY_SIZE], unsigned line, const struct line *l, const char *label)
{
    snprintf(why, PEM_WHY_SIZE, "line %u: a block called %.*s; only %s belongs here", line,
             l->label_size < 40 ? (int)l->label_size : 40, l->label, label);
    return -1;
}

long pem_judge(const char *text, size_t size, const char *label, char why[PEM_WHY_SIZE])
{
    const char *end = text + size;
    long blocks = 0;
    bool inside = false;
    unsigned number = 0, comment = 0; /* the line of the first text behind the last block */
    while (text < end) {
        struct line l = next_line(&text, end);
        const char *wrong = judge_line(&l, inside, label);
        number++;
        if (wrong)
            return refuse(why, number, wrong);
        if (l.kind == BEGIN && !is_called(&l, label))
            return refuse_block(why, number, &l, label);
        if (l.kind == TEXT && !inside && l.size > 0 && comment == 0)
            comment = number;
        else if (l.kind != TEXT)
            comment = 0;
        blocks += l.kind == END;
        inside = l.kind == TEXT ? inside : l.kind == BEGIN;
    }
    if (inside)
        return refuse(why, number, "the last block does not end: the file is cut off");
    if (blocks > 0 && comment)
        return refuse(why, comment, "text behind the last block; comments stand before what they are about");
    return blocks;
}
