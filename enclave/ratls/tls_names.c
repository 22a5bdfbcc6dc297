/* See tls_names.h. */
#include "enclave/ratls/tls_names.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/ensure.h"
#include "enclave/budget/budget.h"
#include "enclave/ratls/limits.h"

struct named {
    struct named *next;
    struct charge charge;
    SSL_CTX *own; /* counted; knows the app */
    char name[];
};

static struct budget memory = {.name = "certificates of names", .limit = TLS_NAMES_MEMORY};
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int names_of, app_of; /* where a server's context has its names, and a name's its app */

static void free_names(void *context, void *first, CRYPTO_EX_DATA *data, int index, long number, void *pointer)
{
    (void)context, (void)data, (void)index, (void)number, (void)pointer;
    for (struct named *n = first, *next; n; n = next) {
        next = n->next;
        SSL_CTX_free(n->own);
        charge_give(&n->charge);
        free(n);
    }
}

static void free_app(void *context, void *app, CRYPTO_EX_DATA *data, int index, long number, void *pointer)
{
    (void)context, (void)data, (void)index, (void)number, (void)pointer;
    free(app);
}

static void make_places(void)
{
    names_of = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_names);
    app_of = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_app);
    ENSURE(names_of >= 0 && app_of >= 0);
}

static SSL_CTX *find(const SSL_CTX *server, const char *name)
{
    const struct named *n = SSL_CTX_get_ex_data(server, names_of);
    while (n && strcasecmp(n->name, name) != 0)
        n = n->next;
    return n ? n->own : NULL;
}

/* OpenSSL's, for each ClientHello: a second one, which a client is asked for where its key share is of no use, may name
 * another, so that nothing of the first is left here. */
static int choose(SSL *ssl, int *alert, void *server)
{
    ENSURE(ssl && server);
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *own = asked ? find(server, asked) : NULL, *chosen = own ? own : server;
    ENSURE(chosen);
    if (SSL_get_SSL_CTX(ssl) != chosen && !SSL_set_SSL_CTX(ssl, chosen)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(chosen), NULL);
    return own ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int tell_app(SSL_CTX *own, const char *app)
{
    char *copy = strdup(app);
    ENSURE(!SSL_CTX_get_ex_data(own, app_of)); /* it is one name's */
    if (copy && SSL_CTX_set_ex_data(own, app_of, copy) == 1)
        return 0;
    free(copy);
    return -ENOMEM;
}

int tls_names_add(SSL_CTX *tls, const char *name, const char *app, SSL_CTX *own)
{
    ENSURE(tls && own && tls != own);
    ENSURE(name[0] && app[0]);
    pthread_once(&once, make_places);
    struct named *n = calloc(1, sizeof *n + strlen(name) + 1);
    if (!n || !charge_take(&n->charge, &memory, TLS_NAME_COST)) {
        free(n);
        return -ENOMEM;
    }
    strcpy(n->name, name);
    n->next = SSL_CTX_get_ex_data(tls, names_of);
    if (tell_app(own, app) < 0 || SSL_CTX_set_ex_data(tls, names_of, n) != 1) {
        charge_give(&n->charge);
        free(n);
        return -ENOMEM;
    }
    SSL_CTX_up_ref(own);
    n->own = own;
    SSL_CTX_set_tlsext_servername_callback(tls, choose);
    SSL_CTX_set_tlsext_servername_arg(tls, tls);
    return 0;
}

const char *tls_names_app(const SSL *ssl)
{
    pthread_once(&once, make_places);
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), app_of);
}

SSL_CTX *tls_names_find(const SSL_CTX *tls, const char *name)
{
    pthread_once(&once, make_places);
    return find(tls, name);
}

uint64_t tls_names_memory(void)
{
    return budget_used(&memory);
}
