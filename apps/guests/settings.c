/*
 * What the operator set for the app, through each version of wasi:config: /KEY answers with the value, which all three
 * must agree on, and logs the key; / lists all of it.
 */
#include "../common/wasi_http.h"

#define STORE "wasi:config/store@0.2.0-rc.1"
#define DRAFT "wasi:config/store@0.2.0-draft"
#define RUNTIME "wasi:config/runtime@0.2.0-draft"
#define LOGGING "wasi:logging/logging@0.1.0-draft"

/* result<option<string>, error> */
struct get_result {
    uint8_t error;
    _Alignas(4) uint8_t some;
    struct text value;
};
struct pair {
    struct text key, value;
};
/* result<list<tuple<string, string>>, error> */
struct all_result {
    uint8_t error;
    const struct pair *pairs;
    size_t count;
};
IMPORT(STORE, "get") void store_get(const char *key, size_t size, struct get_result *result);
IMPORT(DRAFT, "get") void draft_get(const char *key, size_t size, struct get_result *result);
IMPORT(RUNTIME, "get") void runtime_get(const char *key, size_t size, struct get_result *result);
IMPORT(STORE, "get-all") void store_get_all(struct all_result *result);
IMPORT(LOGGING, "log")
void log_message(uint32_t level, const char *context, size_t context_size, const char *message, size_t size);
enum { INFO = 2, CRITICAL = 5 };

static bool same(const struct get_result *a, const struct get_result *b)
{
    return a->error == b->error && a->some == b->some &&
           (!a->some || (a->value.size == b->value.size && text_starts(a->value, b->value)));
}

static void list(uint32_t outparam)
{
    struct all_result all;
    struct stream_result ignored;
    uint32_t stream, body = respond(outparam, 200, &stream);
    store_get_all(&all);
    for (size_t i = 0; i < all.count; i++) {
        stream_write(stream, all.pairs[i].key.data, all.pairs[i].key.size, &ignored);
        stream_write(stream, "=", 1, &ignored);
        stream_write(stream, all.pairs[i].value.data, all.pairs[i].value.size, &ignored);
        stream_write(stream, "\n", 1, &ignored);
    }
    finish(body, stream);
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    struct get_result values[3];
    request_path(request, &path);
    if (path.text.size <= 1) {
        list(outparam);
        return;
    }
    struct text key = {path.text.data + 1, path.text.size - 1};
    store_get(key.data, key.size, &values[0]);
    draft_get(key.data, key.size, &values[1]);
    runtime_get(key.data, key.size, &values[2]);
    log_message(values[0].some ? INFO : CRITICAL, "settings", 8, "asked for\nthis", 14);
    if (!same(&values[0], &values[1]) || !same(&values[0], &values[2]) || values[0].error)
        respond_text(outparam, 500, TEXT("they differ"));
    else if (values[0].some)
        respond_text(outparam, 200, values[0].value);
    else
        respond_text(outparam, 404, TEXT("not set"));
}
