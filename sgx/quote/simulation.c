/*
 * The simulated quoting enclave: checks a REPORT as the real one does (its MAC, under the report key that only the
 * quoting enclave and the CPU have), then signs it with an attestation key that the PCK key vouches for.
 */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "sgx/include/arch.h"
#include "sgx/quote/pki.h"
#include "sgx/quote/quote.h"

#define AUTH_DATA_SIZE 32u /* 00 01 .. 1f, as in real quotes */
#define BODY_SIZE ((uint32_t)sizeof(struct sgx_report_body))

struct simulation {
    struct quote_backend base;
    struct pki pki;
    quote_report_key report_key;
    uint8_t attestation_public[64]; /* x || y */
    uint8_t qe_id[16];
};

static void qe_measurement(uint8_t out[32])
{
    SHA256((const uint8_t *)SIMULATION_QE_MEASUREMENT, sizeof(SIMULATION_QE_MEASUREMENT) - 1, out);
}

static int target_info(struct quote_backend *b, uint8_t out[QUOTE_TARGET_INFO_SIZE])
{
    struct sgx_targetinfo info = {.attributes = {SIMULATION_QE_FLAGS, SIMULATION_QE_XFRM}};
    qe_measurement(info.mrenclave);
    memcpy(out, &info, sizeof(info));
    return 0;
}

/* ---- the report that comes in -------------------------------------------------------------------------------- */

static bool cmac(const uint8_t key[16], const void *data, size_t size, uint8_t out[16])
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
    char cipher[] = "AES-128-CBC";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
                                     OSSL_PARAM_END};
    size_t out_size = 0;
    bool ok = context && EVP_MAC_init(context, key, 16, parameters) && EVP_MAC_update(context, data, size) &&
              EVP_MAC_final(context, out, &out_size, 16) && out_size == 16;
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    return ok;
}

static int check_report(struct simulation *s, const struct sgx_report *report)
{
    uint8_t info[QUOTE_TARGET_INFO_SIZE], key[16], mac[16];
    target_info(&s->base, info);
    int result = s->report_key(info, report->keyid, key);
    if (result == 0 && !cmac(key, &report->body, sizeof(report->body), mac))
        result = -EIO;
    if (result == 0 && CRYPTO_memcmp(mac, report->mac, sizeof(mac)) != 0)
        result = -EACCES;
    OPENSSL_cleanse(key, sizeof(key));
    return result;
}

/* ---- the quote that goes out --------------------------------------------------------------------------------- */

/* The quoting enclave's own report, binding the attestation key. */
static void make_qe_report(const struct simulation *s, const uint8_t auth_data[AUTH_DATA_SIZE],
                           struct sgx_report_body *body)
{
    uint8_t bound[64 + AUTH_DATA_SIZE];
    *body = (struct sgx_report_body){.attributes = {SIMULATION_QE_FLAGS, SIMULATION_QE_XFRM},
                                     .isvprodid = SIMULATION_QE_PRODID,
                                     .isvsvn = SIMULATION_QE_SVN};
    memset(body->cpusvn, SIMULATION_CPU_SVN, sizeof(body->cpusvn));
    qe_measurement(body->mrenclave);
    SHA256((const uint8_t *)SIMULATION_QE_SIGNER, sizeof(SIMULATION_QE_SIGNER) - 1, body->mrsigner);
    memcpy(bound, s->attestation_public, 64);
    memcpy(bound + 64, auth_data, AUTH_DATA_SIZE);
    SHA256(bound, sizeof(bound), body->reportdata);
}

static void write_header(const struct simulation *s, struct bytes_writer *w)
{
    static const uint8_t vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                       0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
    bytes_append_u16(w, 3); /* version */
    bytes_append_u16(w, 2); /* attestation key: ECDSA P-256 */
    bytes_append_u32(w, 0);
    bytes_append_u16(w, SIMULATION_QE_SVN);
    bytes_append_u16(w, SIMULATION_PCE_SVN);
    bytes_append(w, vendor, sizeof(vendor));
    bytes_append(w, s->qe_id, sizeof(s->qe_id));
    bytes_append_u32(w, 0);
}

