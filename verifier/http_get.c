/*
 * A small HTTP/1.1 client over blocking sockets whose every call has the rest of one deadline as its timeout. The
 * server is asked to close, so the answer is what comes until then; what it says about lengths is checked against
 * that.
 */
#include "verifier/http_get.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/clock.h"
#include "verifier/internal.h"

#define REPLY_SIZE_MAX (HTTP_HEAD_SIZE_MAX + 2 * VERIFIER_DOCUMENT_SIZE_MAX) /* hexadecimal doubles a CRL */

/* ---- the address ----------------------------------------------------------------------------------------------- */

static bool parse_authority(const char *text, size_t size, struct http_url *url)
{
    if (size == 0 || size >= sizeof url->authority || memchr(text, '@', size))
        return false;
    memcpy(url->authority, text, size);
    url->authority[size] = '\0';
    const char *start = url->authority, *end = start + strcspn(start, ":");
    if (*start == '[') {
        end = strchr(++start, ']');
        if (!end)
            return false;
    }
    if (end == start || (size_t)(end - start) >= sizeof url->host)
        return false;
    memcpy(url->host, start, (size_t)(end - start));
    url->host[end - start] = '\0';
    end += *end == ']';
    if (*end == '\0') {
        strcpy(url->port, url->tls ? "443" : "80");
        return true;
    }
    size_t digits = strspn(end + 1, "0123456789");
    if (*end != ':' || digits == 0 || digits >= sizeof url->port || end[1 + digits] != '\0')
        return false;
    unsigned long port = strtoul(end + 1, NULL, 10);
    if (port < 1 || port > 65535)
        return false;
    strcpy(url->port, end + 1);
    return true;
}

bool verifier__parse_url(const char *text, struct http_url *url)
{
    *url = (struct http_url){.tls = strncmp(text, "https://", 8) == 0};
    if (!url->tls && strncmp(text, "http://", 7) != 0)
        return false;
    text += url->tls ? 8 : 7;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '#') /* nothing that could end the request line */
            return false;
    size_t size = strcspn(text, "/");
    if (!parse_authority(text, size, url) || strlen(text + size) >= sizeof url->path)
        return false;
    strcpy(url->path, text[size] ? text + size : "/");
    return true;
}

/* ---- the connection -------------------------------------------------------------------------------------------- */

struct connection {
    int fd;
    SSL *ssl; /* NULL: plain */
    uint64_t deadline_ns;
};

static bool set_timeout(const struct connection *c)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns >= c->deadline_ns) {
        errno = ETIMEDOUT;
        return false;
    }
    uint64_t left_us = (c->deadline_ns - now_ns) / 1000 + 1;
    struct timeval timeout = {(time_t)(left_us / 1000000), (suseconds_t)(left_us % 1000000)};
    return setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
           setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0;
}

static int dial(struct connection *c, const struct http_url *url, char *error, size_t error_size)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
    int result = getaddrinfo(url->host, url->port, &hints, &list);
    if (result != 0) {
        snprintf(error, error_size, "%s: %s", url->host, gai_strerror(result));
        return -EHOSTUNREACH;
    }
    result = -EHOSTUNREACH;
    for (const struct addrinfo *a = list; a && c->fd < 0; a = a->ai_next) {
        c->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd >= 0 && set_timeout(c) && connect(c->fd, a->ai_addr, a->ai_addrlen) == 0)
            break;
        result = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
        if (c->fd >= 0)
            close(c->fd);
        c->fd = -1;
    }
    freeaddrinfo(list);
    if (c->fd >= 0)
        return 0;
    snprintf(error, error_size, "cannot connect to %s: %s", url->authority, strerror(-result));
    return result;
}

static bool is_address(const char *host)
{
    uint8_t ignored[16];
    return inet_pton(AF_INET, host, ignored) == 1 || inet_pton(AF_INET6, host, ignored) == 1;
}

