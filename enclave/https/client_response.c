/*
 * The response of a call: llhttp in strict mode finds the parts, this file decides what is acceptable. The parser stops
 * after each piece of body, so nothing is taken from the transport that the reader has not asked for.
 */
#include <strings.h>

#include "enclave/https/call_internal.h"
#include "enclave/https/fields.h"

static struct http_call *of(llhttp_t *parser)
{
    return parser->data;
}

static int refuse(struct http_call *c, enum http_call_failure why)
{
    http_call_fail(c, why);
    return -1;
}

static int judge(struct http_call *c, int error)
{
    if (error == 0)
        return 0;
    return refuse(c, error == -EMSGSIZE ? CALL_HEAD_SIZE : error == -ENOMEM ? CALL_NO_MEMORY : CALL_PROTOCOL);
}

static int on_field(llhttp_t *parser, const char *at, size_t size)
{
    return judge(of(parser), h1_lines_name(&of(parser)->lines, at, size));
}

static int on_field_complete(llhttp_t *parser)
{
    return judge(of(parser), h1_lines_name_complete(&of(parser)->lines));
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
    return judge(of(parser), h1_lines_value(&of(parser)->lines, of(parser)->in, at, size));
}

/* Exactly one way of saying how long the body is. */
static int check_framing(struct http_call *c)
{
    struct http_text length, coding;
    size_t lengths = http_fields_find(c->fields, c->field_count, "content-length", &length);
    size_t codings = http_fields_find(c->fields, c->field_count, "transfer-encoding", &coding);
    if (lengths > 1 || codings > 1 || (lengths && codings))
        return refuse(c, CALL_PROTOCOL);
    if (codings && (coding.size != 7 || strncasecmp(coding.data, "chunked", 7) != 0))
        return refuse(c, CALL_CODING);
    return 0;
}

/* Whether the next request may go over the connection, by what the head says. Where a server might mean another end of
 * the response than is meant here (RFC 9112, section 11.2), the next one would be taken for an answer to what it does
 * not answer: the connection goes. */
static bool may_stay(const struct http_call *c, bool no_body)
{
    struct http_text option, ignored;
    bool chunked = http_fields_find(c->fields, c->field_count, "transfer-encoding", &ignored) > 0;
    size_t options = http_fields_find(c->fields, c->field_count, "connection", &option);
    bool says_end = no_body ? !chunked && (!c->sized || c->body_size == 0) : chunked || c->sized;
    bool whole = c->request_complete || (c->length >= 0 && c->written == c->length);
    bool asked = whole && h1_used(&c->out) == 0; /* it answers all of the request */
    return c->parser.http_minor == 1 && says_end && asked &&
           (options == 0 || (options == 1 && http_name_is(option, "keep-alive")));
}

static bool is_interim(const llhttp_t *parser)
{
    return parser->status_code >= 100 && parser->status_code < 200;
}

/* To llhttp: whatever the head says, no body follows (RFC 9112, section 6.3). */
#define NO_BODY 1

static int on_headers_complete(llhttp_t *parser)
{
    struct http_call *c = of(parser);
    ENSURE(!c->fields && c->status == 0); /* interim heads leave nothing, and there is one other */
    ENSURE(!c->lines.in_trailers);
    parser->upgrade = 0;
    if (parser->http_major != 1 || parser->http_minor > 1 || parser->status_code < 100 || parser->status_code == 101 ||
        (is_interim(parser) && c->interim++ >= CALL_INTERIM_MAX))
        return refuse(c, CALL_PROTOCOL);
    if (is_interim(parser))
        return NO_BODY;
    c->fields = h1_lines_fields(&c->lines);
    c->field_count = c->fields ? c->lines.count : 0;
    if (!c->fields)
        return refuse(c, CALL_NO_MEMORY);
    if (check_framing(c) != 0)
        return -1;
    h1_lines_head_complete(&c->lines);
    c->status = parser->status_code;
    c->sized = (parser->flags & F_CONTENT_LENGTH) != 0;
    c->body_size = parser->content_length;
    bool no_body = c->head_request || c->status == 204 || c->status == 304;
    c->stays = may_stay(c, no_body);
    return no_body ? NO_BODY : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct http_call *c = of(parser);
    c->span = at;
    c->span_size = (uint32_t)size;
    c->body_read += size;
    /* The parser would say so only with a byte of a next message. */
    c->message_complete = c->sized && c->body_read >= c->body_size;
    return HPE_PAUSED;
}

