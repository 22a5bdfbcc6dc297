/*
 * The collateral's responder over real sockets: requests in one piece and byte by byte, junk, more clients than it has
 * places for, and stopping with clients left. And a quote's collateral, from the machine's folder and from that
 * responder. Also run under the sanitizers.
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
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/bytes.h"
#include "host/net/collateral.h"
#include "host/net/quote_collateral.h"
#include "sgx/quote/pki.h"
#include "sgx/quote/quote.h"
#include "verifier/testing/fixture.h"

static char folder[64];
static struct collateral_server *server;
static struct sockaddr_in address;

static int report_key(const uint8_t targetinfo[512], const uint8_t keyid[32], uint8_t key[16])
{
    (void)targetinfo, (void)keyid;
    memset(key, 7, 16);
    return 0;
}

static int setup(void **state)
{
    char error[256];
    struct quote_backend *quoting;
    socklen_t size = sizeof address;
    strcpy(folder, "/tmp/collateral_test_XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(quote_simulation_create(folder, report_key, &quoting, error, sizeof error), 0);
    quote_destroy(quoting);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    server = collateral_server_start(listener, folder);
    assert_non_null(server);
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    collateral_server_stop(server);
    collateral_server_stop(NULL);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 300};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* The answer to a request that is sent in pieces of the given size; valid until the next call. */
static const char *ask(const char *request, size_t size, size_t piece)
{
    static char answer[65536];
    int fd = dial();
    for (size_t i = 0; i < size; i += piece)
        if (send(fd, request + i, size - i < piece ? size - i : piece, MSG_NOSIGNAL) < 0)
            break; /* refused already */
    size_t received = 0;
    for (ssize_t n; (n = recv(fd, answer + received, sizeof answer - 1 - received, 0)) > 0;)
        received += (size_t)n;
    answer[received] = '\0';
    close(fd);
    return answer;
}

static void expect(const char *request, const char *start, const char *part)
{
    for (size_t piece = strlen(request); piece > 0; piece /= 17) {
        const char *answer = ask(request, strlen(request), piece);
        assert_int_equal(strncmp(answer, start, strlen(start)), 0);
        assert_non_null(strstr(answer, part));
    }
}

#define END " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_documents(void **state)
{
    expect("GET /sgx/certification/v4/tcb?fmspc=53494D000001" END, "HTTP/1.1 200", "{\"tcbInfo\":{\"id\":\"SGX\"");
    expect("GET /sgx/certification/v4/tcb?a=b&fmspc=53494d000001&c" END, "HTTP/1.1 200", "BEGIN%20CERTIFICATE");
    expect("GET /sgx/certification/v4/qe/identity?update=standard" END, "HTTP/1.1 200", "\"enclaveIdentity\"");
    expect("GET /sgx/certification/v4/pckcrl?ca=platform" END, "HTTP/1.1 200", "-----BEGIN X509 CRL-----");
    expect("GET /sgx/certification/v4/rootcacrl" END, "HTTP/1.1 200", "\r\n\r\n3082");
    static const char *const absent[] = {
        "/",
        "/sgx/certification/v4/",
        "/sgx/certification/v4",
        "/sgx/certification/v4/tcb",
        "/sgx/certification/v4/tcb?fmspc=",
        "/sgx/certification/v4/tcb?xfmspc=53494d000001",
        "/sgx/certification/v4/pckcrl?ca=processor",
        "/sgx/certification/v4/../root.key",
        "/sgx/certification/v4/root.key",
        "/sgx/certification/v4/"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        char request[256];
        snprintf(request, sizeof request, "GET %s" END, absent[i]);
        expect(request, "HTTP/1.1 404", "Content-Length: 0");
    }
}

static void test_junk(void **state)
{
    static char large[8192];
    memset(large, 'x', sizeof large);
    expect("POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 400", "");
    expect("GET /\r\n\r\n", "HTTP/1.1 400", "");
    expect("\r\n\r\n", "HTTP/1.1 400", "");
    expect("GET / HTTP/2\r\n\r\n", "HTTP/1.1 400", "");
    const char *answer = ask(large, sizeof large, sizeof large); /* may be reset before it is read */
    assert_true(answer[0] == '\0' || strncmp(answer, "HTTP/1.1 400", 12) == 0);
    answer = ask("GET /\0 HTTP/1.1\r\n\r\n", 19, 19);
    assert_true(answer[0] == '\0' || strncmp(answer, "HTTP/1.1 400", 12) == 0);
}

