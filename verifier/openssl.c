/*
 * The verifier as an SSL_CTX's certificate verification. See verifier_openssl.h.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "verifier/internal.h"
#include "verifier/verifier_openssl.h"

struct use {
    const struct verifier_policy *policy;
    const struct verifier_collateral *collateral;
};

/* Places in OpenSSL's objects for a context's settings and a connection's result, freed along with them. */
static int context_index = -1, connection_index = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_use(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long arg, void *argp)
{
    (void)parent, (void)all, (void)index, (void)arg, (void)argp;
    free(data);
}

static void free_result(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long arg, void *argp)
{
    (void)parent, (void)all, (void)index, (void)arg, (void)argp;
    verifier_result_destroy(data);
}

static void make_indices(void)
{
    context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_use);
    connection_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_result);
}

/* Called for the peer's Certificate message. It is live: without a valid CertificateVerify right behind it there
 * will be no connection. */
static int verify(X509_STORE_CTX *store, void *argument)
{
    const struct use *use = argument;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    struct verifier_result *result =
        leaf ? verifier__verify_certificate(use->policy, use->collateral, leaf, true) : NULL;
    enum verifier_verdict verdict = verifier_result_verdict(result);
    bool ok = verdict == VERIFIER_VERIFIED || (verdict == VERIFIER_GENUINE && use->policy->any_instance);
    verifier_result_destroy(SSL_get_ex_data(ssl, connection_index));
    if (SSL_set_ex_data(ssl, connection_index, result) != 1) {
        verifier_result_destroy(result);
        ok = false;
    }
    X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return ok;
}

int verifier_openssl_use(SSL_CTX *ctx, const struct verifier_policy *policy,
                         const struct verifier_collateral *collateral)
{
    if (!verifier_policy_names_instance(policy) || verifier_policy_needs_manifest(policy) ||
        verifier_policy_needs_log(policy))
        return -EINVAL;
    pthread_once(&once, make_indices);
    struct use *use = malloc(sizeof *use);
    if (!use || context_index < 0 || connection_index < 0) {
        free(use);
        return -ENOMEM;
    }
    *use = (struct use){policy, collateral};
    void *before = SSL_CTX_get_ex_data(ctx, context_index);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 || SSL_CTX_set_ex_data(ctx, context_index, use) != 1) {
        free(use);
        return -ENOMEM;
    }
    free(before);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_cert_verify_callback(ctx, verify, use);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return 0;
}

const struct verifier_result *verifier_openssl_result(const SSL *ssl)
{
    return connection_index < 0 ? NULL : SSL_get_ex_data(ssl, connection_index);
}
