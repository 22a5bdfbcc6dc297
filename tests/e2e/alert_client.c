/*
 * Does the alert arrive? alert_client PORT: one connection for each way of breaking TLS 1.3 after and in the handshake.
 *
 * Records are made by hand, under the keys of a handshake that OpenSSL made, and many bytes that nobody will read
 * follow each: a server that closes its socket on them resets the connection. The alert is then read by OpenSSL.
 *
 * alert_client PORT ENDLESS ECHO: the same of clients that leave answers unread until every buffer on the way is full,
 * and read all of it then. ENDLESS is the path of an answer without end, ECHO of one that gives the body back.
 * Prints what is wrong; certificates are not checked.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define RECORD_MAX (16384 + 256)
#define GARBAGE_SIZE 100000u
#define PATIENCE_S 300    /* only finds out that nothing comes */
#define SMALL_BUFFER 4096 /* of the kernel's, for what is not read */
#define STILL_MS 20
#define STILL_TIMES 20     /* nothing has come for so long: everything is full, or nearly */
#define KEY_UPDATES_MAX 32 /* in a row, as the server has it */

enum { HANDSHAKE = 22, ALERT = 21, DATA = 23, CHANGE_CIPHER = 20 };

static int failed;
static uint8_t secret[64];
static size_t secret_size;

static void fail(const char *what)
{
    fprintf(stderr, "alert_client: %s\n", what);
    exit(1);
}

static void on_keylog(const SSL *ssl, const char *line)
{
    static const char label[] = "CLIENT_TRAFFIC_SECRET_0 ";
    (void)ssl;
    if (strncmp(line, label, sizeof label - 1) != 0)
        return;
    const char *hex = strrchr(line, ' ') + 1;
    secret_size = strlen(hex) / 2;
    for (size_t i = 0; i < secret_size && i < sizeof secret; i++)
        sscanf(hex + 2 * i, "%2hhx", &secret[i]);
}

static int dial_with(int port, int receive_buffer)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {PATIENCE_S, 0};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("cannot connect");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static int dial(int port)
{
    return dial_with(port, 0);
}

/* HKDF-Expand-Label with an empty context. */
static void expand(const EVP_MD *md, const char *label, uint8_t *out, size_t size)
{
    uint8_t info[64] = {0, (uint8_t)size, (uint8_t)(6 + strlen(label))};
    size_t at = 3;
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, strlen(label));
    at += 6 + strlen(label) + 1; /* and a context of no bytes */
    EVP_PKEY_CTX *kdf = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    if (EVP_PKEY_derive_init(kdf) != 1 || EVP_PKEY_CTX_set_hkdf_mode(kdf, EVP_PKEY_HKDEF_MODE_EXPAND_ONLY) != 1 ||
        EVP_PKEY_CTX_set_hkdf_md(kdf, md) != 1 || EVP_PKEY_CTX_set1_hkdf_key(kdf, secret, (int)secret_size) != 1 ||
        EVP_PKEY_CTX_add1_hkdf_info(kdf, info, (int)at) != 1 || EVP_PKEY_derive(kdf, out, &size) != 1)
        fail("HKDF");
    EVP_PKEY_CTX_free(kdf);
}

/* One protected record, the first of the connection after the handshake: content, then its type. Returns its size. */
static size_t protect(SSL *ssl, const uint8_t *content, size_t size, uint8_t type, uint8_t *record)
{
    const EVP_MD *md = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(ssl));
    const EVP_CIPHER *cipher = EVP_get_cipherbynid(SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(ssl)));
    uint8_t key[32], iv[12];
    size_t total = size + 1 + 16;
    int n;
    expand(md, "key", key, (size_t)EVP_CIPHER_get_key_length(cipher));
    expand(md, "iv", iv, sizeof iv); /* the record's number is 0 */
    record[0] = DATA;
    record[1] = record[2] = 3;
    record[3] = (uint8_t)(total >> 8);
    record[4] = (uint8_t)total;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (EVP_EncryptInit_ex(c, cipher, NULL, key, iv) != 1 || EVP_EncryptUpdate(c, NULL, &n, record, 5) != 1 ||
        EVP_EncryptUpdate(c, record + 5, &n, content, (int)size) != 1 ||
        EVP_EncryptUpdate(c, record + 5 + size, &n, &type, 1) != 1 ||
        EVP_EncryptFinal_ex(c, record + 5 + size + 1, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, record + 5 + size + 1) != 1)
        fail("cannot encrypt");
    EVP_CIPHER_CTX_free(c);
    return 5 + total;
}

static void send_all(int fd, const void *data, size_t size)
{
    static const uint8_t garbage[GARBAGE_SIZE];
    if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
        fail("a record was not taken");
    for (size_t sent = 0; sent < sizeof garbage;) { /* taken whole: the server reads until we close */
        ssize_t n = send(fd, garbage + sent, sizeof garbage - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            printf("reset while the server should have read on: ");
            return;
        }
        sent += (size_t)n;
    }
}

