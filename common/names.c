/* See names.h. */
#include "common/names.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#define LABEL_SIZE_MAX 63u

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/* NULL, or what is wrong with the label. */
static const char *judge_label(const char *label, size_t size)
{
    if (size == 0)
        return "it has an empty label";
    if (size > LABEL_SIZE_MAX)
        return "a label has more than 63 characters";
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)label[i] >= 0x80)
            return "it is not ASCII: give its xn-- form";
        if (!is_letter_or_digit(label[i]) && label[i] != '-')
            return "a name has letters, digits, hyphens and dots only";
    }
    if (label[0] == '-' || label[size - 1] == '-')
        return "a label begins or ends with a hyphen";
    return NULL;
}

static const char *judge_dns(const char *text, size_t size, size_t *labels)
{
    if (text[size - 1] == '.')
        return "it ends with a dot";
    bool digits_alone = true;
    *labels = 0;
    for (size_t at = 0; at <= size;) {
        const char *dot = memchr(text + at, '.', size - at);
        size_t length = dot ? (size_t)(dot - text) - at : size - at;
        const char *why = judge_label(text + at, length);
        if (why)
            return why;
        digits_alone = true;
        for (size_t i = 0; i < length; i++)
            digits_alone = digits_alone && is_digit(text[at + i]);
        ++*labels;
        at += length + 1;
    }
    return digits_alone ? "its last label is a number, and it is no IPv4 address" : NULL;
}

static enum name_kind address_kind(const char *text, size_t size)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char ignored[16];
    if (size >= sizeof copy || memchr(text, '\0', size))
        return NAME_WRONG;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return inet_pton(AF_INET, copy, ignored) == 1    ? NAME_IPV4
           : inet_pton(AF_INET6, copy, ignored) == 1 ? NAME_IPV6
                                                     : NAME_WRONG;
}

/* Names that are part of something larger: people paste what they see. */
static const char *judge_form(const char *text, size_t size)
{
    const char *colon = memchr(text, ':', size);
    if (colon && (size_t)(text + size - colon) >= 3 && memcmp(colon, "://", 3) == 0)
        return "it is a URL: give the name alone";
    if (memchr(text, '/', size))
        return "it has a path, or the length of a network: give the name or address alone";
    if (memchr(text, '@', size))
        return "it has a user's name: give the server's alone";
    if (text[0] == '[')
        return "it has brackets: an IPv6 address stands here without them, and without a port";
    if (colon && !memchr(colon + 1, ':', (size_t)(text + size - colon - 1)))
        return "it has a port: give the name or address alone";
    return colon ? "it is no IPv6 address (without brackets, zone and port)" : NULL;
}

enum name_kind name_kind_of(const char *text, size_t size, const char **why)
{
    const char *ignored;
    size_t labels;
    why = why ? why : &ignored;
    *why = size == 0 ? "it is empty" : size > NAME_SIZE_MAX ? "it has more than 253 characters" : NULL;
    if (*why)
        return NAME_WRONG;
    enum name_kind kind = address_kind(text, size);
    if (kind != NAME_WRONG)
        return kind;
    *why = judge_form(text, size);
    if (*why)
        return NAME_WRONG;
    bool wildcard = size > 2 && text[0] == '*' && text[1] == '.';
    *why = wildcard ? judge_dns(text + 2, size - 2, &labels) : judge_dns(text, size, &labels);
    if (!*why && wildcard && labels < 2)
        *why = "a wildcard stands before two labels at least";
    return *why ? NAME_WRONG : wildcard ? NAME_WILDCARD : NAME_DNS;
}
