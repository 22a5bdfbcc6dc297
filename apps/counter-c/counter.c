/*
 * State in wasi:keyvalue: / counts its requests (atomically), /peek reads the count, /put/TEXT stores a text and
 * /get answers with it; /many writes, removes and reads several keys at once.
 */
#include "../common/wasi_http.h"

#define STORE "wasi:keyvalue/store@0.2.0-draft"
#define ATOMICS "wasi:keyvalue/atomics@0.2.0-draft"

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
struct increment_result {
    uint8_t error;
    uint64_t value;
    uint32_t rest[2];
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

IMPORT(ATOMICS, "increment")
void increment(uint32_t bucket, const char *key, size_t size, uint64_t delta, struct increment_result *result);

#define BATCH "wasi:keyvalue/batch@0.2.0-draft"
struct pair {
    struct text key, value;
};
struct maybe_pair {
    uint8_t some;
    struct pair pair;
};
/* result<list<option<tuple<string, list<u8>>>>, error> */
struct many_result {
    uint8_t error;
    struct maybe_pair *pairs;
    size_t count;
    uint32_t rest[2];
};
IMPORT(BATCH, "get-many")
void get_many(uint32_t bucket, const struct text *keys, size_t count, struct many_result *result);
IMPORT(BATCH, "set-many")
void set_many(uint32_t bucket, const struct pair *pairs, size_t count, struct set_result *result);
IMPORT(BATCH, "delete-many")
void delete_many(uint32_t bucket, const struct text *keys, size_t count, struct set_result *result);

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

static void count(uint32_t bucket, uint64_t delta, uint32_t outparam)
{
    struct increment_result result;
    char text[24];
    increment(bucket, "count", 5, delta, &result);
    if (result.error) {
        respond_text(outparam, 500, TEXT("the store failed\n"));
        return;
    }
    size_t size = format(result.value, text);
    text[size++] = '\n';
    respond_text(outparam, 200, (struct text){text, size});
}

static void put(uint32_t bucket, struct text value, uint32_t outparam)
{
    struct set_result result;
    bucket_set(bucket, "text", 4, value.data, value.size, &result);
    if (result.error)
        respond_text(outparam, 500, TEXT("the store failed\n"));
    else
        respond_text(outparam, 200, TEXT("stored\n"));
}

static void get(uint32_t bucket, uint32_t outparam)
{
    struct get_result result;
    bucket_get(bucket, "text", 4, &result);
    if (result.error)
        respond_text(outparam, 500, TEXT("the store failed\n"));
    else if (!result.some)
        respond_text(outparam, 404, TEXT("nothing stored\n"));
    else
        respond_text(outparam, 200, (struct text){(const char *)result.value.data, result.value.size});
}

/* Three keys in one transaction, one of them removed, then read at once: answers with the values, '-' for none. */
static void many(uint32_t bucket, uint32_t outparam)
{
    static const struct pair pairs[] = {
        {TEXT("m1"), TEXT("one")}, {TEXT("m2"), TEXT("two")}, {TEXT("m3"), TEXT("three")}};
    static const struct text keys[] = {TEXT("m3"), TEXT("m2"), TEXT("m1"), TEXT("none")};
    struct set_result set;
    struct many_result got;
    char text[64];
    size_t size = 0;
    set_many(bucket, pairs, 3, &set);
    if (!set.error)
        delete_many(bucket, &keys[1], 1, &set);
    if (!set.error)
        get_many(bucket, keys, 4, &got);
    if (set.error || got.error) {
        respond_text(outparam, 500, TEXT("the store failed\n"));
        return;
    }
    for (size_t i = 0; i < got.count; i++) {
        struct text value = got.pairs[i].some ? got.pairs[i].pair.value : TEXT("-");
        for (size_t k = 0; k < value.size; k++)
            text[size++] = value.data[k];
        text[size++] = ' ';
    }
    respond_text(outparam, 200, (struct text){text, size});
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    struct bucket_result bucket;
    request_path(request, &path);
    store_open("default", 7, &bucket);
    if (bucket.error)
        respond_text(outparam, 500, TEXT("no bucket\n"));
    else if (text_starts(path.text, TEXT("/put/")))
        put(bucket.handle, (struct text){path.text.data + 5, path.text.size - 5}, outparam);
    else if (text_starts(path.text, TEXT("/many")))
        many(bucket.handle, outparam);
    else if (text_starts(path.text, TEXT("/get")))
        get(bucket.handle, outparam);
    else
        count(bucket.handle, text_starts(path.text, TEXT("/peek")) ? 0 : 1, outparam);
}
