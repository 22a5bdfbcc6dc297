/*
 * The verifier's JSON reader: whatever it takes has places that lie inside the text and inside each other.
 */
#include "tests/fuzz/fuzz.h"
#include "verifier/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json json;
    char *text = malloc(size + 1), out[64];
    memcpy(text, data, size);
    if (verifier__json_parse(&json, text, size) == NULL) {
        MUST(json.count > 0 && json.count <= JSON_VALUES_MAX && json.values[0].next == json.count);
        for (uint32_t i = 0; i < json.count; i++) {
            const struct json_value *v = &json.values[i];
            uint64_t number;
            MUST(v->start <= v->end && v->end <= size && v->next > i && v->next <= json.count);
            MUST(v->type >= JSON_ARRAY || v->next == i + 1);
            if (v->type == JSON_OBJECT)
                verifier__json_member(&json, i, "tcb", JSON_OBJECT);
            if (v->type == JSON_STRING)
                verifier__json_text(&json, i, out, sizeof out);
            if (v->type == JSON_NUMBER && verifier__json_number(&json, i, 1000, &number))
                MUST(number <= 1000);
        }
        verifier__json_free(&json);
    }
    free(text);
    return 0;
}
