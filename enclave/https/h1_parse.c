/*
 * HTTP/1.1 requests: llhttp in strict mode finds the parts, this file decides what is acceptable.
 *
 * The parser stops after each piece of body and after each message, so nothing is taken from the transport that the
 * answerer has not asked for. Whatever could be understood in two ways (and so smuggled past a proxy) is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/https/h1_internal.h"

static struct h1 *of(llhttp_t *parser)
{
    return parser->data;
}

static int refuse(struct h1 *c, enum h1_fault fault)
{
    if (!c->fault)
        c->fault = fault;
    return -1;
}

/* What a line's error means, or 0. */
static int judge(struct h1 *c, int error, enum h1_fault if_too_large)
{
    if (error == 0)
        return 0;
    return refuse(c, error == -EMSGSIZE ? if_too_large : error == -ENOMEM ? H1_NO_MEMORY : H1_BAD_LINE);
}

static int on_url(llhttp_t *parser, const char *at, size_t size)
{
    struct h1 *c = of(parser);
    c->target_size += (uint32_t)size;
    return judge(c, h1_lines_text(&c->lines, at, size), H1_LONG_TARGET);
}

static int on_field(llhttp_t *parser, const char *at, size_t size)
{
    struct h1 *c = of(parser);
    return judge(c, h1_lines_name(&c->lines, at, size), H1_LARGE_HEAD);
}

static int on_field_complete(llhttp_t *parser)
{
    struct h1 *c = of(parser);
    return judge(c, h1_lines_name_complete(&c->lines), H1_LARGE_HEAD);
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
    struct h1 *c = of(parser);
    return judge(c, h1_lines_value(&c->lines, c->in, at, size), H1_LARGE_HEAD);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct h1 *c = of(parser);
    /* Never leave HTTP: an upgrade that is asked for is not made. */
    parser->upgrade = 0;
    enum h1_fault fault = h1_make_request(c);
    if (fault)
        return refuse(c, fault);
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

void h1_parse_begin(struct h1 *c)
{
    h1_free_head(c);
    h1_lines_begin(&c->lines, c->server->limits.header_bytes, c->server->limits.header_count);
    c->message_complete = c->expect_continue = false;
    c->x.request = (struct http_request){0};
    c->x.head = c->method_complete = false;
    c->method_size = c->empty_size = 0;
    c->target_size = 0;
    c->body_read = 0;
    c->fault = H1_FINE;
    h1_parser_init(&c->parser, HTTP_REQUEST, settings(), c);
}

void h1_free_head(struct h1 *c)
{
    h1_lines_free(&c->lines);
    charged_free(c->fields);
    charged_free(c->trailers);
    c->fields = c->trailers = NULL;
    c->field_count = 0;
}

/* An invalid version is also said of what stands behind a valid one. */
static enum h1_fault fault_of(const struct h1 *c, llhttp_errno_t error)
{
    bool known = c->parser.http_major == 1 && c->parser.http_minor <= 1;
    return error == HPE_INVALID_VERSION && !known ? H1_BAD_VERSION : H1_BAD_SYNTAX;
}

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* The method is whole: the parser hears of one that it knows, and that RTSP does not have. Only CONNECT has a target of
 * another form. */
static void take_method(struct h1 *c)
{
    const char *known = h1_method_is(c, "CONNECT") ? "CONNECT " : "PUT ";
    c->method_complete = true;
    c->x.request.method = (struct http_text){c->method, c->method_size};
    c->x.head = h1_method_is(c, "HEAD");
    if (llhttp_execute(&c->parser, known, strlen(known)) != HPE_OK)
        refuse(c, H1_BAD_METHOD);
}

/* llhttp has a list of methods, and refuses others; here any token is one (RFC 9110, section 9.1), so it is read here.
 * A line end or two before it are left over from an earlier message (RFC 9112, section 2.2). */
static void parse_method(struct h1 *c)
{
    ENSURE(c->in && c->in_end <= H1_IN_SIZE);
    ENSURE(c->method_size <= H1_METHOD_MAX);
    while (c->in_start < c->in_end && !c->method_complete && !c->fault) {
        char byte = c->in[c->in_start++];
        if (c->method_size == 0 && c->empty_size < H1_EMPTY_MAX && byte == "\r\n"[c->empty_size % 2])
            c->empty_size++;
        else if (byte == ' ' && c->method_size)
            take_method(c);
        else if (c->empty_size % 2 || !is_token(byte))
            refuse(c, H1_BAD_METHOD);
        else if (c->method_size == H1_METHOD_MAX)
            refuse(c, H1_LONG_METHOD);
        else
            c->method[c->method_size++] = byte;
    }
}

void h1_parse(struct h1 *c)
{
    if (c->in_start == c->in_end || c->span_size || c->message_complete || c->fault)
        return;
    parse_method(c);
    if (c->in_start == c->in_end || c->fault)
        return;
    const char *from = c->in + c->in_start;
    ENSURE(!c->lines.in_trailers || c->fields); /* a head was made a request of before its body is parsed */
    if (c->target_size == 0 && *from == ' ') {  /* the parser would skip any number of them */
        refuse(c, H1_BAD_METHOD);
        return;
    }
    size_t size = c->in_end - c->in_start;
    llhttp_errno_t error = llhttp_execute(&c->parser, from, size);
    if (error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE) {
        c->in_start = (uint32_t)(llhttp_get_error_pos(&c->parser) - c->in);
        ENSURE(c->in_start <= c->in_end);
        llhttp_resume(&c->parser);
        return;
    }
    if (error != HPE_OK) {
        refuse(c, fault_of(c, error));
        return;
    }
    h1_lines_next_input(&c->lines, c->in, c->in + c->in_end, H1_IN_SIZE);
    c->in_start = c->in_end = 0;
}

size_t h1_trailers(struct h1 *c, const struct http_field **fields)
{
    return c->message_complete ? h1_lines_trailers(&c->lines, &c->trailers, fields) : 0;
}
