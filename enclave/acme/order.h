/*
 * One order under way (flow.h): its requests over the enclave's own TLS to elsewhere, its waits, and the certificate
 * that its challenge shows. The owner's thread.
 *
 *     o = acme_order_start(&wanted)                  NULL: no memory
 *     done(user, &result)                            once, later, from the loop; o is gone then
 *     acme_order_cancel(o)                           before it: done never comes
 *
 * It ends within ACME_ORDER_NS. Memory: one flow, one request and one answer (limits.h) and CALL_COST.
 */
#ifndef ENCLAVE_OS_ENCLAVE_ACME_ORDER_H
#define ENCLAVE_OS_ENCLAVE_ACME_ORDER_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

struct acme_order_run;
struct http_dialer;
struct http_site;
struct worker;

struct acme_order_result {
    EVP_PKEY *key;   /* the name's; NULL: it has failed */
    const char *pem; /* its chain, size bytes, judged (certificate.h) */
    size_t size;
    const char *why;
    uint32_t wait_s; /* failed: how long the directory wants to be left alone; 0: it does not say */
};
typedef void (*acme_order_done)(void *user, const struct acme_order_result *result);

struct acme_order_wanted {
    struct worker *worker;
    const struct http_dialer *dialer;
    struct http_site *site;       /* whose CA bundle says who the directory is; a reference is taken */
    const char *directory, *name; /* copied */
    const json_t *contact;        /* copied; NULL: none */
    EVP_PKEY *account;            /* a reference is taken */
    acme_order_done done;
    void *user;
};
struct acme_order_run *acme_order_start(const struct acme_order_wanted *wanted);
void acme_order_cancel(struct acme_order_run *o);
/* Of which name. */
const char *acme_order_name(const struct acme_order_run *o);

#endif
