/*
 * Connections that apps' requests go over: the host makes the TCP connection and names its channel, TLS begins in here
 * and ends at the server. The host chooses the address, so only the server's certificate says who is there: it must be
 * for the name that was asked for, under the operator's CA bundle (service/trust.h).
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_DIAL_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_DIAL_H

#include "enclave/https/client.h"

extern const struct http_dialer egress_dialer;

/* The same to witnesses, whose answers prove themselves: without TLS, and with TLS that asks nobody who the server is.
 * They take no site. */
extern const struct http_dialer witness_dialer, witness_tls_dialer;

#endif
