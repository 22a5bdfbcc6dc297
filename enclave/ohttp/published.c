/* See published.h. */
#include "enclave/ohttp/published.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/ensure.h"
#include "common/ohttp_evidence.h"
#include "enclave/https/answer.h"
#include "enclave/https/site.h"
#include "enclave/ohttp/keys.h"
#include "enclave/ratls/connections.h"
#include "enclave/service/identity.h"
#include "enclave/thread/worker.h"

#define SIGNATURE_MAX 80u /* of ECDSA P-256, as DER */

static const struct http_field later = {HTTP_TEXT("retry-after"), HTTP_TEXT("5")};

/* What new connections are served with: the newest, also where a relay has kept an older connection. */
static struct connections *served(struct http_exchange *x)
{
    struct connections *connections = connections_of(x->worker);
    http_exchange_check(x);
    ENSURE(connections && connections->site && connections->tls);
    return connections;
}

/* The list of the site in force. False: it was answered why there is none. */
static bool take_list(struct http_exchange *x, uint8_t list[OHTTP_KEYS_SIZE])
{
    struct http_site *site = served(x)->site;
    uint64_t now_ns = x->worker->loop.now_ns;
    int error = http_site_is_over(site, now_ns) ? -EBUSY : keys_list(site, now_ns, list);
    if (error < 0)
        http_refuse(x, 503, "there is no key right now: too many configurations are being replaced", later);
    return error == 0;
}

void published_keys(struct http_exchange *x)
{
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT(OHTTP_KEYS_MEDIA_TYPE)},
                                               {HTTP_TEXT("cache-control"), HTTP_TEXT("no-store")}};
    uint8_t list[OHTTP_KEYS_SIZE];
    http_exchange_check(x);
    if (!take_list(x, list))
        return;
    if (x->ops->respond(x, 200, fields, 2, sizeof list) != 0) {
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    x->ops->write_body(x, list, sizeof list);
    x->ops->finish(x, NULL, 0);
}

static json_t *base64url_json(const void *data, size_t size)
{
    char *text = malloc(BASE64URL_SIZE(size) + 1);
    if (text)
        base64url_text(data, size, text);
    json_t *value = text ? json_string(text) : NULL;
    free(text);
    return value;
}

static json_t *certificate_json(X509 *certificate)
{
    uint8_t *der = NULL;
    int size = certificate ? i2d_X509(certificate, &der) : -1;
    json_t *value = size > 0 ? base64url_json(der, (size_t)size) : NULL;
    OPENSSL_free(der);
    return value;
}

/* By the key of this boot's certificates, in a form that nothing else that it signs has. */
static json_t *signature_json(X509 *certificate, const uint8_t list[OHTTP_KEYS_SIZE])
{
    uint8_t said[OHTTP_SAID_SIZE], signature[SIGNATURE_MAX], *der = NULL;
    size_t signature_size = sizeof signature;
    int size = certificate ? i2d_X509(certificate, &der) : -1;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && size > 0;
    if (ok) {
        uint8_t hash[2][32];
        SHA256(der, (size_t)size, hash[0]);
        SHA256(list, OHTTP_KEYS_SIZE, hash[1]);
        ohttp_said(hash[0], hash[1], said);
    }
    ok = ok && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, identity_key()) == 1 &&
         EVP_DigestSign(ctx, signature, &signature_size, said, sizeof said) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    return ok ? base64url_json(signature, signature_size) : NULL;
}

/* One signature, which costs what a handshake's does. */
void published_evidence(struct http_exchange *x)
{
    uint8_t list[OHTTP_KEYS_SIZE];
    if (!take_list(x, list))
        return;
    X509 *certificate = SSL_CTX_get0_certificate(served(x)->tls);
    json_t *body = json_pack("{s:s,s:I,s:o,s:o,s:o,s:o}", "format", OHTTP_EVIDENCE_FORMAT, "generation",
                             (json_int_t)served(x)->site->number, "keys", base64url_json(list, sizeof list),
                             "certificate", certificate_json(certificate), "issuer", certificate_json(identity_ca()),
                             "signature", signature_json(certificate, list));
    http_answer_value(x, 200, body);
}
