/*
 * Certificates by name: who is shown which, also where a handshake has two ClientHellos, whether a client is asked for
 * a certificate, what a name takes, and that all of it comes back.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
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
#include "enclave/ratls/tls_names.h"

#define NOW 1800000059
#define WIRE 65536

static EVP_PKEY *ca_key;
static X509 *ca;
static SSL_CTX *server;
static size_t name_bytes; /* of one context */

static SSL_CTX *context_of(const char *names, const struct leaf_app *app, bool request_peers)
{
    static const uint8_t thirty_two[32] = {1, 2, 3};
    static uint8_t quote[4800];
    const struct leaf_content content = {.not_before_s = certificate_not_before(NOW),
                                         .names = names,
                                         .app = app,
                                         .quote = quote,
                                         .quote_size = sizeof quote,
                                         .merkle_root = thirty_two,
                                         .instance = thirty_two,
                                         .log_root = thirty_two,
                                         .log_key = thirty_two,
                                         .runtime_hash = thirty_two,
                                         .workloads_hash = thirty_two,
                                         .egress_hash = thirty_two};
    memset(quote, 0x5a, sizeof quote);
    EVP_PKEY *key = certificate_make_key();
    X509 *leaf = certificate_make_leaf(key, ca_key, ca, &content);
    assert_non_null(leaf);
    tls_memory_begin(0, INT64_MAX);
    SSL_CTX *made = tls_context_new(key, leaf, ca, request_peers);
    name_bytes = (size_t)tls_memory_end();
    assert_non_null(made);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return made;
}

static const uint8_t root[32] = {1}, code[32] = {2}, settings[32] = {3}, id[16] = {4};
static const struct leaf_app of_app = {root, code, settings, id};

static int add(SSL_CTX *to, const char *name, const char *app, bool request_peers)
{
    SSL_CTX *own = context_of(name, &of_app, request_peers);
    int error = tls_names_add(to, name, app, own);
    SSL_CTX_free(own);
    return error;
}

static int set_up(void **state)
{
    (void)state;
    ca_key = certificate_make_key();
    ca = certificate_make_ca(ca_key, NOW);
    server = context_of("localhost", NULL, true);
    return add(server, "shop.example.com", "shop", false) || add(server, "forum.example.com", "forum", true);
}

static int tear_down(void **state)
{
    (void)state;
    SSL_CTX_free(server);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    return tls_names_memory() == 0 ? 0 : -1;
}

struct pair {
    SSL *server, *client;
    bool asked; /* for a certificate */
};

static int on_asked(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    (void)certificate, (void)key;
    ((struct pair *)SSL_get_app_data(ssl))->asked = true;
    return 0;
}

/* A handshake with this name; then_name: another for the second ClientHello, which the groups lead to. NULL: none. */
static void shake(struct pair *p, const char *name, const char *groups, const char *then_name)
{
    BIO *server_end, *client_end;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    *p = (struct pair){0};
    assert_int_equal(BIO_new_bio_pair(&server_end, WIRE, &client_end, WIRE), 1);
    assert_int_equal(SSL_CTX_set1_groups_list(context, groups), 1);
    SSL_CTX_set_client_cert_cb(context, on_asked);
    p->server = SSL_new(server);
    p->client = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_app_data(p->client, p);
    SSL_set_accept_state(p->server);
    SSL_set_connect_state(p->client);
    SSL_set_bio(p->server, server_end, server_end);
    SSL_set_bio(p->client, client_end, client_end);
    if (name)
        SSL_set_tlsext_host_name(p->client, name);
    int done_server = 0, done_client = 0;
    for (int i = 0; i < 6 && (done_server != 1 || done_client != 1); i++) {
        done_client = SSL_do_handshake(p->client);
        if (i == 0 && then_name)
            SSL_set_tlsext_host_name(p->client, (char *)(*then_name ? then_name : NULL));
        done_server = SSL_do_handshake(p->server);
    }
    ERR_clear_error();
    assert_true(done_server == 1 && done_client == 1);
}

static void end(struct pair *p)
{
    SSL_free(p->server);
    SSL_free(p->client);
}

/* What the client was shown, and the server thinks that it was. */
static void shows(struct pair *p, const char *name, const char *app)
{
    X509 *leaf = SSL_get0_peer_certificate(p->client);
    assert_int_equal(X509_check_host(leaf, name, 0, 0, NULL), 1);
    assert_int_equal(X509_cmp(leaf, SSL_get_certificate(p->server)), 0);
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(p->client)), 2);
    if (app)
        assert_string_equal(tls_names_app(p->server), app);
    else
        assert_null(tls_names_app(p->server));
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *shown, *app;
    } cases[] = {
        {"shop.example.com", "shop.example.com", "shop"},
        {"SHOP.Example.com", "shop.example.com", "shop"},
        {"forum.example.com", "forum.example.com", "forum"},
        {NULL, "localhost", NULL},
        {"localhost", "localhost", NULL},
        {"other.example.com", "localhost", NULL},
        {"shop.example.com.", "localhost", NULL},
        {"a.shop.example.com", "localhost", NULL},
        {"shop.example.co", "localhost", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        shake(&p, cases[i].asked, "X25519", NULL);
        shows(&p, cases[i].shown, cases[i].app);
        end(&p);
    }
}

