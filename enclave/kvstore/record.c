/* See record.h. */
#include "enclave/kvstore/record.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static const char aad_record[6] = {'E', 'O', 'S', 'K', 'V', '1'};
static const char aad_root[8] = {'E', 'O', 'S', 'R', 'O', 'O', 'T', '1'};

int record_keys_derive(const uint8_t master[32], struct record_keys *out)
{
    int result = kdf(master, 32, "kv record", NULL, 0, out->record);
    if (result == 0)
        result = kdf(master, 32, "kv digest", NULL, 0, out->digest);
    if (result == 0)
        result = kdf(master, 32, "kv root", NULL, 0, out->root);
    if (result == 0)
        result = kdf(master, 32, "kv names", NULL, 0, out->names);
    return result;
}

int record_storage_key(const struct record_keys *k, const struct record_name *name, uint8_t out[STORAGE_KEY_SIZE])
{
    uint8_t namespace_key[32];
    int result = kdf(k->names, 32, "namespace", name->ns, name->ns_size, namespace_key);
    if (result == 0)
        result = hmac_sha256(namespace_key, name->key, name->key_size, out);
    OPENSSL_cleanse(namespace_key, sizeof namespace_key);
    return result;
}

struct record_aad {
    char tag[6];
    uint8_t storage_key[32];
    uint8_t version[8];
};

static void make_aad(struct record_aad *aad, const uint8_t storage_key[32], uint64_t version)
{
    memcpy(aad->tag, aad_record, sizeof aad->tag);
    memcpy(aad->storage_key, storage_key, 32);
    memcpy(aad->version, &version, 8);
}

int64_t record_seal(const struct record_keys *k, const struct record_name *name, const uint8_t storage_key[32],
                    uint64_t version, const void *value, size_t value_size, uint8_t *out)
{
    size_t size = 1u + name->ns_size + 2u + name->key_size + value_size;
    uint8_t *plain = malloc(size), *at = plain;
    if (!plain)
        return -ENOMEM;
    *at++ = (uint8_t)name->ns_size;
    at = (uint8_t *)mempcpy(at, name->ns, name->ns_size);
    at = (uint8_t *)mempcpy(at, &name->key_size, 2);
    at = (uint8_t *)mempcpy(at, name->key, name->key_size);
    if (value_size)
        memcpy(at, value, value_size);
    struct record_aad aad;
    make_aad(&aad, storage_key, version);
    memcpy(out, &version, 8);
    int result = aead_seal(k->record, &aad, sizeof aad, plain, size, out + 8);
    OPENSSL_cleanse(plain, size);
    free(plain);
    return result < 0 ? result : (int64_t)(8 + size + AEAD_OVERHEAD);
}

int record_claims(const uint8_t *record, size_t size, uint64_t *version, uint8_t tag[16])
{
    if (size < 8 + AEAD_OVERHEAD + 3)
        return -EBADMSG;
    memcpy(version, record, 8);
    memcpy(tag, record + size - 16, 16);
    return *version == 0 || *version == UINT64_MAX ? -EBADMSG : 0;
}

static int parse_plain(uint8_t *plain, size_t size, struct record_opened *out)
{
    size_t ns_size = plain[0];
    if (size < 1 + ns_size + 2)
        return -EBADMSG;
    uint16_t key_size;
    memcpy(&key_size, plain + 1 + ns_size, 2);
    if (size - 1 - ns_size - 2 < key_size)
        return -EBADMSG;
    out->plain = plain;
    out->name = (struct record_name){plain + 1, plain + 1 + ns_size + 2, (uint16_t)ns_size, key_size};
    out->value = out->name.key + key_size;
    out->value_size = size - 1 - ns_size - 2 - key_size;
    return 0;
}

int record_open(const struct record_keys *k, const uint8_t storage_key[32], uint64_t version, const uint8_t *record,
                size_t size, struct record_opened *out)
{
    uint64_t claimed;
    uint8_t tag[16];
    if (record_claims(record, size, &claimed, tag) < 0 || claimed != version)
        return -EBADMSG;
    size_t plain_size = size - 8 - AEAD_OVERHEAD;
    uint8_t *plain = malloc(plain_size);
    if (!plain)
        return -ENOMEM;
    struct record_aad aad;
    make_aad(&aad, storage_key, version);
    int result = aead_open(k->record, &aad, sizeof aad, record + 8, size - 8, plain);
    if (result == 0)
        result = parse_plain(plain, plain_size, out);
    if (result < 0)
        free(plain);
    return result;
}

int root_seal(const struct record_keys *k, const struct root *root, uint8_t out[ROOT_SIZE])
{
    uint8_t plain[48];
    memcpy(plain, &root->epoch, 8);
    memcpy(plain + 8, &root->count, 8);
    memcpy(plain + 16, root->digest, 32);
    return aead_seal(k->root, aad_root, sizeof aad_root, plain, sizeof plain, out);
}

int root_open(const struct record_keys *k, const uint8_t *sealed, size_t size, struct root *out)
{
    uint8_t plain[48];
    if (size != ROOT_SIZE || aead_open(k->root, aad_root, sizeof aad_root, sealed, size, plain) < 0)
        return -EBADMSG;
    memcpy(&out->epoch, plain, 8);
    memcpy(&out->count, plain + 8, 8);
    memcpy(out->digest, plain + 16, 32);
    return 0;
}

int root_digest(const struct record_keys *k, struct root *root, const uint8_t storage_key[32], uint64_t version,
                const uint8_t tag[16], int add)
{
    uint8_t input[56], share[32];
    memcpy(input, storage_key, 32);
    memcpy(input + 32, &version, 8);
    memcpy(input + 40, tag, 16);
    if (hmac_sha256(k->digest, input, sizeof input, share) < 0)
        return -EIO;
    /* 256-bit little-endian addition or subtraction, the latter as adding the complement plus one */
    unsigned carry = add ? 0 : 1;
    for (int i = 0; i < 32; i++) {
        unsigned sum = root->digest[i] + (add ? share[i] : (uint8_t)~share[i]) + carry;
        root->digest[i] = (uint8_t)sum;
        carry = sum >> 8;
    }
    root->count += add ? 1 : (uint64_t)-1;
    return 0;
}
