/* See dice.h. */
#include "enclave/ratls/dice.h"

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>

#include "common/cbor.h"
#include "common/ensure.h"
#include "enclave/ratls/certificate.h"
#include "verifier/verifier.h"

static void append_claim(struct bytes_writer *w, const char *name, const void *value, size_t size)
{
    cbor_append_string(w, CBOR_TEXT, name, strlen(name));
    cbor_append_string(w, CBOR_BYTES, value, size);
}

static void append_number(struct bytes_writer *w, const char *name, uint64_t number)
{
    uint8_t value[8];
    bytes_put_be64(value, number);
    append_claim(w, name, value, sizeof value);
}

/* The pair is CBOR in the bytes of a claim. */
static int append_key(struct bytes_writer *w, EVP_PKEY *key)
{
    uint8_t pair[64], hash[32], *spki = NULL;
    int size = i2d_PUBKEY(key, &spki);
    if (size <= 0)
        return -EIO;
    SHA256(spki, (size_t)size, hash);
    OPENSSL_free(spki);
    struct bytes_writer p = bytes_writer_make(pair, sizeof pair);
    cbor_append(&p, CBOR_ARRAY, 2);
    cbor_append(&p, CBOR_UNSIGNED, DICE_SHA256);
    cbor_append_string(&p, CBOR_BYTES, hash, sizeof hash);
    append_claim(w, DICE_KEY, pair, p.size);
    return 0;
}

int dice_claims_make(EVP_PKEY *key, X509 *ca, const struct leaf_content *content, struct dice_made_claims *out)
{
    uint8_t extensions[32];
    ENSURE(content->not_before_s >= 0 && !content->dice);
    X509 *draft = certificate_draft_leaf(key, ca, content);
    bool hashed = draft && verifier_extensions_sha256(draft, extensions);
    X509_free(draft);
    struct bytes_writer w = bytes_writer_make(out->text, sizeof out->text);
    cbor_append(&w, CBOR_MAP, 6);
    if (!hashed || append_key(&w, key) < 0) /* first: there are verifiers that look no further */
        return -EIO;
    append_claim(&w, DICE_ROOT, content->merkle_root, 32);
    append_number(&w, DICE_GENERATION, content->generation);
    append_number(&w, DICE_FROM, (uint64_t)content->not_before_s);
    append_number(&w, DICE_UNTIL, (uint64_t)content->not_before_s + LEAF_LIFETIME_S);
    append_claim(&w, DICE_EXTENSIONS, extensions, sizeof extensions);
    ENSURE(!w.failed);
    out->size = w.size;
    return 0;
}

void dice_report_data(const struct dice_made_claims *claims, uint8_t out[64])
{
    ENSURE(claims->size > 0 && claims->size <= sizeof claims->text);
    memset(out, 0, 64);
    SHA256(claims->text, claims->size, out);
}

ssize_t dice_evidence_make(const struct dice_made_claims *claims, const uint8_t *quote, size_t size,
                           uint8_t out[DICE_SIZE_MAX])
{
    struct bytes_writer w = bytes_writer_make(out, DICE_SIZE_MAX);
    ENSURE(quote && claims->size > 0);
    cbor_append(&w, CBOR_TAG, DICE_TAG);
    cbor_append(&w, CBOR_ARRAY, 2);
    cbor_append_string(&w, CBOR_BYTES, quote, size);
    cbor_append_string(&w, CBOR_BYTES, claims->text, claims->size);
    ENSURE(w.failed || w.size >= DICE_SIZE_MIN); /* a quote alone has 1 KiB */
    return w.failed ? -E2BIG : (ssize_t)w.size;
}
