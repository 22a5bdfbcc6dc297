/*
 * Parsing a quote: reads like the layout in Intel's DCAP documentation. See quote_format.h.
 */
#include "verifier/quote_format.h"

#include "common/bytes.h"

#define VERSION 3
#define KEY_ECDSA_P256 2
#define HEADER_SIZE 48u
#define CERTIFICATION_PCK_CHAIN 5

static const uint8_t intel_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                         0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

const char *quote_parse(const uint8_t *bytes, size_t size, struct quote *q)
{
    struct bytes_reader r = bytes_reader_make(bytes, size);
    uint16_t version = bytes_take_u16(&r);
    uint16_t key_type = bytes_take_u16(&r);
    uint32_t tee_type = bytes_take_u32(&r);
    bytes_take(&r, 4); /* SVNs of QE and PCE */
    const uint8_t *vendor = bytes_take(&r, 16);
    bytes_take(&r, 20); /* user data */
    q->signed_part = bytes;
    q->signed_size = HEADER_SIZE + QUOTE_BODY_SIZE;
    q->body = bytes_take(&r, QUOTE_BODY_SIZE);
    uint32_t signature_size = bytes_take_u32(&r);
    if (r.failed)
        return "shorter than a quote";
    if (version != VERSION || key_type != KEY_ECDSA_P256 || tee_type != 0)
        return "not a version 3 ECDSA P-256 quote of SGX";
    if (memcmp(vendor, intel_vendor, sizeof(intel_vendor)) != 0)
        return "the quoting enclave's vendor is unknown";
    if (signature_size != r.left)
        return "its signature data has another length than it says";
    q->signature = bytes_take(&r, 64);
    q->attestation_key = bytes_take(&r, 64);
    q->qe_body = bytes_take(&r, QUOTE_BODY_SIZE);
    q->qe_signature = bytes_take(&r, 64);
    q->auth_size = bytes_take_u16(&r);
    q->auth_data = bytes_take(&r, q->auth_size);
    uint16_t certification_type = bytes_take_u16(&r);
    q->chain_size = bytes_take_u32(&r);
    q->chain = bytes_take(&r, q->chain_size);
    if (!bytes_reader_complete(&r))
        return "its signature data is cut short";
    if (certification_type != CERTIFICATION_PCK_CHAIN)
        return "it carries no PCK certificate chain (certification type 5)";
    return NULL;
}
