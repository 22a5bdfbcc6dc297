/* See ohttp_keys.h. */
#include "cli/ohttp_keys.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/json.h"
#include "common/ohttp_evidence.h"

#define LIST_MAX 1024u      /* of configurations */
#define SIGNATURE_MAX 1024u /* of any key that a certificate may have */

void ohttp_shown_deinit(struct ohttp_shown *s)
{
    free(s->certificate);
    free(s->issuer);
    *s = (struct ohttp_shown){0};
}

/* Bytes of a member, malloc'ed; NULL: there are none, or more than most. */
static uint8_t *read_bytes(json_t *object, const char *name, size_t most, size_t *size)
{
    json_t *value = json_object_get(object, name);
    uint8_t *out = json_is_string(value) ? malloc(most) : NULL;
    ssize_t got = out ? base64url_read(json_string_value(value), json_string_length(value), out, most) : -1;
    *size = got > 0 ? (size_t)got : 0;
    if (got > 0)
        return out;
    free(out);
    return NULL;
}

static bool has_signed(const struct ohttp_shown *s, const uint8_t *list, size_t list_size, const uint8_t *signature,
                       size_t signature_size)
{
    uint8_t said[OHTTP_SAID_SIZE], hash[2][32];
    const uint8_t *der = s->certificate;
    X509 *certificate = d2i_X509(NULL, &der, (long)s->certificate_size);
    EVP_PKEY *key = certificate ? X509_get0_pubkey(certificate) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && key && EVP_Digest(s->certificate, s->certificate_size, hash[0], NULL, EVP_sha256(), NULL) == 1 &&
              EVP_Digest(list, list_size, hash[1], NULL, EVP_sha256(), NULL) == 1;
    if (ok) {
        ohttp_said(hash[0], hash[1], said);
        ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
             EVP_DigestVerify(ctx, signature, signature_size, said, sizeof said) == 1;
    }
    EVP_MD_CTX_free(ctx);
    X509_free(certificate);
    return ok;
}

static const char *judge(json_t *all, struct ohttp_shown *out)
{
    size_t list_size, signature_size;
    const char *format = json_string_value(json_object_get(all, "format")), *why = NULL;
    if (!format || strcmp(format, OHTTP_EVIDENCE_FORMAT) != 0)
        return "it is none of " OHTTP_EVIDENCE_FORMAT;
    out->certificate = read_bytes(all, "certificate", 65536, &out->certificate_size);
    out->issuer = read_bytes(all, "issuer", 65536, &out->issuer_size);
    uint8_t *list = read_bytes(all, "keys", LIST_MAX, &list_size);
    uint8_t *signature = read_bytes(all, "signature", SIGNATURE_MAX, &signature_size);
    if (!out->certificate || !out->issuer || !list || !signature)
        why = "a member is missing, or is no base64url of such a length";
    else if (!has_signed(out, list, list_size, signature, signature_size))
        why = "the certificate's key has not signed it";
    else if (ohttp_keys_read(list, list_size, &out->key) < 0)
        why = "there is no key configuration in it that can be used here";
    free(list);
    free(signature);
    return why;
}

int ohttp_shown_read(const char *text, size_t size, struct ohttp_shown *out, const char **why)
{
    *out = (struct ohttp_shown){0};
    json_t *all = json_read(text, size, JSON_REJECT_DUPLICATES, NULL);
    *why = all ? judge(all, out) : "it is no JSON";
    json_decref(all);
    return *why ? -EBADMSG : 0;
}
