/*
 * Connecting. See connection.h.
 */
#include "cli/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/report.h"
#include "common/arguments.h"
#include "common/names.h"

#define TIMEOUT_SECONDS 600 /* without a byte: a large component may compile for minutes on a busy machine */

/* ---- deadline -------------------------------------------------------------------------------------------------- */

#define OPEN_MAX_COUNT 4 /* at once, under a deadline */

static volatile sig_atomic_t late;
static volatile sig_atomic_t sockets[OPEN_MAX_COUNT] = {-1, -1, -1, -1};
static unsigned deadline_seconds;

/* What waits for one of the sockets finds it at its end. */
static void on_deadline(int signo)
{
    (void)signo;
    int reason = errno;
    late = 1;
    for (size_t i = 0; i < OPEN_MAX_COUNT; i++)
        if (sockets[i] >= 0)
            shutdown(sockets[i], SHUT_RDWR);
    errno = reason;
}

void connection_deadline(unsigned seconds)
{
    struct sigaction action = {.sa_handler = on_deadline}; /* no SA_RESTART: connect is to come back, too */
    sigemptyset(&action.sa_mask);
    alarm(0);
    late = 0;
    deadline_seconds = seconds;
    if (seconds > 0)
        sigaction(SIGALRM, &action, NULL);
    alarm(seconds);
}

/* Puts a socket where the deadline finds it, or -1 in its place. */
static void replace_socket(int old, int new)
{
    for (size_t i = 0; i < OPEN_MAX_COUNT; i++)
        if (sockets[i] == old) {
            sockets[i] = new;
            return;
        }
}

static void close_socket(int fd)
{
    replace_socket(fd, -1);
    close(fd);
}

/* ---- connecting ------------------------------------------------------------------------------------------------ */

/* https://HOST[:PORT][/]; HOST may be [IPv6]. */
static bool split_url(const char *url, struct connection *c, char port[8])
{
    if (strncmp(url, "https://", 8) != 0)
        return false;
    size_t size = strcspn(url + 8, "/");
    if (size == 0 || size >= sizeof c->authority || (url[8 + size] != '\0' && url[8 + size + 1] != '\0'))
        return false;
    snprintf(c->authority, sizeof c->authority, "%.*s", (int)size, url + 8);
    const char *start = c->authority, *end = strchr(start, ':');
    if (*start == '[') {
        start++;
        end = strchr(start, ']');
        if (!end)
            return false;
    }
    size_t host_size = end ? (size_t)(end - start) : strlen(start);
    if (host_size == 0 || host_size >= sizeof c->host)
        return false;
    memcpy(c->host, start, host_size);
    c->host[host_size] = '\0';
    enum name_kind kind = name_kind_of(c->host, host_size, NULL);
    bool bracketed = c->authority[0] == '[';
    if (kind == NAME_WRONG || kind == NAME_WILDCARD || bracketed != (kind == NAME_IPV6))
        return false;
    end = c->authority + host_size + (bracketed ? 2 : 0);
    uint64_t number = 443;
    if (*end && (*end != ':' || !arguments_number(end + 1, 1, 65535, &number)))
        return false;
    snprintf(port, 8, "%u", (unsigned)number);
    return true;
}

bool connection_url_ok(const char *url)
{
    struct connection ignored;
    char port[8];
    return split_url(url, &ignored, port);
}

static int dial(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
    int result = getaddrinfo(host, port, &hints, &list);
    if (result != 0) {
        complain("%s: %s", host, gai_strerror(result));
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        replace_socket(-1, fd);
        struct timeval timeout = {.tv_sec = deadline_seconds ? deadline_seconds : TIMEOUT_SECONDS};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        if (late || connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            int reason = late ? ETIMEDOUT : errno;
            close_socket(fd);
            fd = -1;
            errno = reason;
        }
    }
    if (fd < 0)
        complain("cannot connect to %s port %s: %s", host, port, strerror(errno));
    freeaddrinfo(list);
    return fd;
}

int connection_open(struct connection *c, const char *url)
{
    char port[8];
    *c = (struct connection){0};
    if (!split_url(url, c, port))
        return wrong("%s: expected https://HOST[:PORT], with a name, an IPv4 address or [IPv6 address]", url);
    int fd = dial(c->host, port);
    if (fd < 0)
        return 1;
    c->context = SSL_CTX_new(TLS_client_method());
    if (c->context && SSL_CTX_set_min_proto_version(c->context, TLS1_3_VERSION))
        c->ssl = SSL_new(c->context);
    if (!c->ssl || !SSL_set_fd(c->ssl, fd)) {
        close_socket(fd);
        connection_close(c);
        return complain("out of memory");
    }
    BIO_set_close(SSL_get_rbio(c->ssl), BIO_CLOSE);
    /* No CA is asked: the quote decides (trust_judge), before anything secret is sent. */
    SSL_set_verify(c->ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_session(c->ssl, NULL);
    if (name_kind_of(c->host, strlen(c->host), NULL) == NAME_DNS)
        SSL_set_tlsext_host_name(c->ssl, c->host);
    if (SSL_connect(c->ssl) != 1) {
        unsigned long error = ERR_get_error();
        connection_close(c);
        return complain("no TLS 1.3 handshake with %s: %s", url,
                        late    ? "it took too long"
                        : error ? ERR_reason_error_string(error)
                                : "connection closed");
    }
    return 0;
}

void connection_close(struct connection *c)
{
    if (c->ssl) {
        if (!late)
            SSL_shutdown(c->ssl);
        if (SSL_get_fd(c->ssl) >= 0)
            replace_socket(SSL_get_fd(c->ssl), -1);
        SSL_free(c->ssl);
    }
    SSL_CTX_free(c->context);
    c->ssl = NULL;
    c->context = NULL;
}
