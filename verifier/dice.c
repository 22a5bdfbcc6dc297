/*
 * DICE evidence: a second quote in the certificate, over claims that name its key, its times and its other extensions.
 * A certificate whose evidence holds says what its enclave said, whoever hands it over.
 */
#include "verifier/dice.h"

#include <openssl/objects.h>
#include <string.h>

#include "common/cbor.h"
#include "common/dice.h"
#include "verifier/internal.h"

/* ---- reading --------------------------------------------------------------------------------------------------- */

const char *verifier__dice_read(const void *bytes, size_t size, struct dice_evidence *out)
{
    struct bytes_reader r = bytes_reader_make(bytes, size);
    *out = (struct dice_evidence){0};
    if (size < DICE_SIZE_MIN || size > DICE_SIZE_MAX)
        return "it is shorter or longer than evidence may be";
    if (cbor_take(&r, CBOR_TAG) != DICE_TAG || cbor_take(&r, CBOR_ARRAY) != 2)
        return "it is not a tagged quote with its claims";
    out->quote = cbor_take_string(&r, CBOR_BYTES, &out->quote_size);
    out->claims = cbor_take_string(&r, CBOR_BYTES, &out->claims_size);
    if (!bytes_reader_complete(&r))
        return "it is cut short, or goes on behind its claims";
    return out->claims_size > DICE_CLAIMS_MAX ? "its claims are too long" : NULL;
}

static size_t hash_size(uint64_t algorithm)
{
    return algorithm == DICE_SHA256 ? 32 : algorithm == DICE_SHA384 ? 48 : algorithm == DICE_SHA512 ? 64 : 0;
}

static const char *read_key(const uint8_t *value, size_t size, struct dice_claims *out)
{
    struct bytes_reader r = bytes_reader_make(value, size);
    size_t hash;
    if (cbor_take(&r, CBOR_ARRAY) != 2)
        return "its claim pubkey-hash is no pair";
    uint64_t algorithm = cbor_take(&r, CBOR_UNSIGNED);
    out->key = cbor_take_string(&r, CBOR_BYTES, &hash);
    if (!bytes_reader_complete(&r) || hash == 0 || hash != hash_size(algorithm))
        return "its claim pubkey-hash is of another kind, or has another length";
    out->algorithm = (unsigned)algorithm;
    return NULL;
}

static bool is_utf8(const uint8_t *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint32_t length = verifier__utf8_size(text + at, (uint32_t)(size - at));
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

/* One claim; seen has a bit for each known one. */
static const char *read_claim(struct bytes_reader *r, struct dice_claims *out, unsigned *seen)
{
    const struct {
        const char *name;
        size_t size; /* 0: any */
        const uint8_t **place;
    } known[] = {{DICE_KEY, 0, &out->key},   {DICE_ROOT, 32, &out->root},  {DICE_GENERATION, 8, &out->generation},
                 {DICE_FROM, 8, &out->from}, {DICE_UNTIL, 8, &out->until}, {DICE_EXTENSIONS, 32, &out->extensions}};
    size_t name_size, size;
    const uint8_t *name = cbor_take_string(r, CBOR_TEXT, &name_size), *value = cbor_take_string(r, CBOR_BYTES, &size);
    if (r->failed || !is_utf8(name, name_size))
        return "a claim is not a name with bytes";
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        if (name_size != strlen(known[i].name) || memcmp(name, known[i].name, name_size) != 0)
            continue;
        if (*seen & 1u << i)
            return "it makes a claim twice";
        *seen |= 1u << i;
        if (known[i].size == 0)
            return read_key(value, size, out);
        *known[i].place = value;
        return size == known[i].size ? NULL : "a claim has another length";
    }
    return NULL;
}

const char *verifier__dice_read_claims(const void *bytes, size_t size, struct dice_claims *out)
{
    struct bytes_reader r = bytes_reader_make(bytes, size);
    unsigned seen = 0;
    *out = (struct dice_claims){0};
    uint64_t count = cbor_take(&r, CBOR_MAP);
    const char *wrong = r.failed                       ? "its claims are no map"
                        : count > DICE_CLAIM_COUNT_MAX ? "it makes too many claims"
                                                       : NULL;
    for (uint64_t i = 0; i < count && !wrong; i++)
        wrong = read_claim(&r, out, &seen);
    if (!wrong && !bytes_reader_complete(&r))
        wrong = "something is behind its claims";
    if (!wrong && !out->key)
        wrong = "it says nothing of a key (pubkey-hash)";
    return wrong;
}

/* ---- what it binds --------------------------------------------------------------------------------------------- */

bool verifier_extensions_sha256(const X509 *certificate, uint8_t out[32])
{
    ASN1_OBJECT *evidence = OBJ_txt2obj(DICE_OID, 1);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool ok = evidence && hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;
    for (int i = 0; ok && i < X509_get_ext_count(certificate); i++) {
        X509_EXTENSION *extension = X509_get_ext(certificate, i);
        uint8_t *der = NULL;
        if (OBJ_cmp(X509_EXTENSION_get_object(extension), evidence) == 0)
            continue;
        int size = i2d_X509_EXTENSION(extension, &der);
        ok = size > 0 && EVP_DigestUpdate(hash, der, (size_t)size) == 1;
        OPENSSL_free(der);
    }
    ok = ok && EVP_DigestFinal_ex(hash, out, NULL) == 1;
    EVP_MD_CTX_free(hash);
    ASN1_OBJECT_free(evidence);
    return ok;
}

