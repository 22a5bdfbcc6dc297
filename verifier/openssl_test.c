/*
 * The drop-in for OpenSSL clients, over real handshakes in memory: the right enclave is talked to, any other is not,
 * and the reasons are there afterwards. And fetching, from servers that do not behave.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "verifier/testing/fixture.h"
#include "verifier/verifier_fetch.h"
#include "verifier/verifier_openssl.h"

struct peers {
    struct fixture *fixture;
    struct verifier_policy *policy;
    SSL_CTX *server_ctx, *client_ctx;
    SSL *server, *client;
};

static struct peers open_peers(EVP_PKEY *key)
{
    struct peers p;
    struct fixture_options o = fixture_defaults();
    p.fixture = fixture_create(&o);
    p.policy = verifier_policy_create();
    assert_int_equal(verifier_policy_set_roots(p.policy, p.fixture->root_pem, strlen(p.fixture->root_pem)), 0);
    verifier_policy_set_time(p.policy, FIXTURE_NOW);
    verifier_policy_accept_any_instance(p.policy, true);
    p.server_ctx = SSL_CTX_new(TLS_server_method());
    p.client_ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(p.server_ctx, p.fixture->leaf), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(p.server_ctx, key), 1);
    assert_int_equal(verifier_openssl_use(p.client_ctx, p.policy, p.fixture->collateral), 0);
    p.server = p.client = NULL;
    return p;
}

/* A handshake over a pair of memory buffers; whether the client is satisfied. */
static bool handshake(struct peers *p)
{
    BIO *a, *b;
    SSL_free(p->server);
    SSL_free(p->client);
    p->server = SSL_new(p->server_ctx);
    p->client = SSL_new(p->client_ctx);
    assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    SSL_set_bio(p->server, a, a);
    SSL_set_bio(p->client, b, b);
    SSL_set_accept_state(p->server);
    SSL_set_connect_state(p->client);
    bool done = false;
    for (int i = 0; i < 20 && !done; i++) {
        SSL_do_handshake(p->client);
        SSL_do_handshake(p->server);
        done = SSL_is_init_finished(p->client) && SSL_is_init_finished(p->server);
    }
    ERR_clear_error();
    return done;
}

static void close_peers(struct peers *p)
{
    SSL_free(p->server);
    SSL_free(p->client);
    SSL_CTX_free(p->server_ctx);
    SSL_CTX_free(p->client_ctx);
    verifier_policy_destroy(p->policy);
    fixture_destroy(p->fixture);
}

static void test_drop_in(void **state)
{
    struct peers p = open_peers(fixture_leaf_key());
    assert_true(handshake(&p));
    const struct verifier_result *r = verifier_openssl_result(p.client);
    assert_true(verifier_result_ok(r));
    assert_true(verifier_result_claims(r)->has_merkle_root);
    assert_int_equal(SSL_get_verify_result(p.client), X509_V_OK);
    assert_null(verifier_openssl_result(p.server));

    uint8_t other[32] = {0};
    assert_int_equal(verifier_policy_add_mrenclave(p.policy, other), 0);
    assert_false(handshake(&p));
    r = verifier_openssl_result(p.client);
    assert_non_null(r);
    assert_false(verifier_result_ok(r));
    assert_int_equal(SSL_get_verify_result(p.client), X509_V_ERR_APPLICATION_VERIFICATION);
    assert_int_equal(verifier_openssl_use(p.client_ctx, p.policy, NULL), 0); /* set anew: the last one counts */
    assert_false(handshake(&p));
    close_peers(&p);
}

