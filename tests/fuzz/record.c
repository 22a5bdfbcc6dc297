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
    MUST(record_open(&keys, storage_key, version, data, size, &opened) == -EBADMSG);
    MUST(root_open(&keys, data, size, &root) == -EBADMSG);
}

/* record.h: the AAD is "EOSKV1", storage key, version. */
static void sealed(const uint8_t *plain, size_t size)
{
    const uint64_t version = 5;
    uint8_t aad[6 + 32 + 8] = "EOSKV1";
    const uint8_t *storage_key = aad + 6;
    memcpy(aad + 38, &version, 8);
    uint8_t *record = malloc(8 + size + AEAD_OVERHEAD);
    memcpy(record, &version, 8);
    MUST(aead_seal(keys.record, aad, sizeof aad, plain, size, record + 8) == 0);
    struct record_opened o;
    int result = record_open(&keys, storage_key, version, record, 8 + size + AEAD_OVERHEAD, &o);
    MUST(result == 0 || result == -EBADMSG);
    if (result == 0) {
        MUST(o.name.ns + o.name.ns_size <= o.plain + size && o.name.key + o.name.key_size <= o.plain + size);
        MUST(o.value + o.value_size == o.plain + size && memcmp(o.plain, plain, size) == 0);
        free(o.plain);
    }
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    foreign(data, size);
    sealed(data, size);
    return 0;
}
