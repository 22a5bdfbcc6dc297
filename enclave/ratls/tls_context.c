/* See tls_context.h. */
#include "enclave/ratls/tls_context.h"
#include "enclave/ratls/limits.h"
#include "enclave/ratls/tls_challenge.h"

#include <openssl/err.h>
#include <stdbool.h>
#include <string.h>

/* The first cannot be undone by whoever records connections today and has a quantum computer one day; clients that do
 * not know it have the others. In one tuple: nobody is asked for another key share who has sent one of these. */
#define GROUPS "X25519MLKEM768:X25519:P-256:P-384"

static const uint8_t http11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
static const uint8_t http10[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '0'};
static const uint8_t ratls1[] = {16, 'p', 'r', 'i', 'v', 'a', 's', 'y', 's', '-', 'r', 'a', 't', 'l', 's', '/', '1'};

static bool offers(const unsigned char *in, unsigned int in_size, const uint8_t *name)
{
    for (unsigned int at = 0; at < in_size; at += 1u + in[at])
        if (in_size - at > name[0] && memcmp(in + at, name, 1u + name[0]) == 0)
            return true;
    return false;
}

/* Other makers' clients offer a name of their own for HTTP/1.1, beside http/1.1 or alone: alone, they take no answer.
 * Whoever wants only what is not spoken here is told so, by the alert of RFC 7301, section 3.2. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in,
                       unsigned int in_size, void *user)
{
    (void)user;
    if (tls_challenge_take(ssl, in, in_size)) {
        *out = in + 1;
        *out_size = in[0];
        return SSL_TLSEXT_ERR_OK;
    }
    const uint8_t *chosen = offers(in, in_size, http11) ? http11 : http10; /* "curl -0" offers the latter alone */
    if (!offers(in, in_size, chosen))
        return offers(in, in_size, ratls1) ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen + 1;
    *out_size = chosen[0];
    return SSL_TLSEXT_ERR_OK;
}

/* TLS proves its key; what else it proves is judged after the
 * handshake (peer.h), so no chain is looked for here. */
static int take_any(X509_STORE_CTX *context, void *user)
{
    (void)context, (void)user;
    return 1;
}

static int configure(SSL_CTX *ctx)
{
    /* A resumed handshake shows no certificate, so it would prove nothing: no tickets, no session cache. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Ours is compressed, once; a client's would be expanded in here, for whoever has sent it. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 && SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
           SSL_CTX_set1_groups_list(ctx, GROUPS) == 1;
}

static int ask_for_peers(SSL_CTX *ctx, X509 *ca)
{
    STACK_OF(X509_NAME) *issuers = sk_X509_NAME_new_null();
    X509_NAME *ours = X509_NAME_dup(X509_get_subject_name(ca)), *self_issued = X509_NAME_new();
    if (!issuers || !ours || !self_issued ||
        !X509_NAME_add_entry_by_txt(self_issued, "CN", MBSTRING_ASC, (const uint8_t *)TLS_SELF_ISSUED_NAME, -1, -1,
                                    0) ||
        !sk_X509_NAME_reserve(issuers, 2)) {
        sk_X509_NAME_free(issuers);
        X509_NAME_free(ours);
        X509_NAME_free(self_issued);
        return 0;
    }
    sk_X509_NAME_push(issuers, ours); /* has room */
    sk_X509_NAME_push(issuers, self_issued);
    SSL_CTX_set0_CA_list(ctx, issuers);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, take_any, NULL);
    SSL_CTX_set_max_cert_list(ctx, CLIENT_CHAIN_MAX);
    return 1;
}

/* One that was made in here has to be encoded each time that it is sent; one that was read keeps the bytes. */
static int use_certificates(SSL_CTX *ctx, const STACK_OF(X509) * chain)
{
    int ok = sk_X509_num(chain) > 0;
    for (int i = 0; ok && i < sk_X509_num(chain); i++) {
        X509 *read = X509_dup(sk_X509_value(chain, i));
        ok = read && (i == 0 ? SSL_CTX_use_certificate(ctx, read) : SSL_CTX_add1_chain_cert(ctx, read)) == 1;
        X509_free(read);
    }
    return ok;
}

/* RFC 8879, for clients that offer it. Without memory for it they get what all others get. */
static void compress_certificates(SSL_CTX *ctx)
{
    SSL_CTX_compress_certs(ctx, TLSEXT_comp_cert_zlib);
    ERR_clear_error();
}

SSL_CTX *tls_context_of_chain(EVP_PKEY *key, const STACK_OF(X509) * chain, X509 *peers)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx && configure(ctx) && (!peers || ask_for_peers(ctx, peers)) && use_certificates(ctx, chain) &&
        SSL_CTX_use_PrivateKey(ctx, key) == 1) {
        compress_certificates(ctx);
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

SSL_CTX *tls_context_new(EVP_PKEY *key, X509 *leaf, X509 *ca, bool request_peers)
{
    STACK_OF(X509) *chain = sk_X509_new_reserve(NULL, 2);
    if (!chain)
        return NULL;
    sk_X509_push(chain, leaf); /* has room; borrowed, both */
    sk_X509_push(chain, ca);
    SSL_CTX *ctx = tls_context_of_chain(key, chain, request_peers ? ca : NULL);
    sk_X509_free(chain);
    return ctx;
}
