/*
 * A client that uploads for as long as it is let, reads nothing of the answer, and goes with a reset:
 * rude_client PORT PATH CONNECTIONS
 *
 * With an echo behind it the answer fills its ring, the guest stops, and the upload backs up: at the reset every
 * buffer on the way is full. Certificates are not checked.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define STUCK_MS 150 /* without progress: everything is full */

static int fail(const char *what)
{
    fprintf(stderr, "rude_client: %s\n", what);
    exit(1);
}

static SSL *dial(SSL_CTX *context, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("cannot connect");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    SSL *ssl = SSL_new(context);
    if (!ssl || !SSL_set_fd(ssl, fd) || SSL_connect(ssl) != 1)
        fail("no handshake");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return ssl;
}

/* Upload until nothing moves any more. */
static void upload(SSL *ssl, const char *path)
{
    static char piece[16384];
    char head[256];
    int size = snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n", path);
    if (SSL_write(ssl, head, size) != size)
        fail("the request was not taken");
    for (;;) {
        struct pollfd p = {.fd = SSL_get_fd(ssl), .events = POLLOUT};
        if (SSL_write(ssl, piece, sizeof piece) <= 0 && poll(&p, 1, STUCK_MS) == 0)
            return;
    }
}

int main(int argc, char **argv)
{
    static SSL *all[CONNECTIONS_MAX];
    int count = argc == 4 ? atoi(argv[3]) : 0;
    if (count < 1 || count > CONNECTIONS_MAX)
        fail("usage: rude_client PORT PATH CONNECTIONS");
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    for (int i = 0; i < count; i++)
        all[i] = dial(context, atoi(argv[1]));
    for (int i = 0; i < count; i++)
        upload(all[i], argv[2]);
    for (int i = 0; i < count; i++)
        close(SSL_get_fd(all[i]));
    return 0;
}
