/* See san.h. */
#include "host/san.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/names.h"

static bool has_name(const char *list, const char *name, size_t size)
{
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == size && strncasecmp(at, name, size) == 0)
            return true;
    return false;
}

/* Once one was wrong, why says so, and nothing is added any more. */
static void add_name(struct options *o, const char *name, size_t size, char *why, size_t why_size)
{
    size_t used = strlen(o->names);
    const char *problem;
    if (*why || has_name(o->names, name, size))
        return;
    if (name_kind_of(name, size, &problem) == NAME_WRONG) {
        snprintf(why, why_size, "--san '%.*s': %s", (int)(size < 300 ? size : 300), name, problem);
        return;
    }
    if (used + 1 + size >= sizeof o->names) {
        snprintf(why, why_size, "--san: more than %u characters, with the names that are there anyway",
                 PROTO_SAN_MAX - 1);
        return;
    }
    snprintf(o->names + used, sizeof o->names - used, "%s%.*s", used ? "," : "", (int)size, name);
}

/* The address of --listen, if clients can mean it: not all addresses, nor one that --no-localhost speaks of. */
static void add_listen_address(struct options *o, char *why, size_t why_size)
{
    char text[INET6_ADDRSTRLEN];
    const struct in6_addr *a = &o->listen.sin6_addr;
    bool v4 = IN6_IS_ADDR_V4MAPPED(a);
    bool loopback = v4 ? a->s6_addr[12] == 127 : IN6_IS_ADDR_LOOPBACK(a);
    bool any = v4 ? memcmp(a->s6_addr + 12, "\0\0\0\0", 4) == 0 : IN6_IS_ADDR_UNSPECIFIED(a);
    if (any || (loopback && o->no_localhost))
        return;
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->s6_addr + 12 : a->s6_addr, text, sizeof text);
    add_name(o, text, strlen(text), why, why_size);
}

int san_gather(struct options *o, char *why, size_t why_size)
{
    static const char *const local[] = {"localhost", "127.0.0.1", "::1"};
    *why = 0;
    for (size_t i = 0; i < 3 && !o->no_localhost; i++)
        add_name(o, local[i], strlen(local[i]), why, why_size);
    add_listen_address(o, why, why_size);
    for (const char *at = o->san; at;) {
        size_t size = strcspn(at, ",");
        const char *comma = at[size] ? at + size : NULL;
        for (; size > 0 && *at == ' '; at++) /* "a, b" is how people write lists */
            size--;
        while (size > 0 && at[size - 1] == ' ')
            size--;
        add_name(o, at, size, why, why_size);
        at = comma ? comma + 1 : NULL;
    }
    if (!*why && !o->names[0])
        snprintf(why, why_size, "--no-localhost leaves the certificate without a name: give --san");
    return *why ? -EINVAL : 0;
}
