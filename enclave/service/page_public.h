/*
 * What runs here, as a page for people (page/page.h): of the generation that answers, and the newest of the history.
 *
 *     GET /_enclave/          the page
 *     GET /_enclave/page.css  its style
 *     GET /_enclave/page.js   its script, the JavaScript verifier, which shows its verdict on the page
 *
 * Memory. A request is charged for all that it may come to before it is begun, to PAGE_MEMORY, which all of them share;
 * one beyond that is 503. The page's own bytes stay charged until the client has them.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_PAGE_PUBLIC_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_PAGE_PUBLIC_H

#include "enclave/https/exchange.h"

#define PAGE_PATH "/_enclave/"
#define PAGE_STYLE_PATH "/_enclave/page.css"
#define PAGE_SCRIPT_PATH "/_enclave/page.js"

/* Boot, once. */
void page_public_open(void);
/* Answers a request for one of the paths, with GET or HEAD. On the exchange's worker. */
void page_public_answer(struct http_exchange *x);
void page_public_style(struct http_exchange *x);
void page_public_script(struct http_exchange *x);

#endif
