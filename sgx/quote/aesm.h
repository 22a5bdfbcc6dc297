/*
 * Quotes from real hardware: Intel's AESM service, over its Unix socket, asks the quoting enclave for DCAP ECDSA
 * quotes (docs/hardware.md tells what to install). Runs in the untrusted host. What the service answers is bounded
 * and checked for form only: whether a quote proves anything is decided by who verifies it.
 */
#ifndef ENCLAVE_OS_SGX_QUOTE_AESM_H
#define ENCLAVE_OS_SGX_QUOTE_AESM_H

#include "sgx/quote/quote.h"

#define AESM_SOCKET "/var/run/aesmd/aesm.socket"
#define AESM_TIMEOUT_MS 30000u /* the first quote of a machine may load two enclaves and fetch certificates */

/* Select the ECDSA P-256 attestation key and make it ready. timeout_ms bounds each exchange as a whole.
 *
 * 0; or with one line in error that says what is missing:
 *   -ENOENT, -ECONNREFUSED, -EACCES   no service, nobody listens, or no permission on its socket
 *   -ETIMEDOUT, -EPIPE                it did not answer in time, or hung up
 *   -EPROTONOSUPPORT                  it has no ECDSA plugin, or has chosen another kind of key
 *   -EREMOTEIO                        it answered with an error code of its own
 *   -EBADMSG                          its answer cannot be
 * quote_get prints such a line on standard error, unless it is the same as the last. */
int quote_aesm_create(const char *socket_path, uint32_t timeout_ms, struct quote_backend **out, char *error,
                      size_t error_size);

/* What an error code of the service means, and what to do about it. Static text. */
const char *quote_aesm_error_text(uint32_t code);

#endif
