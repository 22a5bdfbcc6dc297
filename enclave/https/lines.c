/* See lines.h. */
#include "enclave/https/lines.h"

#include "enclave/https/fields.h"

void h1_lines_check(const struct h1_lines *l)
{
    h1_buffer_check(&l->head);
    h1_buffer_check(&l->tail);
    ENSURE(l->count <= l->capacity);
    ENSURE(l->count <= l->count_max);
    ENSURE(l->in_trailers || l->tail.end == 0);
    ENSURE((uint64_t)l->head.end + l->tail.end <= l->bytes_max);
}

void h1_lines_begin(struct h1_lines *l, uint32_t bytes_max, uint32_t count_max)
{
    char before = l->before; /* of the input, not of the message */
    h1_lines_free(l);
    *l = (struct h1_lines){.memory = l->memory,
                           .head.memory = l->memory,
                           .tail.memory = l->memory,
                           .bytes_max = bytes_max,
                           .count_max = count_max,
                           .before = before};
}

void h1_lines_free(struct h1_lines *l)
{
    h1_release(&l->head);
    h1_release(&l->tail);
    charged_free(l->lines);
    l->lines = NULL;
    l->count = l->capacity = 0;
}

static_assert(sizeof(struct h1_line) == CALL_LINE_COST && sizeof(struct http_field) == CALL_FIELD_COST,
              "limits.h counts with them");

static struct h1_buffer *arena(struct h1_lines *l)
{
    return l->in_trailers ? &l->tail : &l->head;
}

int h1_lines_text(struct h1_lines *l, const char *at, size_t size)
{
    struct h1_buffer *to = arena(l);
    if (l->head.end + l->tail.end + size > l->bytes_max)
        return -EMSGSIZE;
    if (h1_room(to, size) != 0)
        return -ENOMEM;
    h1_put(to, at, size);
    return 0;
}

static struct h1_line *current(struct h1_lines *l)
{
    ENSURE(l->count > 0 && l->count <= l->capacity);
    return &l->lines[l->count - 1];
}

static int new_line(struct h1_lines *l)
{
    ENSURE(l->count <= l->capacity);
    ENSURE(l->lines || l->capacity == 0);
    if (l->count >= l->count_max)
        return -EMSGSIZE;
    if (l->count == l->capacity) {
        uint32_t capacity = l->capacity ? l->capacity * 2 : 16;
        struct h1_line *grown = charged_realloc(l->memory, l->lines, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        l->lines = grown;
        l->capacity = capacity;
    }
    l->lines[l->count++] = (struct h1_line){.name = arena(l)->end};
    l->value_end = NULL;
    return 0;
}

int h1_lines_name(struct h1_lines *l, const char *at, size_t size)
{
    if (size == 0)
        return 0; /* cut off at the buffer's end, or none at all: h1_lines_name_complete knows */
    bool fresh = l->count == 0 || current(l)->value || current(l)->value_size;
    int error = fresh ? new_line(l) : 0;
    uint32_t start = arena(l)->end;
    if (error == 0)
        error = h1_lines_text(l, at, size);
    if (error != 0)
        return error;
    ENSURE(l->count > 0 && l->count <= l->capacity);
    ENSURE(arena(l)->end - start == size);
    for (char *c = arena(l)->data + start; c < arena(l)->data + arena(l)->end; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c += 32;
    current(l)->name_size += (uint32_t)size;
    return 0;
}

int h1_lines_name_complete(struct h1_lines *l)
{
    if (l->count == 0 || current(l)->value)
        return -EBADMSG; /* no name came before this colon */
    current(l)->value = arena(l)->end;
    return 0;
}

/* The last byte before end that is not blank; otherwise, if there is none. */
static char last_visible(const char *start, const char *end, char otherwise)
{
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return end > start ? end[-1] : otherwise;
}

/* llhttp joins folded lines. Their parts do not follow each other in memory, and a value whose first line is empty has
 * a line end before it instead of the colon. */
static bool folded(const struct h1_lines *l, const char *input, const char *at)
{
    if (l->value_end)
        return at != l->value_end;
    char before = last_visible(input, at, l->before);
    return before == '\n' || before == '\r';
}

int h1_lines_value(struct h1_lines *l, const char *input, const char *at, size_t size)
{
    if (size == 0)
        return 0;
    if (folded(l, input, at) || memchr(at, 0, size))
        return -EBADMSG;
    l->value_end = at + size;
    current(l)->value_size += (uint32_t)size;
    return h1_lines_text(l, at, size);
}

void h1_lines_next_input(struct h1_lines *l, const char *input, const char *end, size_t capacity)
{
    /* A value that goes on in the next buffer goes on at its beginning. */
    if (l->value_end)
        l->value_end = l->value_end == end ? input : input + capacity + 1;
    l->before = last_visible(input, end, l->before);
}

void h1_lines_head_complete(struct h1_lines *l)
{
    h1_lines_check(l);
    ENSURE(!l->in_trailers);
    l->in_trailers = true;
    l->count = 0;
}

struct http_field *h1_lines_fields(const struct h1_lines *l)
{
    ENSURE(l->count <= l->capacity);
    const struct h1_buffer *text = l->in_trailers ? &l->tail : &l->head;
    struct http_field *fields = charged_alloc(l->memory, (l->count + 2) * sizeof *fields);
    for (uint32_t i = 0; fields && i < l->count; i++) {
        const struct h1_line *line = &l->lines[i];
        ENSURE(line->name + line->name_size <= text->end && line->value + line->value_size <= text->end);
        fields[i].name = (struct http_text){text->data + line->name, line->name_size};
        fields[i].value = (struct http_text){text->data + line->value, line->value_size};
        struct http_text *value = &fields[i].value;
        while (value->size && (value->data[value->size - 1] == ' ' || value->data[value->size - 1] == '\t'))
            value->size--;
    }
    return fields;
}

size_t h1_lines_trailers(struct h1_lines *l, struct http_field **kept, const struct http_field **fields)
{
    if (l->count == 0)
        return 0;
    if (!*kept) {
        *kept = h1_lines_fields(l);
        l->count = *kept ? (uint32_t)http_keep_trailers(*kept, l->count) : 0;
    }
    *fields = *kept;
    return l->count;
}
