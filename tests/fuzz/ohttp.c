/*
 * Oblivious HTTP: key configurations that a client reads, and requests that a server opens. Nothing is opened that was
 * not sealed to its key; and what the input says is sealed, answered and opened again, whatever it is.
 */
#include "common/hpke.h"
#include "common/ohttp.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t secret[OHTTP_KEY_SIZE] = {1, 2, 3};

static void check_keys(const uint8_t *data, size_t size)
{
    struct ohttp_key key;
    struct ohttp_answer answer;
    uint8_t out[OHTTP_REQUEST_OVERHEAD + 1];
    if (ohttp_keys_read(data, size, &key) != 0)
        return;
    MUST(size >= 43 && memmem(data, size, key.public_key, sizeof key.public_key));
    (void)ohttp_request_seal(&key, "x", 1, out, &answer); /* it may be no key */
}

static void check_opened(const uint8_t *data, size_t size)
{
    struct ohttp_answer answer;
    uint8_t *copy = malloc(size + !size), *plain, id;
    size_t plain_size;
    memcpy(copy, data, size);
    bool is_one = ohttp_request_key_id(copy, size, &id);
    MUST(ohttp_request_open(secret, copy, size, &plain, &plain_size, &answer) != 0); /* who can forge one? */
    MUST(!is_one || (size >= OHTTP_REQUEST_OVERHEAD && id == data[0]));
    free(copy);
}

static void check_there_and_back(const uint8_t *data, size_t size)
{
    struct ohttp_key key = {.id = data[0], .cipher = data[0] & 1 ? 1 : 3};
    struct ohttp_answer client, server;
    uint8_t *sealed = malloc(size + OHTTP_REQUEST_OVERHEAD), *plain;
    size_t plain_size, whole = size + OHTTP_REQUEST_OVERHEAD;
    MUST(hpke_public(secret, key.public_key) == 0);
    MUST(ohttp_request_seal(&key, data, size, sealed, &client) == 0);
    MUST(ohttp_request_open(secret, sealed, whole, &plain, &plain_size, &server) == 0);
    MUST(plain_size == size && memcmp(plain, data, size) == 0);
    size_t answer_size = ohttp_nonce_size(&server) + size + OHTTP_TAG_SIZE;
    uint8_t *answer = malloc(answer_size);
    memset(answer, 7, answer_size);
    memcpy(answer + ohttp_nonce_size(&server), data, size);
    MUST(ohttp_answer_seal(&server, answer, answer_size) == 0);
    answer[data[size - 1] % answer_size] ^= size % 3 == 0;
    int opened = ohttp_answer_open(&client, answer, answer_size, &plain, &plain_size);
    MUST((opened == 0) == (size % 3 != 0));
    free(answer);
    free(sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_keys(data, size);
    check_opened(data, size);
    if (size > 0)
        check_there_and_back(data, size);
    return 0;
}
