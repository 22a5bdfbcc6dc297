/*
 * The key of the generation in force, with what shows that it is this enclave's.
 *
 * That is a signature by the key of the certificate, which the quote in it binds, over the certificate and the key
 * configuration. So whoever judges the certificate as one of a live handshake, and the signature as its proof, knows of
 * the key configuration what a handshake would have shown him: of which enclave, instance and generation it is, and
 * until when. Whoever carries it cannot exchange a part of it. docs/protocol.md has the format.
 *
 * On the exchange's worker.
 */
#ifndef ENCLAVE_OS_ENCLAVE_OHTTP_PUBLISHED_H
#define ENCLAVE_OS_ENCLAVE_OHTTP_PUBLISHED_H

struct http_exchange;

void published_keys(struct http_exchange *x);     /* answers with application/ohttp-keys */
void published_evidence(struct http_exchange *x); /* with all of it, as JSON */

#endif
