/*
 * A parsed head made into a request: target, Host, framing, expectations, and the fields that concern the app.
 *
 * What could be understood in two ways, and so smuggled past a proxy, is refused (docs/http.md has the sections).
 */
#include "enclave/https/fields.h"
#include "enclave/https/h1_internal.h"

static size_t find(const struct h1 *c, const char *name, struct http_text *value)
{
    return http_fields_find(c->fields, c->field_count, name, value);
}

/* Whoever looks at the field instead must not find another name there (RFC 9112, section 3.2.2). */
static void set_host(struct h1 *c, struct http_text authority)
{
    for (size_t i = 0; i < c->field_count; i++)
        if (http_name_is(c->fields[i].name, "host"))
            c->fields[i].value = authority;
}

/* Who is asked? The target's authority counts, the field must be one all the same (RFC 9112, section 3.2). */
static enum h1_fault take_host(struct h1 *c, struct http_target *target)
{
    struct http_text host = {0};
    if (find(c, "host", &host) == 0)
        return c->parser.http_minor == 1 ? H1_NO_HOST : H1_FINE;
    if (host.size && !http_authority_valid(host))
        return H1_BAD_HOST;
    if (target->authority.size == 0)
        target->authority = host;
    else
        set_host(c, target->authority);
    return H1_FINE;
}

/* How long is the body? Exactly one way of saying it, or none. */
static enum h1_fault take_framing(struct h1 *c, struct http_request *request)
{
    ENSURE(request == &c->x.request);
    ENSURE(c->fields && !c->lines.in_trailers);
    struct http_text length = {0}, coding = {0};
    size_t lengths = find(c, "content-length", &length), codings = find(c, "transfer-encoding", &coding);
    if (lengths && codings)
        return H1_TWO_FRAMINGS;
    if (codings) {
        request->content_length = -1;
        if (c->parser.http_minor == 0)
            return H1_CODING_IN_10;
        return http_name_is(coding, "chunked") ? H1_FINE : H1_BAD_CODING;
    }
    for (size_t i = 0; i < length.size; i++)
        if (length.data[i] < '0' || length.data[i] > '9')
            return H1_BAD_LENGTH;
    if (lengths && length.size == 0)
        return H1_BAD_LENGTH;
    if (c->parser.content_length > c->server->limits.streamed_body && lengths)
        return H1_LARGE_BODY;
    request->content_length = lengths ? (int64_t)c->parser.content_length : 0;
    return H1_FINE;
}

static enum h1_fault take_expect(struct h1 *c)
{
    if (c->parser.http_minor == 0)
        return H1_FINE;
    for (size_t i = 0; i < c->field_count; i++) {
        if (!http_name_is(c->fields[i].name, "expect"))
            continue;
        if (!http_name_is(c->fields[i].value, "100-continue"))
            return H1_BAD_EXPECTATION;
        c->expect_continue = c->x.request.content_length != 0;
    }
    return H1_FINE;
}

/* Does the client say that it is about this connection only? What frames and routes the request stays. */
static bool is_listed(const struct h1 *c, struct http_text name)
{
    if (http_name_is(name, "host") || http_name_is(name, "content-length"))
        return false;
    for (size_t i = 0; i < c->field_count; i++)
        if (http_name_is(c->fields[i].name, "connection") && http_list_has(c->fields[i].value, name))
            return true;
    return false;
}

/* Does Connection list more than there can be? Each field is looked for in it, which takes its time. */
static bool lists_too_much(const struct h1 *c)
{
    size_t members = 0;
    for (size_t i = 0; i < c->field_count; i++)
        for (size_t at = 0; http_name_is(c->fields[i].name, "connection") && at < c->fields[i].value.size; at++)
            members += at == 0 || c->fields[i].value.data[at] == ',';
    return members > c->server->limits.header_count;
}

/* Is there more in Connection than the word that most clients send? */
static bool lists_fields(const struct h1 *c)
{
    for (size_t i = 0; i < c->field_count; i++)
        if (http_name_is(c->fields[i].name, "connection") && !http_name_is(c->fields[i].value, "keep-alive") &&
            !http_name_is(c->fields[i].value, "close"))
            return true;
    return false;
}

/* What concerns this connection ends here (RFC 9110, section 7.6.1); the app gets the rest. Connection is read until
 * all that it lists is marked. */
static void drop_hop_by_hop(struct h1 *c, struct http_request *request)
{
    bool listed = lists_fields(c);
    for (size_t i = 0; listed && i < c->field_count; i++)
        if (!http_is_hop_by_hop(c->fields[i].name) && is_listed(c, c->fields[i].name))
            c->fields[i].name.size = 0;
    request->fields = c->fields;
    request->field_count = 0;
    for (size_t i = 0; i < c->field_count; i++)
        if (c->fields[i].name.size && !http_is_hop_by_hop(c->fields[i].name))
            c->fields[request->field_count++] = c->fields[i];
}

enum h1_fault h1_make_request(struct h1 *c)
{
    struct http_request *request = &c->x.request;
    struct http_text target = {c->lines.head.data, c->target_size};
    bool connects = h1_method_is(c, "CONNECT");
    ENSURE(!c->fields && !c->lines.in_trailers); /* once for a head */
    ENSURE(c->target_size <= c->lines.head.end);
    if (c->parser.http_major != 1 || c->parser.http_minor > 1)
        return H1_BAD_VERSION;
    request->minor = c->parser.http_minor;
    c->fields = h1_lines_fields(&c->lines);
    c->field_count = c->fields ? c->lines.count : 0;
    if (!c->fields)
        return H1_NO_MEMORY;
    int parsed = connects ? 0 : http_target_parse(target, h1_method_is(c, "OPTIONS"), &request->target);
    enum h1_fault fault = parsed == 414                                      ? H1_LONG_TARGET
                          : parsed                                           ? H1_BAD_TARGET
                          : http_fields_are_twice(c->fields, c->field_count) ? H1_FIELD_TWICE
                          : lists_too_much(c)                                ? H1_LONG_CONNECTION
                                                                             : take_host(c, &request->target);
    if (!fault)
        fault = take_framing(c, request);
    if (!fault)
        fault = take_expect(c);
    if (fault)
        return fault;
    c->keep_alive = llhttp_should_keep_alive(&c->parser) && !connects;
    drop_hop_by_hop(c, request);
    return H1_FINE;
}