static void expect(const char *what, SSL *ssl, int result, int alert)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    if (result <= 0 && SSL_get_error(ssl, result) == SSL_ERROR_SSL && reason == SSL_AD_REASON_OFFSET + alert) {
        printf("ok: %s: alert %d\n", what, alert);
    } else {
        printf("FAILED: %s: expected alert %d, got %d, error %d: %s\n", what, alert, result, SSL_get_error(ssl, result),
               ERR_error_string(ERR_peek_last_error(), NULL));
        failed = 1;
    }
    ERR_clear_error();
}

static SSL *connected_with(SSL_CTX *context, int port, int receive_buffer)
{
    ERR_clear_error(); /* of connections before: SSL_get_error would take them for this one's */
    SSL *ssl = SSL_new(context);
    if (!ssl || !SSL_set_fd(ssl, dial_with(port, receive_buffer)) || SSL_connect(ssl) != 1)
        fail("no handshake");
    return ssl;
}

static SSL *connected(SSL_CTX *context, int port)
{
    return connected_with(context, port, 0);
}

static void hang_up(SSL *ssl)
{
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
}

/* Raw bytes after the handshake. */
static void raw(SSL_CTX *context, int port, const char *what, const uint8_t *record, size_t size, int alert)
{
    uint8_t byte;
    SSL *ssl = connected(context, port);
    send_all(SSL_get_fd(ssl), record, size);
    int result = SSL_read(ssl, &byte, 1);
    expect(what, ssl, result, alert);
    hang_up(ssl);
}

static void protected(SSL_CTX *context, int port, const char *what, const void *content, size_t size, uint8_t type,
                      int alert)
{
    static uint8_t record[RECORD_MAX + 1024];
    uint8_t byte;
    SSL *ssl = connected(context, port);
    send_all(SSL_get_fd(ssl), record, protect(ssl, content, size, type, record));
    int result = SSL_read(ssl, &byte, 1);
    expect(what, ssl, result, alert);
    hang_up(ssl);
}

static void after_the_handshake(SSL_CTX *context, int port)
{
    static uint8_t big[RECORD_MAX + 5], many[16385];
    static const uint8_t unencrypted[] = {HANDSHAKE, 3, 3, 0, 5, 24, 0, 0, 1, 0};
    static const uint8_t change_cipher[] = {CHANGE_CIPHER, 3, 3, 0, 1, 1};
    static const uint8_t key_update_2[] = {24, 0, 0, 1, 2}, key_update_empty[] = {24, 0, 0, 0};
    static const uint8_t hello[44] = {1, 0, 0, 40, 3, 3}, finished[36] = {20, 0, 0, 32};
    static const uint8_t unknown[] = {99, 0, 0, 1, 0}, ticket[] = {4, 0, 0, 1, 0};
    memcpy(big, (uint8_t[]){DATA, 3, 3, 0, 64}, 5);
    raw(context, port, "a record with a wrong MAC", big, 5 + 64, 20);
    memcpy(big, (uint8_t[]){DATA, 3, 3, 0x41, 1}, 5);
    raw(context, port, "a record of more than 2^14 + 256 bytes", big, 5 + 0x4101, 22);
    raw(context, port, "an unencrypted record", unencrypted, sizeof unencrypted, 10);
    raw(context, port, "a change of cipher", change_cipher, sizeof change_cipher, 10);
    protected(context, port, "more than 2^14 bytes within", many, sizeof many, DATA, 22);
    protected(context, port, "a KeyUpdate of 2", key_update_2, sizeof key_update_2, HANDSHAKE, 47);
    protected(context, port, "a KeyUpdate of nothing", key_update_empty, sizeof key_update_empty, HANDSHAKE, 50);
    protected(context, port, "a ClientHello", hello, sizeof hello, HANDSHAKE, 10);
    protected(context, port, "a Finished", finished, sizeof finished, HANDSHAKE, 10);
    protected(context, port, "a NewSessionTicket from a client", ticket, sizeof ticket, HANDSHAKE, 10);
    protected(context, port, "a message that does not exist", unknown, sizeof unknown, HANDSHAKE, 10);
    protected(context, port, "a content type that does not exist", unknown, sizeof unknown, 77, 10);
    protected(context, port, "an empty handshake record", "", 0, HANDSHAKE, 10);
    protected(context, port, "a record of padding only", "", 0, 0, 10);
    protected(context, port, "an alert of one byte", "\1", 1, ALERT, 10);
}

static void in_the_handshake(SSL_CTX *context, int port)
{
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, dial(port));
    SSL_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
    expect("TLS 1.2", ssl, SSL_connect(ssl), 70);
    hang_up(ssl);

    uint8_t answer[7];
    static const uint8_t finished[] = {HANDSHAKE, 3, 1, 0, 4, 20, 0, 0, 0};
    int fd = dial(port);
    send_all(fd, finished, sizeof finished);
    ssize_t n = recv(fd, answer, sizeof answer, MSG_WAITALL);
    if (n == 7 && answer[0] == ALERT && answer[5] == 2 && answer[6] == 10) {
        printf("ok: Finished first: alert 10\n");
    } else {
        printf("FAILED: Finished first: %zd bytes, alert %d\n", n, n == 7 ? answer[6] : -1);
        failed = 1;
    }
    close(fd);
}

