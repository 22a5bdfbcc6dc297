/*
 * Reading a manifest. See manifest.h.
 */
#include "verifier/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "verifier/json.h"

void verifier__manifest_free(struct manifest *m)
{
    free(m->leaves);
    free(m->sorted);
    free(m->memory);
    *m = (struct manifest){0};
}

static int by_label(const void *a, const void *b)
{
    return strcmp((*(const struct manifest_leaf *const *)a)->label, (*(const struct manifest_leaf *const *)b)->label);
}

/* {"label":"...","value":"HEX"}, as label NUL value at *to, which is put behind it. */
static bool read_leaf(const struct json *j, uint32_t object, struct manifest_leaf *leaf, char **to)
{
    uint32_t label = verifier__json_member(j, object, "label", JSON_STRING);
    uint32_t value = verifier__json_member(j, object, "value", JSON_STRING);
    if (!label || !value)
        return false;
    size_t label_size = j->values[label].end - j->values[label].start;
    size_t size = (j->values[value].end - j->values[value].start) / 2;
    uint8_t *bytes = (uint8_t *)*to + label_size + 1;
    if (!verifier__json_text(j, label, *to, label_size + 1) || !verifier__json_hex(j, value, bytes, size))
        return false;
    for (const char *c = *to; *c; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    *leaf = (struct manifest_leaf){*to, bytes, size};
    *to += label_size + 1 + size;
    return label_size > 0;
}

static const char *read_leaves(struct manifest *m, const struct json *j, uint32_t list, size_t text_size)
{
    m->leaves = calloc(j->values[list].count, sizeof *m->leaves);
    m->sorted = calloc(j->values[list].count, sizeof *m->sorted);
    m->memory = malloc(text_size); /* a label and its NUL are shorter than a label in quotes */
    if (!m->leaves || !m->sorted || !m->memory)
        return "out of memory";
    char *to = m->memory;
    for (uint32_t i = JSON_FIRST(list); i != JSON_END(j, list); i = JSON_NEXT(j, i)) {
        if (!read_leaf(j, i, &m->leaves[m->count], &to))
            return "a leaf that is not a label and a value in hexadecimal";
        m->sorted[m->count] = &m->leaves[m->count];
        m->count++;
    }
    qsort(m->sorted, m->count, sizeof *m->sorted, by_label);
    for (size_t i = 1; i < m->count; i++)
        if (strcmp(m->sorted[i - 1]->label, m->sorted[i]->label) == 0)
            return "a label that stands twice";
    return NULL;
}

static const char *compute_root(struct manifest *m)
{
    uint8_t(*hashes)[32] = malloc(m->count * sizeof *hashes);
    if (!hashes)
        return "out of memory";
    for (size_t i = 0; i < m->count; i++) {
        const struct manifest_leaf *leaf = &m->leaves[i];
        verifier__merkle_leaf(leaf->label, (size_t)((const char *)leaf->value - leaf->label) + leaf->size, hashes[i]);
    }
    verifier__merkle_root(hashes, m->count, m->root);
    free(hashes);
    return NULL;
}

static const char *read_all(struct manifest *m, const struct json *j, size_t size)
{
    char format[sizeof MANIFEST_FORMAT];
    uint32_t member = verifier__json_member(j, 0, "format", JSON_STRING);
    if (!member || !verifier__json_text(j, member, format, sizeof format) || strcmp(format, MANIFEST_FORMAT) != 0)
        return "not of the format " MANIFEST_FORMAT;
    member = verifier__json_member(j, 0, "generation", JSON_NUMBER);
    if (!member || !verifier__json_number(j, member, INT64_MAX, &m->said_generation))
        return "its generation is malformed";
    member = verifier__json_member(j, 0, "instance", JSON_STRING);
    if (!member || !verifier__json_hex(j, member, m->said_instance, 32))
        return "its instance is malformed";
    member = verifier__json_member(j, 0, "merkle_root", JSON_STRING);
    if (!member || !verifier__json_hex(j, member, m->said_root, 32))
        return "its merkle_root is malformed";
    member = verifier__json_member(j, 0, "leaves", JSON_ARRAY);
    if (!member || j->values[member].count == 0)
        return "it has no leaves";
    const char *wrong = read_leaves(m, j, member, size);
    return wrong ? wrong : compute_root(m);
}

const char *verifier__manifest_read(struct manifest *m, const char *text, size_t size)
{
    struct json json;
    *m = (struct manifest){0};
    const char *wrong = verifier__json_parse(&json, text, size);
    if (wrong)
        return wrong;
    wrong = read_all(m, &json, size);
    verifier__json_free(&json);
    if (wrong)
        verifier__manifest_free(m);
    return wrong;
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

const struct manifest_leaf *verifier__manifest_find(const struct manifest *m, const char *prefix, const char *name)
{
    size_t prefix_size = strlen(prefix), from = 0, to = m->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const char *label = m->sorted[middle]->label;
        int order = strncmp(prefix, label, prefix_size);
        if (order == 0)
            order = strcmp(name, label + prefix_size);
        if (order == 0)
            return m->sorted[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

const uint8_t *verifier__manifest_value(const struct manifest *m, const char *label, size_t size)
{
    const struct manifest_leaf *leaf = verifier__manifest_find(m, label, "");
    return leaf && leaf->size == size ? leaf->value : NULL;
}

const char *verifier__manifest_name(const struct manifest_leaf *leaf, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(leaf->label, prefix, size) == 0 ? leaf->label + size : NULL;
}

/* ---- values that have parts ------------------------------------------------------------------------------------ */

/* Decimal digits, as they are written here: without a zero in front. */
static bool read_number(const char *text, size_t size, uint64_t most, uint64_t *out)
{
    *out = 0;
    if (size == 0 || (size > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (digit > 9 || *out > (most - digit) / 10)
            return false;
        *out = *out * 10 + digit;
    }
    return true;
}

enum rule_line { LINE_ID = 1, LINE_RULE = 2, LINE_KEY = 4, LINE_VERSION = 8 };

static bool read_line(struct app_rule *rule, const char *line, size_t size, unsigned *seen)
{
    static const char *const names[] = {"id=", "rule=", "key=", "version="};
    for (unsigned i = 0; i < 4; i++) {
        size_t prefix = strlen(names[i]);
        if (size < prefix || memcmp(line, names[i], prefix) != 0)
            continue;
        if (*seen & 1u << i)
            return false;
        *seen |= 1u << i;
        line += prefix;
        size -= prefix;
        switch (1u << i) {
        case LINE_ID:
            return hex_read(line, size, rule->id, sizeof rule->id);
        case LINE_KEY:
            return rule->has_publisher = hex_read(line, size, rule->publisher, sizeof rule->publisher);
        case LINE_VERSION:
            return read_number(line, size, UINT64_MAX, &rule->version);
        default:
            if (size >= sizeof rule->kind)
                return false;
            memcpy(rule->kind, line, size);
            return true;
        }
    }
    return true;
}

bool verifier__manifest_rule(const struct manifest *m, const char *name, struct app_rule *rule)
{
    const struct manifest_leaf *leaf = verifier__manifest_find(m, "rule:", name);
    *rule = (struct app_rule){0};
    if (!leaf)
        return false;
    const char *at = (const char *)leaf->value, *end = at + leaf->size;
    unsigned seen = 0;
    while (at < end) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        if (!next || !read_line(rule, at, (size_t)(next - at), &seen))
            return false;
        at = next + 1;
    }
    return (seen & (LINE_ID | LINE_RULE)) == (LINE_ID | LINE_RULE);
}

bool verifier__manifest_administrator(const struct manifest_leaf *leaf, struct verifier_administrator *out)
{
    static const char *const roles[] = {"admin", "deploy", "monitor"};
    const char *thumbprint = verifier__manifest_name(leaf, "admin:");
    const uint8_t *end = memchr(leaf->value, '\0', leaf->size);
    char hex[65];
    if (!thumbprint || !end || !verifier__sha256(end + 1, (size_t)(leaf->value + leaf->size - end - 1), out->key) ||
        strcmp(thumbprint, verifier__hex(out->key, 32, hex)) != 0)
        return false;
    for (int i = 0; i < 3; i++) {
        if (strcmp((const char *)leaf->value, roles[i]) == 0) {
            out->role = (enum verifier_role)i;
            return true;
        }
    }
    return false;
}

bool verifier__manifest_threshold(const struct manifest *m, unsigned *threshold)
{
    static const char word[] = "threshold=";
    const struct manifest_leaf *leaf = verifier__manifest_find(m, "administrators", "");
    uint64_t number;
    if (!leaf || leaf->size < sizeof word - 1 || memcmp(leaf->value, word, sizeof word - 1) != 0 ||
        !read_number((const char *)leaf->value + sizeof word - 1, leaf->size - (sizeof word - 1), UINT32_MAX, &number))
        return false;
    *threshold = (unsigned)number;
    return true;
}
