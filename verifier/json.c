/*
 * One pass over the text with a stack of the open objects and arrays. See json.h.
 */
#include "verifier/json.h"

#include <stdlib.h>
#include <string.h>

#include "verifier/internal.h"

struct parser {
    struct json *json;
    const char *text;
    uint32_t at, size;
    uint32_t open[JSON_DEPTH_MAX]; /* indices of the objects and arrays that are not closed yet */
    uint32_t depth;
    const char *wrong;
};

static bool fail(struct parser *p, const char *wrong)
{
    if (!p->wrong)
        p->wrong = wrong;
    return false;
}

static void skip_space(struct parser *p)
{
    while (p->at < p->size && strchr(" \t\n\r", p->text[p->at]) && p->text[p->at])
        p->at++;
}

static bool add(struct parser *p, enum json_type type, uint32_t start)
{
    struct json *j = p->json;
    if (j->count == JSON_VALUES_MAX)
        return fail(p, "too many values");
    if (j->count == j->capacity) {
        uint32_t capacity = j->capacity ? 2 * j->capacity : 64;
        void *grown = realloc(j->values, capacity * sizeof *j->values);
        if (!grown)
            return fail(p, "out of memory");
        j->values = grown;
        j->capacity = capacity;
    }
    j->values[j->count++] = (struct json_value){.type = type, .start = start};
    return true;
}

/* The value added last ends here, and nothing is inside it. */
static bool close_simple(struct parser *p, uint32_t end)
{
    struct json *j = p->json;
    j->values[j->count - 1].end = end;
    j->values[j->count - 1].next = j->count;
    return true;
}

/* ---- strings, numbers, words ----------------------------------------------------------------------------------- */

/* Past a backslash. Halves of surrogate pairs are let through: no value with an escape is ever used. */
static bool skip_escape(struct parser *p)
{
    char c = p->at < p->size ? p->text[p->at++] : '\0';
    if (c && strchr("\"\\/bfnrt", c))
        return true;
    if (c != 'u' || p->size - p->at < 4)
        return fail(p, "a malformed escape");
    uint8_t ignored[2];
    if (!hex_read(p->text + p->at, 4, ignored, 2))
        return fail(p, "a malformed escape");
    p->at += 4;
    return true;
}

static bool parse_string(struct parser *p)
{
    uint32_t start = ++p->at;
    while (p->at < p->size && p->text[p->at] != '"') {
        uint8_t c = (uint8_t)p->text[p->at];
        if (c < 0x20)
            return fail(p, "a control character in a string");
        uint32_t size = verifier__utf8_size((const uint8_t *)p->text + p->at, p->size - p->at);
        if (size == 0)
            return fail(p, "a string that is not UTF-8");
        p->at += size;
        if (c == '\\' && !skip_escape(p))
            return false;
    }
    if (p->at == p->size)
        return fail(p, "a string without an end");
    return add(p, JSON_STRING, start) && close_simple(p, p->at++);
}

static bool digits(struct parser *p)
{
    uint32_t start = p->at;
    while (p->at < p->size && p->text[p->at] >= '0' && p->text[p->at] <= '9')
        p->at++;
    return p->at > start ? true : fail(p, "a malformed number");
}

static bool has(const struct parser *p, const char *any)
{
    return p->at < p->size && p->text[p->at] && strchr(any, p->text[p->at]);
}

static bool parse_number(struct parser *p)
{
    uint32_t start = p->at;
    if (has(p, "-"))
        p->at++;
    if (has(p, "0"))
        p->at++;
    else if (!digits(p))
        return false;
    if (has(p, ".")) {
        p->at++;
        if (!digits(p))
            return false;
    }
    if (has(p, "eE")) {
        p->at++;
        if (has(p, "+-"))
            p->at++;
        if (!digits(p))
            return false;
    }
    return add(p, JSON_NUMBER, start) && close_simple(p, p->at);
}

static bool parse_word(struct parser *p)
{
    static const char *const words[] = {"null", "true", "false"};
    for (int i = 0; i < 3; i++) {
        uint32_t size = (uint32_t)strlen(words[i]);
        if (p->size - p->at >= size && memcmp(p->text + p->at, words[i], size) == 0) {
            uint32_t start = p->at;
            p->at += size;
            return add(p, i == 0 ? JSON_NULL : JSON_BOOLEAN, start) && close_simple(p, p->at);
        }
    }
    return fail(p, "something that is no value");
}

/* ---- objects and arrays ---------------------------------------------------------------------------------------- */

/* The name that was just added must be new in its object, and plain. */
static bool check_name(struct parser *p, uint32_t object)
{
    const struct json *j = p->json;
    const struct json_value *name = &j->values[j->count - 1];
    uint32_t size = name->end - name->start;
    if (memchr(p->text + name->start, '\\', size))
        return fail(p, "a name with an escape");
    uint32_t at = object + 1;
    for (uint32_t i = 0; i < j->values[object].count; i++) {
        const struct json_value *other = &j->values[at];
        if (other->end - other->start == size && memcmp(p->text + other->start, p->text + name->start, size) == 0)
            return fail(p, "a name that stands twice in an object");
        at = j->values[at + 1].next;
    }
    return true;
}

