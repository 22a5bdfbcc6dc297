/*
 * How a witness is given: "NAME=URL,VKEY" (host's option, enclave/witness/set.h), and which names and URLs there are.
 * The host judges what an operator types, the enclave what the host says: both by this.
 */
#ifndef ENCLAVE_OS_COMMON_WITNESS_OPTION_H
#define ENCLAVE_OS_COMMON_WITNESS_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WITNESS_NAME_MAX 63u /* letters, digits, '-', '_' and '.' */
#define WITNESS_URL_MAX 255u /* characters */

struct witness_option {
    const char *name, *url, *vkey; /* where they stand in the text */
    size_t name_size, url_size, vkey_size;
};

/* False: it is not of this form. Says nothing of the parts. */
bool witness_option_split(const char *text, size_t size, struct witness_option *o);
bool witness_name_ok(const char *name, size_t size);

struct witness_url {
    bool tls; /* https, not http */
    uint16_t port;
    char host[WITNESS_URL_MAX + 1];      /* without brackets */
    char authority[WITNESS_URL_MAX + 1]; /* as it stands there */
    char path[WITNESS_URL_MAX + 1];      /* as it stands there; perhaps empty */
};

/* "http://" or "https://", a name or an address (an IPv6 address in brackets), perhaps a port, perhaps a path of
 * letters, digits and "/-_.~". False: it is none. */
bool witness_url_read(const char *text, size_t size, struct witness_url *url);

#endif
