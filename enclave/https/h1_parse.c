/*
 * HTTP/1.1 requests: llhttp in strict mode finds the parts, this file decides what is acceptable.
 *
 * The parser stops after each piece of body and after each message, so nothing is taken from the transport that the
 * answerer has not asked for. Whatever could be understood in two ways (and so smuggled past a proxy) is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "enclave/https/h1.h"

static struct h1 *of(llhttp_t *parser)
{
    return parser->data;
}

static int refuse(struct h1 *c, int status)
{
    if (!c->parse_status)
        c->parse_status = status;
    return -1;
}

/* What a line's status means, or 0. */
static int judge(struct h1 *c, enum h1_lines_status status, int if_too_large)
{
    static const int answers[] = {[LINES_MALFORMED] = 400, [LINES_NO_MEMORY] = 503};
    if (status == LINES_OK)
        return 0;
    return refuse(c, status == LINES_TOO_LARGE ? if_too_large : answers[status]);
}

static int on_url(llhttp_t *parser, const char *at, size_t size)
{
    struct h1 *c = of(parser);
    c->target_size += (uint32_t)size;
    return judge(c, h1_lines_text(&c->lines, at, size), 414);
}

static int on_field(llhttp_t *parser, const char *at, size_t size)
{
    struct h1 *c = of(parser);
    return judge(c, h1_lines_name(&c->lines, at, size), 431);
}

static int on_field_complete(llhttp_t *parser)
{
    struct h1 *c = of(parser);
    return judge(c, h1_lines_name_complete(&c->lines), 431);
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
    struct h1 *c = of(parser);
    return judge(c, h1_lines_value(&c->lines, c->in, at, size), 431);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct h1 *c = of(parser);
    /* Never leave HTTP: an upgrade that is asked for is not made. */
    parser->upgrade = 0;
    int status = h1_make_request(c);
    if (status)
        return refuse(c, status);
    h1_lines_head_complete(&c->lines);
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct h1 *c = of(parser);
    c->span = at;
    c->span_size = (uint32_t)size;
    c->body_read += size;
    c->expect_continue = false; /* it came without being asked for */
    /* The parser would say so only with the next message's first byte. */
    c->message_complete = c->x.request.content_length >= 0 && c->body_read >= (uint64_t)c->x.request.content_length;
    return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *parser)
{
    struct h1 *c = of(parser);
    c->message_complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void)
{
    static const llhttp_settings_t table = {
        .on_url = on_url,
        .on_header_field = on_field,
        .on_header_field_complete = on_field_complete,
        .on_header_value = on_value,
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_message_complete = on_message_complete,
    };
    return &table;
}

void h1_parse_init(struct h1 *c)
{
    llhttp_init(&c->parser, HTTP_REQUEST, settings());
    c->parser.data = c;
}

void h1_parse_begin(struct h1 *c)
{
    h1_free_head(c);
    h1_lines_begin(&c->lines, c->server->limits.header_bytes, c->server->limits.header_count);
    c->message_complete = c->expect_continue = c->body_failed = false;
    c->target_size = 0;
    c->body_read = 0;
    c->parse_status = 0;
    h1_parse_init(c);
}

void h1_free_head(struct h1 *c)
{
    h1_lines_free(&c->lines);
    charged_free(c->fields);
    charged_free(c->trailers);
    c->fields = c->trailers = NULL;
    c->field_count = 0;
}

static int status_of(const struct h1 *c, llhttp_errno_t error)
{
    if (c->parse_status)
        return c->parse_status;
    switch (error) {
    case HPE_INVALID_METHOD:
        return 501;
    case HPE_INVALID_VERSION:
        return 505;
    default:
        return 400;
    }
}

void h1_parse(struct h1 *c)
{
    if (c->in_start == c->in_end || c->span_size || c->message_complete || c->parse_status)
        return;
    const char *from = c->in + c->in_start;
    size_t size = c->in_end - c->in_start;
    llhttp_errno_t error = llhttp_execute(&c->parser, from, size);
    if (error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE) {
        c->in_start = (uint32_t)(llhttp_get_error_pos(&c->parser) - c->in);
        llhttp_resume(&c->parser);
        return;
    }
    if (error != HPE_OK) {
        c->parse_status = status_of(c, error);
        return;
    }
    h1_lines_next_input(&c->lines, c->in, c->in + c->in_end, H1_IN_SIZE);
    c->in_start = c->in_end = 0;
}

