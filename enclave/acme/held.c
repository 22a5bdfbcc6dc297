/* See held.h. */
#include "enclave/acme/held.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/ensure.h"
#include "common/json.h"

#define KEY_DER_MAX 256u
#define SECOND_NS UINT64_C(1000000000)

char *acme_held_record(EVP_PKEY *key, const char *directory, const char *pem, size_t size)
{
    uint8_t *der = NULL;
    char text[BASE64URL_SIZE(KEY_DER_MAX) + 1];
    int der_size = i2d_PrivateKey(key, &der);
    if (der_size <= 0 || der_size > (int)KEY_DER_MAX) {
        OPENSSL_free(der);
        return NULL;
    }
    base64url_text(der, (size_t)der_size, text);
    OPENSSL_clear_free(der, (size_t)der_size);
    json_t *all = json_pack("{s:s,s:s,s:s%}", "directory", directory, "key", text, "chain", pem, size);
    char *record = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    OPENSSL_cleanse(text, sizeof text);
    return record;
}

static EVP_PKEY *read_key(const json_t *value)
{
    uint8_t der[KEY_DER_MAX];
    const uint8_t *at = der;
    ssize_t size = json_is_string(value)
                       ? base64url_read(json_string_value(value), json_string_length(value), der, sizeof der)
                       : -1;
    EVP_PKEY *key = size > 0 ? d2i_AutoPrivateKey(NULL, &at, size) : NULL;
    OPENSSL_cleanse(der, sizeof der);
    ERR_clear_error();
    return key;
}

int acme_held_read(struct acme_held *h, const char *record, size_t size)
{
    char why[ACME_WHY_SIZE];
    ENSURE(!h->key && h->name[0]);
    json_t *all = json_read(record, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *directory = json_object_get(all, "directory"), *chain = json_object_get(all, "chain");
    EVP_PKEY *key = json_is_string(directory) && json_is_string(chain) ? read_key(json_object_get(all, "key")) : NULL;
    int result =
        key ? acme_chain_read(&h->chain, json_string_value(chain), json_string_length(chain), key, h->name, 0, why)
            : -EBADMSG;
    if (result == 0 && !(h->directory = strdup(json_string_value(directory)))) {
        acme_chain_free(&h->chain);
        result = -ENOMEM;
    }
    json_decref(all);
    if (result == 0)
        h->key = key;
    else
        EVP_PKEY_free(key);
    return result == -EINVAL ? -EBADMSG : result;
}

void acme_held_clear(struct acme_held *h)
{
    EVP_PKEY_free(h->key);
    free(h->directory);
    acme_chain_free(&h->chain);
    h->key = NULL;
    h->directory = NULL;
    h->shown = 0;
}

bool acme_held_usable(const struct acme_held *h, const char *directory, int64_t now_s)
{
    return h->key && directory && strcmp(h->directory, directory) == 0 && now_s < h->chain.until_s;
}

int64_t acme_held_due_s(const struct acme_held *h, const char *directory)
{
    if (!acme_held_usable(h, directory, 0))
        return 0;
    ENSURE(h->chain.from_s < h->chain.until_s);
    return h->chain.until_s - (h->chain.until_s - h->chain.from_s) / 3;
}

void acme_held_failed(struct acme_held *h, uint64_t now_ns, uint32_t wait_s, uint32_t chance, const char *why)
{
    uint64_t pause_s = ACME_RETRY_FIRST_S;
    for (uint32_t i = 0; i < h->failures && pause_s < ACME_RETRY_MAX_S; i++)
        pause_s *= 3;
    pause_s = pause_s < ACME_RETRY_MAX_S ? pause_s : ACME_RETRY_MAX_S;
    if (wait_s > ACME_RETRY_AFTER_MAX_S)
        wait_s = ACME_RETRY_AFTER_MAX_S;
    uint64_t pause_ns = (pause_s > wait_s ? pause_s : wait_s) * SECOND_NS;
    h->failures += h->failures < UINT32_MAX;
    h->next_ns = now_ns + pause_ns + (pause_ns / 4 * (chance >> 16) >> 16);
    snprintf(h->why, sizeof h->why, "%s", why);
}
