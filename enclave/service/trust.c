/* See trust.h. */
#include "enclave/service/trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/references.h"
#include "common/pem.h"
#include "enclave/service/system.h"

/* Said, so that another OpenSSL's default changes nothing. X25519MLKEM768 is not among them: a ClientHello with its
 * share takes two packets, which some servers and what lies before them do not take. */
#define GROUPS "X25519:P-256:X448:P-521:P-384"

/* ---- a bundle as a context ---------------------------------------------------------------------------------- */

/* A bundle's certificate that is not a CA's believes nobody but itself, and only if it signed itself. */
static bool can_be_trusted(X509 *certificate)
{
    return X509_check_ca(certificate) != 0 || X509_self_signed(certificate, 0) == 1;
}

/* 0; -1: number *count + 1 cannot be read; -EINVAL: it cannot vouch for anybody. */
static int add_certificates(X509_STORE *store, BIO *pem, size_t *count)
{
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL))) {
        bool usable = can_be_trusted(certificate);
        int added = usable && X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        if (!added)
            return usable ? -1 : -EINVAL;
        ++*count;
    }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return at_end ? 0 : -1;
}

bool egress_context_configure(SSL_CTX *ctx)
{
    static const uint8_t http11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RX_CERTIFICATE_COMPRESSION | SSL_OP_NO_TX_CERTIFICATE_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 && SSL_CTX_set_alpn_protos(ctx, http11, sizeof http11) == 0;
}

/* The certificates into the store, and nothing else in the bundle. 0; -EINVAL with a line in error. */
static int read_bundle(X509_STORE *store, BIO *bio, const char *pem, size_t size, size_t *count, char *error,
                       size_t error_size)
{
    char why[PEM_WHY_SIZE];
    long blocks = pem_judge(pem, size, PEM_STRING_X509, why);
    if (blocks < 0) {
        snprintf(error, error_size, "the bundle's %s", why);
        return -EINVAL;
    }
    int added = add_certificates(store, bio, count);
    if (added == -EINVAL)
        snprintf(error, error_size, "the bundle's certificate number %zu is neither a CA's nor signed by itself",
                 *count + 1);
    else if (added < 0 || *count == 0 || *count != (size_t)blocks)
        snprintf(error, error_size, "the bundle's certificate number %zu cannot be read as PEM", *count + 1);
    else
        return 0;
    return -EINVAL;
}

int egress_trust_make(struct egress_trust **out, const void *pem, size_t size, char *error, size_t error_size)
{
    struct egress_trust *t = calloc(1, sizeof *t);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    BIO *bio = size <= EGRESS_BUNDLE_MAX ? BIO_new_mem_buf(pem, (int)size) : NULL;
    int result = t && context && bio && egress_context_configure(context) ? 0 : -ENOMEM;
    if (context)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (result == 0)
        result = read_bundle(SSL_CTX_get_cert_store(context), bio, pem, size, &t->count, error, error_size);
    else
        snprintf(error, error_size, "a bundle has at most %u bytes, and memory must suffice", EGRESS_BUNDLE_MAX);
    BIO_free(bio);
    if (result < 0) {
        SSL_CTX_free(context);
        free(t);
        return result;
    }
    SHA256(pem, size, t->sha256);
    t->context = context;
    atomic_store(&t->references, 1);
    *out = t;
    return 0;
}

struct egress_trust *egress_trust_ref(struct egress_trust *t)
{
    if (t)
        references_take(&t->references);
    return t;
}

void egress_trust_unref(struct egress_trust *t)
{
    if (!t || !references_give(&t->references))
        return;
    SSL_CTX_free(t->context); /* connections that use it have references of their own */
    free(t);
}

int egress_trust_load(struct egress_trust **out, char *error, size_t error_size)
{
    uint8_t *pem;
    size_t size;
    char why[128] = "";
    *out = NULL;
    int result = system_get(EGRESS_BUNDLE_KEY, &pem, &size);
    if (result == -ENOENT)
        return 0;
    if (result == 0)
        result = egress_trust_make(out, pem, size, why, sizeof why);
    if (result < 0)
        snprintf(error, error_size, "egress: the sealed CA bundle cannot be taken up (error %d) %s", -result, why);
    free(pem);
    return result;
}