/* A program that anybody can run is not enough to send something to, unless the caller says so. */
static void test_whose(void **state)
{
    static const uint8_t instance[32] = {0x1d, 2, 3}, another[32] = {1};
    struct peers p = open_peers(fixture_leaf_key());
    struct fixture_options o = fixture_defaults();
    assert_int_equal(verifier_policy_add_mrenclave(p.policy, o.body.mrenclave), 0);
    verifier_policy_accept_any_instance(p.policy, false);
    assert_int_equal(verifier_openssl_use(p.client_ctx, p.policy, p.fixture->collateral), -EINVAL);
    assert_false(handshake(&p)); /* genuine, and the policy does not take that any more */
    assert_int_equal(verifier_result_verdict(verifier_openssl_result(p.client)), VERIFIER_GENUINE);
    assert_int_equal(verifier_policy_expect_instance(p.policy, instance), 0);
    assert_int_equal(verifier_openssl_use(p.client_ctx, p.policy, p.fixture->collateral), 0);
    assert_false(handshake(&p)); /* the leaf names no instance yet */
    p.fixture->numbered = true;
    X509 *leaf = fixture_leaf(p.fixture, &o, NULL, NULL, 0);
    assert_int_equal(SSL_CTX_use_certificate(p.server_ctx, leaf), 1);
    assert_true(handshake(&p));
    assert_int_equal(verifier_result_verdict(verifier_openssl_result(p.client)), VERIFIER_VERIFIED);
    X509_free(leaf);
    /* what only a manifest tells cannot be judged in a handshake */
    assert_int_equal(verifier_policy_expect_code(p.policy, "hello", another), 0);
    assert_int_equal(verifier_openssl_use(p.client_ctx, p.policy, p.fixture->collateral), -EINVAL);
    close_peers(&p);
}

/* ---- the manifest ---------------------------------------------------------------------------------------------- */

struct answering {
    SSL *ssl;
    const char *answer;
};

/* A server that reads one request's head and gives its answer, in two pieces. */
static void *answer(void *argument)
{
    struct answering *a = argument;
    char request[1024];
    size_t size = 0, n, half = strlen(a->answer) / 2;
    if (SSL_accept(a->ssl) == 1) {
        while (size < sizeof request - 1 && SSL_read_ex(a->ssl, request + size, sizeof request - 1 - size, &n) == 1) {
            size += n;
            request[size] = '\0';
            if (strstr(request, "\r\n\r\n"))
                break;
        }
        if (half > 0)
            SSL_write_ex(a->ssl, a->answer, half, &n);
        SSL_write_ex(a->ssl, a->answer + half, strlen(a->answer) - half, &n);
        SSL_shutdown(a->ssl);
    }
    shutdown(SSL_get_fd(a->ssl), SHUT_WR);
    return NULL;
}

static int ask(struct peers *p, const char *text, char **manifest, bool *reusable, char error[128])
{
    int fds[2];
    size_t size = 0;
    pthread_t thread;
    struct answering a = {SSL_new(p->server_ctx), text};
    SSL *client = SSL_new(p->client_ctx);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    SSL_set_fd(a.ssl, fds[0]);
    SSL_set_fd(client, fds[1]);
    assert_int_equal(pthread_create(&thread, NULL, answer, &a), 0);
    assert_int_equal(SSL_connect(client), 1);
    int result = verifier_openssl_manifest(client, "enclave.example:8443", manifest, &size, reusable, error, 128);
    assert_true(result != 0 || size == strlen(*manifest));
    close(fds[1]);
    pthread_join(thread, NULL);
    close(fds[0]);
    SSL_free(a.ssl);
    SSL_free(client);
    ERR_clear_error();
    return result;
}

