/*
 * The room's manual. Certificates of a public authority for the apps' own names, by ACME (RFC 8555) with tls-alpn-01
 * (RFC 8737), so that browsers take them. Account and keys are made in here, and leave only sealed, for the store.
 *
 *     flow.h          one order as a state machine; messages.h, jose.h, certificate.h: what it reads and writes
 *     order.h         one order under way, over the network
 *     held.h          what a name has, how it is kept, when it is due
 *     acme.h          all names: whose turn it is, what is shown, what is told
 *     service/acme_settings.h    which authority, on whose behalf: an administrator's, and attested
 *
 *     error = acme_open(&parts.acme, why, sizeof why);    boot, before the first certificate: what the store has
 *     acme_serve();                                       boot, when all workers serve
 *     acme_stop();                                        no order is begun any more, and the one under way is left
 *
 * A name is served with the enclave's own certificate until one has come, and again when none is valid any more. The
 * new one is made a part of the generation in force by a renewal of its certificates (service/generations.h): nothing
 * else changes. One that has come lives longer than generations, restarts and images: its key is sealed, and evidence
 * behind the handshake says which generation has it now (docs/attestation.md, "Names of a public authority").
 *
 * One order at a time. It is renewed when a third of its time is left; an order that failed is tried again as held.h
 * says. The time is the host's: it can renew too early or never, and no more.
 *
 * Threads. The owner's, but for acme_status and acme_metrics, which any may call.
 *
 * Memory. A certificate and a key for each name, HOSTNAMES_MAX at most, and one order (docs/memory.md).
 */
#ifndef ENCLAVE_OS_ENCLAVE_ACME_ACME_H
#define ENCLAVE_OS_ENCLAVE_ACME_ACME_H

#include <stddef.h>

struct acme_settings;
struct json_t;

/* The settings, NULL if there are none. 0 or a negative errno with a line in error. Of account and certificates what is
 * damaged is as if it were not there. */
int acme_open(struct acme_settings **settings, char *error, size_t error_size);
void acme_serve(void);
void acme_stop(void);

/* "acme": which directory there is, and each name's state; nothing without settings. Numbers, always. 0 or -ENOMEM. */
int acme_status(struct json_t *into);
int acme_metrics(struct json_t *into);

#endif
