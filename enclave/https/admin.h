/*
 * Routes whose answer needs the complete request body.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_ADMIN_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_ADMIN_H

#include "enclave/https/exchange.h"
#include "enclave/https/http.h"

void http_admin_start(struct http_server *server, struct http_exchange *x);

#endif