static int start_tls(struct connection *c, const struct http_url *url, SSL_CTX *tls, char *error, size_t error_size)
{
    c->ssl = SSL_new(tls);
    bool address = is_address(url->host);
    bool ok = c->ssl && SSL_set_fd(c->ssl, c->fd) == 1 &&
              (address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), url->host) == 1
                       : SSL_set_tlsext_host_name(c->ssl, url->host) == 1 && SSL_set1_host(c->ssl, url->host) == 1);
    if (ok && SSL_connect(c->ssl) == 1)
        return 0;
    long verdict = c->ssl ? SSL_get_verify_result(c->ssl) : X509_V_OK;
    const char *reason =
        verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : ERR_reason_error_string(ERR_peek_last_error());
    snprintf(error, error_size, "no TLS connection with %s: %s", url->authority, reason ? reason : "broken off");
    ERR_clear_error();
    return -ECONNREFUSED;
}

static bool send_all(struct connection *c, const char *data, size_t size)
{
    while (size > 0) {
        size_t n = 0;
        if (!set_timeout(c))
            return false;
        if (c->ssl) {
            if (SSL_write_ex(c->ssl, data, size, &n) != 1)
                return false;
        } else {
            ssize_t sent = send(c->fd, data, size, MSG_NOSIGNAL);
            if (sent <= 0)
                return false;
            n = (size_t)sent;
        }
        data += n;
        size -= n;
    }
    return true;
}

