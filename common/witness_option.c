/* See witness_option.h. */
#include "common/witness_option.h"

#include <string.h>

#include "common/names.h"

bool witness_option_split(const char *text, size_t size, struct witness_option *o)
{
    const char *equals = memchr(text, '=', size);
    const char *comma = equals ? memchr(equals, ',', (size_t)(text + size - equals)) : NULL;
    if (!comma)
        return false;
    *o = (struct witness_option){text,
                                 equals + 1,
                                 comma + 1,
                                 (size_t)(equals - text),
                                 (size_t)(comma - equals - 1),
                                 (size_t)(text + size - comma - 1)};
    return true;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool consists_of(const char *text, size_t size, const char *others)
{
    for (size_t i = 0; i < size; i++)
        if (!is_alphanumeric(text[i]) && (text[i] == 0 || !strchr(others, text[i])))
            return false;
    return true;
}

bool witness_name_ok(const char *name, size_t size)
{
    return size > 0 && size <= WITNESS_NAME_MAX && consists_of(name, size, "-_.");
}

static bool read_port(const char *text, size_t size, uint16_t *port)
{
    unsigned long value = 0;
    if (size == 0 || size > 5 || text[0] == '0')
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned long)(text[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= 65535;
}

/* "host", "host:port", "[address]", "[address]:port" */
static bool read_authority(const char *text, size_t size, struct witness_url *url)
{
    bool bracket = size > 0 && text[0] == '[';
    const char *end = memchr(text, bracket ? ']' : ':', size), *host = text + bracket;
    if (bracket && !end)
        return false;
    size_t host_size = (size_t)((end ? end : text + size) - host);
    const char *rest = !end ? text + size : end + bracket;
    size_t rest_size = (size_t)(text + size - rest);
    enum name_kind kind = name_kind_of(host, host_size, NULL);
    if (bracket ? kind != NAME_IPV6 : kind != NAME_DNS && kind != NAME_IPV4)
        return false;
    if (rest_size > 0 && (rest[0] != ':' || !read_port(rest + 1, rest_size - 1, &url->port)))
        return false;
    memcpy(url->host, host, host_size);
    memcpy(url->authority, text, size);
    return true;
}

bool witness_url_read(const char *text, size_t size, struct witness_url *url)
{
    static const char https[] = "https://", http[] = "http://";
    size_t scheme;
    memset(url, 0, sizeof *url);
    url->tls = size >= sizeof https - 1 && memcmp(text, https, sizeof https - 1) == 0;
    scheme = url->tls ? sizeof https - 1 : sizeof http - 1;
    if (size > WITNESS_URL_MAX || (!url->tls && (size < scheme || memcmp(text, http, scheme) != 0)))
        return false;
    const char *authority = text + scheme, *slash = memchr(authority, '/', size - scheme);
    const char *path = slash ? slash : text + size;
    size_t path_size = (size_t)(text + size - path);
    url->port = url->tls ? 443 : 80;
    if (!consists_of(path, path_size, "/-_.~"))
        return false;
    memcpy(url->path, path, path_size);
    return read_authority(authority, (size_t)(path - authority), url);
}
