/*
 * enclavectl ca: save the CA that issues an enclave's certificates, for clients that judge by a CA.
 *
 * What makes the file worth something: the handshake, which the attested key signed, carried this certificate, so the
 * verified enclave itself named it; and it is checked here that the leaf verifies under it as any TLS client will.
 */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/context.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/trust.h"
#include "common/hex.h"
#include "common/names.h"

static const char usage[] =
    "usage: enclavectl ca https://HOST:PORT --out FILE [options]\n"
    "Verifies the enclave, then saves the certificate of the CA that lives in it, in PEM: for curl --cacert FILE and\n"
    "other clients that judge by a CA, and for --issuer FILE. Refuses to save anything unless an option says which\n"
    "enclave it is to be. A measurement names a program: anybody can run it. Compare the CA's SHA-256, which is\n"
    "printed, with what its operator says, or add --extension with the configuration's root.\n"
    "  --out FILE               where to; a file with another certificate in it is left alone, and told of\n"
    "  --any-instance           save it though nothing says which enclave it is to be\n" CONTEXT_USAGE TRUST_USAGE;

struct ca_options {
    const char *out;
    bool any_instance;
};

static int set_option(void *user, int id, const char *value)
{
    struct ca_options *o = user;
    if (id == 'o')
        o->out = value;
    else
        o->any_instance = true;
    return 0;
}

/* ---- the certificate ------------------------------------------------------------------------------------------- */

/* As clients do that trust this CA and nothing else. NULL, or why they will not believe the leaf. */
static const char *judge_chain(X509 *ca, X509 *leaf)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    const char *why = "out of memory";
    if (store && context && X509_STORE_add_cert(store, ca) == 1 &&
        X509_STORE_CTX_init(context, store, leaf, NULL) == 1 &&
        X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER) == 1)
        why = X509_verify_cert(context) == 1 ? NULL : X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return why;
}

/* The certificate behind the leaf, if it is what it should be; else what complain returned, in *result. */
static X509 *find_ca(const struct connection *c, const char *url, int *result)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(c->ssl);
    X509 *leaf = SSL_get0_peer_certificate(c->ssl), *ca = sk_X509_num(chain) == 2 ? sk_X509_value(chain, 1) : NULL;
    const char *why = !ca                      ? "it did not send exactly a certificate and its issuer's"
                      : X509_check_ca(ca) != 1 ? "the issuer's certificate is not a CA's"
                                               : judge_chain(ca, leaf);
    *result = why ? complain("%s: %s", url, why) : 0;
    return why ? NULL : ca;
}

static void tell_names(const struct connection *c, const char *url)
{
    X509 *leaf = SSL_get0_peer_certificate(c->ssl);
    bool is_name = name_kind_of(c->host, strlen(c->host), NULL) == NAME_DNS;
    if ((is_name ? X509_check_host(leaf, c->host, 0, 0, NULL) : X509_check_ip_asc(leaf, c->host, 0)) != 1)
        complain("the certificate is not for %s: clients that judge by the CA will refuse %s (see serve --san)",
                 c->host, url);
}

static int save(const char *path, X509 *ca)
{
    uint8_t digest[32];
    unsigned size = sizeof digest;
    char hex[65];
    BUF_MEM *pem;
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || PEM_write_bio_X509(bio, ca) != 1 || X509_digest(ca, EVP_sha256(), digest, &size) != 1) {
        BIO_free(bio);
        return complain("out of memory");
    }
    BIO_get_mem_ptr(bio, &pem);
    int result = output_save(path, pem->data, pem->length,
                             "If it is the CA that was saved for this server before, this is another enclave now");
    BIO_free(bio);
    hex_text(digest, sizeof digest, hex);
    if (result == 0)
        printf("%s: the CA with SHA-256 %s\n", path, hex);
    return result;
}

static int save_verified(const char *url, struct trust_options *trust, const struct ca_options *o)
{
    struct connection c;
    int result = trust_connect(trust, &c, url, NULL);
    X509 *ca = result == 0 ? find_ca(&c, url, &result) : NULL;
    if (ca) {
        result = save(o->out, ca);
        tell_names(&c, url);
    } else if (trust->seen.certificate) {
        complain("%s: no CA was saved", url);
    }
    if (c.ssl)
        connection_close(&c);
    return result;
}

int ca_main(int argc, char **argv)
{
    static const struct option table[] = {TRUST_OPTIONS, {"out", 1, 0, 'o'}, {"any-instance", 0, 0, 'a'}, {0, 0, 0, 0}};
    struct trust_options trust;
    struct ca_options o = {0};
    struct trust_command command = {.table = table,
                                    .usage = usage,
                                    .name = "ca",
                                    .form = "https://HOST[:PORT]",
                                    .other = set_option,
                                    .user = &o,
                                    .least = 1,
                                    .most = 1};
    int result = trust_options_read(&trust, &command, argc, argv);
    if (result == 0 && !o.out)
        result = wrong("--out is missing (see enclavectl ca --help)");
    else if (result == 0 && !verifier_policy_names_program(trust.policy) && !o.any_instance)
        result = wrong(
            "nothing says which enclave this is to be, as any program can show what else is expected: give --policy, "
            "--mrenclave, --mrsigner or --issuer, or --any-instance if any will do");
    if (result == 0)
        result = output_judge("--out", o.out);
    if (result == 0)
        result = save_verified(command.rest[0], &trust, &o);
    trust_options_deinit(&trust);
    return command.help ? 0 : result;
}
