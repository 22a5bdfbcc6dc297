/*
 * Lists that are as long as a host call may read: /strings?N asks the store for N keys of one byte, /pairs?N makes
 * fields of N names of one byte. What comes of it does not matter, only what reading them takes.
 */
#include "../common/wasi_http.h"

#define STORE "wasi:keyvalue/store@0.2.0-draft"
#define BATCH "wasi:keyvalue/batch@0.2.0-draft"

struct pair {
    struct text name, value;
};

IMPORT(STORE, "open") void store_open(const char *name, size_t size, uint32_t result[4]);
IMPORT(BATCH, "get-many")
void get_many(uint32_t bucket, const struct text *keys, size_t count, uint32_t result[5]);
IMPORT(TYPES, "[static]fields.from-list")
void fields_from_list(const struct pair *list, size_t count, uint32_t result[2]);

static void strings(size_t count)
{
    uint32_t bucket[4], result[5];
    struct text *keys = cabi_realloc(NULL, 0, 4, count * sizeof *keys);
    for (size_t i = 0; i < count; i++)
        keys[i] = TEXT("k");
    store_open("default", 7, bucket);
    get_many(bucket[1], keys, count, result);
}

static void pairs(size_t count)
{
    uint32_t result[2];
    struct pair *list = cabi_realloc(NULL, 0, 4, count * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = (struct pair){TEXT("n"), TEXT("")};
    fields_from_list(list, count, result);
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    size_t count = 0;
    request_path(request, &path);
    for (size_t i = 0; i < path.text.size; i++)
        if (path.text.data[i] >= '0' && path.text.data[i] <= '9')
            count = count * 10 + (size_t)(path.text.data[i] - '0');
    if (text_starts(path.text, TEXT("/strings")))
        strings(count);
    else
        pairs(count);
    respond_text(outparam, 200, TEXT("read\n"));
}
