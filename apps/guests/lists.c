/*
 * Lists that are as long as a host call may read: /strings?N asks the store for N keys of one byte, /pairs?N makes
 * fields of N names of one byte, /bytes?N a field with a value of N. The answer says whether it was taken. /strings/?N
 * computes for many ticks of the clock before it answers.
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

static bool strings(size_t count)
{
    uint32_t bucket[4], result[5];
    struct text *keys = cabi_realloc(NULL, 0, 4, count * sizeof *keys);
    for (size_t i = 0; i < count; i++)
        keys[i] = TEXT("k");
    store_open("default", 7, bucket);
    get_many(bucket[1], keys, count, result);
    return (result[0] & 0xff) == 0;
}

static bool pairs(size_t count)
{
    uint32_t result[2];
    struct pair *list = cabi_realloc(NULL, 0, 4, count * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = (struct pair){TEXT("n"), TEXT("")};
    fields_from_list(list, count, result);
    return (result[0] & 0xff) == 0;
}

static bool bytes(size_t count)
{
    uint32_t result[2];
    char *value = cabi_realloc(NULL, 0, 1, count);
    for (size_t i = 0; i < count; i++)
        value[i] = 'v';
    const struct pair one = {TEXT("n"), {value, count}};
    fields_from_list(&one, 1, result);
    return (result[0] & 0xff) == 0;
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    size_t count = 0;
    request_path(request, &path);
    for (size_t i = 0; i < path.text.size; i++)
        if (path.text.data[i] >= '0' && path.text.data[i] <= '9')
            count = count * 10 + (size_t)(path.text.data[i] - '0');
    bool taken = text_starts(path.text, TEXT("/strings")) ? strings(count)
                 : text_starts(path.text, TEXT("/bytes")) ? bytes(count)
                                                          : pairs(count);
    for (volatile uint32_t i = 0; text_starts(path.text, TEXT("/strings/")) && i < 200000000; i++)
        ;
    respond_text(outparam, 200, taken ? TEXT("taken\n") : TEXT("refused\n"));
}
