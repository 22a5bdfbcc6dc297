/* What EINIT compares, for the stand-in for the kernel; see kernel_double.h. Shares no code with sgx/sign. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

#include "sgx/loader/kernel_double_internal.h"

/* The signature by OpenSSL's own RSA verification over the 256 signed bytes. */
static bool signature_opens(const uint8_t *s)
{
    uint8_t data[256], signature[384];
    memcpy(data, s, 128);
    memcpy(data + 128, s + 900, 128);
    for (unsigned i = 0; i < 384; i++)
        signature[i] = s[516 + 383 - i];
    BIGNUM *n = BN_lebin2bn(s + 128, 384, NULL), *e = BN_new();
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BN_set_word(e, 3);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = EVP_PKEY_fromdata_init(from) == 1 && EVP_PKEY_fromdata(from, &key, EVP_PKEY_PUBLIC_KEY, params) == 1 &&
              EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(md, signature, sizeof signature, data, sizeof data) == 1;
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(from);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return ok;
}

/* Q1 and Q2 by what they are for: S*S = Q1*M + R1, R1*S = Q2*M + R2, with both remainders below M. */
static bool quotients_fit(const uint8_t *s)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *m = BN_lebin2bn(s + 128, 384, NULL), *sig = BN_lebin2bn(s + 516, 384, NULL);
    BIGNUM *q1 = BN_lebin2bn(s + 1040, 384, NULL), *q2 = BN_lebin2bn(s + 1424, 384, NULL);
    BIGNUM *square = BN_new(), *product = BN_new(), *rest = BN_new();
    bool ok = BN_sqr(square, sig, ctx) && BN_mul(product, q1, m, ctx) && BN_sub(rest, square, product) &&
              !BN_is_negative(rest) && BN_cmp(rest, m) < 0;
    ok = ok && BN_mul(square, rest, sig, ctx) && BN_mul(product, q2, m, ctx) && BN_sub(rest, square, product) &&
         !BN_is_negative(rest) && BN_cmp(rest, m) < 0;
    BN_free(m), BN_free(sig), BN_free(q1), BN_free(q2), BN_free(square), BN_free(product), BN_free(rest);
    BN_CTX_free(ctx);
    return ok;
}

enum sgx_error double_einit(const struct kernel_double *k, const struct sgx_sigstruct *s)
{
    static const uint8_t header[16] = {6, 0, 0, 0, 0xE1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0};
    static const uint8_t header2[16] = {1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0};
    if (memcmp(s->header, header, 16) || memcmp(s->header2, header2, 16) || s->exponent != 3 ||
        !double_zero(s->reserved1, sizeof s->reserved1) || !double_zero(s->reserved2, sizeof s->reserved2) ||
        !double_zero(s->reserved3, sizeof s->reserved3) || !double_zero(s->reserved4, sizeof s->reserved4))
        return SGX_INVALID_SIG_STRUCT;
    if (!quotients_fit((const uint8_t *)s) || !signature_opens((const uint8_t *)s))
        return SGX_INVALID_SIGNATURE;
    if (memcmp(s->enclavehash, k->mrenclave, 32) != 0)
        return SGX_INVALID_MEASUREMENT;
    const struct sgx_attributes *have = &k->secs.attributes, *want = &s->attributes, *mask = &s->attributemask;
    if ((have->flags ^ want->flags) & mask->flags || (have->xfrm ^ want->xfrm) & mask->xfrm ||
        (k->secs.miscselect ^ s->miscselect) & s->miscmask)
        return SGX_INVALID_ATTRIBUTE;
    return SGX_SUCCESS;
}
