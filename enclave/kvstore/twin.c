/* Twins, and what can be learned from one of a pair. See record.h. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/kvstore/record.h"

enum { TWIN_WHOLE = 3, TWIN_STUB = 4 };
enum { UNMARKED_WHOLE = 1, UNMARKED_STUB = 2 }; /* of an earlier version */

struct stub_aad {
    char tag[6];
    uint8_t storage_key[32];
    uint8_t version[8];
    uint8_t mark[MARK_SIZE];
};
static_assert(sizeof(struct stub_aad) == 6 + 32 + 8 + MARK_SIZE, "what is authenticated has no padding");

/* Returns how much of it counts. mark NULL: of an earlier version. */
static size_t make_aad(const uint8_t storage_key[32], uint64_t version, const uint8_t *mark, struct stub_aad *aad)
{
    *aad = (struct stub_aad){.tag = {'E', 'O', 'S', 'K', 'T', mark ? '4' : '2'}};
    memcpy(aad->storage_key, storage_key, 32);
    memcpy(aad->version, &version, 8);
    if (mark)
        memcpy(aad->mark, mark, MARK_SIZE);
    return mark ? sizeof *aad : offsetof(struct stub_aad, mark);
}

size_t record_owner_size(const uint8_t *ns, size_t size)
{
    static const char app[4] = "app:";
    if (size <= sizeof app || memcmp(ns, app, sizeof app) != 0)
        return size;
    const uint8_t *end = memchr(ns + sizeof app, ':', size - sizeof app);
    return end ? (size_t)(end - ns) : size;
}

int record_mark(const struct record_keys *k, const uint8_t *owner, size_t size, const uint8_t storage_key[32],
                uint8_t out[MARK_SIZE])
{
    uint8_t input[255 + STORAGE_KEY_SIZE], mac[32];
    ENSURE(size <= 255);
    memcpy(input, owner, size);
    memcpy(input + size, storage_key, STORAGE_KEY_SIZE);
    if (hmac_sha256(k->marks, input, size + STORAGE_KEY_SIZE, mac) < 0)
        return -EIO;
    memcpy(out, mac, MARK_SIZE);
    return 0;
}

void record_twin_key(const uint8_t storage_key[STORAGE_KEY_SIZE], uint8_t out[TWIN_KEY_SIZE])
{
    memcpy(out, storage_key, STORAGE_KEY_SIZE);
    out[0] = (uint8_t)~out[0];
    out[STORAGE_KEY_SIZE] = 1;
}

bool record_of_twin_key(const uint8_t *key, size_t size, uint8_t out[STORAGE_KEY_SIZE])
{
    if (size != TWIN_KEY_SIZE || key[STORAGE_KEY_SIZE] != 1)
        return false;
    memcpy(out, key, STORAGE_KEY_SIZE);
    out[0] = (uint8_t)~out[0];
    return true;
}

static bool is_apps(const struct record_name *name)
{
    return name->ns_size >= 4 && memcmp(name->ns, "app:", 4) == 0;
}

static bool is_whole(const struct record_name *name, size_t size)
{
    return size <= (is_apps(name) ? TWIN_WHOLE_MAX : TWIN_WHOLE_OWN_MAX);
}

size_t record_twin_size(const struct record_name *name, size_t size)
{
    return is_whole(name, size) ? 1 + MARK_SIZE + size : TWIN_STUB_OVERHEAD + record_padded_name_size(name);
}

size_t record_disk_size(const struct record_name *name, size_t size)
{
    return size + record_twin_size(name, size);
}

int record_twin(const struct record_keys *k, const struct record_name *name, const uint8_t storage_key[32],
                const uint8_t *record, size_t size, uint8_t *out)
{
    uint8_t plain[TWIN_FACT_SIZE + RECORD_NAME_MAX] = {0};
    uint64_t version, whole_size = size;
    ENSURE(size > RECORD_HEADER_SIZE + 2 * AEAD_OVERHEAD);
    ENSURE(TWIN_FACT_SIZE + record_padded_name_size(name) <= sizeof plain);
    uint8_t *mark = out + 1;
    int error = record_mark(k, name->ns, record_owner_size(name->ns, name->ns_size), storage_key, mark);
    out[0] = is_whole(name, size) ? TWIN_WHOLE : TWIN_STUB;
    if (error < 0)
        return error;
    if (out[0] == TWIN_WHOLE) {
        memcpy(mark + MARK_SIZE, record, size);
        return 0;
    }
    memcpy(&version, record, 8);
    memcpy(plain, record + size - 16, 16);
    memcpy(plain + 16, &whole_size, 8);
    record_write_name(name, plain + TWIN_FACT_SIZE);
    memcpy(mark + MARK_SIZE, &version, 8);
    struct stub_aad aad;
    size_t aad_size = make_aad(storage_key, version, mark, &aad);
    error = aead_seal(k->record, &aad, aad_size, plain, TWIN_FACT_SIZE + record_padded_name_size(name),
                      mark + MARK_SIZE + 8);
    OPENSSL_cleanse(plain, sizeof plain);
    return error;
}