/* So many KeyUpdates in a row. */
static void key_updates(SSL *ssl, int count, int type)
{
    while (count-- > 0)
        if (SSL_key_update(ssl, type) != 1 || SSL_do_handshake(ssl) != 1)
            fail("a KeyUpdate was not taken");
}

static void ask(SSL *ssl, const char *request)
{
    if (SSL_write(ssl, request, (int)strlen(request)) != (int)strlen(request))
        fail("a request was not taken");
}

/* As many as there may be, data in between, as many again; then one too many. */
static void too_many_key_updates(SSL_CTX *context, int port, int type, const char *what)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    char answer[4096];
    SSL *ssl = connected(context, port);
    for (int round = 0; round < 2; round++) {
        key_updates(ssl, KEY_UPDATES_MAX, type);
        ask(ssl, request);
        if (SSL_read(ssl, answer, sizeof answer) <= 0) {
            printf("FAILED: %s: ended with %d of them, round %d\n", what, KEY_UPDATES_MAX, round);
            failed = 1;
        }
    }
    key_updates(ssl, KEY_UPDATES_MAX + 1, type);
    send_all(SSL_get_fd(ssl), "", 0);
    int result = SSL_read(ssl, answer, sizeof answer);
    expect(what, ssl, result, 10);
    hang_up(ssl);
}

/* Until nothing more comes in, which nobody reads. */
static void fill_up(int fd)
{
    int waiting = -1, still = 0;
    while (still < STILL_TIMES) {
        int before = waiting;
        poll(NULL, 0, STILL_MS);
        if (ioctl(fd, FIONREAD, &waiting) != 0)
            fail("FIONREAD");
        still = waiting > 0 && waiting == before ? still + 1 : 0;
    }
}

/* What was left unread, and then how the connection ends. */
static int read_to_the_end(SSL *ssl, size_t *total)
{
    static char piece[16384];
    int result;
    for (*total = 0; (result = SSL_read(ssl, piece, sizeof piece)) > 0;)
        *total += (size_t)result;
    return result;
}

static SSL *full(SSL_CTX *context, int port, const char *path)
{
    char request[256];
    SSL *ssl = connected_with(context, port, SMALL_BUFFER);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    ask(ssl, request);
    fill_up(SSL_get_fd(ssl));
    return ssl;
}

static void expect_behind_all(const char *what, SSL *ssl, int alert)
{
    size_t total;
    int result = read_to_the_end(ssl, &total);
    expect(what, ssl, result, alert);
    printf("    behind %zu bytes that were unread\n", total);
    hang_up(ssl);
}

/* The whole of an answer in its order, and a close_notify behind it, wherever in the ring it comes to stand. */
static void closed_with_notice(SSL_CTX *context, int port, const char *path, size_t size)
{
    static char body[1 << 20];
    char head[256];
    size_t total;
    SSL *ssl = connected_with(context, port, SMALL_BUFFER);
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", path,
             size);
    ask(ssl, head);
    if (SSL_write(ssl, body, (int)size) != (int)size)
        fail("a body was not taken");
    fill_up(SSL_get_fd(ssl));
    int result = read_to_the_end(ssl, &total);
    if (SSL_get_error(ssl, result) != SSL_ERROR_ZERO_RETURN || total < size) {
        printf("FAILED: an answer of %zu bytes ended after %zu without a close_notify\n", size, total);
        failed = 1;
    }
    ERR_clear_error();
    hang_up(ssl);
}

static void unread(SSL_CTX *context, int port, const char *endless, const char *echo)
{
    static uint8_t wrong[5 + 64] = {DATA, 3, 3, 0, 64};
    SSL *ssl = full(context, port, endless);
    send_all(SSL_get_fd(ssl), wrong, sizeof wrong);
    expect_behind_all("a wrong MAC, while nothing is read", ssl, 20);
    ssl = full(context, port, endless);
    key_updates(ssl, KEY_UPDATES_MAX + 1, SSL_KEY_UPDATE_NOT_REQUESTED);
    send_all(SSL_get_fd(ssl), "", 0);
    expect_behind_all("KeyUpdates, while nothing is read", ssl, 10);
    for (size_t size = 40000; size < 200000; size += 15013)
        closed_with_notice(context, port, echo, size);
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 4)
        fail("usage: alert_client PORT [ENDLESS ECHO]");
    signal(SIGPIPE, SIG_IGN);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_keylog_callback(context, on_keylog);
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    if (argc == 4) {
        unread(context, atoi(argv[1]), argv[2], argv[3]);
    } else {
        after_the_handshake(context, atoi(argv[1]));
        in_the_handshake(context, atoi(argv[1]));
        too_many_key_updates(context, atoi(argv[1]), SSL_KEY_UPDATE_NOT_REQUESTED, "33 KeyUpdates in a row");
        too_many_key_updates(context, atoi(argv[1]), SSL_KEY_UPDATE_REQUESTED, "33 that want an answer");
    }
    SSL_CTX_free(context);
    return failed;
}
