/*
 * Sealed records: foreign bytes never open, and whatever plaintext stands under a good seal (the input) is parsed
 * within its bounds. Also the root.
 */
#include <errno.h>

#include "enclave/kvstore/record.h"
#include "tests/fuzz/fuzz.h"

static struct record_keys keys;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    const uint8_t master[32] = {9};
    return record_keys_derive(master, &keys);
}

static void foreign(const uint8_t *data, size_t size)
{
    const uint8_t storage_key[32] = {1};
    struct record_opened opened;
    struct root root;
    uint64_t version = 0;
    uint8_t tag[16];
    if (record_claims(data, size, &version, tag) == 0)
        MUST(version != 0 && version != UINT64_MAX);
    MUST(record_open(&keys, storage_key, version, data, size, &opened) == -EBADMSG && !opened.plain);
    MUST(root_open(&keys, data, size, &root) == -EBADMSG);
}

/* record.h: the AAD is "EOSKN2" or "EOSKV2", storage key, version. The input is the name, its last byte the value. */
static void sealed(const uint8_t *plain, size_t size)
{
    const uint64_t version = 5;
    uint8_t aad[6 + 32 + 8] = "EOSKN2";
    const uint8_t *storage_key = aad + 6;
    uint16_t sealed_size = (uint16_t)(size - 1 + AEAD_OVERHEAD);
    if (size < 1 || size > 60000)
        return;
    memcpy(aad + 38, &version, 8);
    uint8_t *record = malloc(10 + size + 2 * AEAD_OVERHEAD);
    memcpy(record, &version, 8);
    memcpy(record + 8, &sealed_size, 2);
    MUST(aead_seal(keys.record, aad, sizeof aad, plain, size - 1, record + 10) == 0);
    aad[4] = 'V';
    MUST(aead_seal(keys.record, aad, sizeof aad, plain + size - 1, 1, record + 10 + sealed_size) == 0);
    struct record_opened o;
    int result = record_open(&keys, storage_key, version, record, 10 + size + 2 * AEAD_OVERHEAD, &o);
    MUST(result == 0 || result == -EBADMSG);
    if (result == 0) {
        MUST(o.name.ns + o.name.ns_size == o.name.key && o.name.key + o.name.key_size <= o.value);
        MUST(o.value + o.value_size == o.plain + size && memcmp(o.plain, plain, size) == 0);
    }
    record_opened_free(&o);
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    foreign(data, size);
    sealed(data, size);
    return 0;
}
