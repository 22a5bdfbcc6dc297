/* A directory of ACME that says anything, to each request of an order, and then gives any chain. What is asked for is
 * of the directory's own host, and there is an end; a chain that is taken is for the name and its key. */
#include <jansson.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "enclave/acme/certificate.h"
#include "enclave/acme/flow.h"
#include "enclave/acme/held.h"
#include "tests/fuzz/fuzz.h"

#define NAME "app.example.com"

static EVP_PKEY *key;

/* A key with a known secret, so that seeds can hold its certificate: 1 is as good as any. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const uint8_t der[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20, 0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0,
                                  1,    0xa0, 0x0a, 6,    8,    0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    (void)argc, (void)argv;
    const uint8_t *at = der;
    key = d2i_AutoPrivateKey(NULL, &at, sizeof der);
    MUST(key);
    return 0;
}

static void try_chain(const char *pem, size_t size)
{
    struct acme_chain chain;
    struct acme_held held = {.name = NAME};
    char why[ACME_WHY_SIZE];
    if (acme_chain_read(&chain, pem, size, key, NAME, 0, why) < 0) {
        MUST(!chain.certificates && memchr(why, 0, sizeof why));
        MUST(acme_held_read(&held, pem, size) < 0 || held.key);
        acme_held_clear(&held);
        return;
    }
    X509 *own = sk_X509_value(chain.certificates, 0);
    MUST(X509_check_private_key(own, key) == 1);
    MUST(X509_check_host(own, NAME, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1);
    char *record = acme_held_record(key, "https://ca.example/", pem, size);
    MUST(record && acme_held_read(&held, record, strlen(record)) == 0);
    acme_held_clear(&held);
    acme_chain_free(&chain);
    free(record);
}

/* Answers, each with a byte in front for its status, its location and the nonce, up to a zero. */
static enum acme_turn answer(struct acme_flow *f, struct input *in, const char **body, size_t *size)
{
    static const int statuses[] = {200, 201, 200, 400, 429, 200, 301, 500};
    static const char here[] = "https://ca.example/o";
    uint8_t how = input_byte(in);
    *size = 0;
    *body = (const char *)in->at;
    while (in->at < in->end && *in->at) {
        in->at++;
        ++*size;
    }
    in->at += in->at < in->end;
    const struct acme_answer a = {.status = statuses[how % 8],
                                  .location = how & 8 ? *body : here,
                                  .location_size = how & 8 ? *size : sizeof here - 1,
                                  .nonce = how & 16 ? *body : "bm9uY2U",
                                  .nonce_size = how & 16 ? *size : 7,
                                  .retry_after_s = how & 32 ? UINT32_MAX : 0,
                                  .body = *body,
                                  .size = *size};
    return acme_flow_answer(f, &a);
}

static void try_flow(struct input in)
{
    struct acme_flow f;
    const struct acme_asked asked = {"https://ca.example/dir", NULL, NAME, key, (const uint8_t *)"csr", 3};
    enum acme_turn turn = ACME_ASK;
    const char *body = "";
    size_t size = 0;
    unsigned requests = 0;
    acme_flow_begin(&f, &asked);
    while (turn < ACME_DONE) {
        struct acme_request r;
        MUST(++requests <= ACME_REQUESTS_MAX);
        MUST(acme_flow_request(&f, &r) == 0);
        MUST(r.at.tls && r.at.port == 443 && strcasecmp(r.at.host, "ca.example") == 0);
        MUST(!r.body || strlen(r.body) <= ACME_REQUEST_MAX);
        free(r.body);
        turn = answer(&f, &in, &body, &size);
        MUST(f.wait_s <= ACME_POLL_MAX_S || turn == ACME_FAILED);
    }
    MUST(turn == ACME_DONE || f.why[0]);
    if (turn == ACME_DONE)
        try_chain(body, size);
}

static void try_readers(const char *body, size_t size)
{
    struct witness_url at;
    struct acme_directory directory;
    struct acme_order order;
    struct acme_authorization authorization;
    struct acme_problem problem;
    char why[ACME_WHY_SIZE];
    MUST(witness_url_read("https://ca.example/", 19, &at));
    if (acme_directory_read(body, size, &at, &directory, why) == 0)
        MUST(strncasecmp(directory.new_order, "https://ca.example", 18) == 0);
    if (acme_order_read(body, size, &at, &order, why) == 0)
        MUST(strncasecmp(order.finalize, "https://ca.example", 18) == 0);
    if (acme_authorization_read(body, size, &at, NAME, &authorization, why) == 0 &&
        authorization.status == ACME_PENDING)
        MUST(authorization.token[0] && strncasecmp(authorization.challenge, "https://ca.example", 18) == 0);
    acme_problem_read(body, size, 400, &problem);
    MUST(problem.text[0] && memchr(problem.text, 0, sizeof problem.text));
}

/* Orders are slow: each request is signed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 0)
        try_flow((struct input){data, data + size});
    try_readers((const char *)data, size);
    try_chain((const char *)data, size);
    return 0;
}
