/*
 * A quote of this enclave over what somebody is to believe: for certificates (attest.h), and for hand-overs.
 *
 *     if (quote_make(report_data, on_quote, a) < 0) ...        nothing was begun
 *     static void on_quote(void *user, int error, const uint8_t *quote, size_t size, const struct sgx_report_body *s)
 *
 * The host makes it, and what it gives is a quote over this very report, or an error: whether anybody would believe it
 * is another question. Nothing is tried again here, but another quoting enclave may have taken the place of the one
 * that refused: the next call asks which one there is. On the owner's thread, any number at once.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_QUOTE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_QUOTE_H

#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"

struct sgx_report_body;

/* error 0: quote has size bytes, at most QUOTE_MAX (limits.h), and is over self; both are valid during the call. Else a
 * negative errno: -EBADMSG, and the host's log says what is wrong with what it gave. */
typedef void (*quote_done)(void *user, int error, const uint8_t *quote, size_t size,
                           const struct sgx_report_body *self);
MAY_REFUSE int quote_make(const uint8_t report_data[64], quote_done done, void *user);

#endif
