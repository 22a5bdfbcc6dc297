/*
 * A guest that stores keys without end: /fill sets keys of 400 bytes, 1,000 at a time, until it is refused, and says
 * how many thousands went in and what it was told; /clear?N removes the first N thousand; anything else sets one key.
 */
#include "../common/wasi_http.h"

#define STORE "wasi:keyvalue/store@0.2.0-draft"
#define BATCH "wasi:keyvalue/batch@0.2.0-draft"
#define KEY_SIZE 400
#define MANY 1000

struct bucket_result {
    uint8_t error;
    uint32_t handle, rest[2];
};
/* result<_, error>: tag, variant tag, text */
struct set_result {
    uint8_t error;
    uint32_t which;
    struct text text;
};
struct pair {
    struct text key, value;
};
IMPORT(STORE, "open") void store_open(const char *name, size_t size, struct bucket_result *result);
IMPORT(BATCH, "set-many")
void set_many(uint32_t bucket, const struct pair *pairs, size_t count, struct set_result *result);
IMPORT(BATCH, "delete-many")
void delete_many(uint32_t bucket, const struct text *keys, size_t count, struct set_result *result);

static char keys[MANY][KEY_SIZE];
static struct pair pairs[MANY];
static struct text names[MANY];

static void name_keys(unsigned thousand, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned number = thousand * MANY + i;
        for (unsigned k = 0; k < KEY_SIZE; k++, number /= 10)
            keys[i][k] = (char)('0' + number % 10);
        names[i] = pairs[i].key = (struct text){keys[i], KEY_SIZE};
        pairs[i].value = (struct text){"x", 1};
    }
}

static unsigned number_at(struct text text)
{
    unsigned number = 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= '0' && text.data[i] <= '9')
            number = number * 10 + (unsigned)(text.data[i] - '0');
    return number;
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    struct bucket_result bucket;
    struct set_result result = {0};
    char said[64];
    unsigned thousands = 0, size = 0;
    request_path(request, &path);
    store_open("", 0, &bucket);
    if (text_starts(path.text, TEXT("/fill"))) {
        for (; !result.error; thousands += !result.error) {
            name_keys(thousands, MANY);
            set_many(bucket.handle, pairs, MANY, &result);
        }
    } else if (text_starts(path.text, TEXT("/clear?"))) {
        for (unsigned wanted = number_at(path.text); thousands < wanted && !result.error; thousands++) {
            name_keys(thousands, MANY);
            delete_many(bucket.handle, names, MANY, &result);
        }
    } else {
        name_keys(10000000, 1);
        set_many(bucket.handle, pairs, 1, &result);
    }
    for (unsigned digit = 100000; digit; digit /= 10)
        said[size++] = (char)('0' + thousands / digit % 10);
    said[size++] = ' ';
    for (size_t i = 0; result.error && i < result.text.size && size < sizeof said; i++)
        said[size++] = result.text.data[i];
    respond_text(outparam, 200, (struct text){said, size});
}
