/*
 * Certificates: for a generation, one that shows its root, whose quote binds this boot's key to this image, and whose
 * evidence, a second quote, binds all that it shows.
 *
 *     if (attest(g, &head, attested, c) < 0) ...                 nothing was begun
 *     static void attested(void *user, int error, SSL_CTX *tls)
 *
 * With it come those of the apps' own names (settings.h), each with a key that is made for it, and a quote: clients
 * that ask for one of them are shown that one (ratls/tls_names.h).
 *
 * The host is asked for a quote of each, and what it says is judged before it is used: a certificate that no client
 * can verify is none, and where one is missing there are none. Nothing is tried again here; who asked knows whether
 * that makes sense. On the owner's thread, any number at once: the host may answer in any order.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_ATTEST_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_ATTEST_H

#include <openssl/ssl.h>

#include "common/callbacks.h"

struct generation;
struct history_head;

/* Boot, before the first: who may have a certificate of a name from elsewhere (enclave/acme). It gives a context, which
 * is the caller's, and no quote is asked for then; NULL: it has none of that generation's, and the enclave makes one.
 * peers is our CA, where clients are to be asked for certificates, or NULL (ratls/tls_context.h). On the owner's
 * thread. */
typedef SSL_CTX *(*attest_named)(const struct generation *g, const char *name, X509 *peers);
void attest_names_by(attest_named named);

/* error 0: tls is the server's context with the certificate, valid during the call (take a reference). Else a negative
 * errno, and the host's log says why. */
typedef void (*attest_done)(void *user, int error, SSL_CTX *tls);
/* A reference to g is kept meanwhile. head is copied: of the log that the certificate shows, with g's entry in it. */
MAY_REFUSE int attest(struct generation *g, const struct history_head *head, attest_done done, void *user);

#endif