static bool names_key(X509 *leaf, const struct dice_claims *claims)
{
    uint8_t *spki = NULL, hash[EVP_MAX_MD_SIZE];
    const EVP_MD *digest = claims->algorithm == DICE_SHA256   ? EVP_sha256()
                           : claims->algorithm == DICE_SHA384 ? EVP_sha384()
                                                              : EVP_sha512();
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
    bool same = size > 0 && EVP_Digest(spki, (size_t)size, hash, NULL, digest, NULL) == 1 &&
                memcmp(hash, claims->key, hash_size(claims->algorithm)) == 0;
    OPENSSL_free(spki);
    return same;
}

static bool is_time(const uint8_t *claim, const ASN1_TIME *time)
{
    int64_t seconds = verifier__asn1_time(time);
    return !claim || (seconds >= 0 && bytes_be64(claim) == (uint64_t)seconds);
}

static bool is_extension(const struct verification *v, const uint8_t *claim, const char *oid, size_t size)
{
    uint8_t value[32];
    return !claim || (verifier__read_extension(v, oid, value, size) && memcmp(claim, value, size) == 0);
}

/* NULL: each claim is true of this certificate. */
static const char *contradiction(const struct verification *v, const struct dice_claims *claims)
{
    uint8_t extensions[32];
    if (!names_key(v->leaf, claims))
        return "its claims are about another key";
    if (!is_extension(v, claims->root, OID_MERKLE_ROOT, 32))
        return "its claims are about another configuration root";
    if (!is_extension(v, claims->generation, OID_GENERATION, 8))
        return "its claims are about another generation";
    if (!is_time(claims->from, X509_get0_notBefore(v->leaf)))
        return "its claims are about another NotBefore";
    if (!is_time(claims->until, X509_get0_notAfter(v->leaf)))
        return "its claims are about another NotAfter";
    if (claims->extensions &&
        (!verifier_extensions_sha256(v->leaf, extensions) || memcmp(claims->extensions, extensions, 32) != 0))
        return "its claims are about other extensions";
    return NULL;
}

/* ---- the check ------------------------------------------------------------------------------------------------- */

/* The certificate's evidence, if it has exactly one; count says how many. */
static const ASN1_OCTET_STRING *find(X509 *leaf, int *count)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(DICE_OID, 1);
    const ASN1_OCTET_STRING *value = oid ? verifier__extension(leaf, oid, count) : NULL;
    ASN1_OBJECT_free(oid);
    return value;
}

void verifier__read_dice(struct verification *v)
{
    struct dice_claims claims = {0};
    int count = 0;
    const ASN1_OCTET_STRING *value = find(v->leaf, &count);
    v->has_dice = count > 0;
    if (!v->has_dice)
        return;
    v->dice_wrong = value
                        ? verifier__dice_read(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value), &v->dice)
                        : "it stands more than once";
    if (!v->dice_wrong)
        v->dice_wrong = verifier__dice_read_claims(v->dice.claims, v->dice.claims_size, &claims);
    if (!v->dice_wrong)
        v->dice_wrong = contradiction(v, &claims);
    if (!v->dice_wrong && !verifier__sha256(v->dice.claims, v->dice.claims_size, v->dice_report_data))
        v->dice_wrong = "out of memory";
    v->dice_binds_time = !v->dice_wrong && claims.from && claims.until;
    v->dice_binds_all = v->dice_binds_time && claims.extensions;
}

void verifier__check_dice(struct verification *v)
{
    char why[REASON_SIZE];
    if (!v->leaf || !v->has_dice) {
        verifier__skip(v, CHECK_DICE, v->leaf ? "the certificate has none" : "a quote alone is verified");
        return;
    }
    if (v->dice_wrong) {
        verifier__fail(v, CHECK_DICE, "%s", v->dice_wrong);
        return;
    }
    if (!v->result->claims.has_spki || !v->result->claims.has_quote)
        return; /* it would prove something about nobody */
    if (v->dice_is_quote && !verifier__passed(v, CHECK_REPORT_DATA))
        return;
    if (!v->dice_is_quote && !verifier__is_as_good(v, v->dice.quote, v->dice.quote_size, v->dice_report_data,
                                                   "it is not over these claims", why)) {
        verifier__fail(v, CHECK_DICE, "%s", why);
        return;
    }
    v->dice_bound = v->dice_binds_all;
    if (v->dice_bound)
        verifier__pass(v, CHECK_DICE, "binds the key, both times and all other extensions");
    else
        verifier__pass(v, CHECK_DICE, "binds the key%s; extensions: not bound",
                       v->dice_binds_time ? " and both times" : "");
}
