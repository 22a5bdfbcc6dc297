/* See record.h. */
#include "enclave/kvstore/record.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static const char aad_name[6] = {'E', 'O', 'S', 'K', 'N', '2'}, aad_value[6] = {'E', 'O', 'S', 'K', 'V', '2'};
static const char aad_root[8] = {'E', 'O', 'S', 'R', 'O', 'O', 'T', '1'};

int record_keys_derive(const uint8_t master[32], struct record_keys *out)
{
    int error = kdf(master, 32, "kv record", NULL, 0, out->record);
    if (error == 0)
        error = kdf(master, 32, "kv digest", NULL, 0, out->digest);
    if (error == 0)
        error = kdf(master, 32, "kv root", NULL, 0, out->root);
    if (error == 0)
        error = kdf(master, 32, "kv names", NULL, 0, out->names);
    if (error == 0)
        error = kdf(master, 32, "kv marks", NULL, 0, out->marks);
    return error;
}

int record_storage_key(const struct record_keys *k, const struct record_name *name, uint8_t out[STORAGE_KEY_SIZE])
{
    uint8_t namespace_key[32];
    int error = kdf(k->names, 32, "namespace", name->ns, name->ns_size, namespace_key);
    if (error == 0)
        error = hmac_sha256(namespace_key, name->key, name->key_size, out);
    OPENSSL_cleanse(namespace_key, sizeof namespace_key);
    return error;
}

struct record_aad {
    char tag[6];
    uint8_t storage_key[32];
    uint8_t version[8];
};
static_assert(sizeof(struct record_aad) == 6 + 32 + 8, "what is authenticated has no padding");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are stored as they are in memory");

static struct record_aad make_aad(const char tag[6], const uint8_t storage_key[32], uint64_t version)
{
    struct record_aad aad;
    memcpy(aad.tag, tag, sizeof aad.tag);
    memcpy(aad.storage_key, storage_key, 32);
    memcpy(aad.version, &version, 8);
    return aad;
}

/* As it is sealed. */
size_t record_padded_name_size(const struct record_name *name)
{
    size_t size = RECORD_NAME_HEADER_SIZE + name->ns_size + name->key_size;
    return size + -size % RECORD_NAME_STEP;
}

void record_write_name(const struct record_name *name, uint8_t *out)
{
    out[0] = (uint8_t)name->ns_size;
    memcpy(out + 1, &name->key_size, 2);
    memcpy(out + RECORD_NAME_HEADER_SIZE, name->ns, name->ns_size);
    memcpy(out + RECORD_NAME_HEADER_SIZE + name->ns_size, name->key, name->key_size);
}

size_t record_size(const struct record_name *name, size_t value_size)
{
    return RECORD_HEADER_SIZE + record_padded_name_size(name) + AEAD_OVERHEAD + value_size + AEAD_OVERHEAD;
}

int64_t record_seal(const struct record_keys *k, const struct record_name *name, const uint8_t storage_key[32],
                    uint64_t version, const void *value, size_t value_size, uint8_t *out)
{
    uint8_t plain[RECORD_NAME_MAX] = {0};
    size_t size = record_padded_name_size(name);
    if (name->ns_size > 255 || size > sizeof plain)
        return -EINVAL;
    uint16_t sealed_size = (uint16_t)(size + AEAD_OVERHEAD);
    record_write_name(name, plain);
    memcpy(out, &version, 8);
    memcpy(out + 8, &sealed_size, 2);
    struct record_aad aad = make_aad(aad_name, storage_key, version);
    int error = aead_seal(k->record, &aad, sizeof aad, plain, size, out + RECORD_HEADER_SIZE);
    OPENSSL_cleanse(plain, sizeof plain);
    aad = make_aad(aad_value, storage_key, version);
    if (error == 0)
        error = aead_seal(k->record, &aad, sizeof aad, value, value_size, out + RECORD_HEADER_SIZE + sealed_size);
    return error < 0 ? error : (int64_t)(RECORD_HEADER_SIZE + sealed_size + value_size + AEAD_OVERHEAD);
}

