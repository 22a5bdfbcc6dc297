/*
 * wasi:http/types@0.2.x: the resource `fields` (headers and trailers). Its functions are in the table of http_types.c.
 *
 * Names are kept in lower case. A resource's state 1 means immutable. One
 * allocation holds a name and its value.
 */
#include "enclave/wasi/http_fields.h"

#include <errno.h>
#include <strings.h>

#include "enclave/wasi/internal.h"

enum { MUTABLE, IMMUTABLE };
enum { INVALID_SYNTAX, FORBIDDEN, IMMUTABLE_ERROR };

/* Framing and routing are the connection's business. */
static const char *const forbidden[] = {
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
};

bool http_name_forbidden(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (strlen(forbidden[i]) == size && strncasecmp(forbidden[i], name, size) == 0)
            return true;
    return false;
}

static bool is_token(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
}

static bool name_valid(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!is_token((unsigned char)name[i]))
            return false;
    return size > 0;
}

static bool value_valid(const char *value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool same_name(const struct http_field *field, const char *name, size_t size)
{
    return field->name.size == size && strncasecmp(field->name.data, name, size) == 0;
}

/* What so many fields with so many bytes of text are charged; all that is in f now is charged before it is there. */
static bool charge_fields(struct fields *f, size_t count, size_t bytes)
{
    size_t cost = bytes + count * FIELD_COST;
    if (!f->memory)
        return true;
    return f->charge.from ? charge_resize(&f->charge, cost) : charge_take(&f->charge, f->memory, cost);
}

void fields_check(const struct fields *f)
{
    ENSURE(f->count <= f->capacity && f->count <= FIELDS_COUNT_MAX);
    ENSURE(f->bytes <= FIELDS_BYTES_MAX);
    ENSURE(f->items || f->capacity == 0);
    ENSURE(!f->memory || f->count == 0 || f->charge.bytes >= f->bytes);
}

void fields_clear(struct fields *f)
{
    for (size_t i = 0; i < f->count; i++)
        free((char *)f->items[i].name.data); /* holds the value as well */
    free(f->items);
    charge_give(&f->charge);
    *f = (struct fields){.memory = f->memory};
}

int fields_append(struct fields *f, const char *name, size_t name_size, const char *value, size_t value_size)
{
    fields_check(f);
    if (f->count >= FIELDS_COUNT_MAX || name_size > FIELDS_BYTES_MAX || value_size > FIELDS_BYTES_MAX ||
        f->bytes + name_size + value_size > FIELDS_BYTES_MAX)
        return -ENOSPC;
    if (f->count == f->capacity) {
        size_t capacity = f->capacity ? f->capacity * 2 : 8;
        struct http_field *grown = realloc(f->items, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        f->items = grown;
        f->capacity = capacity;
    }
    if (!charge_fields(f, f->count + 1, f->bytes + name_size + value_size))
        return -ENOMEM;
    char *text = malloc(name_size + value_size + 1);
    if (!text)
        return -ENOMEM; /* charged until the next change */
    for (size_t i = 0; i < name_size; i++)
        text[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    memcpy(text + name_size, value, value_size);
    f->items[f->count++] = (struct http_field){{text, name_size}, {text + name_size, value_size}};
    f->bytes += name_size + value_size;
    return 0;
}

int fields_copy(struct fields *to, const struct fields *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct http_field *item = &from->items[i];
        int error = fields_append(to, item->name.data, item->name.size, item->value.data, item->value.size);
        if (error)
            return error;
    }
    return 0;
}

const struct http_field *fields_find(const struct fields *f, const char *name, size_t name_size)
{
    for (size_t i = 0; i < f->count; i++)
        if (same_name(&f->items[i], name, name_size))
            return &f->items[i];
    return NULL;
}

static void fields_remove(struct fields *f, const char *name, size_t size)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (!same_name(&f->items[i], name, size)) {
            f->items[kept++] = f->items[i];
            continue;
        }
        f->bytes -= f->items[i].name.size + f->items[i].value.size;
        free((char *)f->items[i].name.data);
    }
    f->count = kept;
    fields_check(f);
    charge_fields(f, f->count, f->bytes);
}

/* Host functions ------------------------------------------------------------------------------------------------ */

static enum host_result refuse(struct guest *g, unsigned why)
{
    g->reply_count = 0;
    reply_word(g, 1);
    reply_word(g, why);
    return HOST_DONE;
}

/* Why a name and value may not be set, or -1. */
static int check(const struct resource *r, const char *name, size_t name_size, const struct slot *value)
{
    if (r && r->state == IMMUTABLE)
        return IMMUTABLE_ERROR;
    if (!name_valid(name, name_size) || (value && !value_valid(slot_text(value), value->size)))
        return INVALID_SYNTAX;
    return http_name_forbidden(name, name_size) ? FORBIDDEN : -1;
}

HOST_FUNC(fields_new)
{
    struct resource *r = resource_new(g, KIND_FIELDS);
    if (!r)
        return HOST_TRAP;
    reply_own(g, r);
    return HOST_DONE;
}