static void begin_head(struct http_call *c)
{
    h1_lines_begin(&c->lines, CALL_HEAD_MAX, CALL_LINES_MAX);
    c->head_read = 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_call *c = of(parser);
    if (c->status)
        c->message_complete = true;
    else
        begin_head(c); /* that was an interim one */
    return c->message_complete ? HPE_PAUSED : 0;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_call_response_init(struct http_call *c)
{
    h1_parser_init(&c->parser, HTTP_RESPONSE, &settings, c);
    begin_head(c);
}

void http_call_response_free(struct http_call *c)
{
    h1_lines_free(&c->lines);
    charged_free(c->fields);
    charged_free(c->trailers);
    charged_free(c->in);
}

/* ---- input -------------------------------------------------------------------------------------------------- */

static void parse(struct http_call *c)
{
    ENSURE(c->in && c->in_start < c->in_end);
    ENSURE(c->span_size == 0); /* the last piece was read */
    const char *from = c->in + c->in_start;
    llhttp_errno_t error = llhttp_execute(&c->parser, from, c->in_end - c->in_start);
    if (error == HPE_PAUSED) {
        c->in_start = (uint32_t)(llhttp_get_error_pos(&c->parser) - c->in);
        ENSURE(c->in_start <= c->in_end);
        llhttp_resume(&c->parser);
    } else if (error != HPE_OK) {
        http_call_fail(c, CALL_PROTOCOL);
    } else {
        c->head_read += c->status ? 0 : c->in_end - c->in_start;
        h1_lines_next_input(&c->lines, c->in, c->in + c->in_end, CALL_IN_SIZE);
        c->in_start = c->in_end = 0;
        /* Its lines are counted where they are kept; what is before and around them, here. */
        if (c->head_read > 2 * CALL_HEAD_MAX)
            http_call_fail(c, CALL_HEAD_SIZE);
    }
}

/* The server closed its side cleanly: that may be how the body ends. */
static void parse_end(struct http_call *c)
{
    llhttp_finish(&c->parser);
    if (!c->message_complete)
        http_call_fail(c, c->status ? CALL_INCOMPLETE : CALL_TERMINATED);
}

/* More input: true if some came, or what ends it. */
static bool fill(struct http_call *c)
{
    ENSURE(c->in_start == c->in_end && c->span_size == 0); /* nothing is overwritten */
    if (!c->transport)
        return false;
    if (!c->in && !(c->in = charged_alloc(&c->memory, CALL_IN_SIZE))) {
        http_call_fail(c, CALL_NO_MEMORY);
        return true;
    }
    ssize_t got = c->transport->ops->read(c->transport, c->in, CALL_IN_SIZE);
    if (got == -EAGAIN && !c->transport->broken)
        return false;
    if (got <= 0 && http_call_again(c))
        return false;
    c->in_start = c->in_end = 0;
    ENSURE(got <= (ssize_t)CALL_IN_SIZE);
    if (got > 0) {
        c->in_end = (uint32_t)got;
        c->answered = true;
    } else if (got == 0) {
        parse_end(c);
    } else {
        http_call_fail(c, c->status ? CALL_INCOMPLETE : CALL_TERMINATED);
    }
    return true;
}

/* Until there is a head, or a piece of body, or nothing more now. */
static void advance(struct http_call *c, bool for_head)
{
    while (!c->failure && !c->message_complete && c->span_size == 0 && !(for_head && c->status)) {
        if (c->in_start < c->in_end)
            parse(c);
        else if (!fill(c))
            return;
    }
    if (c->message_complete)
        http_call_part(c);
}

void http_call_receive(struct http_call *c)
{
    bool before = c->status != 0;
    advance(c, true);
    if (c->status && !before)
        loop_timer_stop(&c->worker->loop, &c->timer);
    if (c->transport && c->transport->broken && c->span_size == 0 && !c->message_complete && c->in_start == c->in_end &&
        !http_call_again(c))
        http_call_fail(c, c->status ? CALL_INCOMPLETE : CALL_TERMINATED);
}

void http_call_pass_over(struct http_call *c)
{
    if (!c->stays || !c->transport)
        return;
    for (unsigned pieces = 0; pieces < CALL_PASSED_PIECES && !c->failure && !c->message_complete; pieces++) {
        c->span_size = 0;
        advance(c, false);
        if (c->span_size == 0)
            return;
    }
}

/* ---- what the reader sees ------------------------------------------------------------------------------------- */

int http_call_status(const struct http_call *c)
{
    http_call_check(c);
    return c->status;
}

size_t http_call_fields(const struct http_call *c, const struct http_field **fields)
{
    http_call_check(c);
    *fields = c->fields;
    return c->field_count;
}

bool http_call_readable(struct http_call *c)
{
    http_call_check(c);
    advance(c, false);
    bool ready = c->failure || c->message_complete || c->span_size;
    if (ready)
        loop_timer_stop(&c->worker->loop, &c->timer);
    else if (!c->timer.heap_index)
        http_call_limit(c, c->between_ns);
    return ready;
}

ssize_t http_call_read(struct http_call *c, void *buf, size_t size)
{
    if (!http_call_readable(c))
        return -EAGAIN;
    if (c->span_size == 0)
        return c->message_complete ? 0 : -EIO;
    size_t count = size < c->span_size ? size : c->span_size;
    memcpy(buf, c->span, count);
    c->span += count;
    c->span_size -= (uint32_t)count;
    return (ssize_t)count;
}

size_t http_call_trailers(struct http_call *c, const struct http_field **fields)
{
    http_call_check(c);
    return c->message_complete ? h1_lines_trailers(&c->lines, &c->trailers, fields) : 0;
}
