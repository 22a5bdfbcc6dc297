/*
 * The manifest over a connection that is the caller's, and stays it: one request, of which nothing is read but its
 * answer. Who answers is not known yet, so all of it is bounded.
 */
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "verifier/http_get.h"
#include "verifier/internal.h"
#include "verifier/verifier_openssl.h"

#define ANSWER_SIZE_MAX (HTTP_HEAD_SIZE_MAX + VERIFIER_DOCUMENT_SIZE_MAX)

static int fail(char *error, size_t size, int result, const char *why)
{
    snprintf(error, size, "%s", why);
    ERR_clear_error();
    return result;
}

/* How many bytes the answer has, head and all, once its head is there; 0: not yet; -1: it does not say. */
static long answer_size(const uint8_t *data, size_t size)
{
    static const char name[] = "\r\nContent-Length:";
    const uint8_t *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end)
        return size > HTTP_HEAD_SIZE_MAX ? -1 : 0;
    long head = end + 4 - data;
    for (const uint8_t *at = data; at + sizeof(name) < end; at++) {
        if (strncasecmp((const char *)at, name, sizeof(name) - 1) != 0)
            continue;
        at += sizeof(name) - 1;
        at += strspn((const char *)at, " \t");
        char *last;
        long length = *at >= '0' && *at <= '9' ? strtol((const char *)at, &last, 10) : -1;
        return length >= 0 && length <= (long)VERIFIER_DOCUMENT_SIZE_MAX && *last == '\r' ? head + length : -1;
    }
    return -1;
}

static int receive(SSL *ssl, uint8_t **out, size_t *out_size, char *error, size_t error_size)
{
    uint8_t *data = malloc(ANSWER_SIZE_MAX + 1);
    size_t size = 0, n;
    long whole = 0;
    if (!data)
        return fail(error, error_size, -ENOMEM, "out of memory");
    while (whole == 0 || size < (size_t)whole) {
        if (SSL_read_ex(ssl, data + size, whole ? (size_t)whole - size : ANSWER_SIZE_MAX - size, &n) != 1)
            break;
        size += n;
        data[size] = '\0';
        whole = whole ? whole : answer_size(data, size);
        if (whole < 0)
            break;
    }
    if (whole > 0 && size == (size_t)whole) {
        *out = data;
        *out_size = size;
        return 0;
    }
    free(data);
    return fail(error, error_size, -EBADMSG,
                whole > 0 && size > (size_t)whole ? "there is more behind its answer"
                : whole > 0                       ? "its answer is cut short"
                                                  : "its answer does not say how long it is");
}

int verifier_openssl_manifest(SSL *ssl, const char *authority, char **manifest, size_t *size, bool *reusable,
                              char *error, size_t error_size)
{
    char request[512];
    uint8_t *data;
    size_t data_size, sent;
    int length = snprintf(request, sizeof(request),
                          "GET /_enclave/manifest HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n\r\n", authority);
    *manifest = NULL;
    *reusable = false;
    if ((size_t)length >= sizeof(request) || strpbrk(authority, " \r\n"))
        return fail(error, error_size, -EINVAL, "the server's name is none");
    if (SSL_write_ex(ssl, request, (size_t)length, &sent) != 1)
        return fail(error, error_size, -EIO, "the connection broke");
    int result = receive(ssl, &data, &data_size, error, error_size);
    if (result != 0)
        return result;
    struct http_reply reply;
    const char *wrong = verifier__http_parse(data, data_size, &reply);
    const char *connection = wrong ? NULL : verifier__http_field(&reply, "Connection");
    *reusable = !wrong && !(connection && strcasecmp(connection, "close") == 0);
    if (!wrong && reply.status != 200) {
        snprintf(error, error_size, "it answers %d", reply.status);
        result = -ENOENT;
    } else if (wrong) {
        result = fail(error, error_size, -EBADMSG, wrong);
    } else if (!(*manifest = malloc(reply.body_size + 1))) {
        result = fail(error, error_size, -ENOMEM, "out of memory");
    } else {
        memcpy(*manifest, reply.body, reply.body_size);
        (*manifest)[reply.body_size] = '\0';
        *size = reply.body_size;
    }
    free(data);
    return result;
}
