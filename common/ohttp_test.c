/* The complete example of RFC 9458, appendix A; there and back with both ciphers; whatever is changed is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/hex.h"
#include "common/ohttp.h"

#define SECRET "3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a"
#define PUBLIC "31e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e798155"
#define CONFIGURATION "01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e79815500080001000100010003"
#define REQUEST                                                                                            \
    "010020000100014b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b4726374e469135906992e1268" \
    "c594d2a10c695d858c40a026e7965e7d86b83dd440b2c0185204b4d63525"
#define PLAIN "00034745540568747470730b6578616d706c652e636f6d012f"
#define NONCE "c789e7151fcba46158ca84b04464910d"
#define ANSWER NONCE "86f9013e404feea014e7be4a441f234f857fbd"

struct bytes {
    uint8_t *at;
    size_t size;
};

static struct bytes bytes_of(const char *hex)
{
    size_t size = strlen(hex) / 2;
    uint8_t *at = malloc(size);
    assert_true(hex_read(hex, 2 * size, at, size));
    return (struct bytes){at, size};
}

static void is_hex(const uint8_t *data, size_t size, const char *wanted)
{
    char text[512];
    hex_text(data, size, text);
    assert_string_equal(text, wanted);
}

static void the_rfcs_example(void **state)
{
    struct bytes secret = bytes_of(SECRET), request = bytes_of(REQUEST), answer = bytes_of(ANSWER);
    struct ohttp_answer key;
    uint8_t *plain, id, own[64];
    size_t size;
    (void)state;
    assert_true(ohttp_request_key_id(request.at, request.size, &id));
    assert_int_equal(id, 1);
    assert_int_equal(ohttp_request_open(secret.at, request.at, request.size, &plain, &size, &key), 0);
    is_hex(plain, size, PLAIN);
    is_hex(key.secret, 16, "62d87a6ba569ee81014c2641f52bea36");
    /* the answer, with the nonce that is in the example */
    assert_int_equal(ohttp_nonce_size(&key), 16);
    assert_true(hex_read(NONCE "0140c8", 38, own, 19));
    assert_int_equal(ohttp_answer_seal(&key, own, 35), 0);
    is_hex(own, 35, ANSWER);
    assert_int_equal(ohttp_answer_open(&key, answer.at, answer.size, &plain, &size), 0);
    is_hex(plain, size, "0140c8");
    free(secret.at);
    free(request.at);
    free(answer.at);
}

static void configurations(void **state)
{
    static const struct {
        const char *list;
        int error;
        uint8_t id;
        uint16_t cipher;
    } cases[] = {
        {"002d" CONFIGURATION, 0, 1, 1},
        /* one of another kind first, and one whose first cipher is not ours */
        {"0004ff001001"
         "0029"
         "070020" PUBLIC "000400010003",
         0, 7, 3},
        {"002d"
         "070020" PUBLIC "00080001000200010003",
         0, 7, 3},
        {"0029"
         "070020" PUBLIC "000400020001",
         -ENOTSUP, 0, 0}, /* another KDF */
        {"0004ff001001", -ENOTSUP, 0, 0},
        {"", -ENOTSUP, 0, 0},
        {"002d01", -EBADMSG, 0, 0},                  /* cut short */
        {"002e" CONFIGURATION "00", -EBADMSG, 0, 0}, /* something behind the ciphers */
        {"0025"
         "070020" PUBLIC "0000",
         -EBADMSG, 0, 0}, /* no cipher */
        {"0028"
         "070020" PUBLIC "0003000100",
         -EBADMSG, 0, 0},                            /* half of one */
        {"002d" CONFIGURATION "00", -EBADMSG, 0, 0}, /* half a length */
        {"0002"
         "0100",
         -EBADMSG, 0, 0},
    };
    uint8_t written[OHTTP_KEYS_SIZE];
    struct bytes key = bytes_of(PUBLIC);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ohttp_key out = {0};
        struct bytes list = bytes_of(cases[i].list);
        int error = ohttp_keys_read(list.at, list.size, &out);
        if (error != cases[i].error)
            fail_msg("%s: %d", cases[i].list, error);
        if (error == 0) {
            assert_int_equal(out.id, cases[i].id);
            assert_int_equal(out.cipher, cases[i].cipher);
            assert_memory_equal(out.public_key, key.at, OHTTP_KEY_SIZE);
        }
        free(list.at);
    }
    ohttp_keys_write(1, key.at, written);
    is_hex(written, sizeof written, "002d" CONFIGURATION);
    free(key.at);
}