static void test_manifest_over_a_connection(void **state)
{
    static const struct {
        const char *answer;
        int result;
        bool reusable;
        const char *text;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0, true, "{}"},
        {"HTTP/1.1 200 OK\r\ncontent-length:2\r\nConnection: close\r\n\r\n{}", 0, false, "{}"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200", -EBADMSG, false, NULL},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", -ENOENT, true, NULL},
        {"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nnone", -EPROTO, true, NULL},
        {"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", -EAGAIN, true, NULL},
        {"HTTP/1.1 429 Wait\r\nContent-Length: 4\r\n\r\nwait", -EAGAIN, true, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", -EIO, false, NULL},
        {"HTTP/1.1 200 OK\r\n\r\n{}", -EBADMSG, false, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n{}", -EBADMSG, false, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", -EBADMSG, false, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\n{}", -EBADMSG, false, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}", -EBADMSG, false, NULL},
        {"", -EIO, false, NULL},
        {"\r\n\r\n", -EBADMSG, false, NULL},
    };
    struct peers p = open_peers(fixture_leaf_key());
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *manifest = NULL, error[128] = "";
        bool reusable;
        int result = ask(&p, cases[i].answer, &manifest, &reusable, error);
        if (result != cases[i].result || reusable != cases[i].reusable)
            print_message("case %zu: %d, %d: %s\n", i, result, reusable, error);
        assert_int_equal(result, cases[i].result);
        assert_int_equal(reusable, cases[i].reusable);
        assert_true(result == 0 ? strcmp(manifest, cases[i].text) == 0 : !manifest && strlen(error) > 0);
        free(manifest);
    }
    close_peers(&p);
}

/* An answer that is cut, behind each of its bytes, is no answer: nothing is known of who was asked. */
static void test_cut(void **state)
{
    static const char *const whole[] = {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"a\":\"b\"}  ",
                                        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
                                        "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"};
    static const int results[] = {0, -ENOENT, -EAGAIN};
    struct peers p = open_peers(fixture_leaf_key());
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        for (size_t cut = 0; cut <= strlen(whole[i]); cut++) {
            char text[128], *manifest = NULL, error[128] = "";
            bool reusable;
            snprintf(text, sizeof text, "%.*s", (int)cut, whole[i]);
            int result = ask(&p, text, &manifest, &reusable, error);
            assert_int_equal(result, cut == strlen(whole[i]) ? results[i] : -EIO);
            assert_int_equal(verifier_no_answer(result), result == -EIO || result == -EAGAIN);
            assert_true(reusable == (cut == strlen(whole[i])));
            free(manifest);
        }
    }
    close_peers(&p);
}

/* The enclave's quote in the certificate of someone who has another key. */
static void test_stolen_quote(void **state)
{
    struct peers p = open_peers(fixture_leaf_key());
    EVP_PKEY *thief = EVP_EC_gen("P-256");
    X509 *copy = X509_dup(p.fixture->leaf);
    assert_true(X509_set_pubkey(copy, thief) && X509_sign(copy, thief, EVP_sha256()));
    SSL_CTX_free(p.server_ctx);
    p.server_ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(p.server_ctx, copy), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(p.server_ctx, thief), 1);
    assert_false(handshake(&p));
    const struct verifier_result *r = verifier_openssl_result(p.client);
    for (size_t i = 0; i < verifier_result_count(r); i++)
        assert_int_equal(verifier_result_check(r, i).outcome == VERIFIER_FAILED,
                         strcmp(verifier_result_check(r, i).name, "report data") == 0);
    X509_free(copy);
    EVP_PKEY_free(thief);
    close_peers(&p);
}

static void test_old_tls(void **state)
{
    struct peers p = open_peers(fixture_leaf_key());
    SSL_CTX_set_max_proto_version(p.server_ctx, TLS1_2_VERSION);
    assert_false(handshake(&p));
    close_peers(&p);
}

/* ---- fetching -------------------------------------------------------------------------------------------------- */

struct rude {
    int listener;
    const char *answer; /* to every request; NULL: nothing, ever */
    size_t size;
    bool endless;
    pthread_t thread;
};

static void *be_rude(void *argument)
{
    struct rude *r = argument;
    char request[4096];
    for (int fd; (fd = accept(r->listener, NULL, NULL)) >= 0; close(fd)) {
        if (recv(fd, request, sizeof request, 0) <= 0)
            continue;
        do {
            if (r->answer && send(fd, r->answer, r->size, MSG_NOSIGNAL) < 0)
                break;
        } while (r->endless);
        while (!r->answer && recv(fd, request, sizeof request, 0) > 0)
            ;
    }
    return NULL;
}