static bool parse_name(struct parser *p, uint32_t object)
{
    if (!has(p, "\""))
        return fail(p, "an object's member without a name");
    if (p->json->values[object].count == JSON_MEMBERS_MAX)
        return fail(p, "an object with too many members");
    if (!parse_string(p) || !check_name(p, object))
        return false;
    skip_space(p);
    if (!has(p, ":"))
        return fail(p, "a name without a value");
    p->at++;
    skip_space(p);
    return true;
}

static bool open_container(struct parser *p)
{
    if (p->depth == JSON_DEPTH_MAX)
        return fail(p, "too deep");
    p->open[p->depth++] = p->json->count;
    if (!add(p, p->text[p->at] == '{' ? JSON_OBJECT : JSON_ARRAY, p->at))
        return false;
    p->at++;
    return true;
}

static void close_container(struct parser *p)
{
    struct json_value *value = &p->json->values[p->open[--p->depth]];
    value->end = ++p->at;
    value->next = p->json->count;
}

static bool parse_value(struct parser *p)
{
    if (p->at == p->size)
        return fail(p, "cut short");
    switch (p->text[p->at]) {
    case '{':
    case '[':
        return open_container(p);
    case '"':
        return parse_string(p);
    case '-':
    case '0' ... '9':
        return parse_number(p);
    default:
        return parse_word(p);
    }
}

/* What may follow inside the innermost open container: its end, or (after a comma, unless it is the first) one more. */
static bool step(struct parser *p)
{
    uint32_t index = p->open[p->depth - 1];
    bool object = p->json->values[index].type == JSON_OBJECT;
    skip_space(p);
    if (has(p, object ? "}" : "]")) {
        close_container(p);
        return true;
    }
    if (p->json->values[index].count > 0) {
        if (!has(p, ","))
            return fail(p, "neither a comma nor an end");
        p->at++;
        skip_space(p);
    }
    if (object && !parse_name(p, index))
        return false;
    p->json->values[index].count++;
    return parse_value(p);
}

const char *verifier__json_parse(struct json *json, const char *text, size_t size)
{
    *json = (struct json){.text = text};
    if (size > VERIFIER_DOCUMENT_SIZE_MAX)
        return "too large";
    struct parser p = {.json = json, .text = text, .size = (uint32_t)size};
    skip_space(&p);
    bool ok = parse_value(&p);
    while (ok && p.depth > 0)
        ok = step(&p);
    skip_space(&p);
    if (ok && p.at != p.size)
        ok = fail(&p, "something after its end");
    if (!ok)
        verifier__json_free(json);
    return ok ? NULL : p.wrong;
}

void verifier__json_free(struct json *json)
{
    free(json->values);
    *json = (struct json){0};
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

uint32_t verifier__json_member(const struct json *j, uint32_t object, const char *name, enum json_type type)
{
    size_t size = strlen(name);
    if (j->values[object].type != JSON_OBJECT)
        return 0;
    uint32_t at = object + 1;
    for (uint32_t i = 0; i < j->values[object].count; i++) {
        const struct json_value *n = &j->values[at];
        if (n->end - n->start == size && memcmp(j->text + n->start, name, size) == 0)
            return j->values[at + 1].type == type ? at + 1 : 0;
        at = j->values[at + 1].next;
    }
    return 0;
}

bool verifier__json_text(const struct json *j, uint32_t string, char *out, size_t size)
{
    const struct json_value *v = &j->values[string];
    size_t length = v->end - v->start;
    if (v->type != JSON_STRING || length >= size || memchr(j->text + v->start, '\\', length))
        return false;
    memcpy(out, j->text + v->start, length);
    out[length] = '\0';
    return true;
}

/* The character of an escape, whose backslash *at is behind; 0: none that is taken here. */
static char unescape_one(const char *text, uint32_t *at)
{
    static const char letters[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
    const char *letter = strchr(letters, text[*at]);
    uint8_t code[2];
    if (letter) {
        ++*at;
        return characters[letter - letters];
    }
    if (!hex_read(text + *at + 1, 4, code, 2) || code[0] != 0 || code[1] > 0x7f)
        return '\0';
    *at += 5;
    return (char)code[1];
}

char *verifier__json_unescape(const struct json *j, uint32_t string)
{
    const struct json_value *v = &j->values[string];
    char *out = v->type == JSON_STRING ? malloc(v->end - v->start + 1) : NULL, *to = out;
    for (uint32_t at = v->start; out && at < v->end;) {
        char c = j->text[at++];
        if (c == '\\' && !(c = unescape_one(j->text, &at))) {
            free(out);
            return NULL;
        }
        *to++ = c;
    }
    if (out)
        *to = '\0';
    return out;
}

bool verifier__json_number(const struct json *j, uint32_t number, uint64_t most, uint64_t *out)
{
    const struct json_value *v = &j->values[number];
    if (v->type != JSON_NUMBER)
        return false;
    *out = 0;
    for (uint32_t i = v->start; i < v->end; i++) {
        unsigned digit = (unsigned)(j->text[i] - '0');
        if (digit > 9 || *out > (most - digit) / 10 || digit > most)
            return false;
        *out = *out * 10 + digit;
    }
    return true;
}

bool verifier__json_hex(const struct json *j, uint32_t string, uint8_t *out, size_t size)
{
    const struct json_value *v = &j->values[string];
    return v->type == JSON_STRING && hex_read(j->text + v->start, v->end - v->start, out, size);
}
