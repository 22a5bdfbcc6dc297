/*
 * Certificates: the chain in a quote as any text, with a changed certificate in it, a peer's certificate as any
 * bytes, and a PCK certificate's SGX extension as any bytes.
 */
#include <openssl/bio.h>
#include <openssl/pem.h>

#include "tests/fuzz/verifier_world.h"
#include "verifier/internal.h"

static STACK_OF(X509) * chain;
static struct verifier_quote good;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    world_make();
    MUST(verifier_quote_parse(world->quote, world->quote_size, &good) == NULL);
    chain = verifier__read_certificates(good.chain, good.chain_size, 3);
    return chain ? 0 : -1;
}

/* The good quote with another chain. */
static bool verify_chain(const void *text, size_t size)
{
    size_t head = (size_t)(good.chain - world->quote);
    uint8_t *quote = malloc(head + size);
    uint32_t signature_size = (uint32_t)(head + size - 436), chain_size = (uint32_t)size;
    memcpy(quote, world->quote, head);
    memcpy(quote + head, text, size);
    memcpy(quote + 432, &signature_size, 4);
    memcpy(quote + head - 4, &chain_size, 4);
    bool ok = world_look(verifier_verify_quote(policy, world->collateral, quote, head + size, NULL));
    free(quote);
    return ok;
}

static void changed_certificate(struct input *in)
{
    int which = input_byte(in) % 3, size = i2d_X509(sk_X509_value(chain, which), NULL);
    uint8_t *der = malloc((size_t)size), *at = der;
    i2d_X509(sk_X509_value(chain, which), &at);
    size_t left = world_edit(in, der, (size_t)size);
    BIO *bio = BIO_new(BIO_s_mem());
    for (int i = 0; i < 3; i++) {
        if (i == which)
            PEM_write_bio(bio, PEM_STRING_X509, "", der, (long)left);
        else
            PEM_write_bio_X509(bio, sk_X509_value(chain, i));
    }
    char *text;
    long text_size = BIO_get_mem_data(bio, &text);
    const uint8_t *next = der;
    X509 *changed = d2i_X509(NULL, &next, (long)left);
    if (verify_chain(text, (size_t)text_size)) /* what is signed cannot have changed */
        MUST(changed && X509_get0_pubkey(changed) &&
             EVP_PKEY_eq(X509_get0_pubkey(changed), X509_get0_pubkey(sk_X509_value(chain, which))) == 1);
    X509_free(changed);
    BIO_free(bio);
    free(der);
}

static void sgx_extension(const uint8_t *data, size_t size)
{
    struct platform platform;
    X509 *x = X509_new();
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    MUST(x && oid && value && ASN1_OCTET_STRING_set(value, data, (int)size));
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    MUST(X509_add_ext(x, extension, -1));
    verifier__read_platform(x, &platform);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    X509_free(x);
}

/* The good PCK's extension, changed: seldom malformed outside, so deeper. */
static void changed_sgx_extension(struct input *in)
{
    int count;
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    const ASN1_OCTET_STRING *value = verifier__extension(sk_X509_value(chain, 0), oid, &count);
    size_t size = (size_t)ASN1_STRING_length(value);
    uint8_t *copy = malloc(size);
    memcpy(copy, ASN1_STRING_get0_data(value), size);
    size_t left = world_edit(in, copy, size);
    sgx_extension(copy, left);
    free(copy);
    ASN1_OBJECT_free(oid);
}

static void changed_leaf(struct input *in)
{
    int size = i2d_X509(world->leaf, NULL);
    uint8_t *der = malloc((size_t)size), *at = der;
    i2d_X509(world->leaf, &at);
    size_t left = world_edit(in, der, (size_t)size);
    world_look(verifier_verify_certificate_der(policy, world->collateral, der, left));
    free(der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    uint8_t kind = input_byte(&in);
    size_t left = (size_t)(in.end - in.at);
    switch (kind % 6) {
    case 0:
        verify_chain(in.at, left);
        break;
    case 1:
        changed_certificate(&in);
        break;
    case 2:
        world_look(verifier_verify_certificate_der(policy, world->collateral, in.at, left));
        break;
    case 3:
        changed_leaf(&in);
        break;
    case 4:
        sgx_extension(in.at, left);
        break;
    default:
        changed_sgx_extension(&in);
    }
    return 0;
}
