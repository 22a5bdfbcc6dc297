/*
 * From a request to what answers it: one of the server's own routes, the admin hook, or the app that the first segment
 * of the path names.
 *
 * On a connection that an app's own name was asked for (transport.h), it is that app, whatever the path: the server is
 * there only with what proves it, its manifest, proofs, history and fresh evidence, and below /_enclave/ and
 * /__privasys/ there is nothing else. A request for any other host is answered with 421 there.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_ROUTER_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_ROUTER_H

#include "enclave/https/http.h"

struct http_exchange;

/* For http_server.route. The exchange is answered, now or later. */
void route_request(struct http_server *server, struct http_exchange *x);

#endif
