/* Whom the certificate of a challenge is shown: who asks for that name by that protocol alone, while it is set. */
#include "enclave/ratls/tls_challenge.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "enclave/ratls/certificate.h"
#include "enclave/ratls/tls_context.h"
#include "enclave/ratls/tls_names.h"

#define NOW 1800000059
#define WIRE 65536
#define ACME \
    "\x0a"   \
    "acme-tls/1"
#define HTTP \
    "\x08"   \
    "http/1.1"

static SSL_CTX *server;
static X509 *of_challenge;
static EVP_PKEY *challenge_key;
static SSL_CTX *challenge;

static X509 *certificate_of(EVP_PKEY *key)
{
    X509 *x = certificate_make_ca(key, NOW);
    assert_non_null(x);
    return x;
}

static SSL_CTX *context(bool request_peers)
{
    EVP_PKEY *key = certificate_make_key();
    X509 *x = certificate_of(key);
    SSL_CTX *made = tls_context_new(key, x, x, request_peers);
    assert_non_null(made);
    X509_free(x);
    EVP_PKEY_free(key);
    return made;
}

static int set_up(void **state)
{
    (void)state;
    server = context(true);
    SSL_CTX *own = context(true);
    challenge_key = certificate_make_key();
    of_challenge = certificate_of(challenge_key);
    STACK_OF(X509) *chain = sk_X509_new_null();
    sk_X509_push(chain, of_challenge);
    challenge = tls_context_of_chain(challenge_key, chain, NULL);
    assert_non_null(challenge);
    sk_X509_free(chain);
    int error = tls_names_add(server, "shop.example.com", "shop", own);
    SSL_CTX_free(own);
    return error;
}

static int tear_down(void **state)
{
    (void)state;
    SSL_CTX_free(server);
    SSL_CTX_free(challenge);
    X509_free(of_challenge);
    EVP_PKEY_free(challenge_key);
    return 0;
}

enum outcome { REFUSED, SERVED, CHALLENGED };

static int on_asked(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    (void)certificate, (void)key;
    *(bool *)SSL_get_app_data(ssl) = true;
    return 0;
}

/* How a handshake ends that offers these protocols; groups: those that lead to two ClientHellos, or all. */
static enum outcome ask(const char *name, const char *protocols, const char *groups)
{
    BIO *server_end, *client_end;
    SSL_CTX *client_context = SSL_CTX_new(TLS_client_method());
    bool asked = false;
    enum outcome outcome = REFUSED;
    assert_int_equal(BIO_new_bio_pair(&server_end, WIRE, &client_end, WIRE), 1);
    SSL_CTX_set_client_cert_cb(client_context, on_asked);
    assert_int_equal(SSL_CTX_set1_groups_list(client_context, groups), 1);
    SSL *s = SSL_new(server), *c = SSL_new(client_context);
    SSL_set_app_data(c, &asked);
    SSL_set_accept_state(s);
    SSL_set_connect_state(c);
    SSL_set_bio(s, server_end, server_end);
    SSL_set_bio(c, client_end, client_end);
    if (name)
        SSL_set_tlsext_host_name(c, name);
    SSL_set_alpn_protos(c, (const uint8_t *)protocols, (unsigned)strlen(protocols));
    int done_server = 0, done_client = 0;
    for (int i = 0; i < 6 && (done_server != 1 || done_client != 1); i++) {
        done_client = SSL_do_handshake(c);
        done_server = SSL_do_handshake(s);
    }
    if (done_server == 1 && done_client == 1) {
        outcome = tls_challenge_was(s) ? CHALLENGED : SERVED;
        bool is_challenges = X509_cmp(SSL_get0_peer_certificate(c), of_challenge) == 0;
        assert_int_equal(is_challenges, outcome == CHALLENGED);
        assert_int_equal(asked, outcome == SERVED); /* an authority is asked for no certificate */
    }
    ERR_clear_error();
    SSL_free(s);
    SSL_free(c);
    SSL_CTX_free(client_context);
    return outcome;
}

#define ALL "X25519:P-256"
#define TWICE "P-521:P-256" /* the server does not know the first, whose share is sent */

static void test_while_it_is_set(void **state)
{
    (void)state;
    assert_int_equal(ask("shop.example.com", ACME, ALL), REFUSED);
    assert_int_equal(tls_challenge_set("shop.example.com", challenge), 0);
    assert_int_equal(ask("shop.example.com", ACME, ALL), CHALLENGED);
    assert_int_equal(ask("SHOP.example.com", ACME, ALL), CHALLENGED);
    assert_int_equal(ask("shop.example.com", ACME, TWICE), CHALLENGED);
    assert_int_equal(ask("shop.example.com", HTTP, ALL), SERVED);
    assert_int_equal(ask("shop.example.com", HTTP, TWICE), SERVED);
    assert_int_equal(ask("shop.example.com", ACME HTTP, ALL), SERVED); /* it is not alone */
    assert_int_equal(ask("other.example.com", ACME, ALL), REFUSED);
    assert_int_equal(ask("a.shop.example.com", ACME, ALL), REFUSED);
    assert_int_equal(ask(NULL, ACME, ALL), REFUSED);
    tls_challenge_clear();
    assert_int_equal(ask("shop.example.com", ACME, ALL), REFUSED);
    assert_int_equal(ask("shop.example.com", HTTP, ALL), SERVED);
    tls_challenge_clear(); /* nothing is nothing */
}

/* The next one takes its place, also for a name that nobody has. */
static void test_one_at_a_time(void **state)
{
    (void)state;
    assert_int_equal(tls_challenge_set("shop.example.com", challenge), 0);
    assert_int_equal(tls_challenge_set("new.example.com", challenge), 0);
    assert_int_equal(ask("shop.example.com", ACME, ALL), REFUSED);
    assert_int_equal(ask("new.example.com", ACME, ALL), CHALLENGED);
    tls_challenge_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_while_it_is_set), cmocka_unit_test(test_one_at_a_time)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