int record_claims(const uint8_t *record, size_t size, uint64_t *version, uint8_t tag[16])
{
    if (size < RECORD_HEADER_SIZE + 2 * AEAD_OVERHEAD + 1)
        return -EBADMSG;
    memcpy(version, record, 8);
    memcpy(tag, record + size - 16, 16);
    return *version == 0 || *version == UINT64_MAX ? -EBADMSG : 0;
}

/* The size of the sealed name, if it and a value's seal fit. */
static size_t sealed_name_size(const uint8_t *record, size_t size)
{
    uint16_t sealed_size;
    memcpy(&sealed_size, record + 8, 2);
    return sealed_size > AEAD_OVERHEAD && size - RECORD_HEADER_SIZE - AEAD_OVERHEAD >= sealed_size ? sealed_size : 0;
}

bool record_parse_name(const uint8_t *plain, size_t size, struct record_name *out)
{
    uint16_t key_size;
    if (size < RECORD_NAME_HEADER_SIZE)
        return false;
    memcpy(&key_size, plain + 1, 2);
    *out = (struct record_name){plain + RECORD_NAME_HEADER_SIZE, plain + RECORD_NAME_HEADER_SIZE + plain[0], plain[0],
                                key_size};
    return size - RECORD_NAME_HEADER_SIZE >= (size_t)plain[0] + key_size;
}

int record_open(const struct record_keys *k, const uint8_t storage_key[32], uint64_t version, const uint8_t *record,
                size_t size, struct record_opened *out)
{
    uint64_t claimed;
    uint8_t tag[16];
    *out = (struct record_opened){0};
    if (record_claims(record, size, &claimed, tag) < 0 || claimed != version)
        return -EBADMSG;
    size_t sealed_size = sealed_name_size(record, size), name_size = sealed_size - AEAD_OVERHEAD;
    if (sealed_size == 0)
        return -EBADMSG;
    const uint8_t *value = record + RECORD_HEADER_SIZE + sealed_size;
    size_t value_size = size - RECORD_HEADER_SIZE - sealed_size - AEAD_OVERHEAD;
    uint8_t *plain = malloc(name_size + value_size + 1);
    if (!plain)
        return -ENOMEM;
    struct record_aad aad = make_aad(aad_name, storage_key, version);
    int error = aead_open(k->record, &aad, sizeof aad, record + RECORD_HEADER_SIZE, sealed_size, plain);
    if (error == 0 && !record_parse_name(plain, name_size, &out->name))
        error = -EBADMSG;
    if (error < 0) {
        OPENSSL_cleanse(plain, name_size);
        free(plain);
        *out = (struct record_opened){0};
        return error;
    }
    out->plain = plain;
    out->plain_size = name_size + value_size;
    aad = make_aad(aad_value, storage_key, version);
    error = aead_open(k->record, &aad, sizeof aad, value, value_size + AEAD_OVERHEAD, plain + name_size);
    if (error == 0) {
        out->value = plain + name_size;
        out->value_size = value_size;
    }
    return error;
}

void record_opened_free(struct record_opened *opened)
{
    if (opened->plain)
        OPENSSL_cleanse(opened->plain, opened->plain_size);
    free(opened->plain);
    *opened = (struct record_opened){0};
}

int root_seal(const struct record_keys *k, const struct root *root, uint8_t out[ROOT_SIZE])
{
    uint8_t plain[ROOT_PLAIN_SIZE];
    memcpy(plain, &root->epoch, 8);
    memcpy(plain + 8, &root->count, 8);
    memcpy(plain + 16, root->digest, 32);
    return aead_seal(k->root, aad_root, sizeof aad_root, plain, sizeof plain, out);
}

int root_open(const struct record_keys *k, const uint8_t *sealed, size_t size, struct root *out)
{
    uint8_t plain[ROOT_PLAIN_SIZE];
    if (size != ROOT_SIZE)
        return -EBADMSG;
    int error = aead_open(k->root, aad_root, sizeof aad_root, sealed, size, plain);
    if (error < 0)
        return error;
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