static int write_signature(const struct simulation *s, EVP_PKEY *key, struct bytes_writer *w, const void *data,
                           size_t size)
{
    uint8_t signature[64];
    int result = pki_sign(key, data, size, signature);
    bytes_append(w, signature, sizeof(signature));
    return result;
}

static int get(struct quote_backend *b, const uint8_t report_bytes[QUOTE_REPORT_SIZE], uint8_t *out, size_t capacity,
               size_t *size)
{
    struct simulation *s = (struct simulation *)b;
    struct sgx_report report;
    memcpy(&report, report_bytes, sizeof(report));
    int result = check_report(s, &report);
    if (result != 0)
        return result;

    uint8_t auth_data[AUTH_DATA_SIZE];
    for (unsigned i = 0; i < AUTH_DATA_SIZE; i++)
        auth_data[i] = (uint8_t)i;
    struct sgx_report_body qe;
    make_qe_report(s, auth_data, &qe);
    uint32_t chain_size = (uint32_t)s->pki.chain_size + 1; /* with its NUL, as in real quotes */

    struct bytes_writer w = bytes_writer_make(out, capacity);
    write_header(s, &w);
    bytes_append(&w, &report.body, BODY_SIZE);
    size_t signed_size = w.size;
    bytes_append_u32(&w, 64 + 64 + BODY_SIZE + 64 + 2 + AUTH_DATA_SIZE + 2 + 4 + chain_size);
    if (w.failed)
        return -ENOSPC;
    result = write_signature(s, s->pki.attestation_key, &w, out, signed_size);
    bytes_append(&w, s->attestation_public, 64);
    bytes_append(&w, &qe, BODY_SIZE);
    if (result == 0)
        result = write_signature(s, s->pki.pck_key, &w, &qe, BODY_SIZE);
    bytes_append_u16(&w, AUTH_DATA_SIZE);
    bytes_append(&w, auth_data, AUTH_DATA_SIZE);
    bytes_append_u16(&w, 5); /* certification data: the PCK chain in PEM */
    bytes_append_u32(&w, chain_size);
    bytes_append(&w, s->pki.chain, chain_size);
    *size = w.size;
    return result != 0 ? result : w.failed ? -ENOSPC : 0;
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static void destroy(struct quote_backend *b)
{
    struct simulation *s = (struct simulation *)b;
    pki_close(&s->pki);
    free(s);
}

static const struct quote_backend_ops simulation_ops = {
    .name = "simulation",
    .target_info = target_info,
    .get = get,
    .destroy = destroy,
};

static bool load_public_key(struct simulation *s)
{
    uint8_t point[65], digest[32];
    size_t size = 0;
    if (!EVP_PKEY_get_octet_string_param(s->pki.attestation_key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
                                         &size) ||
        size != sizeof(point) || point[0] != 4)
        return false;
    memcpy(s->attestation_public, point + 1, 64);
    SHA256(point, sizeof(point), digest);
    memcpy(s->qe_id, digest, sizeof(s->qe_id));
    return true;
}

int quote_simulation_create(const char *machine_dir, quote_report_key report_key, struct quote_backend **out,
                            char *error, size_t error_size)
{
    char folder[4000];
    if ((size_t)snprintf(folder, sizeof(folder), "%s/quote-simulation", machine_dir) >= sizeof(folder)) {
        snprintf(error, error_size, "the machine folder's name is too long");
        return -ENAMETOOLONG;
    }
    if (mkdir(machine_dir, 0755) != 0 && errno != EEXIST) {
        snprintf(error, error_size, "cannot make %s: %s", machine_dir, strerror(errno));
        return -errno;
    }
    struct simulation *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->base.ops = &simulation_ops;
    s->report_key = report_key;
    int result = pki_open(&s->pki, folder, error, error_size);
    if (result == 0 && !load_public_key(s)) {
        snprintf(error, error_size, "%s/attestation.key is not a P-256 key", folder);
        result = -EIO;
    }
    if (result != 0) {
        destroy(&s->base);
        return result;
    }
    *out = &s->base;
    return 0;
}