HOST_FUNC(fields_from_list)
{
    struct resource *r = resource_new(g, KIND_FIELDS);
    if (!r || args[0].word > FIELDS_COUNT_MAX)
        return guest_trap(g, "too many fields");
    ENSURE(r->fields.memory == &g->app->memory);
    for (size_t i = 0; i < args[0].word; i++) {
        const struct slot *name = &args[1 + 2 * i], *value = &args[2 + 2 * i];
        int why = check(NULL, slot_text(name), name->size, value);
        if (why >= 0) {
            resource_put(g, r);
            return refuse(g, (unsigned)why);
        }
        if (fields_append(&r->fields, slot_text(name), name->size, slot_text(value), value->size))
            return guest_trap(g, "too many fields");
    }
    fields_check(&r->fields);
    reply_word(g, 0);
    reply_own(g, r);
    return HOST_DONE;
}

HOST_FUNC(fields_get)
{
    struct resource *r = resource_get(g, &args[0], KIND_FIELDS);
    if (!r)
        return guest_trap(g, "not fields");
    reply_word(g, 0);
    size_t found = 0;
    for (size_t i = 0; i < r->fields.count; i++) {
        if (!same_name(&r->fields.items[i], slot_text(&args[1]), args[1].size))
            continue;
        reply_text(g, r->fields.items[i].value.data, r->fields.items[i].value.size);
        found++;
    }
    g->reply[0].word = found;
    return HOST_DONE;
}

HOST_FUNC(fields_has)
{
    struct resource *r = resource_get(g, &args[0], KIND_FIELDS);
    if (!r)
        return guest_trap(g, "not fields");
    reply_word(g, fields_find(&r->fields, slot_text(&args[1]), args[1].size) != NULL);
    return HOST_DONE;
}

HOST_FUNC(fields_set)
{
    struct resource *r = resource_get(g, &args[0], KIND_FIELDS);
    if (!r)
        return guest_trap(g, "not fields");
    const char *name = slot_text(&args[1]);
    size_t values = args[2].word;
    int why = check(r, name, args[1].size, NULL);
    for (size_t i = 0; i < values && why < 0; i++)
        why = check(r, name, args[1].size, &args[3 + i]);
    if (why >= 0)
        return refuse(g, (unsigned)why);
    fields_remove(&r->fields, name, args[1].size);
    for (size_t i = 0; i < values; i++)
        if (fields_append(&r->fields, name, args[1].size, slot_text(&args[3 + i]), args[3 + i].size))
            return guest_trap(g, "too many fields");
    reply_word(g, 0);
    return HOST_DONE;
}

HOST_FUNC(fields_delete)
{
    struct resource *r = resource_get(g, &args[0], KIND_FIELDS);
    if (!r)
        return guest_trap(g, "not fields");
    int why = check(r, slot_text(&args[1]), args[1].size, NULL);
    if (why >= 0)
        return refuse(g, (unsigned)why);
    fields_remove(&r->fields, slot_text(&args[1]), args[1].size);
    reply_word(g, 0);
    return HOST_DONE;
}

HOST_FUNC(fields_append_call)
{
    struct resource *r = resource_get(g, &args[0], KIND_FIELDS);
    if (!r)
        return guest_trap(g, "not fields");
    int why = check(r, slot_text(&args[1]), args[1].size, &args[2]);
    if (why >= 0)
        return refuse(g, (unsigned)why);
    if (fields_append(&r->fields, slot_text(&args[1]), args[1].size, slot_text(&args[2]), args[2].size))
        return guest_trap(g, "too many fields");
    reply_word(g, 0);
    return HOST_DONE;
}

HOST_FUNC(fields_entries)
{
    struct resource *r = resource_get(g, &args[0], KIND_FIELDS);
    if (!r)
        return guest_trap(g, "not fields");
    reply_word(g, r->fields.count);
    for (size_t i = 0; i < r->fields.count; i++) {
        reply_text(g, r->fields.items[i].name.data, r->fields.items[i].name.size);
        reply_text(g, r->fields.items[i].value.data, r->fields.items[i].value.size);
    }
    return HOST_DONE;
}

HOST_FUNC(fields_clone)
{
    struct resource *r = resource_get(g, &args[0], KIND_FIELDS), *copy = resource_new(g, KIND_FIELDS);
    if (!r || !copy || fields_copy(&copy->fields, &r->fields))
        return guest_trap(g, "cannot clone fields");
    reply_own(g, copy);
    return HOST_DONE;
}

struct resource *fields_immutable(struct guest *g, const struct fields *from)
{
    struct resource *r = resource_new(g, KIND_FIELDS);
    if (!r || (from && fields_copy(&r->fields, from))) {
        guest_trap(g, "no memory for fields");
        return NULL;
    }
    r->state = IMMUTABLE;
    return r;
}

struct resource *fields_received(struct guest *g, const struct http_field *items, size_t count)
{
    struct resource *r = fields_immutable(g, NULL);
    for (size_t i = 0; r && i < count; i++) {
        const struct http_field *item = &items[i];
        if (!http_name_forbidden(item->name.data, item->name.size) &&
            fields_append(&r->fields, item->name.data, item->name.size, item->value.data, item->value.size)) {
            guest_trap(g, "no memory for fields");
            return NULL;
        }
    }
    return r;
}

int64_t fields_declared_length(const struct fields *fields)
{
    const struct http_field *field = fields_find(fields, "content-length", 14);
    if (!field)
        return -1;
    int64_t length = 0;
    if (field->value.size == 0 || field->value.size > 15)
        return -2;
    for (size_t i = 0; i < field->value.size; i++) {
        if (field->value.data[i] < '0' || field->value.data[i] > '9')
            return -2;
        length = length * 10 + (field->value.data[i] - '0');
    }
    return length;
}

size_t fields_without_length(struct fields *fields)
{
    fields_remove(fields, "content-length", 14);
    return fields->count;
}
