/*
 * Counts its requests in wasi:keyvalue: GET increments and answers with the new value, /peek only reads.
 */
#include "../common/wasi_http.h"

#define STORE "wasi:keyvalue/store@0.2.0-draft"

/* result<own<bucket>, error>, result<_, error> and result<option<list<u8>>, error> */
struct bucket_result {
    uint8_t error;
    uint32_t handle;
    uint32_t rest[2];
};
struct set_result {
    uint8_t error;
    uint32_t rest[3];
};
struct get_result {
    uint8_t error;
    _Alignas(4) uint8_t some;
    struct byte_list value;
};

IMPORT(STORE, "open") void store_open(const char *name, size_t size, struct bucket_result *result);
IMPORT(STORE, "[method]bucket.get")
void bucket_get(uint32_t bucket, const char *key, size_t size, struct get_result *result);
IMPORT(STORE, "[method]bucket.set")
void bucket_set(uint32_t bucket, const char *key, size_t size, const void *value, size_t value_size,
                struct set_result *result);

static uint64_t parse(const struct byte_list *text)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text->size; i++)
        number = number * 10 + (text->data[i] - '0');
    return number;
}

static size_t format(uint64_t number, char out[24])
{
    char digits[24];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    return count;
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    struct bucket_result bucket;
    struct set_result set;
    struct get_result got = {0};
    char text[24];
    request_path(request, &path);
    bool peek = path.some && text_starts(path.text, TEXT("/peek"));
    store_open("default", 7, &bucket);
    if (!bucket.error)
        bucket_get(bucket.handle, "count", 5, &got);
    uint64_t count = !got.error && got.some ? parse(&got.value) : 0;
    size_t size = format(peek ? count : count + 1, text);
    set.error = 0;
    if (!bucket.error && !got.error && !peek)
        bucket_set(bucket.handle, "count", 5, text, size, &set);
    if (bucket.error || got.error || set.error) {
        respond_text(outparam, 500, TEXT("the store failed\n"));
        return;
    }
    text[size++] = '\n';
    respond_text(outparam, 200, (struct text){text, size});
}