/* Twenty who say nothing take all places; who comes after them is answered when their patience is spent. */
static void test_idle_clients(void **state)
{
    int idle[20];
    for (int i = 0; i < 20; i++)
        idle[i] = dial();
    static const char request[] = "GET /sgx/certification/v4/qe/identity" END;
    assert_non_null(strstr(ask(request, sizeof request - 1, sizeof request), "enclaveIdentity"));
    for (int i = 0; i < 20; i++)
        close(idle[i]);
    for (int i = 0; i < 10; i++) /* left open for teardown, which must not wait for them */
        assert_true(dial() >= 0);
}

/* ---- a quote's collateral ---- */

/* One of this platform's, or of another. */
static struct fixture *make_world(bool ours)
{
    struct fixture_options options = fixture_defaults();
    if (ours)
        memcpy(options.platform.fmspc, SIMULATION_FMSPC, 6);
    return fixture_create(&options);
}

static const uint8_t *document(struct bytes_reader *documents, size_t *size)
{
    const uint8_t *data = bytes_take_blob(documents, size);
    assert_true(data && *size > 100);
    return data;
}

/* The six, of which texts and chains are the same wherever they come from. */
static void expect_documents(const struct quote_collateral_source *source)
{
    static const char *const starts[] = {"{\"tcbInfo\"", "-----BEGIN C", "{\"enclaveIdentity\"", "-----BEGIN C"};
    struct fixture *world = make_world(true);
    char error[256] = "";
    uint8_t *answer = NULL;
    size_t answer_size, size;
    int result =
        quote_collateral_get(source, world->quote, world->quote_size, &answer, &answer_size, error, sizeof error);
    assert_string_equal(error, result == 0 ? error : "");
    struct bytes_reader documents = bytes_reader_make(answer, answer_size);
    for (int i = 0; i < 4; i++)
        assert_memory_equal(document(&documents, &size), starts[i], strlen(starts[i]));
    document(&documents, &size);
    document(&documents, &size);
    assert_true(bytes_reader_complete(&documents));
    free(answer);
    fixture_destroy(world);
}

static void expect_none(const struct quote_collateral_source *source, bool ours, int expected, const char *word)
{
    struct fixture *world = make_world(ours);
    char error[256] = "";
    uint8_t *answer = NULL;
    size_t size;
    int result = quote_collateral_get(source, world->quote, world->quote_size, &answer, &size, error, sizeof error);
    assert_int_equal(result, expected);
    assert_null(answer);
    if (!strstr(error, word))
        fail_msg("'%s' is not in '%s'", word, error);
    fixture_destroy(world);
}

static void test_quote_collateral(void **state)
{
    char url[64], nobody[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    expect_documents(&(struct quote_collateral_source){.machine_dir = folder});
    expect_documents(&(struct quote_collateral_source){.pccs = url});
    expect_none(&(struct quote_collateral_source){0}, true, -ENOENT, "no --pccs");
    expect_none(&(struct quote_collateral_source){.pccs = url}, false, -ENOENT, "the server answers 404");
    expect_none(&(struct quote_collateral_source){.machine_dir = "/nonexistent"}, true, -ENOENT, "no collateral there");
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, and nobody listens */
    struct sockaddr_in silent = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof silent;
    assert_int_equal(bind(listener, (struct sockaddr *)&silent, sizeof silent), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&silent, &size), 0);
    snprintf(nobody, sizeof nobody, "http://127.0.0.1:%u", ntohs(silent.sin_port));
    expect_none(&(struct quote_collateral_source){.pccs = nobody}, true, -ECONNREFUSED, "refused");
    close(listener);
}

static void test_urls(void **state)
{
    assert_true(quote_collateral_is_url("https://pccs.example:8081"));
    assert_true(quote_collateral_is_url("http://127.0.0.1:1/sgx/certification/v4"));
    assert_false(quote_collateral_is_url("pccs.example:8081"));
    assert_false(quote_collateral_is_url("ftp://pccs.example"));
    assert_false(quote_collateral_is_url(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents), cmocka_unit_test(test_junk),         cmocka_unit_test(test_quote_collateral),
        cmocka_unit_test(test_urls),      cmocka_unit_test(test_idle_clients),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
