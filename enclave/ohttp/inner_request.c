/*
 * A binary message made into a request, by the rules for a head of HTTP/1.1 (https/h1_request.c), and those that
 * Oblivious HTTP has: what may be asked this way, and that nothing is done twice.
 */
#include <string.h>
#include <time.h>

#include "common/bhttp.h"
#include "enclave/https/answer.h"
#include "enclave/https/date.h"
#include "enclave/https/fields.h"
#include "enclave/ohttp/internal.h"
#include "enclave/ohttp/seen.h"

static struct http_text text_of(struct bhttp_text text)
{
    return (struct http_text){text.at, text.size};
}

static bool refuse(struct inner_refusal *refusal, int status, const char *why)
{
    refusal->status = status;
    refusal->why = why;
    return false;
}

/* ---- fields ------------------------------------------------------------------------------------------------------ */

/* What concerns one connection means nothing here; the router may add two. */
static struct http_field *take_fields(struct budget *memory, struct bhttp_lines lines, size_t *count)
{
    struct bhttp_field field;
    struct http_field *fields = charged_calloc(memory, (lines.count + 2) * sizeof *fields);
    *count = 0;
    while (fields && bhttp_next(&lines, &field))
        if (!http_is_hop_by_hop(text_of(field.name)))
            fields[(*count)++] = (struct http_field){text_of(field.name), text_of(field.value)};
    return fields;
}

static bool judge_lines(const struct inner *i, const struct bhttp_message *m, struct inner_refusal *refusal)
{
    const struct http_limits *limits = &i->server->limits;
    inner_check(i);
    ENSURE(!i->fields);
    if (m->header.count > limits->header_count || m->trailer.count > limits->header_count ||
        m->header.size + m->trailer.size + m->path.size > limits->header_bytes)
        return refuse(refusal, 431, "it has more fields, or larger ones, than a request may have");
    struct bhttp_lines left = m->header;
    struct bhttp_field field;
    while (bhttp_next(&left, &field)) {
        if (http_name_is(text_of(field.name), "connection"))
            return refuse(refusal, 400, "Connection: there is none that a field could be about");
        if (http_name_is(text_of(field.name), "expect")) /* RFC 9458, section 5.1 */
            return refuse(refusal, 417, "Expect: nothing is answered before the whole request is there");
    }
    return true;
}

static bool judge_fields(struct inner *i, struct inner_refusal *refusal)
{
    const struct http_request *request = &i->x.request;
    struct http_text length;
    uint64_t said = 0;
    inner_check(i);
    ENSURE(request->fields == i->fields);
    if (http_fields_are_twice(request->fields, request->field_count))
        return refuse(refusal, 400, "a field that says one thing is there twice");
    if (http_fields_find(request->fields, request->field_count, "content-length", &length) == 0)
        return true;
    for (size_t k = 0; k < length.size && said <= i->content_size; k++) {
        if (length.data[k] < '0' || length.data[k] > '9')
            return refuse(refusal, 400, "Content-Length is no number");
        said = said * 10 + (unsigned)(length.data[k] - '0');
    }
    if (length.size == 0 || said != i->content_size)
        return refuse(refusal, 400, "Content-Length says something else than the message has");
    return true;
}

/* As over TLS: the target's authority counts, the field must be one all the same. */
static bool judge_host(struct inner *i, struct http_text authority, struct inner_refusal *refusal)
{
    struct http_request *request = &i->x.request;
    struct http_field *fields = i->fields;
    struct http_text host = {0};
    inner_check(i);
    ENSURE(fields && request->fields == fields);
    http_fields_find(fields, request->field_count, "host", &host);
    if ((authority.size && !http_authority_valid(authority)) || (host.size && !http_authority_valid(host)))
        return refuse(refusal, 400, "the authority, or Host, is none");
    request->target.authority = authority.size ? authority : host;
    for (size_t k = 0; authority.size && k < request->field_count; k++)
        if (http_name_is(fields[k].name, "host"))
            fields[k].value = authority;
    return request->target.authority.size > 0 || refuse(refusal, 400, "it says neither an authority nor a Host");
}

/* ---- what may be asked ------------------------------------------------------------------------------------------- */

static bool begins(struct http_text path, const char *prefix)
{
    size_t size = strlen(prefix);
    return path.size >= size && memcmp(path.data, prefix, size) == 0;
}

