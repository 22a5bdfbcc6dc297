/*
 * The simulated quoting enclave: checks a REPORT as the real one does (its MAC, under the report key that only the
 * quoting enclave and the CPU have), then signs it with an attestation key that the PCK key vouches for.
 */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/container.h"
#include "sgx/include/arch.h"
#include "sgx/quote/assemble.h"
#include "sgx/quote/pki.h"
#include "sgx/quote/quote.h"

struct simulation {
    struct quote_backend base;
    struct pki pki;
    quote_report_key report_key;
    char folder[4000]; /* of the PKI */
};

static void qe_measurement(uint8_t out[32])
{
    SHA256((const uint8_t *)SIMULATION_QE_MEASUREMENT, sizeof SIMULATION_QE_MEASUREMENT - 1, out);
}

static int target_info(struct quote_backend *b, uint8_t out[QUOTE_TARGET_INFO_SIZE])
{
    struct sgx_targetinfo info = {.attributes = {SIMULATION_QE_FLAGS, SIMULATION_QE_XFRM}};
    qe_measurement(info.mrenclave);
    memcpy(out, &info, sizeof info);
    return 0;
}

/* ---- the report that comes in ---------------------------------------------------------------------------------- */

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
    if (result == 0 && !cmac(key, &report->body, sizeof report->body, mac))
        result = -EIO;
    if (result == 0 && CRYPTO_memcmp(mac, report->mac, sizeof mac) != 0)
        result = -EACCES;
    OPENSSL_cleanse(key, sizeof key);
    return result;
}

/* ---- the quote that goes out ----------------------------------------------------------------------------------- */

static int get(struct quote_backend *b, const uint8_t report_bytes[QUOTE_REPORT_SIZE], uint8_t *out, size_t capacity,
               size_t *size)
{
    struct simulation *s = CONTAINER_OF(b, struct simulation, base);
    struct sgx_report report;
    memcpy(&report, report_bytes, sizeof report);
    int result = check_report(s, &report);
    if (result != 0)
        return result;
    /* Whoever gets a quote may take the collateral from the folder. A failure shows in its age. */
    pki_refresh(s->folder, time(NULL));
    struct quote_parts parts = {.body = report.body,
                                .qe_body = {.attributes = {SIMULATION_QE_FLAGS, SIMULATION_QE_XFRM},
                                            .isvprodid = SIMULATION_QE_PRODID,
                                            .isvsvn = SIMULATION_QE_SVN},
                                .attestation_key = s->pki.attestation_key,
                                .pck_key = s->pki.pck_key,
                                .qe_svn = SIMULATION_QE_SVN,
                                .pce_svn = SIMULATION_PCE_SVN,
                                .chain = s->pki.chain};
    memset(parts.qe_body.cpusvn, SIMULATION_CPU_SVN, sizeof parts.qe_body.cpusvn);
    qe_measurement(parts.qe_body.mrenclave);
    SHA256((const uint8_t *)SIMULATION_QE_SIGNER, sizeof SIMULATION_QE_SIGNER - 1, parts.qe_body.mrsigner);
    return quote_assemble(&parts, out, capacity, size);
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

static void destroy(struct quote_backend *b)
{
    struct simulation *s = CONTAINER_OF(b, struct simulation, base);
    pki_close(&s->pki);
    free(s);
}

static const struct quote_backend_ops simulation_ops = {
    .name = "simulation",
    .target_info = target_info,
    .get = get,
    .destroy = destroy,
};

int quote_simulation_create(const char *machine_dir, quote_report_key report_key, struct quote_backend **out,
                            char *error, size_t error_size)
{
    struct simulation *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->base.ops = &simulation_ops;
    s->report_key = report_key;
    int result = 0;
    if ((size_t)snprintf(s->folder, sizeof s->folder, "%s/" PKI_FOLDER, machine_dir) >= sizeof s->folder) {
        snprintf(error, error_size, "the machine folder's name is too long");
        result = -ENAMETOOLONG;
    } else if (mkdir(machine_dir, 0755) != 0 && errno != EEXIST) {
        result = -errno;
        snprintf(error, error_size, "cannot make %s: %s", machine_dir, strerror(errno));
    } else {
        result = pki_open(&s->pki, s->folder, error, error_size);
    }
    if (result != 0) {
        destroy(&s->base);
        return result;
    }
    *out = &s->base;
    return 0;
}
