/* For tests that refuse memory: what OpenSSL takes inside is not refused, since where it has none it says that its
 * caller's data are bad, and what it makes once it waits for ever. Before anything of OpenSSL; with the functions that
 * are not refused. */
#ifndef ENCLAVE_OS_TESTS_NATIVE_SPARE_OPENSSL_H
#define ENCLAVE_OS_TESTS_NATIVE_SPARE_OPENSSL_H

#include <openssl/crypto.h>
#include <stdlib.h>

#include "common/ensure.h"

static void *(*spared_malloc)(size_t size);
static void *(*spared_realloc)(void *p, size_t size);

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return spared_malloc(size);
}

static void *openssl_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return spared_realloc(p, size);
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

static inline void spare_openssl(void *(*allocate)(size_t size), void *(*reallocate)(void *p, size_t size))
{
    spared_malloc = allocate;
    spared_realloc = reallocate;
    ENSURE(CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1);
}

#endif
