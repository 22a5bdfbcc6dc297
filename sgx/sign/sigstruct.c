/* Making and checking SIGSTRUCT; see sigstruct.h. */
#include "sgx/sign/sigstruct.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/sha.h>
#include <string.h>

static const uint8_t header1[16] = {6, 0, 0, 0, 0xE1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0};
static const uint8_t header2[16] = {1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0};

/* The signed bytes: 0..128 and 900..1028. */
static void signed_bytes(const struct sgx_sigstruct *s, uint8_t out[256])
{
    memcpy(out, s, 128);
    memcpy(out + 128, (const uint8_t *)s + 900, 128);
}

/* Q1 = floor(S^2 / M), Q2 = floor((S^3 - Q1*S*M) / M) = floor(S * (S^2 mod M) / M). */
static int make_q(const uint8_t modulus[384], const uint8_t signature[384], uint8_t q1[384], uint8_t q2[384])
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *m = BN_lebin2bn(modulus, 384, NULL), *s = BN_lebin2bn(signature, 384, NULL);
    BIGNUM *t = BN_new(), *q = BN_new(), *r = BN_new();
    int ok = ctx && m && s && t && q && r && !BN_is_zero(m) && BN_sqr(t, s, ctx) && BN_div(q, r, t, m, ctx) &&
             BN_bn2lebinpad(q, q1, 384) == 384 && BN_mul(t, s, r, ctx) && BN_div(q, NULL, t, m, ctx) &&
             BN_bn2lebinpad(q, q2, 384) == 384;
    BN_free(m);
    BN_free(s);
    BN_free(t);
    BN_free(q);
    BN_free(r);
    BN_CTX_free(ctx);
    return ok ? 0 : -EINVAL;
}

static int sign(EVP_PKEY *key, const uint8_t data[256], uint8_t signature_le[384])
{
    uint8_t big_endian[384];
    size_t size = sizeof big_endian;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
             EVP_DigestSign(ctx, big_endian, &size, data, 256) == 1 && size == 384;
    EVP_MD_CTX_free(ctx);
    for (int i = 0; ok && i < 384; i++)
        signature_le[i] = big_endian[383 - i];
    return ok ? 0 : -EINVAL;
}

static int put_modulus(EVP_PKEY *key, uint8_t modulus[384])
{
    BIGNUM *n = NULL, *e = NULL;
    int ok = EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
             EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_num_bits(n) == 3072 && BN_is_word(e, 3) &&
             BN_bn2lebinpad(n, modulus, 384) == 384;
    BN_free(n);
    BN_free(e);
    return ok ? 0 : -EINVAL;
}

int sigstruct_make(const struct image_config *config, const uint8_t mrenclave[32], uint32_t date, int production,
                   EVP_PKEY *key, struct sgx_sigstruct *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->header, header1, 16);
    memcpy(out->header2, header2, 16);
    out->date = date;
    out->exponent = 3;
    out->miscselect = config->misc_select;
    out->miscmask = config->misc_mask;
    out->attributes.flags = SGX_FLAGS_MODE64BIT;
    out->attributes.xfrm = SGX_XFRM_LEGACY;
    /* INIT is set by EINIT itself and is not compared; what XFRM holds beyond x87 and SSE is the loader's choice. */
    out->attributemask.flags = ~(uint64_t)(SGX_FLAGS_INIT | SGX_FLAGS_DEBUG);
    if (production && config->disable_debug)
        out->attributemask.flags |= SGX_FLAGS_DEBUG;
    out->attributemask.xfrm = SGX_XFRM_LEGACY;
    memcpy(out->enclavehash, mrenclave, 32);
    out->isvprodid = config->prod_id;
    out->isvsvn = config->isv_svn;
    return sigstruct_sign(out, key);
}

int sigstruct_sign(struct sgx_sigstruct *s, EVP_PKEY *key)
{
    uint8_t data[256];
    int result = put_modulus(key, s->modulus);
    signed_bytes(s, data);
    if (result == 0)
        result = sign(key, data, s->signature);
    if (result == 0)
        result = make_q(s->modulus, s->signature, s->q1, s->q2);
    return result;
}

static bool all_zero(const uint8_t *p, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= p[i];
    return any == 0;
}

static enum sgx_error check_fixed_fields(const struct sgx_sigstruct *s)
{
    if (memcmp(s->header, header1, 16) || memcmp(s->header2, header2, 16))
        return SGX_INVALID_SIG_STRUCT;
    if ((s->vendor != 0 && s->vendor != 0x8086) || s->exponent != 3)
        return SGX_INVALID_SIG_STRUCT;
    if (!all_zero(s->reserved1, sizeof s->reserved1) || !all_zero(s->reserved2, sizeof s->reserved2) ||
        !all_zero(s->reserved3, sizeof s->reserved3) || !all_zero(s->reserved4, sizeof s->reserved4))
        return SGX_INVALID_SIG_STRUCT;
    return SGX_SUCCESS;
}

/* RSA verification by S^3 mod M, which is what Q1 and Q2 let the CPU do without a division. */
static bool signature_opens(const struct sgx_sigstruct *s)
{
    static const uint8_t sha256_prefix[19] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                              0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    uint8_t expected[384], opened[384], data[256];
    memset(expected, 0xff, sizeof expected);
    expected[0] = 0, expected[1] = 1, expected[384 - 52] = 0;
    memcpy(expected + 384 - 51, sha256_prefix, 19);
    signed_bytes(s, data);
    SHA256(data, sizeof data, expected + 384 - 32);

    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *m = BN_lebin2bn(s->modulus, 384, NULL), *sig = BN_lebin2bn(s->signature, 384, NULL);
    BIGNUM *e = BN_new(), *r = BN_new();
    bool ok = ctx && m && sig && e && r && BN_is_odd(m) && BN_cmp(sig, m) < 0 && BN_set_word(e, 3) &&
              BN_mod_exp(r, sig, e, m, ctx) && BN_bn2binpad(r, opened, 384) == 384 &&
              memcmp(opened, expected, 384) == 0;
    BN_free(m);
    BN_free(sig);
    BN_free(e);
    BN_free(r);
    BN_CTX_free(ctx);
    return ok;
}

enum sgx_error sigstruct_check(const struct sgx_sigstruct *s)
{
    enum sgx_error result = check_fixed_fields(s);
    if (result != SGX_SUCCESS)
        return result;
    uint8_t q1[384], q2[384];
    if (make_q(s->modulus, s->signature, q1, q2) < 0 || memcmp(q1, s->q1, 384) || memcmp(q2, s->q2, 384))
        return SGX_INVALID_SIGNATURE;
    return signature_opens(s) ? SGX_SUCCESS : SGX_INVALID_SIGNATURE;
}

void sigstruct_mrsigner(const struct sgx_sigstruct *s, uint8_t mrsigner[32])
{
    SHA256(s->modulus, 384, mrsigner);
}
