/*
 * The collateral of this host's quotes, for an enclave that shows a quote to another one and lets it judge at once. The
 * simulation's lies in the machine's folder; hardware's is fetched from a server (PCCS, or Intel's PCS). Nothing here
 * is trusted: the documents are signed, and an enclave judges them.
 */
#ifndef ENCLAVE_OS_HOST_NET_QUOTE_COLLATERAL_H
#define ENCLAVE_OS_HOST_NET_QUOTE_COLLATERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where it comes from; strings are borrowed. */
struct quote_collateral_source {
    const char *machine_dir; /* the simulation's; NULL: hardware */
    const char *pccs;        /* hardware's, a URL; NULL: there is none */
};

/* Whether text may stand for pccs: http[s]://HOST[:PORT][/PATH]. */
bool quote_collateral_is_url(const char *text);

/* The six documents as RPC_QUOTE_COLLATERAL answers them, malloc'ed. 0; or a negative errno with one line in error:
 * -ENOENT where there is no source, or it does not have them. Blocks for up to 20 s, beside the name's lookup. Any
 * thread. A server's own certificate is not judged: a false server could only learn which kind of platform this is. */
int quote_collateral_get(const struct quote_collateral_source *source, const void *quote, size_t quote_size,
                         uint8_t **out, size_t *out_size, char *error, size_t error_size);

#endif