/* What the second ClientHello says counts, whatever was chosen by the first. */
static void test_asked_twice(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        {"shop.example.com", "shop.example.com", "shop.example.com", "shop"},
        {"shop.example.com", "forum.example.com", "forum.example.com", "forum"},
        {"shop.example.com", "", "localhost", NULL},
        {"shop.example.com", "other.example.com", "localhost", NULL},
        {"other.example.com", "shop.example.com", "shop.example.com", "shop"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        shake(&p, cases[i][0], "P-521:P-384", cases[i][1]); /* asked for another share */
        assert_string_equal(SSL_get0_group_name(p.server), "secp384r1");
        shows(&p, cases[i][2], cases[i][3]);
        assert_true(p.asked == (cases[i][3] == NULL || strcmp(cases[i][3], "forum") == 0));
        end(&p);
    }
}

/* Only where the name's own context wants it, though the server's does. */
static void test_peers(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost", "forum.example.com", "shop.example.com"};
    for (size_t i = 0; i < 3; i++) {
        struct pair p;
        shake(&p, names[i], "X25519", NULL);
        assert_true(p.asked == (i < 2));
        end(&p);
    }
}

static bool has(const X509 *leaf, const char *oid, const uint8_t *value, int size)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int at = X509_get_ext_by_OBJ(leaf, object, -1);
    ASN1_OBJECT_free(object);
    if (at < 0)
        return false;
    const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(X509_get_ext((X509 *)leaf, at));
    return !value ||
           (ASN1_STRING_length(data) == size && memcmp(ASN1_STRING_get0_data(data), value, (size_t)size) == 0);
}

/* The app's own extensions in the place of those that all apps share. */
static void test_leaf(void **state)
{
    (void)state;
#define ARC "1.3.6.1.4.1.65230."
    static const char *const shared[] = {ARC "2.1", ARC "2.4", ARC "2.5"};
    static const char *const both[] = {
        "1.2.840.113741.1.13.1.0", ARC "1.1", ARC "4.1", ARC "4.2", ARC "4.3", ARC "4.4"};
    char subject[200];
    struct pair p, q;
    shake(&p, "shop.example.com", "X25519", NULL);
    shake(&q, NULL, "X25519", NULL);
    const X509 *own = SSL_get0_peer_certificate(p.client), *servers = SSL_get0_peer_certificate(q.client);
    assert_true(has(own, ARC "3.1", root, 32) && has(own, ARC "3.2", code, 32) && has(own, ARC "3.5", settings, 32));
    assert_true(has(own, ARC "3.6", id, 16) && has(own, ARC "3.4", (const uint8_t *)"generated", 9));
    assert_false(has(servers, ARC "3.1", NULL, 0) || has(servers, ARC "3.6", NULL, 0));
    for (size_t i = 0; i < 3; i++)
        assert_true(has(servers, shared[i], NULL, 0) && !has(own, shared[i], NULL, 0));
    for (size_t i = 0; i < sizeof both / sizeof *both; i++)
        assert_true(has(servers, both[i], NULL, 0) && has(own, both[i], NULL, 0));
    X509_NAME_oneline(X509_get_subject_name(own), subject, sizeof subject);
    assert_string_equal(subject, "/O=Enclave OS/CN=shop.example.com");
    end(&p);
    end(&q);
    /* a name that no CN can hold is in the SAN all the same */
    static const char name[] = "a123456789a123456789a123456789.b123456789b123456789b123456789.example.com";
    SSL_CTX *context = context_of(name, &of_app, false);
    X509 *leaf = SSL_CTX_get0_certificate(context);
    assert_int_equal(X509_check_host(leaf, name, 0, 0, NULL), 1);
    X509_NAME_oneline(X509_get_subject_name(leaf), subject, sizeof subject);
    assert_string_equal(subject, "/O=Enclave OS/CN=Enclave OS");
    SSL_CTX_free(context);
}

/* No more than it is charged, up to the bound; and nothing when its context is gone. */
static void test_memory(void **state)
{
    (void)state;
    uint64_t before = tls_names_memory(), most = (TLS_NAMES_MEMORY - before) / TLS_NAME_COST;
    assert_int_equal(before, 2 * TLS_NAME_COST);
    SSL_CTX *many = context_of("localhost", NULL, false), *own = NULL;
    for (uint64_t i = 0; i < most; i++) {
        char name[32];
        sprintf(name, "n%u.example.com", (unsigned)i);
        assert_int_equal(add(many, name, "app", true), 0);
    }
    print_message("a name's context takes %zu bytes\n", name_bytes);
    assert_true(name_bytes > 0 && name_bytes <= TLS_NAME_COST);
    assert_int_not_equal(add(many, "one.more.example.com", "app", false), 0);
    SSL_CTX_free(own);
    SSL_CTX_free(many);
    assert_int_equal(tls_names_memory(), before);
    many = context_of("localhost", NULL, false);
    assert_int_equal(add(many, "one.more.example.com", "app", false), 0);
    SSL_CTX_free(many);
}

/* A connection keeps what its handshake showed, though all others have let go of it. */
static void test_outlived(void **state)
{
    (void)state;
    struct pair p;
    SSL_CTX *kept = server;
    server = context_of("localhost", NULL, false);
    assert_int_equal(add(server, "old.example.com", "old", false), 0);
    shake(&p, "old.example.com", "X25519", NULL);
    SSL_CTX_free(server);
    server = kept;
    shows(&p, "old.example.com", "old");
    end(&p);
    assert_int_equal(tls_names_memory(), 2 * TLS_NAME_COST);
}

int main(void)
{
    tls_memory_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),  cmocka_unit_test(test_asked_twice),
                                       cmocka_unit_test(test_peers),  cmocka_unit_test(test_leaf),
                                       cmocka_unit_test(test_memory), cmocka_unit_test(test_outlived)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
