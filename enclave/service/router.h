/*
 * From a request to what answers it: one of the server's own routes, the admin hook, or the app that the first segment
 * of the path names.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_ROUTER_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_ROUTER_H

#include "enclave/https/http.h"

struct http_exchange;

/* For http_server.route. The exchange is answered, now or later. */
void route_request(struct http_server *server, struct http_exchange *x);

#endif
