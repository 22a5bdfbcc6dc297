/* See tls_challenge.h. */
#include "enclave/ratls/tls_challenge.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/ensure.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char *name; /* NULL: there is none */
    SSL_CTX *context;
} pending;

int tls_challenge_set(const char *name, SSL_CTX *context)
{
    char *copy = strdup(name);
    ENSURE(name[0] && context);
    if (!copy)
        return -ENOMEM;
    tls_challenge_clear();
    SSL_CTX_up_ref(context);
    pthread_mutex_lock(&lock);
    pending.name = copy;
    pending.context = context;
    pthread_mutex_unlock(&lock);
    return 0;
}

void tls_challenge_clear(void)
{
    pthread_mutex_lock(&lock);
    char *name = pending.name;
    SSL_CTX *context = pending.context;
    ENSURE((name == NULL) == (context == NULL));
    pending.name = NULL;
    pending.context = NULL;
    pthread_mutex_unlock(&lock);
    free(name);
    SSL_CTX_free(context); /* handshakes that have it have references of their own */
}

static bool is_question(const unsigned char *offered, unsigned int size)
{
    static const char name[] = TLS_CHALLENGE_PROTOCOL;
    return size == sizeof name && offered[0] == sizeof name - 1 && memcmp(offered + 1, name, sizeof name - 1) == 0;
}

bool tls_challenge_take(SSL *ssl, const unsigned char *offered, unsigned int size)
{
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool taken = false;
    ENSURE(ssl && (offered || size == 0));
    if (!is_question(offered, size) || !asked)
        return false;
    pthread_mutex_lock(&lock);
    if (pending.name && strcasecmp(pending.name, asked) == 0)
        taken = SSL_set_SSL_CTX(ssl, pending.context) != NULL;
    pthread_mutex_unlock(&lock);
    if (taken)
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL); /* nobody is asked for one */
    return taken;
}

bool tls_challenge_was(const SSL *ssl)
{
    const unsigned char *name;
    unsigned int size;
    SSL_get0_alpn_selected(ssl, &name, &size);
    return size == sizeof TLS_CHALLENGE_PROTOCOL - 1 && memcmp(name, TLS_CHALLENGE_PROTOCOL, size) == 0;
}
