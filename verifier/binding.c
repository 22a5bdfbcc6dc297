/*
 * What ReportData binds: the certificate's key, and that the quote is of this minute or for this connection.
 */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <string.h>

#include "verifier/internal.h"

#define BINDER_LABEL "tls13 privasys-ratls-binder-v1"

int verifier_channel_binder(const uint8_t *secret, const uint8_t *transcript_hash, size_t hash_size, uint8_t binder[32])
{
    if (hash_size != 32 && hash_size != 48)
        return -EINVAL;
    /* struct HkdfLabel: u16 length, label<7..255>, context<0..255> */
    uint8_t info[2 + 1 + sizeof BINDER_LABEL - 1 + 1 + 48] = {0, 32, sizeof BINDER_LABEL - 1};
    size_t size = 3;
    memcpy(info + size, BINDER_LABEL, sizeof BINDER_LABEL - 1);
    size += sizeof BINDER_LABEL - 1;
    info[size++] = (uint8_t)hash_size;
    memcpy(info + size, transcript_hash, hash_size);
    size += hash_size;
    char digest[] = "SHA256", digest_long[] = "SHA384";
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash_size == 32 ? digest : digest_long, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, hash_size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, size), OSSL_PARAM_END};
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = context && EVP_KDF_derive(context, binder, 32, parameters) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return ok ? 0 : -ENOMEM;
}

/* The binding bytes for the policy's mode; 0 on failure. */
static size_t binding(const struct verification *v, uint8_t out[NONCE_SIZE_MAX + 32])
{
    const struct verifier_policy *p = v->policy;
    if (p->mode != VERIFIER_DETERMINISTIC) {
        memcpy(out, p->nonce, p->nonce_size);
        memcpy(out + p->nonce_size, p->binder, 32);
        return p->nonce_size + 32;
    }
    int64_t not_before = verifier__asn1_time(X509_get0_notBefore(v->leaf));
    char minute[24];
    if (not_before < 0)
        return 0;
    verifier__format_time(not_before, minute); /* YYYY-MM-DDTHH:MM:SSZ, of which the seconds are left out */
    memcpy(out, minute, 16);
    out[16] = 'Z';
    return 17;
}

static bool expected_report_data(const struct verification *v, uint8_t out[64])
{
    uint8_t input[32 + NONCE_SIZE_MAX + 32];
    memcpy(input, v->result->claims.spki_sha256, 32);
    size_t size = binding(v, input + 32);
    return size > 0 && EVP_Digest(input, 32 + size, out, NULL, EVP_sha512(), NULL) == 1;
}

static void check_bare(struct verification *v)
{
    if (!v->expected_report_data)
        verifier__skip(v, CHECK_REPORT_DATA, "the caller expects none: nothing binds this quote to a peer");
    else if (memcmp(v->expected_report_data, BODY_REPORT_DATA(v->quote.body), 64) == 0)
        verifier__pass(v, CHECK_REPORT_DATA, "as the caller expects");
    else
        verifier__fail(v, CHECK_REPORT_DATA, "not what the caller expects");
}

/* The certificate's only quote is that of its DICE evidence: in place of the minute it binds claims, which say it. */
static void check_dice_binding(struct verification *v)
{
    if (v->policy->mode != VERIFIER_DETERMINISTIC)
        verifier__fail(v, CHECK_REPORT_DATA, "is over claims, in which there is no challenge");
    else if (!v->dice_binds_time)
        verifier__fail(v, CHECK_REPORT_DATA, "is over claims that do not say when the certificate is valid");
    else if (memcmp(v->dice_report_data, BODY_REPORT_DATA(v->quote.body), 64) != 0)
        verifier__fail(v, CHECK_REPORT_DATA, "is not that of the claims of this certificate's evidence");
    else
        verifier__pass(v, CHECK_REPORT_DATA, "binds the claims about the certificate's key and times");
}

void verifier__check_binding(struct verification *v)
{
    static const char *const good[] = {"binds the certificate's key and the minute of its NotBefore",
                                       "binds the certificate's key, the challenge and this connection",
                                       "binds the client's key, the server's challenge and this connection"};
    static const char *const bad[] = {"is not that of this certificate's key and NotBefore",
                                      "is not that of this certificate's key, the challenge and this connection",
                                      "is not that of this client's key, the server's challenge and this connection"};
    uint8_t expected[64];
    if (!v->leaf)
        check_bare(v);
    else if (!v->result->claims.has_spki)
        return;
    else if (v->dice_is_quote)
        check_dice_binding(v);
    else if (v->is_v2 && v->policy->mode == VERIFIER_DETERMINISTIC && /* no other challenge is expected */
             memcmp(v->expected_report_data, BODY_REPORT_DATA(v->quote.body), 64) == 0)
        verifier__pass(v, CHECK_REPORT_DATA,
                       "binds the certificate's key, a challenge behind the handshake and this connection");
    else if (v->is_v2)
        verifier__fail(v, CHECK_REPORT_DATA,
                       "is not that of this certificate's key, the challenge and this connection");
    else if (expected_report_data(v, expected) && memcmp(expected, BODY_REPORT_DATA(v->quote.body), 64) == 0)
        verifier__pass(v, CHECK_REPORT_DATA, "%s", good[v->policy->mode]);
    else
        verifier__fail(v, CHECK_REPORT_DATA, "%s", bad[v->policy->mode]);
}
