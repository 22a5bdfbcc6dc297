/*
 * Collateral from a PCCS or from Intel's PCS (API version 4): four requests, which need the platform's FMSPC and the
 * kind of its PCK CA, both read from the quote's PCK certificate. Nothing here is verified yet: that is
 * verification's job.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/pem.h"
#include "verifier/http_get.h"
#include "verifier/internal.h"
#include "verifier/verifier_fetch.h"

#define API_PATH "/sgx/certification/v4"
#define DEFAULT_TIMEOUT_MS 20000u
#define CA_FILE_MAX (4u << 20)

struct fetch {
    struct verifier_collateral *collateral;
    char base[512]; /* up to and with API_PATH */
    SSL_CTX *tls;
    uint64_t deadline_ns;
    char *error;
    size_t error_size;
};

static int complain(const struct fetch *f, int result, const char *what, const char *why)
{
    snprintf(f->error, f->error_size, "%s: %s", what, why);
    return result;
}

static int get(const struct fetch *f, const char *address, struct http_reply *reply)
{
    struct http_url url;
    if (!verifier__parse_url(address, &url))
        return complain(f, -EINVAL, address, "expected http:// or https://HOST[:PORT]/...");
    return verifier__http_get(&url, f->tls, f->deadline_ns, reply, f->error, f->error_size);
}