static int look_at_record(const struct record_keys *k, const uint8_t storage_key[32], const uint8_t *bytes, size_t size,
                          struct record_sight *out)
{
    if (record_claims(bytes, size, &out->version, out->tag) < 0)
        return 0;
    out->claimed = true;
    out->size = size;
    int error = record_open(k, storage_key, out->version, bytes, size, &out->opened);
    out->authentic = out->whole = error == 0;
    return error == -EBADMSG ? 0 : error;
}

/* At what is behind a stub's kind and mark. */
static int look_at_stub(const struct record_keys *k, const uint8_t storage_key[32], const uint8_t *bytes, size_t size,
                        struct record_sight *out)
{
    if (size < 8 + AEAD_OVERHEAD + TWIN_FACT_SIZE || size > TWIN_STUB_MAX)
        return 0;
    size_t plain_size = size - 8 - AEAD_OVERHEAD;
    memcpy(&out->version, bytes, 8);
    struct stub_aad aad;
    size_t aad_size = make_aad(storage_key, out->version, out->marked ? out->mark : NULL, &aad);
    uint8_t *plain = malloc(plain_size);
    if (!plain)
        return -ENOMEM;
    out->opened = (struct record_opened){.plain = plain, .plain_size = plain_size};
    int error = aead_open(k->record, &aad, aad_size, bytes + 8, size - 8, plain);
    if (error == 0 && !record_parse_name(plain + TWIN_FACT_SIZE, plain_size - TWIN_FACT_SIZE, &out->opened.name))
        error = -EBADMSG;
    if (error < 0) {
        record_opened_free(&out->opened);
        return error == -EBADMSG ? 0 : error;
    }
    memcpy(out->tag, plain, 16);
    memcpy(&out->size, plain + 16, 8);
    out->claimed = out->authentic = true;
    return 0;
}

bool record_in_twin(const uint8_t *twin, size_t size, const uint8_t **record, size_t *whole_size)
{
    size_t header = size > 0 && twin[0] == UNMARKED_WHOLE ? 1 : 1 + MARK_SIZE;
    if (size < header || (twin[0] != TWIN_WHOLE && twin[0] != UNMARKED_WHOLE))
        return false;
    *record = twin + header;
    *whole_size = size - header;
    return true;
}

static int look_at_twin(const struct record_keys *k, const uint8_t storage_key[32], const uint8_t *bytes, size_t size,
                        struct record_sight *out)
{
    const uint8_t *record;
    size_t whole_size;
    if (size == 0)
        return 0;
    out->marked = (bytes[0] == TWIN_WHOLE || bytes[0] == TWIN_STUB) && size >= 1 + MARK_SIZE;
    if (out->marked)
        memcpy(out->mark, bytes + 1, MARK_SIZE);
    if (record_in_twin(bytes, size, &record, &whole_size))
        return look_at_record(k, storage_key, record, whole_size, out);
    if (!out->marked && bytes[0] != UNMARKED_STUB)
        return 0;
    size_t header = out->marked ? 1 + MARK_SIZE : 1;
    return look_at_stub(k, storage_key, bytes + header, size - header, out);
}

int record_look(const struct record_keys *k, const uint8_t storage_key[32], bool twin, const uint8_t *bytes,
                size_t size, struct record_sight *out)
{
    ENSURE(bytes || size == 0);
    *out = (struct record_sight){0};
    return twin ? look_at_twin(k, storage_key, bytes, size, out) : look_at_record(k, storage_key, bytes, size, out);
}

void record_sight_free(struct record_sight *sight)
{
    record_opened_free(&sight->opened);
}
