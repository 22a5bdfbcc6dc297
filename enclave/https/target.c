/*
 * See target.h. http-parser's URL parser finds the parts: a state machine that allocates nothing, wants nothing of an
 * operating system, gives offsets into the text and is what httptools keeps in use. It is lax about characters, so each
 * part is held against RFC 3986 here; the tests hold the two together against uriparser.
 */
#include "enclave/https/target.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <http_parser.h>

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(const char *set, char c)
{
    return c && strchr(set, c);
}

static bool is_unreserved_or_delimiter(char c)
{
    return is_alnum(c) || is_one_of("-._~!$&'()*+,;=", c);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The octet that a percent-encoding at `at` stands for, or -1: it is none. */
static int encoded(struct http_text text, size_t at)
{
    if (text.size - at < 3)
        return -1;
    int high = hex_value(text.data[at + 1]), low = hex_value(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

size_t http_text_decode(struct http_text text, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        int octet = text.data[i] == '%' ? encoded(text, i) : -1;
        out[size++] = octet < 0 ? text.data[i] : (char)octet;
        i += octet < 0 ? 0 : 2;
    }
    return size;
}

/* ---- the authority -------------------------------------------------------------------------------------------- */

/* What stands between brackets: an IPv6 address, or the form that is kept for later ones. */
static bool literal_valid(struct http_text text)
{
    char address[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (text.size == 0 || (text.data[0] != 'v' && text.data[0] != 'V')) {
        if (text.size >= sizeof address || memchr(text.data, 0, text.size))
            return false;
        memcpy(address, text.data, text.size);
        address[text.size] = 0;
        return inet_pton(AF_INET6, address, bytes) == 1;
    }
    size_t digits = 0;
    while (1 + digits < text.size && hex_value(text.data[1 + digits]) >= 0)
        digits++;
    bool future = digits && digits + 2 < text.size && text.data[1 + digits] == '.';
    for (size_t i = digits + 2; future && i < text.size; i++)
        future = (is_unreserved_or_delimiter(text.data[i]) || text.data[i] == ':') && text.data[i] != ',';
    return future;
}

/* A registered name or an IPv4 address. RFC 3986 allows a comma, which no name has: it is two fields, joined. */
static bool name_valid(struct http_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%' && encoded(text, i) > 0)
            i += 2;
        else if (!is_unreserved_or_delimiter(c) || c == ',')
            return false;
    }
    return text.size > 0;
}

static bool port_valid(struct http_text text)
{
    uint32_t port = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(text.data[i] - '0');
        if (port > 65535)
            return false;
    }
    return true;
}

static struct http_text part(struct http_text text, size_t from, size_t to)
{
    return (struct http_text){text.data + from, to - from};
}

bool http_authority_valid(struct http_text authority)
{
    bool literal = authority.size && authority.data[0] == '[';
    const char *end = authority.size ? memchr(authority.data, literal ? ']' : ':', authority.size) : NULL;
    if (literal && !end)
        return false;
    size_t host = end ? (size_t)(end - authority.data) : authority.size;
    bool valid = literal ? literal_valid(part(authority, 1, host)) : name_valid(part(authority, 0, host));
    size_t behind = literal ? host + 1 : host;
    if (!valid || behind == authority.size)
        return valid;
    return authority.data[behind] == ':' && port_valid(part(authority, behind + 1, authority.size));
}

/* ---- the path ------------------------------------------------------------------------------------------------- */

/* Is it "." or "..", however spelled? */
static bool is_dots(struct http_text segment)
{
    size_t dots = 0;
    for (size_t i = 0; i < segment.size; i++, dots++) {
        if (segment.data[i] == '%' && encoded(segment, i) == '.')
            i += 2;
        else if (segment.data[i] != '.')
            return false;
    }
    return dots == 1 || dots == 2;
}

/* Browsers send [ ] | ^ as they are (the URL standard, not RFC 3986); they mean nothing to the structure. */
static bool segment_valid(struct http_text segment)
{
    for (size_t i = 0; i < segment.size; i++) {
        char c = segment.data[i];
        if (c == '%' && encoded(segment, i) > 0) /* an encoded NUL fits into no environment, nor into C */
            i += 2;
        else if (!is_unreserved_or_delimiter(c) && !is_one_of(":@[]|^", c))
            return false;
    }
    return !is_dots(segment);
}

/* The first segment names who answers: whatever may be read as another name, or as none, is refused. */
static bool first_valid(struct http_text segment)
{
    return !memchr(segment.data, '%', segment.size) && !memchr(segment.data, ';', segment.size);
}

static bool path_valid(struct http_text path)
{
    if (path.size == 0 || path.data[0] != '/' || (path.size > 1 && path.data[1] == '/'))
        return false;
    for (size_t from = 1; from <= path.size;) {
        const char *slash = memchr(path.data + from, '/', path.size - from);
        size_t to = slash ? (size_t)(slash - path.data) : path.size;
        if (!segment_valid(part(path, from, to)) || (from == 1 && !first_valid(part(path, from, to))))
            return false;
        from = to + 1;
    }
    return true;
}

/* An app's business: only what no browser leaves as it is, or what ends a target, is refused. */
static bool query_valid(struct http_text query)
{
    for (size_t i = 0; i < query.size; i++)
        if (query.data[i] <= ' ' || query.data[i] >= 0x7f || is_one_of("\"<>#", query.data[i]))
            return false;
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

static struct http_text field(struct http_text text, const struct http_parser_url *u, int which)
{
    bool set = u->field_set & (1u << which);
    return set ? part(text, u->field_data[which].off, (size_t)u->field_data[which].off + u->field_data[which].len)
               : (struct http_text){"", 0};
}

static bool scheme_known(struct http_text scheme)
{
    return (scheme.size == 4 && strncasecmp(scheme.data, "http", 4) == 0) ||
           (scheme.size == 5 && strncasecmp(scheme.data, "https", 5) == 0);
}

/* "*" is a target of its own, and OPTIONS on a server's bare name means it (RFC 9112, section 3.2.4). */
static int whole_server(bool options, struct http_target *target)
{
    target->path = target->whole = (struct http_text){"*", 1};
    return options ? 0 : 400;
}

int http_target_parse(struct http_text text, bool options, struct http_target *target)
{
    struct http_parser_url u;
    *target = (struct http_target){0};
    if (text.size > HTTP_TARGET_MAX)
        return 414;
    if (text.size == 1 && text.data[0] == '*')
        return whole_server(options, target);
    http_parser_url_init(&u);
    if (text.size == 0 || memchr(text.data, '#', text.size) || http_parser_parse_url(text.data, text.size, 0, &u) != 0)
        return 400;
    target->query = field(text, &u, UF_QUERY);
    const char *mark = memchr(text.data, '?', text.size);
    size_t path_end = mark ? (size_t)(mark - text.data) : text.size, path_start = 0;
    if (u.field_set & (1u << UF_SCHEMA)) {
        struct http_text scheme = field(text, &u, UF_SCHEMA);
        path_start = u.field_set & (1u << UF_PATH) ? u.field_data[UF_PATH].off : path_end;
        target->authority = part(text, scheme.size + 3, path_start);
        if (!scheme_known(scheme) || !http_authority_valid(target->authority))
            return 400;
        if (options && path_start == text.size)
            return whole_server(true, target);
    }
    target->whole = part(text, path_start, text.size);
    target->path = path_start < path_end ? part(text, path_start, path_end) : (struct http_text){"/", 1};
    return path_valid(target->path) && query_valid(target->query) ? 0 : 400;
}

struct http_text http_target_first(const struct http_target *target)
{
    struct http_text path = target->path;
    const char *slash = path.size > 1 ? memchr(path.data + 1, '/', path.size - 1) : NULL;
    size_t end = slash ? (size_t)(slash - path.data) : path.size;
    return path.data[0] == '/' ? part(path, 1, end) : (struct http_text){"", 0};
}

void http_target_cut(struct http_target *target)
{
    size_t prefix = http_target_first(target).size + 1;
    if (target->path.size == prefix) {
        /* Nothing is left of the path: the last letter of the segment makes room for the slash. */
        prefix--;
        *(char *)(target->path.data + prefix) = '/';
    }
    target->path = part(target->path, prefix, target->path.size);
    target->whole = part(target->whole, prefix, target->whole.size);
}
