/*
 * Parsing a quote: reads like the layout in Intel's DCAP documentation ("ECDSA Quote Library API", appendix A.4).
 */
#include <string.h>

#include "common/bytes.h"
#include "verifier/internal.h"

#define VERSION 3
#define KEY_ECDSA_P256 2
#define HEADER_SIZE 48u
#define CERTIFICATION_PCK_CHAIN 5

static const uint8_t intel_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                         0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static const char *parse_signature(struct bytes_reader *r, struct verifier_quote *q)
{
    q->signature = bytes_take(r, 64);
    q->attestation_key = bytes_take(r, 64);
    q->qe_body = bytes_take(r, BODY_SIZE);
    q->qe_signature = bytes_take(r, 64);
    q->auth_size = bytes_take_u16(r);
    q->auth_data = bytes_take(r, q->auth_size);
    uint16_t certification_type = bytes_take_u16(r);
    q->chain_size = bytes_take_u32(r);
    q->chain = bytes_take(r, q->chain_size);
    if (!bytes_reader_complete(r))
        return "its signature data is cut short";
    if (certification_type != CERTIFICATION_PCK_CHAIN)
        return "it carries no PCK certificate chain (certification data type 5)";
    return NULL;
}

const char *verifier_quote_parse(const void *bytes, size_t size, struct verifier_quote *q)
{
    struct bytes_reader r = bytes_reader_make(bytes, size);
    *q = (struct verifier_quote){0};
    uint16_t version = bytes_take_u16(&r);
    uint16_t key_type = bytes_take_u16(&r);
    uint32_t tee_type = bytes_take_u32(&r);
    bytes_take(&r, 4); /* SVNs of QE and PCE */
    const uint8_t *vendor = bytes_take(&r, 16);
    bytes_take(&r, 20); /* user data */
    q->signed_part = bytes;
    q->signed_size = HEADER_SIZE + BODY_SIZE;
    q->body = bytes_take(&r, BODY_SIZE);
    uint32_t signature_size = bytes_take_u32(&r);
    if (r.failed)
        return "shorter than a quote";
    if (version != VERSION || key_type != KEY_ECDSA_P256 || tee_type != 0)
        return "not a version 3 ECDSA P-256 quote of SGX";
    if (memcmp(vendor, intel_vendor, sizeof intel_vendor) != 0)
        return "the quoting enclave's vendor is unknown";
    if (signature_size != r.left)
        return "its signature data has another length than it says";
    return parse_signature(&r, q);
}

/* The quoting enclave's report binds the attestation key: SHA-256(key || authentication data), then zeros. */
bool verifier__binds_attestation_key(const struct verifier_quote *q)
{
    uint8_t expected[64] = {0};
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool bound = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
                 EVP_DigestUpdate(hash, q->attestation_key, 64) == 1 &&
                 EVP_DigestUpdate(hash, q->auth_data, q->auth_size) == 1 &&
                 EVP_DigestFinal_ex(hash, expected, NULL) == 1 &&
                 memcmp(expected, BODY_REPORT_DATA(q->qe_body), 64) == 0;
    EVP_MD_CTX_free(hash);
    return bound;
}

bool verifier__quote_signed(const struct verifier_quote *q)
{
    EVP_PKEY *key = verifier__p256_key(q->attestation_key);
    bool ok = verifier__signature_holds(key, q->signature, q->signed_part, q->signed_size);
    EVP_PKEY_free(key);
    return ok;
}

const char *verifier_quote_is_for(const void *bytes, size_t size, const uint8_t report_body[384])
{
    struct verifier_quote q;
    const char *wrong = verifier_quote_parse(bytes, size, &q);
    if (wrong)
        return wrong;
    if (memcmp(q.body, report_body, BODY_SIZE) != 0)
        return "it is over another report";
    if (!verifier__binds_attestation_key(&q))
        return "its quoting enclave does not vouch for its attestation key";
    return verifier__quote_signed(&q) ? NULL : "its signature is not the attestation key's";
}
