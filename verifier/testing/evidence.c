/* DICE evidence of a fixture's leaf. See fixture.h. */
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "common/cbor.h"
#include "common/dice.h"
#include "verifier/testing/fixture.h"

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

/* One more claim of the map; whether it is false is seen in its last byte. */
static void claim(struct bytes_writer *w, const struct fixture_evidence *e, unsigned which, const char *name,
                  const uint8_t *value, size_t size)
{
    if (e->missing_claims & which)
        return;
    for (int i = 0; i < (e->twice && which == CLAIM_KEY ? 2 : 1); i++) {
        cbor_append_string(w, CBOR_TEXT, name, strlen(name));
        cbor_append_string(w, CBOR_BYTES, value, size);
        w->data[w->size - 1] ^= (e->false_claims & which) != 0;
        w->data[0]++; /* the map's count, which is below 24 */
    }
}

static void claim_key(struct bytes_writer *w, const struct fixture_evidence *e)
{
    uint8_t pair[80], hash[64], *spki = NULL;
    unsigned algorithm = e->algorithm ? (unsigned)e->algorithm : DICE_SHA256;
    int size = i2d_PUBKEY(fixture_leaf_key(), &spki);
    MUST(size == 91);
    struct bytes_writer p = bytes_writer_make(pair, sizeof pair);
    cbor_append(&p, CBOR_ARRAY, 2);
    cbor_append(&p, CBOR_UNSIGNED, algorithm);
    if (algorithm == DICE_SHA512)
        cbor_append_string(&p, CBOR_BYTES, SHA512(spki, 91, hash), 64);
    else if (algorithm == DICE_SHA384)
        cbor_append_string(&p, CBOR_BYTES, SHA384(spki, 91, hash), 48);
    else
        cbor_append_string(&p, CBOR_BYTES, SHA256(spki, 91, hash), 32);
    OPENSSL_free(spki);
    claim(w, e, CLAIM_KEY, DICE_KEY, pair, p.size);
}

static void make_claims(struct bytes_writer *w, X509 *x, const struct fixture *f, const struct fixture_options *o)
{
    const struct fixture_evidence *e = &o->evidence;
    uint8_t generation[8], from[8], until[8], extensions[32];
    bytes_put_be64(generation, o->generation_differs ? 40 : 41);
    bytes_put_be64(from, (uint64_t)o->leaf_from_s);
    bytes_put_be64(until, (uint64_t)o->leaf_until_s);
    MUST(verifier_extensions_sha256(x, extensions));
    cbor_append(w, CBOR_MAP, 0);
    claim_key(w, e);
    if (o->roots == 1)
        claim(w, e, CLAIM_ROOT, DICE_ROOT, f->merkle_root, 32);
    if (f->numbered)
        claim(w, e, CLAIM_GENERATION, DICE_GENERATION, generation, 8);
    claim(w, e, CLAIM_FROM, DICE_FROM, from, 8);
    claim(w, e, CLAIM_UNTIL, DICE_UNTIL, until, 8);
    claim(w, e, CLAIM_EXTENSIONS, DICE_EXTENSIONS, extensions, 32);
    if (e->unknown)
        claim(w, e, 0, "nonce", (const uint8_t *)"any", 3);
    MUST(!w->failed);
}

void fixture_add_evidence(X509 *x, const struct fixture *f, const struct fixture_options *o)
{
    uint8_t text[DICE_CLAIMS_MAX], value[DICE_SIZE_MAX], data[64] = {0};
    struct bytes_writer claims = bytes_writer_make(text, sizeof text), w = bytes_writer_make(value, sizeof value);
    if (o->evidences == 0)
        return;
    make_claims(&claims, x, f, o);
    SHA256(text, claims.size, data);
    data[0] ^= o->evidence.swapped;
    struct fixture_options other = *o;
    other.body.mrenclave[0] ^= o->evidence.another_enclave;
    size_t size;
    uint8_t *quote = fixture_quote(&other, f->quote_chain_pem, data, &size);
    quote[436] ^= o->evidence.damaged;
    cbor_append(&w, CBOR_TAG, DICE_TAG);
    cbor_append(&w, CBOR_ARRAY, 2);
    cbor_append_string(&w, CBOR_BYTES, quote, size);
    cbor_append_string(&w, CBOR_BYTES, text, claims.size);
    if (o->evidence.trailing)
        bytes_append_u8(&w, 0);
    MUST(!w.failed);
    free(quote);
    for (int i = 0; i < o->evidences; i++)
        fixture_add_extension(x, DICE_OID, value, w.size);
}
