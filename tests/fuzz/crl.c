/*
 * Revocation lists: any bytes, and changes to a good one, signed anew where they still parse.
 */
#include <openssl/x509.h>

#include "tests/fuzz/verifier_world.h"

static uint8_t *good;
static size_t good_size;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    world_make();
    const void *data = verifier_collateral_get(world->collateral, VERIFIER_PCK_CRL, &good_size);
    good = malloc(good_size);
    memcpy(good, data, good_size);
    return 0;
}

static void try(const void *data, size_t size)
{
    MUST(verifier_collateral_set(world->collateral, VERIFIER_PCK_CRL, data, size) == 0);
    world_look(verifier_verify_certificate(policy, world->collateral, world->leaf));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    uint8_t kind = input_byte(&in);
    if (kind % 3 == 0) {
        try(in.at, (size_t)(in.end - in.at));
        return 0;
    }
    uint8_t *changed = malloc(good_size);
    memcpy(changed, good, good_size);
    size_t left = world_edit(&in, changed, good_size);
    const uint8_t *at = changed;
    X509_CRL *crl = kind % 3 == 1 ? d2i_X509_CRL(NULL, &at, (long)left) : NULL;
    uint8_t *der = NULL;
    int der_size = crl && X509_CRL_sign(crl, fixture_pck_ca_key(), EVP_sha256()) ? i2d_X509_CRL(crl, &der) : -1;
    if (der_size > 0)
        try(der, (size_t)der_size);
    else
        try(changed, left);
    OPENSSL_free(der);
    X509_CRL_free(crl);
    free(changed);
    return 0;
}
