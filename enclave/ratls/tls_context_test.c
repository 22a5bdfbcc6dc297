/*
 * What a handshake with the served context takes, and what is left of it: which groups there are, that the certificate
 * is made before and not in it, how many bytes it is on the way, and what OpenSSL holds of an idle connection.
 */
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "enclave/ratls/certificate.h"
#include "enclave/ratls/limits.h"
#include "enclave/ratls/tls_context.h"
#include "enclave/ratls/tls_memory.h"

#define NOW 1800000059
#define WIRE 65536

static struct {
    EVP_PKEY *key, *ca_key;
    X509 *leaf, *ca;
    SSL_CTX *context;
} served;

/* A connection whose server's memory is counted. */
struct pair {
    SSL *server, *client;
    BIO *from_server;
    int64_t held;
};

/* As long as one, and as a quote is: a quarter of it signatures and keys, the rest of it certificates in PEM. */
static size_t make_quote(uint8_t out[4800])
{
    uint8_t random[2640];
    assert_int_equal(RAND_bytes(random, sizeof random), 1);
    assert_int_equal(RAND_bytes(out, 1200), 1);
    return 1200 + (size_t)EVP_EncodeBlock(out + 1200, random, sizeof random);
}

static int set_up(void **state)
{
    (void)state;
    static const uint8_t thirty_two[32] = {1, 2, 3};
    static uint8_t quote[4800];
    served.key = certificate_make_key();
    served.ca_key = certificate_make_key();
    served.ca = certificate_make_ca(served.ca_key, NOW);
    struct leaf_content content = {.not_before_s = certificate_not_before(NOW),
                                   .names = "localhost",
                                   .quote = quote,
                                   .quote_size = make_quote(quote),
                                   .merkle_root = thirty_two,
                                   .instance = thirty_two,
                                   .log_root = thirty_two,
                                   .log_key = thirty_two,
                                   .runtime_hash = thirty_two};
    served.leaf = certificate_make_leaf(served.key, served.ca_key, served.ca, &content);
    served.context = served.leaf ? tls_context_new(served.key, served.leaf, served.ca, true) : NULL;
    return served.context ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    SSL_CTX_free(served.context);
    X509_free(served.leaf);
    X509_free(served.ca);
    EVP_PKEY_free(served.key);
    EVP_PKEY_free(served.ca_key);
    return 0;
}

static SSL *client_of(const char *groups, uint64_t options)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set1_groups_list(context, groups), 1);
    SSL_CTX_set_options(context, options);
    SSL *client = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_connect_state(client);
    return client;
}

static int serve(struct pair *p, int (*step)(SSL *ssl))
{
    tls_memory_begin(p->held, TLS_MAX);
    int result = step(p->server);
    p->held = tls_memory_end();
    return result;
}

/* Both sides' handshake: true, or false if it failed. */
static bool shake(struct pair *p, const char *groups, uint64_t options)
{
    BIO *server_end, *client_end;
    assert_int_equal(BIO_new_bio_pair(&server_end, WIRE, &client_end, WIRE), 1);
    tls_memory_begin(0, TLS_MAX);
    p->server = SSL_new(served.context);
    p->held = tls_memory_end();
    SSL_set_accept_state(p->server);
    SSL_set_bio(p->server, server_end, server_end);
    p->client = client_of(groups, options);
    SSL_set_bio(p->client, client_end, client_end);
    p->from_server = client_end;
    int server = 0, client = 0;
    for (int i = 0; i < 6 && (server != 1 || client != 1); i++) {
        client = SSL_do_handshake(p->client);
        server = serve(p, SSL_do_handshake);
    }
    ERR_clear_error();
    return server == 1 && client == 1;
}

static void end(struct pair *p)
{
    SSL_free(p->server);
    SSL_free(p->client);
}

static int answer(SSL *ssl)
{
    char text[64];
    while (SSL_read(ssl, text, sizeof text) > 0)
        assert_int_equal(SSL_write(ssl, text, sizeof text), sizeof text);
    return 1;
}

static const char *const groups[] = {"X25519MLKEM768", "X25519", "P-256", "P-384"};
static const char *const names[] = {"X25519MLKEM768", "x25519", "secp256r1", "secp384r1"};

static void test_groups(void **state)
{
    (void)state;
    static const char *const none[] = {"P-521", "X448", "SecP256r1MLKEM768", "MLKEM768"};
    struct pair p;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        assert_true(shake(&p, groups[i], 0));
        assert_string_equal(SSL_get0_group_name(p.server), names[i]);
        assert_int_equal(SSL_session_reused(p.server), 0);
        end(&p);
    }
    assert_true(shake(&p, "P-521:P-384", 0)); /* asked for another share */
    assert_string_equal(SSL_get0_group_name(p.server), "secp384r1");
    end(&p);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_false(shake(&p, none[i], 0));
        end(&p);
    }
}

/* Whatever the keys were made by: they go when they are agreed on. */
static void test_idle(void **state)
{
    (void)state;
    char text[64] = "hello";
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        for (int again = 0; again < 2; again++) { /* the first brings algorithms that stay, for all */
            struct pair p;
            assert_true(shake(&p, groups[i], 0));
            assert_int_equal(SSL_write(p.client, text, sizeof text), sizeof text);
            serve(&p, answer);
            assert_int_equal(SSL_read(p.client, text, sizeof text), sizeof text);
            assert_true(SSL_get_peer_tmp_key(p.server, &(EVP_PKEY *){NULL}) == 0);
            assert_true(SSL_get_tmp_key(p.server, &(EVP_PKEY *){NULL}) == 0);
            if (again) {
                print_message("%s: %ld bytes when idle\n", groups[i], (long)p.held);
                assert_true(p.held > 0 && p.held <= TLS_IDLE_MAX);
            }
            end(&p);
        }
}

/* For who offers it, compressed; and nobody may send us such a thing. */
static void test_compression(void **state)
{
    (void)state;
    struct pair with, without;
    assert_true(shake(&without, "X25519", SSL_OP_NO_RX_CERTIFICATE_COMPRESSION));
    assert_true(shake(&with, "X25519", 0));
    uint64_t plain = BIO_number_read(without.from_server), compressed = BIO_number_read(with.from_server);
    print_message("the server's part of a handshake: %lu bytes, compressed %lu\n", (unsigned long)plain,
                  (unsigned long)compressed);
    assert_true(compressed < plain - plain / 8);
    X509 *seen = SSL_get0_peer_certificate(with.client);
    assert_int_equal(X509_cmp(seen, served.leaf), 0);
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(with.client)), 2);
    assert_true(SSL_get_options(with.server) & SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
    end(&with);
    end(&without);
}

/* What is served is a copy that was read, which has the bytes that are sent; and it is everybody's. */
static void test_nothing_is_made(void **state)
{
    (void)state;
    uint64_t before = certificate_leaves_made();
    struct pair p;
    for (int i = 0; i < 3; i++) {
        assert_true(shake(&p, "X25519", 0));
        assert_ptr_equal(SSL_get_certificate(p.server), SSL_CTX_get0_certificate(served.context));
        end(&p);
    }
    assert_int_equal(before, 1);
    assert_int_equal(certificate_leaves_made(), before);
    assert_ptr_not_equal(SSL_CTX_get0_certificate(served.context), served.leaf);
}

int main(void)
{
    tls_memory_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_groups), cmocka_unit_test(test_idle),
                                       cmocka_unit_test(test_compression), cmocka_unit_test(test_nothing_is_made)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
