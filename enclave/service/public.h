/*
 * What everybody may see: of the generation that answers, its manifest and a proof for each leaf; and the history.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_PUBLIC_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_PUBLIC_H

#include <stdbool.h>

struct http_exchange;

/* GET /_enclave/, for people (page_public.h), /_enclave/manifest and /_enclave/proof/LABEL, of the exchange's own
 * generation (manifest.h), and /_enclave/log/PATH, of the newest head (log_public.h); false: it is another path. For
 * http_server.more_routes. On the exchange's worker. */
bool public_answer(void *user, struct http_exchange *x);

#endif
