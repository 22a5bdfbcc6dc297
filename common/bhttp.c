/* See bhttp.h. */
#include "common/bhttp.h"

#include <errno.h>

enum { KNOWN_REQUEST, KNOWN_RESPONSE, REQUEST, RESPONSE };

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static uint64_t take_int(struct bytes_reader *r)
{
    uint8_t first = bytes_take_u8(r);
    uint64_t v = first & 0x3f;
    for (size_t left = ((size_t)1 << (first >> 6)) - 1; left > 0; left--)
        v = v << 8 | bytes_take_u8(r);
    return r->failed ? 0 : v;
}

static struct bhttp_text take_sized(struct bytes_reader *r, uint64_t size)
{
    const uint8_t *at = size <= r->left ? bytes_take(r, (size_t)size) : NULL;
    r->failed |= !at;
    return (struct bhttp_text){at ? (const char *)at : "", at ? (size_t)size : 0};
}

static struct bhttp_text take_text(struct bytes_reader *r)
{
    uint64_t size = take_int(r);
    return take_sized(r, size);
}

/* A token (RFC 9110, section 5.6.2): no pseudo-field is one. Names have no capitals. */
static bool token_valid(struct bhttp_text text, bool capitals)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (capitals && c >= 'A' && c <= 'Z') ||
                  (c && strchr("!#$%&'*+-.^_`|~", c));
        if (!ok)
            return false;
    }
    return text.size > 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool value_valid(struct bhttp_text value)
{
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return value.size == 0 || (!is_blank(value.at[0]) && !is_blank(value.at[value.size - 1]));
}

/* A line whose name has so many bytes. False: it is none, or a wrong one. */
static bool take_line(struct bytes_reader *r, uint64_t name_size, struct bhttp_field *out)
{
    out->name = take_sized(r, name_size);
    out->value = take_text(r);
    return !r->failed && token_valid(out->name, false) && value_valid(out->value);
}

/* What was left off at the end stands for nothing (RFC 9292, section 3.8). */
static bool take_lines(struct bytes_reader *r, bool known, struct bhttp_lines *out)
{
    struct bhttp_field ignored;
    *out = (struct bhttp_lines){0};
    if (r->left == 0)
        return !r->failed;
    struct bytes_reader section = *r;
    if (known) {
        struct bhttp_text all = take_text(r);
        section = bytes_reader_make(all.at, all.size);
        out->size = all.size;
    }
    out->at = section.next;
    while (!r->failed && (!known || section.left > 0)) {
        const uint8_t *start = section.next;
        uint64_t size = take_int(&section);
        if (!known && !section.failed && size == 0) {
            out->size = (size_t)(start - out->at);
            *r = section;
            return true;
        }
        if (!take_line(&section, size, &ignored))
            return false;
        out->count++;
    }
    return !r->failed;
}

static bool take_pieces(struct bytes_reader *r, uint8_t *data, struct bhttp_message *out)
{
    size_t start = (size_t)(r->next - data);
    out->content = data + start;
    while (r->left > 0) {
        uint64_t size = take_int(r);
        if (!r->failed && size == 0)
            return true;
        struct bhttp_text piece = take_sized(r, size);
        if (r->failed)
            return false;
        memmove(out->content + out->content_size, piece.at, piece.size);
        out->content_size += piece.size;
    }
    return out->content_size == 0;
}

static bool take_content(struct bytes_reader *r, bool known, uint8_t *data, struct bhttp_message *out)
{
    if (!known)
        return take_pieces(r, data, out);
    struct bhttp_text all = r->left > 0 ? take_text(r) : (struct bhttp_text){(const char *)r->next, 0};
    out->content = data + ((const uint8_t *)all.at - data);
    out->content_size = all.size;
    return !r->failed;
}

static bool take_status(struct bytes_reader *r, bool known, struct bhttp_message *out)
{
    struct bhttp_lines ignored;
    uint64_t status = take_int(r);
    for (unsigned interim = 0; status >= 100 && status <= 199; status = take_int(r))
        if (interim++ == BHTTP_INTERIM_MAX || !take_lines(r, known, &ignored))
            return false;
    out->status = status <= 599 ? (unsigned)status : 0;
    return !r->failed && out->status >= 200;
}

