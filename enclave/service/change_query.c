/* See change_query.h. */
#include "enclave/service/change_query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"

#define OF_PUBLICATION "publication="

/* Whether this parameter is the one that is wanted, and was not there before. */
static bool take(const char *parameter, size_t size, const char *wanted, bool *given)
{
    if (*given || size != strlen(wanted) || memcmp(parameter, wanted, size) != 0)
        return false;
    *given = true;
    return true;
}

static bool is_publication(const char *parameter, size_t size, uint8_t sha256[32])
{
    size_t start = sizeof OF_PUBLICATION - 1;
    return size >= start && memcmp(parameter, OF_PUBLICATION, start) == 0 &&
           hex_read(parameter + start, size - start, sha256, 32);
}

static bool take_publication(const char *parameter, size_t size, bool *given)
{
    uint8_t unused[32];
    if (*given || !is_publication(parameter, size, unused))
        return false;
    *given = true;
    return true;
}

bool change_query_publication(const char *path, uint8_t sha256[32])
{
    unsigned count = 0;
    for (const char *at = strchr(path, '?'); at; at = strchr(at, '&')) {
        at++;
        count += is_publication(at, strcspn(at, "&"), sha256);
    }
    return count == 1;
}

int change_query_read(const char *path, struct change_query *out)
{
    const char *at = strchr(path, '?');
    *out = (struct change_query){0};
    if (!at)
        return 0;
    out->rest = malloc(strlen(++at) + 1);
    if (!out->rest)
        return -ENOMEM;
    char *end = out->rest;
    bool others = false, publication = false;
    for (bool more = true; more;) {
        size_t size = strcspn(at, "&");
        if (!take(at, size, "now=true", &out->now) && !take(at, size, "exclusive=true", &out->exclusive) &&
            !take_publication(at, size, &publication)) {
            if (others)
                *end++ = '&';
            memcpy(end, at, size);
            end += size;
            others = true; /* an empty one, too */
        }
        more = at[size] != '\0';
        at += size + more;
    }
    *end = '\0';
    if (!others) {
        free(out->rest);
        out->rest = NULL;
    }
    return 0;
}
