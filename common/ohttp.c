/* See ohttp.h. Numbers of what is used are HPKE's (RFC 9180, section 7). */
#include "common/ohttp.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/hpke.h>
#include <string.h>

#include "common/bytes.h"

#define HEADER_SIZE 7u
#define NONCE_SIZE 12u /* of both ciphers, as AEAD */
#define INFO_SIZE (sizeof "message/bhttp request" + HEADER_SIZE)

static const uint16_t ciphers[] = {OSSL_HPKE_AEAD_ID_AES_GCM_128, OSSL_HPKE_AEAD_ID_CHACHA_POLY1305};

static bool is_known(uint16_t cipher)
{
    return cipher == ciphers[0] || cipher == ciphers[1];
}

/* Of the cipher's key. */
static size_t key_size(uint16_t cipher)
{
    return cipher == OSSL_HPKE_AEAD_ID_AES_GCM_128 ? 16 : 32;
}

static uint16_t be16(const uint8_t in[2])
{
    return (uint16_t)(in[0] << 8 | in[1]);
}

static void put_be16(uint8_t out[2], uint16_t v)
{
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
}

/* ---- key configurations ------------------------------------------------------------------------------------------ */

void ohttp_keys_write(uint8_t id, const uint8_t public_key[OHTTP_KEY_SIZE], uint8_t out[OHTTP_KEYS_SIZE])
{
    put_be16(out, OHTTP_KEYS_SIZE - 2);
    out[2] = id;
    put_be16(out + 3, OSSL_HPKE_KEM_ID_X25519);
    memcpy(out + 5, public_key, OHTTP_KEY_SIZE);
    put_be16(out + 37, 8);
    for (size_t i = 0; i < 2; i++) {
        put_be16(out + 39 + 4 * i, OSSL_HPKE_KDF_ID_HKDF_SHA256);
        put_be16(out + 41 + 4 * i, ciphers[i]);
    }
}

static uint16_t take_be16(struct bytes_reader *r)
{
    const uint8_t *at = bytes_take(r, 2);
    return at ? be16(at) : 0;
}

/* Whether it is a whole configuration; usable says whether it is one for us. */
static bool read_configuration(struct bytes_reader r, struct ohttp_key *out, bool *usable)
{
    *usable = false;
    out->id = bytes_take_u8(&r);
    if (take_be16(&r) != OSSL_HPKE_KEM_ID_X25519) /* how long another one's key is, we do not know */
        return !r.failed;
    const uint8_t *key = bytes_take(&r, OHTTP_KEY_SIZE);
    uint16_t size = take_be16(&r);
    if (!key || size == 0 || size % 4 != 0 || size != r.left)
        return false;
    memcpy(out->public_key, key, OHTTP_KEY_SIZE);
    while (r.left > 0 && !*usable) {
        uint16_t kdf = take_be16(&r);
        out->cipher = take_be16(&r);
        *usable = kdf == OSSL_HPKE_KDF_ID_HKDF_SHA256 && is_known(out->cipher);
    }
    return true;
}

