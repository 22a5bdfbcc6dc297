/*
 * Names of servers: what may stand in a certificate's subject alternative names, and in an address that somebody typed.
 *
 * A DNS name is RFC 5280's: labels of letters, digits and hyphens (RFC 1034's preferred syntax), 1 to 63 characters
 * each, 253 at most in all, without a dot at the end. Other alphabets are written in their "xn--" form. A last label of
 * digits alone is refused: it would be taken for a part of an IPv4 address.
 */
#ifndef ENCLAVE_OS_COMMON_NAMES_H
#define ENCLAVE_OS_COMMON_NAMES_H

#include <stddef.h>

#define NAME_SIZE_MAX 253u

enum name_kind {
    NAME_WRONG,
    NAME_DNS,
    NAME_WILDCARD, /* "*." and a name of two labels or more */
    NAME_IPV4,     /* dotted, four numbers */
    NAME_IPV6      /* without brackets, without a zone */
};

/* What text (size bytes, no NUL needed) is. Of NAME_WRONG *why says what is wrong with it, if why is not NULL. */
enum name_kind name_kind_of(const char *text, size_t size, const char **why);

#endif
