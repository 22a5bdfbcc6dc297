/*
 * Revocation lists: reading one in any of the forms in which servers give it, and judging it.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "verifier/crl.h"

static X509_CRL *from_der(const uint8_t *der, size_t size)
{
    const uint8_t *at = der;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)size);
    if (crl && at != der + size) { /* something after it */
        X509_CRL_free(crl);
        return NULL;
    }
    return crl;
}

static X509_CRL *from_hex(const char *text, size_t size)
{
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    uint8_t *der = malloc(size / 2 + 1);
    X509_CRL *crl = der && hex_read(text, size, der, size / 2) ? from_der(der, size / 2) : NULL;
    free(der);
    return crl;
}

/* The next block, whatever it is; false: there is none, or it is not whole. */
static bool next_block(BIO *bio, X509_CRL **crl)
{
    char *name = NULL, *header = NULL;
    uint8_t *der = NULL;
    long der_size = 0;
    /* Not PEM_read_bio_X509_CRL, which asks for a password if the block says that it is encrypted. */
    bool there = bio && PEM_read_bio(bio, &name, &header, &der, &der_size) == 1;
    *crl = there && strcmp(name, PEM_STRING_X509_CRL) == 0 ? from_der(der, (size_t)der_size) : NULL;
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    return there;
}

/* One list, and nothing behind it: what a second one revokes would go unseen. */
static X509_CRL *from_pem(const void *text, size_t size)
{
    BIO *bio = BIO_new_mem_buf(text, (int)size);
    X509_CRL *crl = NULL, *second = NULL;
    if (next_block(bio, &crl) &&
        (next_block(bio, &second) || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)) {
        X509_CRL_free(crl);
        crl = NULL;
    }
    X509_CRL_free(second);
    BIO_free(bio);
    return crl;
}

X509_CRL *verifier__read_crl(const void *data, size_t size)
{
    const char *text = data;
    X509_CRL *crl = NULL;
    if (size > 0 && text[0] == 0x30 && size > 1 && (uint8_t)text[1] >= 0x80) /* a SEQUENCE of some size */
        crl = from_der(data, size);
    else if (size > 0 && text[0] == '-')
        crl = from_pem(data, size);
    else
        crl = from_hex(text, size);
    ERR_clear_error();
    return crl;
}

const char *verifier__crl_problem(X509_CRL *crl, X509 *issuer)
{
    if (X509_CRL_get_version(crl) != X509_CRL_VERSION_2 || !X509_CRL_get0_nextUpdate(crl))
        return "it is not of version 2 with a nextUpdate";
    if (X509_CRL_get_ext_by_critical(crl, 1, -1) >= 0)
        return "it has a critical extension: it may not be the whole list";
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer)) != 0)
        return "it is another issuer's";
    if (X509_CRL_get_signature_nid(crl) != NID_ecdsa_with_SHA256)
        return "it is not signed with ECDSA and SHA-256";
    if (X509_check_ca(issuer) != 1 || !(X509_get_key_usage(issuer) & KU_CRL_SIGN))
        return "its issuer may not sign revocation lists";
    bool ok = X509_CRL_verify(crl, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    return ok ? NULL : "it is not signed by its issuer's key";
}

bool verifier__is_revoked(X509_CRL *crl, X509 *x)
{
    X509_REVOKED *entry;
    return X509_CRL_get0_by_serial(crl, &entry, X509_get0_serialNumber(x)) == 1;
}
