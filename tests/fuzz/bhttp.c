/* Binary HTTP messages: whatever is read lies inside of what was given, and says the same when it is written again. */
#include "common/bhttp.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t *from;
static size_t from_size;

static void check_inside(const void *at, size_t size)
{
    const uint8_t *start = at;
    MUST(size == 0 || (start >= from && size <= from_size && start <= from + from_size - size));
}

/* As many lines as it says, all inside. */
static void check_lines(struct bhttp_lines left)
{
    struct bhttp_field field;
    size_t count = left.count, seen = 0;
    check_inside(left.at, left.size);
    while (bhttp_next(&left, &field)) {
        check_inside(field.name.at, field.name.size);
        check_inside(field.value.at, field.value.size);
        MUST(field.name.size > 0 && field.name.at[0] != ':');
        seen++;
    }
    MUST(seen == count && left.size == 0);
}

static bool same(struct bhttp_text a, struct bhttp_text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

/* Its lines, taken out of one message and put into another, of known length. */
static void put_again(struct bytes_writer *w, const struct bhttp_message *m, size_t room)
{
    struct bhttp_field field;
    uint8_t *section = malloc(room);
    struct bytes_writer lines = bytes_writer_make(section, room);
    for (struct bhttp_lines left = m->header; bhttp_next(&left, &field);)
        bhttp_put_line(&lines, field.name.at, field.name.size, field.value.at, field.value.size);
    MUST(!lines.failed);
    bhttp_put_int(w, 0);
    bhttp_put_text(w, m->method.at, m->method.size);
    bhttp_put_text(w, m->scheme.at, m->scheme.size);
    bhttp_put_text(w, m->authority.at, m->authority.size);
    bhttp_put_text(w, m->path.at, m->path.size);
    bhttp_put_text(w, section, lines.size);
    bhttp_put_text(w, m->content, m->content_size);
    free(section);
}

static void check_again(const struct bhttp_message *m, size_t size)
{
    struct bhttp_message again;
    const char *why;
    size_t room = 8 * size + 64;
    uint8_t *out = malloc(room);
    struct bytes_writer w = bytes_writer_make(out, room);
    put_again(&w, m, room);
    MUST(!w.failed && bhttp_read(out, w.size, &again, &why) == 0);
    MUST(same(m->method, again.method) && same(m->path, again.path) && same(m->authority, again.authority));
    MUST(again.header.count == m->header.count && again.content_size == m->content_size);
    MUST(m->content_size == 0 || memcmp(again.content, m->content, m->content_size) == 0);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bhttp_message m;
    const char *why = NULL;
    uint8_t *copy = malloc(size + !size); /* it puts pieces together in place */
    memcpy(copy, data, size);
    from = copy;
    from_size = size;
    if (bhttp_read(copy, size, &m, &why) == 0) {
        check_lines(m.header);
        check_lines(m.trailer);
        check_inside(m.content, m.content_size);
        MUST(m.is_response == (m.status != 0) && (!m.is_response || (m.status >= 200 && m.status <= 599)));
        if (!m.is_response)
            check_again(&m, size);
    } else {
        MUST(why);
    }
    free(copy);
    return 0;
}
