/*
 * The keys that requests are encrypted to: one pair for each generation that is served (https/site.h), made when it is
 * first asked for.
 *
 *     keys_open(&owner->loop)                                   at boot
 *     keys_list(site, list)                                     what clients are told of it
 *     struct http_site *site = keys_find(id, now_ns, secret);   whom a request is for; give the reference back
 *
 * A request is answered by the generation whose key it was encrypted to, and by no other: that is the one that its
 * client has verified. So a key lives as long as its site is not over; then it is wiped, within a second, and who still
 * uses it is told to ask for another one. No key is stored or leaves the enclave: what was recorded is lost with it.
 *
 * Any thread, but for keys_open, which is for the owner's, on whose loop they end.
 */
#ifndef ENCLAVE_OS_ENCLAVE_OHTTP_KEYS_H
#define ENCLAVE_OS_ENCLAVE_OHTTP_KEYS_H

#include <stdint.h>

#include "common/ohttp.h"

struct http_site;
struct loop;

int keys_open(struct loop *owner); /* 0 or -ENOMEM */

/* The site's configuration, as application/ohttp-keys. 0; -EBUSY: more generations than OHTTP_KEYS_MAX are not over;
 * -EIO. */
int keys_list(struct http_site *site, uint64_t now_ns, uint8_t list[OHTTP_KEYS_SIZE]);

/* A counted reference, and the key's secret half, for the caller to wipe. NULL: no key, or none any more, has this
 * id. */
struct http_site *keys_find(uint8_t id, uint64_t now_ns, uint8_t secret[OHTTP_KEY_SIZE]);

/* Wipe them all: at the end. On the owner's thread. */
void keys_close(void);

#endif
