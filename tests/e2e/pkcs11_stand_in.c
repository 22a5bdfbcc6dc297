/*
 * An OpenSSL provider called pkcs11, for a test on a machine where the real one is not packaged: a store for URIs
 * pkcs11:FILE, which has a key for each PKCS#8 file in DER that is named, joined by commas.
 */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
    char *names, *next;
};

static void *store_open(void *provider, const char *uri)
{
    struct place *place = calloc(1, sizeof *place);
    (void)provider;
    place->names = place->next = strdup(uri + strlen("pkcs11:"));
    return place;
}

static int store_load(void *context, OSSL_CALLBACK *give, void *user, OSSL_PASSPHRASE_CALLBACK *ask, void *ask_user)
{
    struct place *place = context;
    unsigned char der[4096];
    (void)ask, (void)ask_user;
    char *name = strsep(&place->next, ",");
    FILE *file = fopen(name, "rb");
    if (!file)
        return 0;
    size_t size = fread(der, 1, sizeof der, file);
    fclose(file);
    int type = OSSL_OBJECT_PKEY;
    OSSL_PARAM key[] = {OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
                        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, (char *)"EC", 0),
                        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_STRUCTURE, (char *)"PrivateKeyInfo", 0),
                        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, der, size),
                        OSSL_PARAM_construct_end()};
    return give(key, user);
}

static int store_eof(void *context)
{
    return ((struct place *)context)->next == NULL;
}

static int store_close(void *context)
{
    free(((struct place *)context)->names);
    free(context);
    return 1;
}

static const OSSL_DISPATCH store[] = {{OSSL_FUNC_STORE_OPEN, (void (*)(void))store_open},
                                      {OSSL_FUNC_STORE_LOAD, (void (*)(void))store_load},
                                      {OSSL_FUNC_STORE_EOF, (void (*)(void))store_eof},
                                      {OSSL_FUNC_STORE_CLOSE, (void (*)(void))store_close},
                                      {0, NULL}};
static const OSSL_ALGORITHM stores[] = {{"pkcs11", "provider=pkcs11", store, "keys of files"},
                                        {NULL, NULL, NULL, NULL}};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_STORE ? stores : NULL;
}

static const OSSL_DISPATCH functions[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query}, {0, NULL}};

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                       void **provider)
{
    (void)in;
    *out = functions;
    *provider = (void *)handle;
    return 1;
}