static bool take_target(struct bytes_reader *r, struct bhttp_message *out)
{
    out->method = take_text(r);
    out->scheme = take_text(r);
    out->authority = take_text(r);
    out->path = take_text(r);
    return !r->failed && token_valid(out->method, true);
}

static bool rest_is_padding(const struct bytes_reader *r)
{
    for (size_t i = 0; i < r->left; i++)
        if (r->next[i])
            return false;
    return true;
}

int bhttp_read(uint8_t *data, size_t size, struct bhttp_message *out, const char **why)
{
    struct bytes_reader r = bytes_reader_make(data, size);
    *out = (struct bhttp_message){0};
    uint64_t framing = take_int(&r);
    bool known = framing <= KNOWN_RESPONSE;
    out->is_response = framing == KNOWN_RESPONSE || framing == RESPONSE;
    if (r.failed || framing > RESPONSE)
        *why = "it does not begin as a binary message does";
    else if (out->is_response ? !take_status(&r, known, out) : !take_target(&r, out))
        *why = "its control data are cut short, or no such";
    else if (!take_lines(&r, known, &out->header))
        *why = "its header section is cut short, or has a field with a wrong name or value";
    else if (!take_content(&r, known, data, out))
        *why = "its content is cut short";
    else if (!take_lines(&r, known, &out->trailer))
        *why = "its trailer section is cut short, or has a field with a wrong name or value";
    else if (!rest_is_padding(&r))
        *why = "something that is no padding stands behind it";
    else
        return 0;
    return -EBADMSG;
}

bool bhttp_next(struct bhttp_lines *left, struct bhttp_field *field)
{
    if (left->count == 0)
        return false;
    struct bytes_reader r = bytes_reader_make(left->at, left->size);
    uint64_t size = take_int(&r);
    if (!take_line(&r, size, field))
        return false;
    left->at = r.next;
    left->size = r.left;
    left->count--;
    return true;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static size_t int_size(uint64_t v)
{
    return v < 64 ? 1 : v < 16384 ? 2 : v < (1u << 30) ? 4 : 8;
}

void bhttp_put_int(struct bytes_writer *w, uint64_t v)
{
    size_t size = int_size(v);
    uint8_t *out = v >> 62 ? NULL : bytes_add(w, size);
    w->failed |= !out;
    for (size_t i = 0; out && i < size; i++)
        out[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
    if (out)
        out[0] |= (uint8_t)(__builtin_ctzll(size) << 6);
}

void bhttp_put_later(uint8_t out[BHTTP_LATER_SIZE], uint32_t v)
{
    for (size_t i = 0; i < BHTTP_LATER_SIZE; i++)
        out[i] = (uint8_t)(v >> (8 * (BHTTP_LATER_SIZE - 1 - i)));
    out[0] = (uint8_t)((out[0] & 0x3f) | 0x80);
}

void bhttp_put_text(struct bytes_writer *w, const void *at, size_t size)
{
    bhttp_put_int(w, size);
    bytes_append(w, at, size);
}

void bhttp_put_line(struct bytes_writer *w, const void *name, size_t name_size, const void *value, size_t value_size)
{
    bhttp_put_int(w, name_size);
    uint8_t *out = bytes_add(w, name_size);
    for (size_t i = 0; out && i < name_size; i++) {
        uint8_t c = ((const uint8_t *)name)[i];
        out[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
    }
    bhttp_put_text(w, value, value_size);
}

void bhttp_put_request(struct bytes_writer *w, const char *method, const char *authority, const char *path,
                       const struct bhttp_field *fields, size_t count, const void *content, size_t size)
{
    size_t section = 0;
    for (size_t i = 0; i < count; i++)
        section +=
            int_size(fields[i].name.size) + fields[i].name.size + int_size(fields[i].value.size) + fields[i].value.size;
    bhttp_put_int(w, KNOWN_REQUEST);
    bhttp_put_text(w, method, strlen(method));
    bhttp_put_text(w, "https", 5);
    bhttp_put_text(w, authority, strlen(authority));
    bhttp_put_text(w, path, strlen(path));
    bhttp_put_int(w, section);
    for (size_t i = 0; i < count; i++)
        bhttp_put_line(w, fields[i].name.at, fields[i].name.size, fields[i].value.at, fields[i].value.size);
    bhttp_put_text(w, content, size);
    bhttp_put_int(w, 0);
}
