/*
 * A strict JSON reader (RFC 8259) for documents from others: UTF-8 only, no duplicate names, no escapes in names, depth
 * and number of values bounded, no recursion. Values are kept as places in the text, in the order in which they stand.
 */
#ifndef ENCLAVE_VERIFIER_JSON_H
#define ENCLAVE_VERIFIER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 16u
#define JSON_VALUES_MAX 65536u /* names count, too; Intel's largest TCB info has about 8,000 */
#define JSON_MEMBERS_MAX 64u   /* of one object */

enum json_type { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_type type;
    uint32_t start, end; /* its bytes: text[start .. end), of strings without the quotes */
    uint32_t next;       /* index of what follows it and all that is inside */
    uint32_t count;      /* elements, or members: each a name (a STRING) followed by its value */
};

/* values[0] is the whole. Index 0 therefore also stands for "there is none" where a member or element is asked for. */
struct json {
    const char *text; /* the caller's */
    struct json_value *values;
    uint32_t count, capacity;
};

/* NULL, or what is wrong (static). After success, and only then, json must be freed. */
const char *verifier__json_parse(struct json *json, const char *text, size_t size);
void verifier__json_free(struct json *json);

/* The value of object's member of that name, if it has the type; else 0. object may be 0 only for the whole. */
uint32_t verifier__json_member(const struct json *json, uint32_t object, const char *name, enum json_type type);
/* Copies a string without escapes, with NUL; false if it has any, or does not fit. */
bool verifier__json_text(const struct json *json, uint32_t string, char *out, size_t size);
/* The same with its escapes undone, malloc'ed; NULL: it has one that is not of a character from U+0001 to U+007F, or
 * out of memory. */
char *verifier__json_unescape(const struct json *json, uint32_t string);
/* A whole number from 0 to most, written without fraction or exponent. */
bool verifier__json_number(const struct json *json, uint32_t number, uint64_t most, uint64_t *out);
/* Exactly size bytes in hexadecimal. */
bool verifier__json_hex(const struct json *json, uint32_t string, uint8_t *out, size_t size);

/* All elements of an array: for (i = first; i != end; i = next(i)). */
#define JSON_FIRST(array) ((array) + 1)
#define JSON_END(json, array) ((json)->values[array].next)
#define JSON_NEXT(json, i) ((json)->values[i].next)

#endif
