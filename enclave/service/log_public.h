/*
 * The history as everybody may read it, by C2SP's tlog-tiles: the newest checkpoint, tiles of hashes, and entries.
 *
 *     GET /_enclave/log/checkpoint
 *     GET /_enclave/log/tile/L/N  and  /tile/L/N.p/W             256 hashes, or the first W
 *     GET /_enclave/log/tile/entries/N  and  /tile/entries/N.p/W the entries under the tile 0/N
 *
 * Memory. A request takes some hundred bytes until its turn to be read has come (history/read.h), then its answer's
 * bytes until the client has them. All of it together is charged to LOG_MEMORY; a request beyond is 503.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_LOG_PUBLIC_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_LOG_PUBLIC_H

#include <stdbool.h>

#include "enclave/history/read.h"
#include "enclave/https/exchange.h"
#include "enclave/service/limits.h"

#define LOG_PATH "/_enclave/log/"

/* Boot, once. */
void log_public_open(void);
/* Answers a request for a path below LOG_PATH, with GET or HEAD: rest is what follows. On the exchange's worker. */
void log_public_answer(struct http_exchange *x, struct http_text rest);
/* What such a path names: "tile/entries/x001/234.p/5". False: nothing, or not in the one way to write it. */
bool log_public_part(struct http_text rest, struct history_part *part);

#endif
