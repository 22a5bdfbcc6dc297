/*
 * What a server proves behind the handshake: a quote over a challenge of the caller's and the connection's exporter,
 * by the enclave that the certificate's quote is of. docs/protocol.md has the format.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "verifier/internal.h"
#include "verifier/json.h"

#define QUOTE_SIZE_MAX 16384u

/* The answer's quote, malloc'ed. NULL: why has the reason. */
static uint8_t *read_answer(const struct verifier_fresh *fresh, size_t *size, const char **why)
{
    struct json json;
    char *text = malloc(BASE64URL_SIZE(QUOTE_SIZE_MAX) + 1), mode[16], tee[8];
    uint8_t *quote = malloc(QUOTE_SIZE_MAX);
    uint64_t version = 0;
    const char *wrong = verifier__json_parse(&json, fresh->answer, fresh->answer_size);
    *why = "out of memory";
    ssize_t got = -1;
    if (wrong) {
        *why = wrong;
    } else {
        uint32_t v = verifier__json_member(&json, 0, "v", JSON_NUMBER),
                 m = verifier__json_member(&json, 0, "mode", JSON_STRING),
                 t = verifier__json_member(&json, 0, "tee", JSON_STRING),
                 q = verifier__json_member(&json, 0, "quote", JSON_STRING);
        bool ok = text && quote && v && verifier__json_number(&json, v, 2, &version) && version == 2 && m &&
                  verifier__json_text(&json, m, mode, sizeof mode) && strcmp(mode, "challenge") == 0 && t &&
                  verifier__json_text(&json, t, tee, sizeof tee) && strcmp(tee, "sgx") == 0 && q &&
                  verifier__json_text(&json, q, text, BASE64URL_SIZE(QUOTE_SIZE_MAX) + 1);
        if (text && quote)
            *why = "it is not of version 2, mode challenge, tee sgx, with a quote";
        got = ok ? base64url_read(text, strlen(text), quote, QUOTE_SIZE_MAX) : -1;
        verifier__json_free(&json);
    }
    free(text);
    if (got <= 0) {
        free(quote);
        return NULL;
    }
    *size = (size_t)got;
    return quote;
}

/* What its ReportData must be. */
static bool report_data(const struct verification *v, uint8_t out[64])
{
    uint8_t input[96];
    memcpy(input, v->result->claims.spki_sha256, 32);
    memcpy(input + 32, v->fresh->context, 32);
    memcpy(input + 64, v->fresh->exported, 32);
    return EVP_Digest(input, sizeof input, out, NULL, EVP_sha512(), NULL) == 1;
}

static void judge(struct verification *v, const uint8_t *quote, size_t size)
{
    uint8_t expected[64];
    char why[REASON_SIZE];
    if (!report_data(v, expected))
        verifier__fail(v, CHECK_FRESH, "out of memory");
    else if (!verifier__is_as_good(v, quote, size, expected,
                                   "it is not over this key, this challenge and this connection", why))
        verifier__fail(v, CHECK_FRESH, "%s", why);
    else
        verifier__pass(v, CHECK_FRESH, "a quote over this key, this challenge and this connection");
}

void verifier__check_only_fresh(struct verification *v)
{
    uint8_t expected[64];
    size_t size = 0;
    const char *why = "";
    if (!v->fresh || !v->live) {
        verifier__fail(v, CHECK_QUOTE,
                       "the certificate carries no SGX quote, and none was asked for behind a handshake");
        return;
    }
    if (!v->result->claims.has_spki)
        return;
    uint8_t *quote = report_data(v, expected) ? read_answer(v->fresh, &size, &why) : NULL;
    if (quote) {
        v->expected_report_data = expected;
        verifier__check_quote(v, quote, size);
        v->expected_report_data = NULL;
        if (verifier__passed(v, CHECK_REPORT_DATA))
            verifier__pass(v, CHECK_FRESH, "a quote over this key, this challenge and this connection");
    } else {
        verifier__fail(v, CHECK_QUOTE, "the certificate carries none, and the answer to the challenge: %s", why);
    }
    free(quote);
}

void verifier__check_fresh(struct verification *v)
{
    size_t size = 0;
    const char *why = NULL;
    if (v->is_v2 && v->fresh)
        return; /* that was the quote */
    if (!v->fresh) {
        verifier__skip(v, CHECK_FRESH, "none was asked for behind the handshake");
        return;
    }
    if (!v->live || !v->result->claims.has_spki || !v->result->claims.has_quote)
        return; /* it would prove something about nobody */
    uint8_t *quote = read_answer(v->fresh, &size, &why);
    if (quote)
        judge(v, quote, size);
    else
        verifier__fail(v, CHECK_FRESH, "the answer: %s", why);
    free(quote);
}
