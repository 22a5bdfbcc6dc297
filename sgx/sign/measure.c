/* SHA-256 over 64-byte records, SDM 3D 38.1.3 (ECREATE), EADD and EEXTEND operation sections. */
#include "sgx/sign/measure.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct measure {
    EVP_MD_CTX *sha;
};

static void record(struct measure *m, const char tag[8], const void *rest, size_t size)
{
    uint8_t block[64] = {0};
    memcpy(block, tag, 8);
    memcpy(block + 8, rest, size);
    EVP_DigestUpdate(m->sha, block, sizeof block);
}

struct measure *measure_ecreate(uint32_t ssa_frame_pages, uint64_t elrange_size)
{
    struct measure *m = malloc(sizeof *m);
    if (!m)
        return NULL;
    m->sha = EVP_MD_CTX_new();
    if (!m->sha || EVP_DigestInit_ex(m->sha, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(m->sha);
        free(m);
        return NULL;
    }
    uint8_t rest[12];
    memcpy(rest, &ssa_frame_pages, 4);
    memcpy(rest + 4, &elrange_size, 8);
    record(m, "ECREATE", rest, sizeof rest);
    return m;
}

void measure_eadd(struct measure *m, uint64_t offset, const struct sgx_secinfo *secinfo)
{
    uint8_t rest[56];
    memcpy(rest, &offset, 8);
    memcpy(rest + 8, secinfo, 48); /* the first 48 bytes of SECINFO */
    record(m, "EADD\0\0\0", rest, sizeof rest);
}

void measure_eextend(struct measure *m, uint64_t offset, const uint8_t chunk[256])
{
    record(m, "EEXTEND", &offset, sizeof offset);
    EVP_DigestUpdate(m->sha, chunk, 256);
}

void measure_final(struct measure *m, uint8_t mrenclave[32])
{
    EVP_DigestFinal_ex(m->sha, mrenclave, NULL);
    EVP_MD_CTX_free(m->sha);
    free(m);
}
