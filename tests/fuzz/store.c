/*
 * A hostile host's store: a genuine one is changed as the input says (bytes flipped, records cut, removed, doubled,
 * exchanged, put back older, or whole pages of a listing made up), then opened. Either it does not open, or every
 * value that it returns is the one that was acknowledged.
 */
#include <errno.h>
#include <stdio.h>

#include "common/bytes.h"
#include "enclave/kvstore/store.h"
#include "tests/fuzz/fuzz.h"
#include "tests/native/host_memory.h"

#define KEYS 6
#define RECORDS (2 * (KEYS + 2)) /* with the master key and the root; each twice */

static const uint8_t master[32] = {9};
static struct worker worker;
static struct store *store;
static struct kv_namespace *ns;
static struct host_record genuine[RECORDS], older[RECORDS];
static struct input *input; /* for made-up pages */

static void ignore(void *user, int status)
{
    MUST(status == 0);
    (void)user;
}

static void create_store(void)
{
    char error[256];
    MUST(store_begin(store, master, (const uint8_t *)"sealed", 6) == 0);
    MUST(store_create(store, NULL, 0, error, sizeof error) == 0);
}

/* Everything done, and every answer handed back. */
static void finish_all(void)
{
    store_flush(store);
    loop_run_once(&worker.loop, worker.loop.now_ns + 1);
}

static void write_all(const char *value)
{
    for (char key = 'a'; key < 'a' + KEYS; key++) {
        struct kv_op op = {KV_PUT, ns, &key, 1, value, strlen(value)};
        MUST(kv_commit(&worker, &op, 1, ignore, NULL) == 0);
    }
    finish_all();
}

static void keep(struct host_record *copies)
{
    MUST(host_memory.count == RECORDS);
    for (size_t i = 0; i < RECORDS; i++) {
        copies[i] = host_memory.records[i];
        copies[i].key = memcpy(malloc(copies[i].key_size), copies[i].key, copies[i].key_size);
        copies[i].value = memcpy(malloc(copies[i].value_size), copies[i].value, copies[i].value_size);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    host_memory_worker(&worker);
    store = store_new(&worker);
    ns = store ? kv_namespace_open(store, "app:a") : NULL;
    MUST(ns);
    create_store();
    write_all("old");
    keep(older);
    write_all("new");
    keep(genuine);
    store_close(store);
    return 0;
}

static bool made_up_page(uint32_t method, int *status, uint8_t **answer, size_t *size)
{
    if (method != RPC_KV_SCAN || input->at == input->end)
        return false;
    size_t wanted = input_byte(input) * 4u;
    const uint8_t *bytes = input_bytes(input, &wanted);
    *size = wanted;
    *answer = malloc(wanted + 1);
    memcpy(*answer, bytes, wanted);
    return true;
}

static void change(struct input *in)
{
    uint8_t what = input_byte(in);
    const struct host_record *of = &genuine[input_byte(in) % RECORDS], *other = &genuine[input_byte(in) % RECORDS];
    struct host_record *r = host_memory_find(of->key, of->key_size);
    switch (what % 6) {
    case 0:
        if (r && r->value_size)
            r->value[input_byte(in) % r->value_size] ^= (uint8_t)(1u << input_byte(in) % 8);
        break;
    case 1:
        if (r && r->value_size)
            r->value_size = input_byte(in) % r->value_size;
        break;
    case 2:
        host_memory_delete(of->key, of->key_size);
        break;
    case 3: /* one record's bytes under another's key, or under a new one */
        host_memory_put(other->key, other->key_size, of->value, of->value_size);
        break;
    case 4: {
        uint8_t key[32] = {input_byte(in), input_byte(in)};
        host_memory_put(key, sizeof key, of->value, of->value_size);
        break;
    }
    default:
        of = &older[of - genuine];
        host_memory_put(of->key, of->key_size, of->value, of->value_size);
    }
}

static void check(void *user, int status, const uint8_t *value, size_t size)
{
    (void)user;
    MUST(status == -EBADMSG || (status == 0 && size == 3 && memcmp(value, "new", 3) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[256];
    struct input in = {data, data + size};
    host_memory_reset();
    loop_deinit(&worker.loop);
    host_memory_worker(&worker);
    for (size_t i = 0; i < RECORDS; i++)
        host_memory_put(genuine[i].key, genuine[i].key_size, genuine[i].value, genuine[i].value_size);
    if (input_byte(&in) % 2) {
        input = &in;
        host_memory.answer = made_up_page;
    } else {
        while (in.at < in.end)
            change(&in);
    }
    if (store_open(store, master, error, sizeof error) == 0) {
        host_memory.answer = NULL;
        for (char key = 'a'; key < 'a' + KEYS; key++)
            MUST(kv_get(&worker, ns, &key, 1, check, NULL) == 0);
        finish_all();
        store_check(store);
    }
    host_memory.answer = NULL;
    store_close(store);
    return 0;
}