/* At most size bytes; 0: the server has closed; -1: an error. */
static ssize_t receive(struct connection *c, void *data, size_t size)
{
    if (!set_timeout(c))
        return -1;
    if (!c->ssl)
        return recv(c->fd, data, size, 0);
    size_t n = 0;
    if (SSL_read_ex(c->ssl, data, size, &n) == 1)
        return (ssize_t)n;
    return SSL_get_error(c->ssl, 0) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static int receive_all(struct connection *c, uint8_t **out, size_t *out_size)
{
    uint8_t *data = NULL;
    size_t size = 0, capacity = 0;
    for (;;) {
        if (size == capacity) {
            capacity = capacity ? 2 * capacity : 16384;
            uint8_t *grown = size < REPLY_SIZE_MAX ? realloc(data, capacity + 1) : NULL;
            if (!grown) {
                free(data);
                return size < REPLY_SIZE_MAX ? -ENOMEM : -EFBIG;
            }
            data = grown;
        }
        ssize_t n = receive(c, data + size, capacity - size);
        if (n < 0) {
            int reason = errno == EAGAIN || errno == ETIMEDOUT ? -ETIMEDOUT : -EIO;
            free(data);
            ERR_clear_error();
            return reason;
        }
        if (n == 0)
            break;
        size += (size_t)n;
    }
    data[size] = '\0';
    *out = data;
    *out_size = size;
    return 0;
}

/* ---- the answer ------------------------------------------------------------------------------------------------ */

char *verifier__http_field(struct http_reply *reply, const char *name)
{
    size_t name_size = strlen(name);
    for (char *line = reply->head; *line;) {
        char *end = strstr(line, "\r\n");
        if (strncasecmp(line, name, name_size) == 0 && line[name_size] == ':') {
            char *value = line + name_size + 1;
            value += strspn(value, " \t");
            if (end)
                *end = '\0';
            for (size_t n = strlen(value); n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t');)
                value[--n] = '\0';
            return value;
        }
        if (!end)
            break;
        line = end + 2;
    }
    return NULL;
}

/* Whether the head has that field, and its value, copied. */
static bool copy_field(const struct http_reply *reply, const char *name, char *out, size_t size)
{
    size_t name_size = strlen(name);
    for (const char *line = reply->head; *line;) {
        const char *end = line + strcspn(line, "\r");
        if (strncasecmp(line, name, name_size) == 0 && line[name_size] == ':') {
            const char *value = line + name_size + 1;
            value += strspn(value, " \t");
            snprintf(out, size, "%.*s", (int)(end - value), value);
            return true;
        }
        line = end + strspn(end, "\r\n");
    }
    return false;
}

/* Put the chunks of a chunked body (RFC 9112, section 7.1) together, in place. */
static const char *join_chunks(struct http_reply *reply)
{
    uint8_t *at = reply->body, *end = at + reply->body_size, *to = at;
    for (;;) {
        size_t size = 0, digits = 0;
        for (; at < end && digits < 8; at++, digits++) {
            uint8_t c = *at;
            unsigned v = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 16;
            if (v == 16)
                break;
            size = size * 16 + v;
        }
        while (at < end && *at != '\n') /* an extension */
            at++;
        if (digits == 0 || at == end)
            return "a malformed chunk";
        at++;
        if (size == 0)
            break;
        if ((size_t)(end - at) < 2 || size > (size_t)(end - at) - 2 || at[size] != '\r' || at[size + 1] != '\n')
            return "a chunk that is cut short";
        memmove(to, at, size);
        to += size;
        at += size + 2;
    }
    reply->body_size = (size_t)(to - reply->body);
    return NULL;
}

static const char *judge_length(struct http_reply *reply)
{
    char value[64], *end;
    if (copy_field(reply, "Transfer-Encoding", value, sizeof value))
        return strcasecmp(value, "chunked") == 0 ? join_chunks(reply) : "an unknown transfer encoding";
    if (!copy_field(reply, "Content-Length", value, sizeof value))
        return reply->status != 200 ? NULL : "an answer that does not say how long it is: it may be cut short";
    if (value[0] < '0' || value[0] > '9')
        return "a malformed length";
    unsigned long long length = strtoull(value, &end, 10);
    if (*end || length > reply->body_size)
        return "an answer that is cut short";
    reply->body_size = (size_t)length;
    return NULL;
}

const char *verifier__http_parse(uint8_t *data, size_t size, struct http_reply *reply)
{
    *reply = (struct http_reply){0};
    uint8_t *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end || (size_t)(end - data) > HTTP_HEAD_SIZE_MAX || memchr(data, '\0', (size_t)(end - data)))
        return "no HTTP head";
    end[2] = '\0';
    if (size < 14 || memcmp(data, "HTTP/1.", 7) != 0 || sscanf((char *)data + 8, " %3d", &reply->status) != 1)
        return "no HTTP status";
    reply->head = strstr((char *)data, "\r\n") + 2;
    reply->body = end + 4;
    reply->body_size = size - (size_t)(reply->body - data);
    const char *wrong = judge_length(reply);
    if (!wrong && reply->body_size > 0)
        reply->body[reply->body_size] = '\0'; /* has room: the parser's caller ends the data with NUL */
    return wrong;
}

static int exchange(struct connection *c, const struct http_url *url, struct http_reply *reply, char *error,
                    size_t error_size)
{
    char request[2048];
    uint8_t *data;
    size_t size;
    int length =
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                 url->path, url->authority);
    int result = (size_t)length < sizeof request && send_all(c, request, (size_t)length) ? 0 : -EIO;
    if (result == 0)
        result = receive_all(c, &data, &size);
    if (result != 0) {
        snprintf(error, error_size, "%s%s: %s", url->authority, url->path, strerror(-result));
        return result;
    }
    const char *wrong = verifier__http_parse(data, size, reply);
    if (wrong) {
        snprintf(error, error_size, "%s%s: %s", url->authority, url->path, wrong);
        free(data);
        return -EBADMSG;
    }
    reply->memory = data;
    return 0;
}

int verifier__http_get(const struct http_url *url, SSL_CTX *tls, uint64_t deadline_ns, struct http_reply *reply,
                       char *error, size_t error_size)
{
    struct connection c = {.fd = -1, .deadline_ns = deadline_ns};
    int result = dial(&c, url, error, error_size);
    if (result == 0 && url->tls)
        result = start_tls(&c, url, tls, error, error_size);
    if (result == 0)
        result = exchange(&c, url, reply, error, error_size);
    SSL_free(c.ssl);
    if (c.fd >= 0)
        close(c.fd);
    return result;
}
