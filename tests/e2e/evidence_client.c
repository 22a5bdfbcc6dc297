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
 * or, of our own form (/_enclave/evidence), of which it prints "bound" or not, and the claims:
 *   claims           what is asked on this connection
 *   claims-relayed   the answer of the same server to the same challenge on another connection
 *   claims-changed   the right answer, with another number in its claims
 */
#include <jansson.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
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

/* ---- our own form ------------------------------------------------------------------------------------------------ */

/* What is asked on ssl, answered: the whole answer, with a zero. */
static void ask_for_claims(SSL *ssl, const uint8_t leaf[32], const uint8_t context[32], char answer[32768])
{
    char question[512], body[256], text[2][64];
    base64url_text(leaf, 32, text[0]);
    base64url_text(context, 32, text[1]);
    int size = snprintf(body, sizeof body, "{\"v\":1,\"mode\":\"challenge\",\"leaf\":\"%s\",\"context\":\"%s\"}",
                        text[0], text[1]);
    size = snprintf(
        question, sizeof question,
        "POST /_enclave/evidence HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
        size, body);
    if (SSL_write(ssl, question, size) != size)
        die("the question was not sent");
    size_t got = 0;
    for (int n; got < 32767 && (n = SSL_read(ssl, answer + got, (int)(32767 - got))) > 0;)
        got += (size_t)n;
    answer[got] = 0;
    if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0)
        die(answer);
}

/* Whether the answer's quote is over this key, this challenge, these 32 bytes and the claims that it comes with. */
static void print_claims(json_t *answer, const uint8_t leaf[32], const uint8_t context[32], const uint8_t exported[32])
{
    uint8_t input[128], expected[64], quote[16384];
    const char *claims = json_string_value(json_object_get(answer, "claims")),
               *text = json_string_value(json_object_get(answer, "quote"));
    if (!claims || !text || base64url_read(text, strlen(text), quote, sizeof quote) < 1024)
        die("the answer");
    memcpy(input, leaf, 32);
    memcpy(input + 32, context, 32);
    memcpy(input + 64, exported, 32);
    EVP_Digest(claims, strlen(claims), input + 96, NULL, EVP_sha256(), NULL);
    EVP_Digest(input, sizeof input, expected, NULL, EVP_sha512(), NULL);
    printf("%s\n%s\n", memcmp(quote + 368, expected, 64) == 0 ? "bound" : "not bound", claims);
}

static void look_at_claims(SSL *ssl, SSL *second, const char *how)
{
    static char answer[32768];
    static const char label[] = "EXPORTER-enclave-os-evidence-v1";
    uint8_t leaf[32], context[32], exported[32], *spki = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(SSL_get0_peer_certificate(ssl)), &spki);
    if (size <= 0 || RAND_bytes(context, 32) != 1 ||
        SSL_export_keying_material(ssl, exported, 32, label, sizeof label - 1, context, 32, 1) != 1)
        die("the challenge");
    EVP_Digest(spki, (size_t)size, leaf, NULL, EVP_sha256(), NULL);
    OPENSSL_free(spki);
    ask_for_claims(strcmp(how, "claims-relayed") == 0 ? second : ssl, leaf, context, answer);
    char *body = strstr(answer, "\r\n\r\n");
    json_t *value = body ? json_loads(body + 4, 0, NULL) : NULL;
    if (strcmp(how, "claims-changed") == 0) {
        char *number = strstr(body, "\\\"generation\\\":");
        if (!number)
            die("no generation");
        number[15]++; /* the digit behind that */
        json_decref(value);
        value = json_loads(body + 4, 0, NULL);
    }
    print_claims(value, leaf, context, exported);
    json_decref(value);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage: evidence_client HOST:PORT ROOT.pem CASE");
    const char *how = argv[3];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = open_connection(context, argv[1]), *second = open_connection(context, argv[1]);
    struct verifier_fresh here, there;
    if (strncmp(how, "claims", 6) == 0) {
        look_at_claims(ssl, second, how);
        return 0;
    }
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