/* A request with its answer, in blocks that are exactly as large as they must be. */
static void there_and_back_with(uint16_t cipher, size_t size)
{
    struct bytes secret = bytes_of(SECRET), public_key = bytes_of(PUBLIC);
    struct ohttp_key to = {.id = 9, .cipher = cipher};
    struct ohttp_answer client, server;
    uint8_t *message = malloc(size + 1), *sealed = malloc(size + OHTTP_REQUEST_OVERHEAD), *plain;
    size_t plain_size;
    memcpy(to.public_key, public_key.at, OHTTP_KEY_SIZE);
    memset(message, 0x5a, size);
    assert_int_equal(ohttp_request_seal(&to, message, size, sealed, &client), 0);
    assert_int_equal(ohttp_request_open(secret.at, sealed, size + OHTTP_REQUEST_OVERHEAD, &plain, &plain_size, &server),
                     0);
    assert_int_equal(plain_size, size);
    assert_memory_equal(plain, message, size);
    size_t nonce = ohttp_nonce_size(&server), whole = nonce + size + OHTTP_TAG_SIZE;
    assert_int_equal(nonce, cipher == 1 ? 16 : 32);
    uint8_t *answer = malloc(whole);
    memset(answer, 7, nonce);
    memcpy(answer + nonce, message, size);
    assert_int_equal(ohttp_answer_seal(&server, answer, whole), 0);
    assert_int_equal(ohttp_answer_open(&client, answer, whole, &plain, &plain_size), 0);
    assert_int_equal(plain_size, size);
    assert_memory_equal(plain, message, size);
    free(secret.at);
    free(public_key.at);
    free(message);
    free(sealed);
    free(answer);
}

static void there_and_back(void **state)
{
    static const size_t sizes[] = {1, 15, 16, 17, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        there_and_back_with(1, sizes[i]);
        there_and_back_with(3, sizes[i]);
    }
}

static void whatever_is_changed_is_refused(void **state)
{
    struct bytes secret = bytes_of(SECRET), whole = bytes_of(REQUEST), answer = bytes_of(ANSWER);
    struct ohttp_answer key;
    uint8_t *copy = malloc(whole.size), *plain;
    size_t size;
    (void)state;
    for (size_t i = 0; i < whole.size; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, whole.at, whole.size);
            copy[i] ^= (uint8_t)(1 << bit);
            assert_int_equal(ohttp_request_open(secret.at, copy, whole.size, &plain, &size, &key), -EBADMSG);
        }
    for (size_t cut = 0; cut < whole.size; cut++) {
        uint8_t *less = malloc(cut + 1);
        memcpy(less, whole.at, cut);
        assert_int_equal(ohttp_request_open(secret.at, less, cut, &plain, &size, &key), -EBADMSG);
        free(less);
    }
    secret.at[0] ^= 8; /* another key */
    memcpy(copy, whole.at, whole.size);
    assert_int_equal(ohttp_request_open(secret.at, copy, whole.size, &plain, &size, &key), -EBADMSG);
    secret.at[0] ^= 8;
    assert_int_equal(ohttp_request_open(secret.at, whole.at, whole.size, &plain, &size, &key), 0);
    for (size_t i = 0; i < answer.size; i++) {
        uint8_t *changed = malloc(answer.size);
        memcpy(changed, answer.at, answer.size);
        changed[i] ^= 1;
        assert_int_equal(ohttp_answer_open(&key, changed, answer.size, &plain, &size), -EBADMSG);
        assert_int_equal(ohttp_answer_open(&key, changed, i, &plain, &size), -EBADMSG);
        free(changed);
    }
    free(secret.at);
    free(whole.at);
    free(answer.at);
    free(copy);
}

/* A key that every secret agrees with is none (RFC 7748, section 6.1). */
static void a_key_of_no_order_is_none(void **state)
{
    struct ohttp_key zero = {.cipher = 1};
    struct ohttp_answer answer;
    uint8_t out[OHTTP_REQUEST_OVERHEAD];
    (void)state;
    assert_int_equal(ohttp_request_seal(&zero, "", 0, out, &answer), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_example),
        cmocka_unit_test(configurations),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(whatever_is_changed_is_refused),
        cmocka_unit_test(a_key_of_no_order_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
