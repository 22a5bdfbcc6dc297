/* See identity.h. */
#include "enclave/service/identity.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/history/key.h"
#include "enclave/kvstore/store.h"
#include "enclave/ratls/certificate.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/service/administrators.h"
#include "enclave/service/recovery_record.h"
#include "enclave/service/system.h"
#include "enclave/service/upgrade_record.h"
#include "enclave/service/witness_record.h"
#include "sgx/trusted/bridge.h"

static struct {
    EVP_PKEY *ca_key, *key;
    X509 *ca;
    uint8_t ca_key_hash[32], spki_sha256[32], instance[32];
} identity;

/* ---- what first boot fixes ------------------------------------------------------------------------------------- */

static struct kv_op keep(const char *key, const void *value, int size)
{
    ENSURE(size > 0);
    return (struct kv_op){KV_PUT, enclave_system.settings, key, strlen(key), value, (size_t)size};
}

/* Their record: the key that was given is the one admin, or there is nobody. malloc'ed; NULL with a line in error. */
static char *first_administrators(char *error, size_t error_size)
{
    const struct run_args *args = ecall_run_args();
    char why[ADMINISTRATORS_WHY_SIZE] = "out of memory";
    struct administrators *a = administrators_of_key(args->admin_key, args->admin_key_size, why);
    char *record = a ? administrators_record(a) : NULL;
    administrators_unref(a);
    if (!record)
        snprintf(error, error_size, "identity: %s", why);
    return record;
}

int identity_begin(const uint8_t master[32], char *error, size_t error_size)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(!identity.ca_key);
    sgx_random(identity.instance, sizeof identity.instance);
    return recovery_share(master, identity.instance, error, error_size);
}

/* All of it with the store itself, in its first commit: nothing of it is ever there without the rest. */
static int create(char *error, size_t error_size)
{
    char *administrators = first_administrators(error, error_size);
    char *witnesses = administrators ? witness_record_first(error, error_size) : NULL;
    char *upgrade_rule = witnesses ? upgrade_rule_record_first(error, error_size) : NULL;
    if (!upgrade_rule) {
        free(administrators);
        free(witnesses);
        return -EINVAL;
    }
    EVP_PKEY *ca_key = certificate_make_key();
    X509 *ca = ca_key ? certificate_make_ca(ca_key, time(NULL)) : NULL;
    uint8_t *key = NULL, *certificate = NULL;
    int key_size = ca ? i2d_PrivateKey(ca_key, &key) : 0, certificate_size = ca ? i2d_X509(ca, &certificate) : 0;
    int result = key_size > 0 && certificate_size > 0 ? 0 : -EIO;
    if (result == 0) {
        uint8_t log_key[HISTORY_KEY_SIZE];
        const struct recovery *recovery = recovery_first();
        history_key_make(log_key);
        struct kv_op ops[] = {keep("ca.key", key, key_size),
                              keep("ca.crt", certificate, certificate_size),
                              keep("instance", identity.instance, sizeof identity.instance),
                              keep(HISTORY_KEY, log_key, sizeof log_key),
                              keep(ADMINISTRATORS_KEY, administrators, (int)strlen(administrators)),
                              keep(UPGRADE_RULE_KEY, upgrade_rule, (int)strlen(upgrade_rule)),
                              keep(WITNESSES_KEY, witnesses, (int)strlen(witnesses)),
                              {.kind = KV_PUT}, /* with room for RECOVERY_OPS */
                              {.kind = KV_PUT}};
        size_t count = sizeof ops / sizeof *ops - RECOVERY_OPS;
        if (recovery) {
            recovery_ops(recovery, ops + count);
            count += RECOVERY_OPS;
        }
        result = store_create(enclave_system.store, ops, count, error, error_size);
        OPENSSL_cleanse(log_key, sizeof log_key);
    } else {
        snprintf(error, error_size, "identity: the CA cannot be made");
    }
    if (key_size > 0)
        OPENSSL_clear_free(key, (size_t)key_size);
    free(administrators);
    free(upgrade_rule);
    free(witnesses);
    OPENSSL_free(certificate);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    return result;
}

static int load_ca(void)
{
    uint8_t *key = NULL, *certificate = NULL;
    size_t key_size = 0, certificate_size = 0;
    int result = system_get("ca.key", &key, &key_size);
    if (result == 0)
        result = system_get("ca.crt", &certificate, &certificate_size);
    if (result == 0) {
        const uint8_t *k = key, *c = certificate;
        identity.ca_key = d2i_AutoPrivateKey(NULL, &k, (long)key_size);
        identity.ca = d2i_X509(NULL, &c, (long)certificate_size);
        if (!identity.ca_key || !identity.ca)
            result = -EBADMSG;
    }
    if (key)
        OPENSSL_cleanse(key, key_size);
    free(key);
    free(certificate);
    return result;
}

static int open_ca(void)
{
    int result = load_ca();
    uint8_t *der = NULL;
    int size = result == 0 ? i2d_PrivateKey(identity.ca_key, &der) : 0;
    if (size > 0) {
        SHA256(der, (size_t)size, identity.ca_key_hash);
        OPENSSL_clear_free(der, (size_t)size);
    }
    return result == 0 && size <= 0 ? -EIO : result;
}

/* An older store has none: it is made then. */
static int open_instance(void)
{
    uint8_t *kept;
    size_t size;
    int result = system_get("instance", &kept, &size);
    if (result == -ENOENT) {
        sgx_random(identity.instance, sizeof identity.instance);
        return system_put("instance", identity.instance, sizeof identity.instance);
    }
    if (result == 0 && size != sizeof identity.instance)
        result = -EBADMSG;
    if (result == 0)
        memcpy(identity.instance, kept, size);
    free(kept);
    return result;
}

static int open_key(void)
{
    identity.key = certificate_make_key();
    uint8_t *spki = NULL;
    int size = identity.key ? i2d_PUBKEY(identity.key, &spki) : 0;
    if (size <= 0)
        return -EIO;
    SHA256(spki, (size_t)size, identity.spki_sha256);
    OPENSSL_free(spki);
    return 0;
}

int identity_open(int first_boot, char *error, size_t error_size)
{
    loop_check(&enclave_system.owner->loop);
    int result = certificate_check_names(ecall_run_args()->san, error, error_size);
    if (result < 0)
        return result;
    result = first_boot ? create(error, error_size) : 0;
    if (result < 0)
        return result;
    result = open_ca();
    if (result < 0) {
        snprintf(error, error_size, "identity: the CA cannot be loaded (error %d)", -result);
        return result;
    }
    result = open_instance();
    if (result < 0) {
        snprintf(error, error_size, "identity: the instance's name cannot be loaded or kept (error %d)", -result);
        return result;
    }
    return open_key();
}

EVP_PKEY *identity_ca_key(void)
{
    return identity.ca_key;
}

X509 *identity_ca(void)
{
    return identity.ca;
}

EVP_PKEY *identity_key(void)
{
    return identity.key;
}

const uint8_t *identity_ca_key_sha256(void)
{
    return identity.ca_key_hash;
}

const uint8_t *identity_instance(void)
{
    return identity.instance;
}

const uint8_t *identity_spki_sha256(void)
{
    return identity.spki_sha256;
}
