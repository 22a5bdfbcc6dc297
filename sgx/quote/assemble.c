/*
 * The quote's layout, written: the counterpart of verifier/quote.c.
 */
#include "sgx/quote/assemble.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/sha.h>
#include <string.h>

#include "common/bytes.h"
#include "sgx/quote/ecdsa.h"

#define AUTH_DATA_SIZE 32u
#define BODY_SIZE ((uint32_t)sizeof(struct sgx_report_body))

static int public_point(EVP_PKEY *key, uint8_t xy[64])
{
    uint8_t point[65];
    size_t size = 0;
    if (!EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &size) ||
        size != sizeof point || point[0] != 4)
        return -EIO;
    memcpy(xy, point + 1, 64);
    return 0;
}

static void write_header(const struct quote_parts *p, const uint8_t key[64], struct bytes_writer *w)
{
    static const uint8_t vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                       0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
    uint8_t qe_id[32];
    SHA256(key, 64, qe_id);
    bytes_append_u16(w, 3); /* version */
    bytes_append_u16(w, 2); /* attestation key: ECDSA P-256 */
    bytes_append_u32(w, 0);
    bytes_append_u16(w, p->qe_svn);
    bytes_append_u16(w, p->pce_svn);
    bytes_append(w, vendor, sizeof vendor);
    bytes_append(w, qe_id, 16);
    bytes_append_u32(w, 0);
}

static int write_signature(EVP_PKEY *key, struct bytes_writer *w, const void *data, size_t size)
{
    uint8_t signature[64];
    int result = ecdsa_sign(key, data, size, signature);
    bytes_append(w, signature, sizeof signature);
    return result;
}

int quote_assemble(const struct quote_parts *p, uint8_t *out, size_t capacity, size_t *size)
{
    uint8_t bound[64 + AUTH_DATA_SIZE];
    struct sgx_report_body qe = p->qe_body;
    int result = public_point(p->attestation_key, bound);
    for (unsigned i = 0; i < AUTH_DATA_SIZE; i++) /* 00 01 .. 1f, as in real quotes */
        bound[64 + i] = (uint8_t)i;
    memset(qe.reportdata, 0, sizeof qe.reportdata);
    SHA256(bound, sizeof bound, qe.reportdata);
    uint32_t chain_size = (uint32_t)strlen(p->chain) + 1; /* with its NUL, as in real quotes */

    struct bytes_writer w = bytes_writer_make(out, capacity);
    write_header(p, bound, &w);
    bytes_append(&w, &p->body, BODY_SIZE);
    size_t signed_size = w.size;
    bytes_append_u32(&w, 64 + 64 + BODY_SIZE + 64 + 2 + AUTH_DATA_SIZE + 2 + 4 + chain_size);
    if (w.failed)
        return -ENOSPC;
    if (result == 0)
        result = write_signature(p->attestation_key, &w, out, signed_size);
    bytes_append(&w, bound, 64);
    bytes_append(&w, &qe, BODY_SIZE);
    if (result == 0)
        result = write_signature(p->pck_key, &w, &qe, BODY_SIZE);
    bytes_append_u16(&w, AUTH_DATA_SIZE);
    bytes_append(&w, bound + 64, AUTH_DATA_SIZE);
    bytes_append_u16(&w, 5); /* certification data: the PCK chain in PEM */
    bytes_append_u32(&w, chain_size);
    bytes_append(&w, p->chain, chain_size);
    *size = w.size;
    return result != 0 ? result : w.failed ? -ENOSPC : 0;
}
