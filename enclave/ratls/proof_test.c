/* How long a server is believed that proved who it is: as long as each certificate by which it did is valid. */
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "enclave/ratls/certificate.h"
#include "enclave/ratls/proof.h"

#define BEGIN 1800000000 /* the leaf's first second */
#define LIFETIME 86400   /* its last one is so much later */

static time_t now;

time_t __wrap_time(time_t *out);
time_t __wrap_time(time_t *out)
{
    if (out)
        *out = now;
    return now;
}

static struct pair {
    EVP_PKEY *key, *ca_key;
    X509 *leaf, *ca;
    SSL_CTX *servers, *clients;
    SSL *server, *client;
} pair;

static void shake_hands(void)
{
    pair.server = SSL_new(pair.servers);
    pair.client = SSL_new(pair.clients);
    BIO *to_server, *to_client;
    assert_int_equal(BIO_new_bio_pair(&to_server, 0, &to_client, 0), 1);
    SSL_set_bio(pair.server, to_server, to_server);
    SSL_set_bio(pair.client, to_client, to_client);
    SSL_set_accept_state(pair.server);
    SSL_set_connect_state(pair.client);
    int server = 0, client = 0;
    for (int i = 0; i < 20 && !(server == 1 && client == 1); i++) {
        client = SSL_do_handshake(pair.client);
        server = SSL_do_handshake(pair.server);
    }
    assert_int_equal(server, 1);
    assert_int_equal(client, 1);
}

/* A server that the client believes by the CA, whose own end is given; verify: whether it is asked for anything. */
static void connect_with(time_t ca_until, int verify)
{
    static const uint8_t bytes[32] = {1};
    struct leaf_content content = {.not_before_s = BEGIN,
                                   .names = "localhost",
                                   .quote = bytes,
                                   .quote_size = sizeof bytes,
                                   .merkle_root = bytes,
                                   .instance = bytes,
                                   .log_root = bytes,
                                   .log_key = bytes,
                                   .runtime_hash = bytes};
    pair = (struct pair){.key = certificate_make_key(), .ca_key = certificate_make_key()};
    pair.ca = certificate_make_ca(pair.ca_key, BEGIN);
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(pair.ca), ca_until));
    assert_true(X509_sign(pair.ca, pair.ca_key, EVP_sha256()) > 0);
    pair.leaf = certificate_make_leaf(pair.key, pair.ca_key, pair.ca, &content);
    pair.servers = SSL_CTX_new(TLS_server_method());
    pair.clients = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(pair.servers, pair.leaf), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(pair.servers, pair.key), 1);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(pair.clients), pair.ca), 1);
    SSL_CTX_set_verify(pair.clients, verify, NULL);
    now = BEGIN + 1;
    shake_hands();
}

static int disconnect(void **state)
{
    SSL_free(pair.server);
    SSL_free(pair.client);
    SSL_CTX_free(pair.servers);
    SSL_CTX_free(pair.clients);
    X509_free(pair.leaf);
    X509_free(pair.ca);
    EVP_PKEY_free(pair.key);
    EVP_PKEY_free(pair.ca_key);
    return 0;
}

static bool holds_at(time_t when)
{
    now = when;
    return proof_holds(pair.client);
}

static void it_ends_with_the_leaf(void **state)
{
    connect_with(BEGIN + 2 * LIFETIME, SSL_VERIFY_PEER);
    assert_true(holds_at(BEGIN + 1));
    assert_true(holds_at(BEGIN + LIFETIME - 1));
    assert_false(holds_at(BEGIN + LIFETIME + 1));
    assert_true(holds_at(BEGIN + 1)); /* it is the time that is asked for */
}

static void it_ends_with_the_ca(void **state)
{
    connect_with(BEGIN + 100, SSL_VERIFY_PEER);
    assert_true(holds_at(BEGIN + 99));
    assert_false(holds_at(BEGIN + 101));
}

static void nothing_was_proved(void **state)
{
    connect_with(BEGIN - 100, SSL_VERIFY_NONE);
    assert_false(holds_at(BEGIN + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_ends_with_the_leaf, disconnect),
        cmocka_unit_test_teardown(it_ends_with_the_ca, disconnect),
        cmocka_unit_test_teardown(nothing_was_proved, disconnect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
