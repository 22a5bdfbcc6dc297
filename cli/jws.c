/*
 * Signing. See jws.h.
 */
#include "cli/jws.h"

#include <openssl/ec.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* base64url without padding; returns the end of what was written. */
static char *append_base64url(char *out, const void *data, size_t size)
{
    int written = EVP_EncodeBlock((uint8_t *)out, data, (int)size);
    for (int i = 0; i < written; i++) {
        if (out[i] == '=') {
            written = i;
            break;
        }
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
    out[written] = '\0';
    return out + written;
}

/* r || s as JWS wants it. */
static bool sign(EVP_PKEY *key, const char *text, size_t size, uint8_t out[64])
{
    uint8_t der[128];
    const uint8_t *next = der;
    size_t der_size = sizeof(der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(context, der, &der_size, (const uint8_t *)text, size) == 1;
    EVP_MD_CTX_free(context);
    ECDSA_SIG *pair = ok ? d2i_ECDSA_SIG(NULL, &next, (long)der_size) : NULL;
    ok = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32) == 32 &&
         BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32) == 32;
    ECDSA_SIG_free(pair);
    return ok;
}

char *jws_sign(EVP_PKEY *key, const char *header, const char *claims)
{
    uint8_t signature[64];
    char *text = malloc((strlen(header) + strlen(claims)) * 4 / 3 + 128);
    if (!text)
        return NULL;
    char *end = append_base64url(text, header, strlen(header));
    *end++ = '.';
    end = append_base64url(end, claims, strlen(claims));
    if (!sign(key, text, (size_t)(end - text), signature)) {
        free(text);
        return NULL;
    }
    *end++ = '.';
    append_base64url(end, signature, sizeof(signature));
    return text;
}
