/*
 * Private keys. See key.h.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* engines: Debian 12 has PKCS#11 for OpenSSL as nothing else */
#include "cli/key.h"

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/report.h"

#define KEY_FILE_MAX 65536u

static bool is_uri(const char *name)
{
    return strncmp(name, "pkcs11:", 7) == 0;
}

static bool is_p256(EVP_PKEY *key)
{
    char group[32] = "";
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) &&
           strcmp(group, "prime256v1") == 0;
}

/* ---- of a file --------------------------------------------------------------------------------------------------- */

/* The first key, and whether there are more, which would be ignored. */
static EVP_PKEY *first_key(const char *pem, size_t size, bool *alone)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    EVP_PKEY *second = key ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    *alone = second == NULL;
    EVP_PKEY_free(second);
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static EVP_PKEY *of_file(const struct key_options *o)
{
    size_t size;
    bool alone;
    char *pem = read_input(o->option, o->name, KEY_FILE_MAX, &size);
    if (!pem)
        return NULL;
    EVP_PKEY *key = first_key(pem, size, &alone);
    bool is_public = strstr(pem, "-----BEGIN PUBLIC KEY-----") != NULL;
    OPENSSL_cleanse(pem, size);
    free(pem);
    if (!key || !is_p256(key))
        wrong("%s %s: not a P-256 private key in PEM%s", o->option, o->name,
              is_public ? ": this is the public half, for the server; here the other one is wanted, without .pub" : "");
    else if (!alone)
        wrong("%s %s: there is more than one private key in it", o->option, o->name);
    else
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

/* ---- by PKCS#11 -------------------------------------------------------------------------------------------------- */

/* OpenSSL's last word on why not. */
static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : "no reason given";
}

/* Through a provider called pkcs11 (package pkcs11-provider): its private keys under that URI. */
static EVP_PKEY *of_provider(const struct key_options *o, int *count)
{
    EVP_PKEY *key = NULL;
    *count = 0;
    OSSL_STORE_CTX *store = OSSL_STORE_open(o->name, NULL, NULL, NULL, NULL);
    if (store)
        OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    while (store && !OSSL_STORE_eof(store) && *count < 2) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (!info && OSSL_STORE_error(store))
            break;
        EVP_PKEY *next =
            info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY ? OSSL_STORE_INFO_get1_PKEY(info) : NULL;
        OSSL_STORE_INFO_free(info);
        if (!next)
            continue;
        ++*count;
        EVP_PKEY_free(key);
        key = next;
    }
    OSSL_STORE_close(store);
    return key;
}

/* Through an engine called pkcs11 (Debian 12: package libengine-pkcs11-openssl). False: there is none. */
static bool of_engine(const struct key_options *o, EVP_PKEY **key)
{
    *key = NULL;
#ifndef OPENSSL_NO_ENGINE
    ENGINE_load_builtin_engines();
    ENGINE *engine = ENGINE_by_id("pkcs11");
    if (!engine)
        return false;
    ERR_clear_error();
    ENGINE_ctrl_cmd(engine, "QUIET", 0, NULL, NULL, 0); /* or it would print the URI, which may have a PIN in it */
    if ((!o->module || ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", o->module, 0)) && ENGINE_init(engine)) {
        *key = ENGINE_load_private_key(engine, o->name, NULL, NULL);
        ENGINE_finish(engine); /* the key holds it for as long as it needs it */
    }
    ENGINE_free(engine);
    return true;
#else
    (void)o;
    return false;
#endif
}

static EVP_PKEY *of_uri(const struct key_options *o)
{
    int count = 1;
    EVP_PKEY *key = NULL;
    if (o->module)
        setenv("PKCS11_PROVIDER_MODULE", o->module, 1);
    if (OSSL_PROVIDER_try_load(NULL, "pkcs11", 1)) {
        key = of_provider(o, &count);
    } else if (!of_engine(o, &key)) {
        wrong("%s: OpenSSL has neither a provider nor an engine for PKCS#11 here (packages pkcs11-provider, "
              "libengine-pkcs11-openssl)",
              o->option);
        return NULL;
    }
    if (count > 1)
        wrong("%s: more than one private key answers to this URI: say which, by id or object", o->option);
    else if (!key)
        wrong("%s: no private key answers to this URI (%s)", o->option, openssl_reason());
    else if (!is_p256(key))
        wrong("%s: the key of this URI is not a P-256 key", o->option);
    else
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

EVP_PKEY *key_open(const struct key_options *o)
{
    if (is_uri(o->name))
        return of_uri(o);
    if (o->module) {
        wrong("--pkcs11-module: %s %s is a file, not a pkcs11: URI", o->option, o->name);
        return NULL;
    }
    return of_file(o);
}