/* "%2D" and the like, in place. */
static bool url_decode(char *text)
{
    char *to = text;
    for (; *text; text++) {
        uint8_t byte = (uint8_t)*text;
        if (byte == '%') {
            if (!text[1] || !text[2] || !hex_read(text + 1, 2, &byte, 1) || byte == 0)
                return false;
            text += 2;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return true;
}

/* Store a chain that stands URL-encoded in a header field, under one of two names. */
static int take_chain(const struct fetch *f, struct http_reply *reply, const char *name, const char *other,
                      enum verifier_document document)
{
    char *chain = verifier__http_field(reply, name);
    if (!chain && other)
        chain = verifier__http_field(reply, other);
    if (!chain || !url_decode(chain))
        return complain(f, -EBADMSG, name, "the server's answer lacks the issuers' chain");
    return verifier_collateral_set(f->collateral, document, chain, strlen(chain));
}

/* GET a document, with the issuer chain's header field(s) if chain_name is given. */
static int take(const struct fetch *f, const char *path, enum verifier_document document, const char *chain_name,
                const char *chain_other, enum verifier_document chain)
{
    char address[1024];
    struct http_reply reply;
    snprintf(address, sizeof address, "%s%s", f->base, path);
    int result = get(f, address, &reply);
    if (result != 0)
        return result;
    if (reply.status != 200) {
        snprintf(f->error, f->error_size, "%s: the server answers %d", address, reply.status);
        result = -ENOENT;
    }
    if (result == 0) {
        result = verifier_collateral_set(f->collateral, document, reply.body, reply.body_size);
        if (result != 0)
            complain(f, result, address, strerror(-result));
    }
    if (result == 0 && chain_name)
        result = take_chain(f, &reply, chain_name, chain_other, chain);
    free(reply.memory);
    return result;
}

/* Intel's PCS itself does not serve the root's list: the root's certificate says where it is. Nobody else's certificate
 * may send us to an address: whoever presents a quote would choose what is asked from the client's network. */
static int take_root_crl_from_point(const struct fetch *f, X509 *root)
{
    char address[512] = "";
    STACK_OF(DIST_POINT) *points = NULL;
    if (verifier__has_intel_key(root) && !verifier__signed_by(root, root))
        points = X509_get_ext_d2i(root, NID_crl_distribution_points, NULL, NULL);
    for (int i = 0; i < sk_DIST_POINT_num(points) && !address[0]; i++) {
        const DIST_POINT *point = sk_DIST_POINT_value(points, i);
        if (!point->distpoint || point->distpoint->type != 0)
            continue;
        for (int k = 0; k < sk_GENERAL_NAME_num(point->distpoint->name.fullname) && !address[0]; k++) {
            const GENERAL_NAME *name = sk_GENERAL_NAME_value(point->distpoint->name.fullname, k);
            if (name->type == GEN_URI)
                snprintf(address, sizeof address, "%.*s", ASN1_STRING_length(name->d.uniformResourceIdentifier),
                         (const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier));
        }
    }
    CRL_DIST_POINTS_free(points);
    struct http_reply reply;
    if (!address[0])
        return complain(f, -ENOENT, "the root's CRL", "neither the server nor an Intel root's certificate has it");
    int result = get(f, address, &reply);
    if (result != 0)
        return result;
    result = reply.status == 200
                 ? verifier_collateral_set(f->collateral, VERIFIER_ROOT_CRL, reply.body, reply.body_size)
                 : complain(f, -ENOENT, address, "the server has no CRL there");
    free(reply.memory);
    return result;
}

static int take_all(const struct fetch *f, STACK_OF(X509) * chain)
{
    struct platform platform;
    char path[128], fmspc[13], issuer[256] = "";
    const char *wrong = verifier__read_platform(sk_X509_value(chain, 0), &platform);
    if (wrong)
        return complain(f, -EINVAL, "the PCK certificate", wrong);
    X509_NAME_get_text_by_NID(X509_get_issuer_name(sk_X509_value(chain, 0)), NID_commonName, issuer, sizeof issuer);
    snprintf(path, sizeof path, "/pckcrl?ca=%s&encoding=der", strstr(issuer, "Platform") ? "platform" : "processor");
    int result = take(f, path, VERIFIER_PCK_CRL, NULL, NULL, 0);
    for (char *c = verifier__hex(platform.fmspc, 6, fmspc); *c; c++)
        if (*c >= 'a') /* a PCCS looks for capitals */
            *c = (char)(*c - 32);
    snprintf(path, sizeof path, "/tcb?fmspc=%s", fmspc);
    if (result == 0)
        result = take(f, path, VERIFIER_TCB_INFO, "TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain",
                      VERIFIER_TCB_INFO_CHAIN);
    if (result == 0)
        result = take(f, "/qe/identity", VERIFIER_QE_IDENTITY, "SGX-Enclave-Identity-Issuer-Chain", NULL,
                      VERIFIER_QE_IDENTITY_CHAIN);
    if (result == 0) {
        result = take(f, "/rootcacrl", VERIFIER_ROOT_CRL, NULL, NULL, 0);
        if (result == -ENOENT)
            result = take_root_crl_from_point(f, sk_X509_value(chain, sk_X509_num(chain) - 1));
    }
    return result;
}

static bool make_base(struct fetch *f, const char *url)
{
    size_t size = strlen(url);
    while (size > 0 && url[size - 1] == '/')
        size--;
    size_t api = sizeof API_PATH - 1;
    if (size >= api && memcmp(url + size - api, API_PATH, api) == 0)
        size -= api;
    return (size_t)snprintf(f->base, sizeof f->base, "%.*s%s", (int)size, url, API_PATH) < sizeof f->base;
}

/* All of the file, and nothing else may be in it: OpenSSL's own reading passes over what is no certificate. */
static bool trust_file(SSL_CTX *tls, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *pem = file ? malloc(CA_FILE_MAX + 1) : NULL, why[PEM_WHY_SIZE];
    size_t size = pem ? fread(pem, 1, CA_FILE_MAX + 1, file) : 0;
    bool ok = size > 0 && size <= CA_FILE_MAX && pem_judge(pem, size, PEM_STRING_X509, why) > 0 &&
              SSL_CTX_load_verify_file(tls, path) == 1;
    free(pem);
    if (file)
        fclose(file);
    return ok;
}

static SSL_CTX *make_tls(const struct verifier_fetch_options *o)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    bool ok = tls && SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1;
    if (ok) /* lengths and signatures tell what is cut short; many servers just hang up */
        SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (ok && !o->any_certificate) {
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
        ok = o->ca_file ? trust_file(tls, o->ca_file) : SSL_CTX_set_default_verify_paths(tls) == 1;
    }
    if (ok)
        return tls;
    SSL_CTX_free(tls);
    return NULL;
}

int verifier_collateral_fetch(struct verifier_collateral *collateral, const char *url, const void *quote,
                              size_t quote_size, const struct verifier_fetch_options *options, char *error,
                              size_t error_size)
{
    static const struct verifier_fetch_options defaults;
    const struct verifier_fetch_options *o = options ? options : &defaults;
    struct fetch f = {.collateral = collateral, .error = error, .error_size = error_size};
    struct verifier_quote q;
    const char *wrong = verifier_quote_parse(quote, quote_size, &q);
    if (wrong)
        return complain(&f, -EINVAL, "the quote", wrong);
    if (!make_base(&f, url))
        return complain(&f, -EINVAL, "the server's address", "too long");
    STACK_OF(X509) *chain = verifier__read_certificates(q.chain, q.chain_size, CERTIFICATES_MAX);
    if (!chain)
        return complain(&f, -EINVAL, "the quote", "its certificate chain is malformed");
    unsigned timeout_ms = o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS;
    f.deadline_ns = clock_monotonic_ns() + timeout_ms * 1000000ull;
    f.tls = make_tls(o);
    int result = f.tls ? take_all(&f, chain)
                       : complain(&f, -EINVAL, o->ca_file ? o->ca_file : "the system's CAs",
                                  "cannot be loaded: certificates in PEM are expected, and nothing else");
    SSL_CTX_free(f.tls);
    verifier__free_certificates(chain);
    return result;
}

int verifier_collateral_fetch_for(struct verifier_collateral *collateral, const char *url, const void *certificate,
                                  size_t certificate_size, const struct verifier_fetch_options *options, char *error,
                                  size_t error_size)
{
    int count, result = -EINVAL;
    const uint8_t *at = certificate;
    X509 *x = certificate_size <= VERIFIER_DOCUMENT_SIZE_MAX ? d2i_X509(NULL, &at, (long)certificate_size) : NULL;
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1.0", 1);
    const ASN1_OCTET_STRING *value = x && oid ? verifier__extension(x, oid, &count) : NULL;
    if (value)
        result = verifier_collateral_fetch(collateral, url, ASN1_STRING_get0_data(value),
                                           (size_t)ASN1_STRING_length(value), options, error, error_size);
    else
        snprintf(error, error_size, "the certificate does not carry exactly one SGX quote");
    ASN1_OBJECT_free(oid);
    X509_free(x);
    ERR_clear_error();
    return result;
}
