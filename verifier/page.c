/*
 * One of the server's own pages over a connection that is the caller's, and stays it: one request, of which nothing is
 * read but its answer. Who answers is not known yet, so all of it is bounded.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base64url.h"
#include "verifier/http_get.h"
#include "verifier/internal.h"
#include "verifier/verifier_openssl.h"

#define PAGE_SIZE_MAX (8u << 20) /* that anybody may ask for */
#define FRESH_SIZE_MAX 32768u    /* what is answered to a challenge */

static int fail(char *error, size_t size, int result, const char *why)
{
    snprintf(error, size, "%s", why);
    ERR_clear_error();
    return result;
}

/* How many bytes the answer has, head and all, once its head is there; 0: not yet; -1: it does not say, or its body has
 * more than limit. */
static long answer_size(const uint8_t *data, size_t size, size_t limit)
{
    static const char name[] = "\r\nContent-Length:";
    const uint8_t *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end)
        return size > HTTP_HEAD_SIZE_MAX ? -1 : 0;
    long head = end + 4 - data;
    for (const uint8_t *at = data; at + sizeof name < end; at++) {
        if (strncasecmp((const char *)at, name, sizeof name - 1) != 0)
            continue;
        at += sizeof name - 1;
        at += strspn((const char *)at, " \t");
        char *last;
        long length = *at >= '0' && *at <= '9' ? strtol((const char *)at, &last, 10) : -1;
        return length >= 0 && length <= (long)limit && *last == '\r' ? head + length : -1;
    }
    return -1;
}

static int receive(SSL *ssl, size_t limit, uint8_t **out, size_t *out_size, char *error, size_t error_size)
{
    size_t size = 0, n, most = HTTP_HEAD_SIZE_MAX + limit;
    uint8_t *data = malloc(most + 1);
    long whole = 0;
    if (!data)
        return fail(error, error_size, -ENOMEM, "out of memory");
    while (whole == 0 || size < (size_t)whole) {
        if (SSL_read_ex(ssl, data + size, whole ? (size_t)whole - size : most - size, &n) != 1)
            break;
        size += n;
        data[size] = '\0';
        whole = whole ? whole : answer_size(data, size, limit);
        if (whole < 0)
            break;
    }
    if (whole > 0 && size == (size_t)whole) {
        *out = data;
        *out_size = size;
        return 0;
    }
    free(data);
    if (whole < 0)
        return fail(error, error_size, -EBADMSG, "its answer does not say how long it is, or is too long");
    if (whole > 0 && size > (size_t)whole)
        return fail(error, error_size, -EBADMSG, "there is more behind its answer");
    return fail(error, error_size, -EIO,
                size > 0 ? "its answer is cut short" : "the connection ended without an answer");
}

/* Of an answer that is not the page. */
static int status_error(int status)
{
    bool later = status >= 500 || status == 408 || status == 429;
    return status == 404 ? -ENOENT : later ? -EAGAIN : -EPROTO;
}

/* The request, and what is answered with 200. */
static int exchange(SSL *ssl, const char *request, size_t length, size_t limit, char **body, size_t *size,
                    bool *reusable, char *error, size_t error_size)
{
    uint8_t *data;
    size_t data_size, sent;
    if (SSL_write_ex(ssl, request, length, &sent) != 1)
        return fail(error, error_size, -EIO, "the connection broke");
    int result = receive(ssl, limit, &data, &data_size, error, error_size);
    if (result != 0)
        return result;
    struct http_reply reply;
    const char *wrong = verifier__http_parse(data, data_size, &reply);
    const char *connection = wrong ? NULL : verifier__http_field(&reply, "Connection");
    *reusable = !wrong && !(connection && strcasecmp(connection, "close") == 0);
    if (!wrong && reply.status != 200) {
        snprintf(error, error_size, "it answers %d", reply.status);
        result = status_error(reply.status);
    } else if (wrong) {
        result = fail(error, error_size, -EBADMSG, wrong);
    } else if (!(*body = malloc(reply.body_size + 1))) {
        result = fail(error, error_size, -ENOMEM, "out of memory");
    } else {
        memcpy(*body, reply.body, reply.body_size);
        (*body)[reply.body_size] = '\0';
        *size = reply.body_size;
    }
    free(data);
    return result;
}

int verifier_openssl_get(SSL *ssl, const char *authority, const char *path, size_t limit, char **body, size_t *size,
                         bool *reusable, char *error, size_t error_size)
{
    char request[1024];
    int length =
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n\r\n", path, authority);
    *body = NULL;
    *reusable = false;
    if ((size_t)length >= sizeof request || *path != '/' || strpbrk(path, " \r\n") || limit > PAGE_SIZE_MAX)
        return fail(error, error_size, -EINVAL, "the page's name is none");
    if (strpbrk(authority, " \r\n"))
        return fail(error, error_size, -EINVAL, "the server's name is none");
    return exchange(ssl, request, (size_t)length, limit, body, size, reusable, error, error_size);
}

/* The challenge for out's context, in JSON, by the certificate's key. 0 or -ENOMEM. */
static int write_challenge(SSL *ssl, const struct verifier_fresh *out, char *json, size_t size)
{
    uint8_t *spki = NULL, leaf[32];
    char leaf_text[BASE64URL_SIZE(32) + 1], context_text[BASE64URL_SIZE(32) + 1];
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    int spki_size = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki) : 0;
    bool ok = spki_size > 0 && EVP_Digest(spki, (size_t)spki_size, leaf, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(spki);
    if (!ok)
        return -ENOMEM;
    base64url_text(leaf, sizeof leaf, leaf_text);
    base64url_text(out->context, sizeof out->context, context_text);
    snprintf(json, size, "{\"v\":2,\"mode\":\"challenge\",\"leaf\":\"%s\",\"context\":\"%s\"}", leaf_text,
             context_text);
    return 0;
}

#define EXPORTER "EXPORTER-privasys-ratls-attest-v2"
int verifier_openssl_fresh(SSL *ssl, const char *authority, struct verifier_fresh *out, bool *reusable, char *error,
                           size_t error_size)
{
    char json[256], request[1024];
    *out = (struct verifier_fresh){0};
    *reusable = false;
    if (strpbrk(authority, " \r\n"))
        return fail(error, error_size, -EINVAL, "the server's name is none");
    if (RAND_bytes(out->context, sizeof out->context) != 1 || write_challenge(ssl, out, json, sizeof json) != 0 ||
        SSL_export_keying_material(ssl, out->exported, sizeof out->exported, EXPORTER, sizeof EXPORTER - 1,
                                   out->context, sizeof out->context, 1) != 1)
        return fail(error, error_size, -ENOMEM, "no challenge can be made for this connection");
    int length = snprintf(request, sizeof request,
                          "POST /__privasys/attest HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          authority, strlen(json), json);
    if ((size_t)length >= sizeof request)
        return fail(error, error_size, -EINVAL, "the server's name is too long");
    return exchange(ssl, request, (size_t)length, FRESH_SIZE_MAX, &out->answer, &out->answer_size, reusable, error,
                    error_size);
}

int verifier_openssl_manifest(SSL *ssl, const char *authority, char **manifest, size_t *size, bool *reusable,
                              char *error, size_t error_size)
{
    return verifier_openssl_get(ssl, authority, "/_enclave/manifest", VERIFIER_DOCUMENT_SIZE_MAX, manifest, size,
                                reusable, error, error_size);
}