static bool is_read(const struct http_request *request)
{
    return http_name_is(request->method, "GET") || http_name_is(request->method, "HEAD");
}

/* Of the server's own paths, what everybody may see. Administrators have connections of their own: their bodies are
 * larger than what is held here, and a hand-over is between two enclaves. */
static bool may_be_asked(const struct http_request *request)
{
    static const char *const shown[] = {"/_enclave/manifest", "/_enclave/proof/", "/_enclave/log/"};
    if (!begins(request->target.path, "/_enclave/"))
        return true;
    for (size_t i = 0; is_read(request) && i < sizeof shown / sizeof *shown; i++)
        if (begins(request->target.path, shown[i]))
            return true;
    return false;
}

/* RFC 9458, section 6.5. What is safe (RFC 9110, section 9.2.1) may be asked again by whoever carries it. */
static bool is_new(struct inner *i, struct inner_refusal *refusal)
{
    const struct http_request *request = &i->x.request;
    struct http_text date;
    int64_t made_s = 0, now_s = time(NULL);
    inner_check(i);
    ENSURE(request->fields == i->fields);
    if (is_read(request) || http_name_is(request->method, "OPTIONS"))
        return true;
    size_t dates = http_fields_find(request->fields, request->field_count, "date", &date);
    refusal->clock_s = now_s;
    refusal->problem = OHTTP_DATE_PROBLEM;
    if (dates != 1 || !http_date_read(date, &made_s))
        return refuse(refusal, 400, "Date: one is wanted, in the form of RFC 9110, where something may be changed");
    enum seen seen = seen_look(i->answer.encapsulated, made_s, &now_s, i->all);
    refusal->clock_s = now_s;
    if (seen == SEEN_TOO_OLD)
        return refuse(refusal, 400, "Date: it is too far from the time here, which this answer has");
    refusal->problem = NULL;
    if (seen == SEEN_BEFORE)
        return refuse(refusal, 409, "this very message was answered before: whoever carries it has sent it again");
    if (seen == SEEN_FULL)
        return refuse(refusal, 503, "there is no room to remember that this was answered: ask again in some minutes");
    return true;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static bool take_target(struct inner *i, const struct bhttp_message *m, struct inner_refusal *refusal)
{
    struct http_request *request = &i->x.request;
    inner_check(i);
    ENSURE(!m->is_response);
    request->method = text_of(m->method);
    i->x.head = http_name_is(request->method, "HEAD");
    if (m->method.size > H1_METHOD_MAX)
        return refuse(refusal, 501, "there is no method of so long a name");
    if (!http_name_is(text_of(m->scheme), "https"))
        return refuse(refusal, 400, "the scheme is not https");
    if (m->path.size == 0 || (m->path.at[0] != '/' && m->path.at[0] != '*'))
        return refuse(refusal, 400, "the path does not begin with /");
    int status = http_target_parse(text_of(m->path), http_name_is(request->method, "OPTIONS"), &request->target);
    return status == 0 || refuse(refusal, status, "the path is none, or too long");
}

bool inner_make_request(struct inner *i, uint8_t *plain, size_t size, struct inner_refusal *refusal)
{
    struct bhttp_message m;
    struct http_request *request = &i->x.request;
    inner_check(i);
    ENSURE(!i->fields && plain >= i->data && size <= i->size);
    refusal->status = 400;
    if (bhttp_read(plain, size, &m, &refusal->why) < 0)
        return false;
    if (m.is_response)
        return refuse(refusal, 400, "it is a response");
    if (!take_target(i, &m, refusal) || !judge_lines(i, &m, refusal))
        return false;
    i->fields = take_fields(&i->memory, m.header, &request->field_count);
    i->trailers = take_fields(&i->memory, m.trailer, &i->trailer_count);
    if (!i->fields || !i->trailers)
        return refuse(refusal, 503, HTTP_NO_MEMORY);
    request->fields = i->fields;
    i->trailer_count = http_keep_trailers(i->trailers, i->trailer_count);
    i->content = m.content;
    i->content_size = m.content_size;
    request->content_length = (int64_t)m.content_size;
    if (!judge_fields(i, refusal) || !judge_host(i, text_of(m.authority), refusal))
        return false;
    if (!may_be_asked(request))
        return refuse(refusal, 403, "this is not answered through Oblivious HTTP: connect to the server for it");
    return is_new(i, refusal);
}