static int fetch_from(struct rude *r, char *error, size_t error_size, unsigned timeout_ms)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char url[64];
    struct fixture_options o = fixture_defaults();
    struct fixture *f = fixture_create(&o);
    struct verifier_collateral *c = verifier_collateral_create();
    r->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(r->listener, 8), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/sgx/certification/v4/", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&r->thread, NULL, be_rude, r), 0);
    struct verifier_fetch_options options = {.timeout_ms = timeout_ms};
    int result = verifier_collateral_fetch(c, url, f->quote, f->quote_size, &options, error, error_size);
    shutdown(r->listener, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->listener);
    verifier_collateral_destroy(c);
    fixture_destroy(f);
    return result;
}

static void test_rude_servers(void **state)
{
    static char filler[65536];
    memset(filler, 'x', sizeof filler);
#define ANSWER(text) .answer = text, .size = sizeof text - 1
    struct {
        struct rude server;
        int expected;
        const char *word;
    } cases[] = {
        {{ANSWER("HTTP/1.1 500 No\r\n\r\n")}, -ENOENT, "answers 500"},
        {{ANSWER("HTTP/1.1 302 Elsewhere\r\nLocation: http://127.0.0.1/\r\n\r\n")}, -ENOENT, "answers 302"},
        {{ANSWER("SSH-2.0-OpenSSH\r\n")}, -EBADMSG, "no HTTP head"},
        {{ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")}, -EBADMSG, "cut short"},
        {{ANSWER("HTTP/1.1 200 OK\r\n\r\n[]")}, -EBADMSG, "does not say how long it is"}, /* who knows what was cut */
        /* the second request wants a chain */
        {{ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")}, -EBADMSG, "issuers' chain"},
        {{ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTCB-Info-Issuer-Chain: %zz\r\n\r\n[]")},
         -EBADMSG,
         "issuers' chain"},
        {{.answer = filler, .size = sizeof filler, .endless = true}, -EFBIG, "too large"},
        {{.answer = NULL}, -ETIMEDOUT, "timed out"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[512] = "";
        unsigned timeout_ms = cases[i].server.answer ? 300000 : 100; /* only silence is to meet it */
        int result = fetch_from(&cases[i].server, error, sizeof error, timeout_ms);
        if (result != cases[i].expected || !strstr(error, cases[i].word))
            print_message("case %zu: %d, %s\n", i, result, error);
        assert_int_equal(result, cases[i].expected);
        assert_non_null(strstr(error, cases[i].word));
    }
}

static void test_bad_requests(void **state)
{
    char error[512];
    struct fixture_options o = fixture_defaults();
    struct fixture *f = fixture_create(&o);
    struct verifier_collateral *c = verifier_collateral_create();
    struct verifier_fetch_options no_ca = {.ca_file = "/nonexistent"};
    assert_int_equal(verifier_collateral_fetch(c, "http://127.0.0.1:1", "no", 2, NULL, error, sizeof error), -EINVAL);
    assert_int_equal(verifier_collateral_fetch_for(c, "http://127.0.0.1:1", "no", 2, NULL, error, sizeof error),
                     -EINVAL);
    assert_int_equal(verifier_collateral_fetch(c, "127.0.0.1", f->quote, f->quote_size, NULL, error, sizeof error),
                     -EINVAL);
    assert_int_equal(
        verifier_collateral_fetch(c, "https://127.0.0.1:1", f->quote, f->quote_size, &no_ca, error, sizeof error),
        -EINVAL);
    assert_int_equal(
        verifier_collateral_fetch(c, "http://127.0.0.1:1", f->quote, f->quote_size, NULL, error, sizeof error),
        -ECONNREFUSED);
    assert_int_equal(verifier_collateral_load(c, "/nonexistent", error, sizeof error), -ENOENT);
    assert_int_equal(verifier_collateral_save(f->collateral, "/nonexistent", error, sizeof error), -ENOENT);
    verifier_collateral_destroy(c);
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drop_in),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_manifest_over_a_connection),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_stolen_quote),
        cmocka_unit_test(test_old_tls),
        cmocka_unit_test(test_rude_servers),
        cmocka_unit_test(test_bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