/* The head as a request ----------------------------------------------------------------------------------------- */

static bool text_is(struct http_text text, const char *wanted)
{
    return text.size == strlen(wanted) && strncasecmp(text.data, wanted, text.size) == 0;
}

size_t h1_trailers(struct h1 *c, const struct http_field **fields)
{
    return c->message_complete ? h1_lines_trailers(&c->lines, &c->trailers, fields) : 0;
}

static int make_fields(struct h1 *c)
{
    c->fields = h1_lines_fields(&c->lines);
    c->field_count = c->fields ? c->lines.count : 0;
    return c->fields ? 0 : 503;
}

static size_t find(const struct h1 *c, const char *name, struct http_text *value)
{
    return http_fields_find(c->fields, c->field_count, name, value);
}

/* "/path", or "http://authority/path" as a proxy would send it, or "*". */
static int take_target(struct h1 *c, struct http_request *request)
{
    struct http_text target = {c->lines.head.data, c->target_size};
    for (size_t i = 0; i < target.size; i++)
        if ((unsigned char)target.data[i] <= ' ' || (unsigned char)target.data[i] >= 0x7f || target.data[i] == '#')
            return 400;
    static const char *const schemes[] = {"http://", "https://"};
    for (int i = 0; i < 2; i++) {
        size_t size = strlen(schemes[i]);
        if (target.size <= size || strncasecmp(target.data, schemes[i], size) != 0)
            continue;
        const char *slash = memchr(target.data + size, '/', target.size - size);
        if (!slash || slash == target.data + size)
            return 400;
        request->authority = (struct http_text){target.data + size, (size_t)(slash - target.data) - size};
        request->path = (struct http_text){slash, target.size - (size_t)(slash - target.data)};
        return 0;
    }
    request->path = target;
    return target.size && (target.data[0] == '/' || text_is(target, "*")) ? 0 : 400;
}

/* How long is the body? Exactly one way of saying it, or none. */
static int take_framing(struct h1 *c, struct http_request *request)
{
    struct http_text length = {0}, coding = {0};
    size_t lengths = find(c, "content-length", &length), codings = find(c, "transfer-encoding", &coding);
    if (lengths > 1 || codings > 1 || (lengths && codings))
        return 400;
    if (codings) {
        request->content_length = -1;
        if (c->parser.http_minor == 0)
            return 400;
        return text_is(coding, "chunked") ? 0 : 501;
    }
    for (size_t i = 0; i < length.size; i++)
        if (length.data[i] < '0' || length.data[i] > '9')
            return 400;
    if (lengths && length.size == 0)
        return 400;
    if (c->parser.content_length > c->server->limits.streamed_body && lengths)
        return 413;
    request->content_length = lengths ? (int64_t)c->parser.content_length : 0;
    return 0;
}

static int take_expect(struct h1 *c)
{
    struct http_text expect = {0};
    if (find(c, "expect", &expect) == 0 || c->parser.http_minor == 0)
        return 0;
    if (!text_is(expect, "100-continue"))
        return 417;
    c->expect_continue = c->x.request.content_length != 0;
    return 0;
}

int h1_make_request(struct h1 *c)
{
    struct http_request *request = &c->x.request;
    *request = (struct http_request){0};
    if (c->parser.http_major != 1 || c->parser.http_minor > 1)
        return 505;
    int status = make_fields(c);
    if (status == 0)
        status = take_target(c, request);
    if (status)
        return status;
    struct http_text host;
    size_t hosts = find(c, "host", &host);
    if (hosts > 1 || (hosts == 0 && c->parser.http_minor == 1))
        return 400;
    if (hosts && request->authority.size == 0)
        request->authority = host;
    const char *method = llhttp_method_name((llhttp_method_t)c->parser.method);
    request->method = (struct http_text){method, strlen(method)};
    request->fields = c->fields;
    request->field_count = c->field_count;
    if (c->parser.method == HTTP_CONNECT)
        return 501;
    status = take_framing(c, request);
    if (status == 0)
        status = take_expect(c);
    c->x.head = c->parser.method == HTTP_HEAD;
    c->keep_alive = llhttp_should_keep_alive(&c->parser);
    return status;
}
