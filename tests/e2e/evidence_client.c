/*
 * A client that challenges a server behind the handshake, and judges what it is given for that: as it should be, or as
 * somebody in between would have it.
 *
 * Usage: evidence_client HOST:PORT ROOT.pem CASE, which prints the outcome of "fresh evidence" and why. CASE is
 *   good     the answer to the challenge on this connection
 *   relayed  the answer of the same server to the same challenge on another connection
 *   replayed the answer to an earlier challenge on this connection
 *   other    another label was exported
 *   none     no answer at all, where the policy wants one
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/verifier_openssl.h"

static void die(const char *why)
{
    fprintf(stderr, "evidence_client: %s\n", why);
    exit(2);
}

static SSL *open_connection(SSL_CTX *context, const char *address)
{
    BIO *bio = BIO_new_connect(address);
    SSL *ssl = SSL_new(context);
    if (!bio || !ssl || BIO_do_connect(bio) != 1)
        die("no connection");
    SSL_set_bio(ssl, bio, bio);
    if (SSL_connect(ssl) != 1)
        die("no handshake");
    return ssl;
}

static void challenge(SSL *ssl, const char *address, struct verifier_fresh *fresh)
{
    char error[256];
    bool reusable;
    if (verifier_openssl_fresh(ssl, address, fresh, &reusable, error, sizeof error) != 0 || !reusable)
        die(error);
}

static char *read_file(const char *path, size_t *size)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    *size = file ? fread(text, 1, sizeof text, file) : 0;
    if (!file || fclose(file) != 0)
        die(path);
    return text;
}

static struct verifier_policy *make_policy(const char *root)
{
    size_t size;
    char *pem = read_file(root, &size);
    struct verifier_policy *policy = verifier_policy_create();
    verifier_policy_allow_simulation(policy, true);
    verifier_policy_set_live(policy, true);
    verifier_policy_require_fresh(policy, true);
    if (verifier_policy_set_roots(policy, pem, size) != 0)
        die("no root");
    return policy;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage: evidence_client HOST:PORT ROOT.pem CASE");
    const char *how = argv[3];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = open_connection(context, argv[1]), *second = open_connection(context, argv[1]);
    struct verifier_fresh here, there;
    challenge(ssl, argv[1], &here);
    if (strcmp(how, "relayed") == 0) { /* our own end's exporter, but the answer was made for the other connection */
        challenge(second, argv[1], &there);
        memcpy(here.context, there.context, sizeof here.context);
        SSL_export_keying_material(ssl, here.exported, 32, "EXPORTER-privasys-ratls-attest-v2", 33, here.context, 32,
                                   1);
        here.answer = there.answer;
        here.answer_size = there.answer_size;
    } else if (strcmp(how, "replayed") == 0) {
        challenge(ssl, argv[1], &there);
        there.answer = here.answer;
        there.answer_size = here.answer_size;
        here = there;
    } else if (strcmp(how, "other") == 0) {
        SSL_export_keying_material(ssl, here.exported, 32, "EXPORTER-something-else", 23, here.context, 32, 1);
    }
    uint8_t *der = NULL;
    int size = i2d_X509(SSL_get0_peer_certificate(ssl), &der);
    const struct verifier_evidence evidence = {
        .certificate = der, .certificate_size = (size_t)size, .fresh = strcmp(how, "none") == 0 ? NULL : &here};
    struct verifier_result *result = verifier_verify(make_policy(argv[2]), NULL, &evidence);
    static const char *const outcomes[] = {"passed", "failed", "not checked"};
    for (size_t i = 0; i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (strcmp(check.name, "fresh evidence") == 0)
            printf("%s: %s\n", outcomes[check.outcome], check.reason);
    }
    printf("%s\n", verifier_verdict_name(verifier_result_verdict(result)));
    return 0;
}
