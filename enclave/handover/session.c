/* See session.h. */
#include "enclave/handover/session.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"

int handover_transcript_add(struct handover_transcript *t, const void *data, size_t size)
{
    uint8_t length[8];
    ENSURE(t && (data || size == 0));
    bytes_put_u64(length, size);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
             EVP_DigestUpdate(ctx, t->hash, sizeof t->hash) == 1 && EVP_DigestUpdate(ctx, length, sizeof length) == 1 &&
             EVP_DigestUpdate(ctx, data, size) == 1 && EVP_DigestFinal_ex(ctx, t->hash, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? 0 : -EIO;
}

int handover_report_data(enum handover_side side, const struct handover_transcript *t, uint8_t out[64])
{
    uint8_t said[24 + 32];
    ENSURE(side == HANDOVER_NEW || side == HANDOVER_OLD);
    memcpy(said, side == HANDOVER_NEW ? "enclave-os hand-over new" : "enclave-os hand-over old", 24);
    memcpy(said + 24, t->hash, sizeof t->hash);
    return SHA512(said, sizeof said, out) ? 0 : -EIO;
}

int handover_key_make(uint8_t private_key[HANDOVER_PRIVATE_SIZE], uint8_t public_key[HANDOVER_KEY_SIZE])
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIGNUM *scalar = NULL;
    size_t size = 0;
    int ok = key && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
             BN_bn2binpad(scalar, private_key, HANDOVER_PRIVATE_SIZE) == (int)HANDOVER_PRIVATE_SIZE &&
             EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, public_key, HANDOVER_KEY_SIZE, &size) == 1 &&
             size == HANDOVER_KEY_SIZE;
    BN_clear_free(scalar);
    EVP_PKEY_free(key);
    return ok ? 0 : -EIO;
}

void handover_recipient(const uint8_t public_key[HANDOVER_KEY_SIZE], uint8_t out[32])
{
    ENSURE(SHA256(public_key, HANDOVER_KEY_SIZE, out));
}

/* private_key NULL: the public half alone. NULL: it is no key, or OpenSSL fails. */
static EVP_PKEY *key_of(const uint8_t *private_key, const uint8_t public_key[HANDOVER_KEY_SIZE])
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *scalar = private_key ? BN_bin2bn(private_key, HANDOVER_PRIVATE_SIZE, NULL) : NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    int ok = build && ctx && (scalar || !private_key) &&
             OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
             OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, public_key, HANDOVER_KEY_SIZE) == 1 &&
             (!scalar || OSSL_PARAM_BLD_push_BN_pad(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar, 32) == 1);
    OSSL_PARAM *params = ok ? OSSL_PARAM_BLD_to_param(build) : NULL;
    if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, private_key ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_clear_free(scalar);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* ECDH: the x coordinate. */
static int agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t secret[32])
{
    size_t size = 32;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    int ok = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) == 1 &&
             EVP_PKEY_derive(ctx, secret, &size) == 1 && size == 32;
    EVP_PKEY_CTX_free(ctx);
    return ok ? 0 : -EINVAL;
}

int handover_session_make(const uint8_t private_key[HANDOVER_PRIVATE_SIZE], const uint8_t own[HANDOVER_KEY_SIZE],
                          const uint8_t peer[HANDOVER_KEY_SIZE], const uint8_t recipient[32],
                          const struct handover_transcript *t, struct handover_session *out)
{
    uint8_t secret[32];
    EVP_PKEY *ours = key_of(private_key, own), *theirs = key_of(NULL, peer);
    int error = !ours ? -EIO : !theirs ? -EINVAL : agree(ours, theirs, secret);
    memcpy(out->recipient, recipient, 32);
    if (error == 0)
        error = kdf(secret, sizeof secret, "enclave-os hand-over, said by the new one", t->hash, sizeof t->hash,
                    out->keys[HANDOVER_NEW]);
    if (error == 0)
        error = kdf(secret, sizeof secret, "enclave-os hand-over, said by the old one", t->hash, sizeof t->hash,
                    out->keys[HANDOVER_OLD]);
    OPENSSL_cleanse(secret, sizeof secret);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
    return error;
}

struct aad {
    char tag[7];
    uint8_t side;
    uint8_t counter[8];
    uint8_t recipient[32];
};
_Static_assert(sizeof(struct aad) == 7 + 1 + 8 + 32, "what is authenticated has no padding");

static struct aad aad_of(const struct handover_session *s, enum handover_side from, uint64_t counter)
{
    struct aad aad = {.tag = {'E', 'O', 'S', 'H', 'O', 'S', '1'}, .side = (uint8_t)from};
    bytes_put_u64(aad.counter, counter);
    memcpy(aad.recipient, s->recipient, sizeof aad.recipient);
    return aad;
}

int handover_seal(const struct handover_session *s, enum handover_side from, uint64_t counter, const void *plain,
                  size_t size, uint8_t *out)
{
    struct aad aad = aad_of(s, from, counter);
    return aead_seal(s->keys[from], &aad, sizeof aad, plain, size, out);
}

int handover_open(const struct handover_session *s, enum handover_side from, uint64_t counter, const uint8_t *sealed,
                  size_t size, uint8_t *out)
{
    struct aad aad = aad_of(s, from, counter);
    return size < AEAD_OVERHEAD ? -EBADMSG : aead_open(s->keys[from], &aad, sizeof aad, sealed, size, out);
}
