/*
 * crowd_client PORT COUNT STATE...: COUNT connections, in turn in these states, and nothing more is done with them.
 * Says "ready" on standard output when all of them are, and ends, with what it has seen, when standard input does:
 * "lost N": so many of them had been ended by the server.
 *
 *   open    connected, and not a byte
 *   hello   half a ClientHello, in one record, that says it has as many bytes as OpenSSL would take
 *   tiny    the same in records of one byte
 *   idle    one request, answered
 *   record  behind the handshake, all but the end of a TLS record
 *   head    all but the end of a request's head, as large as it may be
 *   trailer a chunked body's trailers, likewise
 *   chunk   a chunk's extension, likewise
 *   unread  pipelined requests whose answers are not read
 *   /path   a request for it, whose answer is not read
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define HEAD_MAX 65536u
static uint16_t port;
static SSL_CTX *context;

static int connect_to(int receive_buffer)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (receive_buffer)
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("connect");
        exit(2);
    }
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* or each waits for a delayed acknowledgement */
    return s;
}

/* As much as is taken. */
static void send_raw(int s, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        ssize_t sent = send(s, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd wait = {.fd = s, .events = POLLOUT};
        if (sent < 0 && (errno != EAGAIN || poll(&wait, 1, 2000) <= 0))
            return;
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        }
    }
}

static void hello(int s, size_t record)
{
    static const uint8_t begin[] = {1, 2, 1, 0x44, 3, 3}; /* a ClientHello of 131,396 bytes */
    uint8_t text[12000] = {0}, out[sizeof text * 6];
    size_t size = 0;
    memcpy(text, begin, sizeof begin);
    for (size_t at = 0; at < sizeof text; at += record) {
        size_t part = sizeof text - at < record ? sizeof text - at : record;
        const uint8_t head[] = {0x16, 3, 1, (uint8_t)(part >> 8), (uint8_t)part};
        memcpy(out + size, head, sizeof head);
        memcpy(out + size + sizeof head, text + at, part);
        size += sizeof head + part;
    }
    send_raw(s, out, size);
}

static SSL *tls_on(int s)
{
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, s);
    if (SSL_connect(tls) != 1) {
        SSL_free(tls);
        return NULL; /* it is being cut already */
    }
    return tls;
}

static void send_text(SSL *tls, const char *text, size_t size)
{
    fcntl(SSL_get_fd(tls), F_SETFL, O_NONBLOCK);
    for (size_t at = 0; at < size;) {
        int sent = SSL_write(tls, text + at, (int)(size - at < 16000 ? size - at : 16000));
        struct pollfd wait = {.fd = SSL_get_fd(tls), .events = POLLOUT};
        if (sent <= 0 && (SSL_get_error(tls, sent) != SSL_ERROR_WANT_WRITE || poll(&wait, 1, 1000) <= 0))
            return;
        at += sent > 0 ? (size_t)sent : 0;
    }
}

/* A start, and then one line's worth of the same letter up to what is just allowed. */
static void send_long(SSL *tls, const char *start, size_t size)
{
    static char text[HEAD_MAX];
    size_t begun = strlen(start);
    memset(text, 'x', sizeof text);
    memcpy(text, start, begun);
    send_text(tls, text, size);
}

#define HEAD "POST /echo/ HTTP/1.1\r\nHost: h\r\n" /* an app that reads: it is not answered before */
static void act(int s, SSL *tls, const char *state)
{
    static const char get[] = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    char answer[1024];
    if (!strcmp(state, "idle")) {
        SSL_write(tls, get, sizeof get - 1);
        SSL_read(tls, answer, sizeof answer);
    } else if (!strcmp(state, "record")) {
        uint8_t record[16000] = {0x17, 3, 3, 0x40, 0x11};
        send_raw(s, record, sizeof record);
    } else if (!strcmp(state, "head")) {
        send_long(tls, HEAD "x: ", HEAD_MAX - 200);
    } else if (!strcmp(state, "trailer")) {
        send_long(tls, HEAD "transfer-encoding: chunked\r\n\r\n0\r\nx: ", HEAD_MAX - 400);
    } else if (!strcmp(state, "chunk")) {
        send_long(tls, HEAD "transfer-encoding: chunked\r\n\r\n1;x=", HEAD_MAX - 400);
    } else if (state[0] == '/') {
        int size = snprintf(answer, sizeof answer, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", state);
        send_text(tls, answer, (size_t)size);
    } else {
        static char many[(sizeof get - 1) * 2000];
        for (size_t i = 0; i < 2000; i++)
            memcpy(many + i * (sizeof get - 1), get, sizeof get - 1);
        send_text(tls, many, sizeof many);
    }
}

static bool ended(int s)
{
    char byte[4096];
    ssize_t got;
    while ((got = recv(s, byte, sizeof byte, MSG_DONTWAIT)) > 0)
        ;
    return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    port = (uint16_t)atoi(argv[1]);
    int count = atoi(argv[2]), lost = 0, *sockets = calloc((size_t)count, sizeof *sockets);
    struct rlimit files = {(rlim_t)count + 64, (rlim_t)count + 64};
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    for (int i = 0; i < count; i++) {
        const char *state = argv[3 + i % (argc - 3)];
        int s = sockets[i] = connect_to(strcmp(state, "unread") && state[0] != '/' ? 0 : 4096);
        if (!strcmp(state, "open"))
            continue;
        if (!strcmp(state, "hello") || !strcmp(state, "tiny")) {
            hello(s, strcmp(state, "tiny") ? 12000 : 1);
            continue;
        }
        SSL *tls = tls_on(s);
        if (tls)
            act(s, tls, state);
        SSL_free(tls); /* without a close_notify, and the socket stays */
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    for (int i = 0; i < count; i++)
        lost += ended(sockets[i]);
    printf("lost %d\n", lost);
    return 0;
}