int ohttp_keys_read(const uint8_t *list, size_t size, struct ohttp_key *out)
{
    struct bytes_reader r = bytes_reader_make(list, size);
    struct ohttp_key one;
    bool found = false, usable;
    while (r.left > 0) {
        size_t length = take_be16(&r);
        const uint8_t *at = bytes_take(&r, length);
        if (!at || !read_configuration(bytes_reader_make(at, length), &one, &usable))
            return -EBADMSG;
        if (usable && !found)
            *out = one;
        found |= usable;
    }
    return found ? 0 : -ENOTSUP;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static OSSL_HPKE_CTX *context_new(uint16_t cipher, int role)
{
    const OSSL_HPKE_SUITE suite = {OSSL_HPKE_KEM_ID_X25519, OSSL_HPKE_KDF_ID_HKDF_SHA256, cipher};
    return OSSL_HPKE_CTX_new(OSSL_HPKE_MODE_BASE, suite, role, NULL, NULL);
}

static void make_info(const uint8_t header[HEADER_SIZE], uint8_t out[INFO_SIZE])
{
    static const char label[] = "message/bhttp request"; /* with its zero */
    memcpy(out, label, sizeof label);
    memcpy(out + sizeof label, header, HEADER_SIZE);
}

static bool export_secret(OSSL_HPKE_CTX *ctx, struct ohttp_answer *out)
{
    static const char label[] = "message/bhttp response";
    size_t size = key_size(out->cipher);
    return OSSL_HPKE_export(ctx, out->secret, size, (const unsigned char *)label, sizeof label - 1) == 1;
}

int ohttp_request_seal(const struct ohttp_key *to, const void *plain, size_t size, uint8_t *out,
                       struct ohttp_answer *answer)
{
    uint8_t info[INFO_SIZE], *encapsulated = out + HEADER_SIZE;
    size_t encapsulated_size = OHTTP_ENCAPSULATED_SIZE, sealed = size + OHTTP_TAG_SIZE;
    out[0] = to->id;
    put_be16(out + 1, OSSL_HPKE_KEM_ID_X25519);
    put_be16(out + 3, OSSL_HPKE_KDF_ID_HKDF_SHA256);
    put_be16(out + 5, to->cipher);
    make_info(out, info);
    *answer = (struct ohttp_answer){.cipher = to->cipher};
    OSSL_HPKE_CTX *ctx = context_new(to->cipher, OSSL_HPKE_ROLE_SENDER);
    int error = ctx ? 0 : -EIO;
    if (error == 0 &&
        OSSL_HPKE_encap(ctx, encapsulated, &encapsulated_size, to->public_key, OHTTP_KEY_SIZE, info, sizeof info) != 1)
        error = -EINVAL;
    if (error == 0 &&
        (encapsulated_size != OHTTP_ENCAPSULATED_SIZE ||
         OSSL_HPKE_seal(ctx, encapsulated + OHTTP_ENCAPSULATED_SIZE, &sealed, NULL, 0, plain, size) != 1 ||
         !export_secret(ctx, answer)))
        error = -EIO;
    memcpy(answer->encapsulated, encapsulated, OHTTP_ENCAPSULATED_SIZE);
    OSSL_HPKE_CTX_free(ctx);
    return error;
}

bool ohttp_request_key_id(const uint8_t *data, size_t size, uint8_t *id)
{
    if (size < OHTTP_REQUEST_OVERHEAD || be16(data + 1) != OSSL_HPKE_KEM_ID_X25519 ||
        be16(data + 3) != OSSL_HPKE_KDF_ID_HKDF_SHA256 || !is_known(be16(data + 5)))
        return false;
    *id = data[0];
    return true;
}

int ohttp_request_open(const uint8_t secret[OHTTP_KEY_SIZE], uint8_t *data, size_t size, uint8_t **plain,
                       size_t *plain_size, struct ohttp_answer *answer)
{
    uint8_t info[INFO_SIZE], id;
    if (!ohttp_request_key_id(data, size, &id))
        return -EBADMSG;
    make_info(data, info);
    *answer = (struct ohttp_answer){.cipher = be16(data + 5)};
    memcpy(answer->encapsulated, data + HEADER_SIZE, OHTTP_ENCAPSULATED_SIZE);
    *plain = data + HEADER_SIZE + OHTTP_ENCAPSULATED_SIZE;
    size_t sealed = size - HEADER_SIZE - OHTTP_ENCAPSULATED_SIZE;
    *plain_size = sealed - OHTTP_TAG_SIZE;
    OSSL_HPKE_CTX *ctx = context_new(answer->cipher, OSSL_HPKE_ROLE_RECEIVER);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, OHTTP_KEY_SIZE);
    bool ok = ctx && key &&
              OSSL_HPKE_decap(ctx, answer->encapsulated, OHTTP_ENCAPSULATED_SIZE, key, info, sizeof info) == 1 &&
              OSSL_HPKE_open(ctx, *plain, plain_size, NULL, 0, *plain, sealed) == 1 &&
              *plain_size == sealed - OHTTP_TAG_SIZE && export_secret(ctx, answer);
    EVP_PKEY_free(key);
    OSSL_HPKE_CTX_free(ctx);
    return ok ? 0 : -EBADMSG;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

size_t ohttp_nonce_size(const struct ohttp_answer *answer)
{
    return key_size(answer->cipher); /* which is the larger one */
}

/* HKDF's two steps (RFC 5869), the second for no more than one hash. */
static bool extract(const struct ohttp_answer *answer, const uint8_t *nonce, uint8_t prk[32])
{
    uint8_t salt[OHTTP_ENCAPSULATED_SIZE + OHTTP_NONCE_MAX];
    size_t nonce_size = ohttp_nonce_size(answer);
    memcpy(salt, answer->encapsulated, OHTTP_ENCAPSULATED_SIZE);
    memcpy(salt + OHTTP_ENCAPSULATED_SIZE, nonce, nonce_size);
    return HMAC(EVP_sha256(), salt, (int)(OHTTP_ENCAPSULATED_SIZE + nonce_size), answer->secret,
                key_size(answer->cipher), prk, NULL);
}

static bool expand(const uint8_t prk[32], const char *label, uint8_t out[32])
{
    uint8_t input[16];
    size_t size = strlen(label);
    memcpy(input, label, size);
    input[size] = 1;
    return HMAC(EVP_sha256(), prk, 32, input, size + 1, out, NULL);
}

/* seals: or opens. data: what is behind the nonce, with the tag. */
static bool run_cipher(const struct ohttp_answer *answer, const uint8_t *nonce, uint8_t *data, size_t size, bool seals)
{
    uint8_t prk[32], key[32], iv[32], *tag = data + size - OHTTP_TAG_SIZE;
    int done = 0, rest = 0, plain = (int)(size - OHTTP_TAG_SIZE);
    const EVP_CIPHER *cipher =
        answer->cipher == OSSL_HPKE_AEAD_ID_AES_GCM_128 ? EVP_aes_128_gcm() : EVP_chacha20_poly1305();
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && extract(answer, nonce, prk) && expand(prk, "key", key) && expand(prk, "nonce", iv) &&
              EVP_CipherInit_ex(ctx, cipher, NULL, key, iv, seals) == 1 &&
              EVP_CIPHER_CTX_get_iv_length(ctx) == (int)NONCE_SIZE &&
              (seals || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, OHTTP_TAG_SIZE, tag) == 1) &&
              (plain == 0 || EVP_CipherUpdate(ctx, data, &done, data, plain) == 1) &&
              EVP_CipherFinal_ex(ctx, data + done, &rest) == 1 && done + rest == plain &&
              (!seals || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, OHTTP_TAG_SIZE, tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    OPENSSL_cleanse(prk, sizeof prk);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(iv, sizeof iv);
    return ok;
}

int ohttp_answer_seal(const struct ohttp_answer *answer, uint8_t *data, size_t size)
{
    size_t nonce = ohttp_nonce_size(answer);
    if (size < nonce + OHTTP_TAG_SIZE || size > INT32_MAX)
        return -EIO;
    return run_cipher(answer, data, data + nonce, size - nonce, true) ? 0 : -EIO;
}

int ohttp_answer_open(const struct ohttp_answer *answer, uint8_t *data, size_t size, uint8_t **plain,
                      size_t *plain_size)
{
    size_t nonce = ohttp_nonce_size(answer);
    if (size < nonce + OHTTP_TAG_SIZE || size > INT32_MAX)
        return -EBADMSG;
    *plain = data + nonce;
    *plain_size = size - nonce - OHTTP_TAG_SIZE;
    return run_cipher(answer, data, data + nonce, size - nonce, false) ? 0 : -EBADMSG;
}
