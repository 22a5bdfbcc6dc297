/*
 * A small client: the request asks the server to close, so the answer is all that comes until then. See http.h.
 */
#include "cli/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/report.h"

#define ANSWER_MAX (16u << 20)

static bool send_all(SSL *ssl, const void *data, size_t size)
{
    size_t done = 0, n;
    while (done < size && SSL_write_ex(ssl, (const char *)data + done, size - done, &n) == 1)
        done += n;
    return done == size;
}

/* Everything until the server closes; NULL if there is too much of it. */
static char *receive_all(SSL *ssl, size_t *size)
{
    size_t used = 0, capacity = 16384, n;
    char *data = malloc(capacity + 1);
    while (data && SSL_read_ex(ssl, data + used, capacity - used, &n) == 1) {
        used += n;
        if (used == capacity) {
            char *grown = capacity < ANSWER_MAX ? realloc(data, 2 * capacity + 1) : NULL;
            if (!grown)
                free(data);
            data = grown;
            capacity *= 2;
        }
    }
    if (data)
        data[used] = '\0';
    *size = used;
    return data;
}

/* The value of a header in the NUL-terminated head, or NULL. */
static const char *find_header(const char *head, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':')
            return line + size + 1 + strspn(line + size + 1, " \t");
    }
    return NULL;
}

/* Join the chunks in place. false if the body is cut short. */
static bool join_chunks(char *body, size_t *size)
{
    size_t from = 0, to = 0;
    for (;;) {
        char *end;
        unsigned long chunk = strtoul(body + from, &end, 16);
        char *line_end = strstr(body + from, "\r\n");
        if (end == body + from || !line_end)
            return false;
        from = (size_t)(line_end + 2 - body);
        if (chunk == 0) {
            body[to] = '\0';
            *size = to;
            return true;
        }
        if (chunk > *size || from > *size - chunk)
            return false;
        memmove(body + to, body + from, chunk);
        to += chunk;
        from += chunk + 2;
        if (from > *size)
            return false;
    }
}

static bool parse_answer(char *data, size_t size, struct http_answer *answer)
{
    char *end = strstr(data, "\r\n\r\n");
    if (!end || sscanf(data, "HTTP/1.1 %d", &answer->status) != 1)
        return false;
    *end = '\0';
    char *body = end + 4;
    size_t body_size = size - (size_t)(body - data);
    const char *coding = find_header(data, "transfer-encoding"), *length = find_header(data, "content-length");
    if (coding && strncasecmp(coding, "chunked", 7) == 0) {
        if (!join_chunks(body, &body_size))
            return false;
    } else if (length && strtoull(length, NULL, 10) != body_size) {
        return false;
    }
    answer->body = malloc(body_size + 1);
    if (!answer->body)
        return false;
    memcpy(answer->body, body, body_size);
    answer->body[body_size] = '\0';
    answer->body_size = body_size;
    return true;
}

/* The request's head, malloc'ed; NULL: no memory. */
static char *make_head(const struct connection *c, const struct http_request *r, size_t *size)
{
    char *head = NULL;
    FILE *out = open_memstream(&head, size);
    if (!out)
        return NULL;
    fprintf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", r->method, r->path, c->authority);
    if (r->token)
        fprintf(out, "Authorization: Bearer %s\r\n", r->token);
    for (size_t i = 0; i < r->approval_count; i++)
        fprintf(out, "Enclave-Approval: %s\r\n", r->approvals[i]);
    if (r->publication)
        fprintf(out, "Enclave-Publication: %s\r\n", r->publication);
    if (r->body_size)
        fprintf(out, "Content-Type: %s\r\n", r->content_type ? r->content_type : "application/wasm");
    fprintf(out, "Accept: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
            r->content_type ? "*/*" : "application/json", r->body_size);
    if (fclose(out) != 0) {
        free(head);
        return NULL;
    }
    return head;
}

int http_exchange(struct connection *c, const struct http_request *r, struct http_answer *answer)
{
    size_t head_size;
    *answer = (struct http_answer){0};
    char *head = make_head(c, r, &head_size);
    if (!head)
        return complain("out of memory");
    /* A server that refuses may answer and close before it has taken the body: read what it says in any case. */
    bool sent = send_all(c->ssl, head, head_size) && send_all(c->ssl, r->body, r->body_size);
    free(head);
    size_t received;
    char *data = receive_all(c->ssl, &received);
    bool ok = data && parse_answer(data, received, answer);
    bool none = data && received == 0;
    free(data);
    if (!ok && sent && none)
        return complain("the connection broke before the server had answered%s",
                        strcmp(r->method, "GET") == 0 ? "" : ": it may have done what was asked, or not");
    if (!ok)
        return complain(sent ? "the server's answer cannot be read" : "the connection broke while sending");
    return 0;
}
