/* Rules: the input as a leaf's text, as a query, and as what a publisher signs ("header\nclaims", under a good
 * signature) for a first push and for a next one. */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "enclave/secrets/testing/jws_make.h"
#include "enclave/service/publication.h"
#include "enclave/service/rule.h"
#include "enclave/wasm/settings.h"
#include "tests/fuzz/fuzz.h"

static EVP_PKEY *key;
static uint8_t spki[RULE_KEY_SIZE];
static uint8_t id[RULE_ID_SIZE];
static uint8_t code[32];
static char why[400];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    uint8_t *at = spki;
    key = EVP_EC_gen("P-256");
    MUST(i2d_PUBKEY(key, &at) == RULE_KEY_SIZE);
    return 0;
}

/* Whatever was accepted has one text, which leads back to it. */
static void check(const struct rule *rule)
{
    char *text = rule_text(rule);
    const uint8_t *publisher = rule->kind == RULE_PUBLISHER ? rule->publisher : NULL;
    MUST(text);
    struct rule *again = rule_parse(text, strlen(text), publisher);
    MUST(again && again->kind == rule->kind && memcmp(again->id, rule->id, sizeof again->id) == 0);
    MUST(again->terms.version == rule->terms.version && again->terms.sets == rule->terms.sets);
    MUST(again->terms.memory_mib == rule->terms.memory_mib && again->terms.timeout_ms == rule->terms.timeout_ms);
    MUST(again->terms.fixes_egress_ca == rule->terms.fixes_egress_ca);
    MUST(rule_trusts(again, rule->terms.egress_ca, why, sizeof why) == 0);
    MUST(!rule->terms.egress == !again->terms.egress);
    if (rule->terms.egress) { /* neither reaches further than the other */
        MUST(!app_settings_egress_beyond(rule->terms.egress, again->terms.egress));
        MUST(!app_settings_egress_beyond(again->terms.egress, rule->terms.egress));
    }
    rule_unref(again);
    free(text);
}

static void parse(const uint8_t *data, size_t size)
{
    const uint8_t *publishers[] = {NULL, spki};
    for (size_t i = 0; i < 2; i++) {
        struct rule *rule = rule_parse((const char *)data, size, publishers[i]);
        if (rule)
            check(rule);
        rule_unref(rule);
    }
}

static void publish(const char *jws, size_t size)
{
    struct rule_wish wish = {.given = true, .kind = RULE_PUBLISHER};
    struct rule_push push = {"vault", code, &wish, jws, size};
    struct rule *first, *next;
    memcpy(wish.publisher, spki, sizeof spki);
    if (rule_first(id, &push, &first, why, sizeof why) == 0) {
        check(first);
        MUST(rule_next(first, &push, &next, why, sizeof why) < 0); /* nothing counts twice */
        rule_unref(first);
    }
    struct rule *old = rule_operator(id);
    old->kind = RULE_PUBLISHER;
    old->terms.version = 3;
    memcpy(old->publisher, spki, sizeof spki);
    if (rule_next(old, &push, &next, why, sizeof why) == 0) {
        MUST(next->terms.version > 3 && memcmp(next->id, id, sizeof id) == 0);
        check(next);
        rule_unref(next);
    }
    rule_unref(old);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rule_wish wish;
    char text[2501];
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    int ignored = rule_wish_read(text, &wish, why, sizeof why);
    (void)ignored;
    parse(data, size);
    const uint8_t *split = memchr(data, '\n', size);
    if (!split)
        return 0;
    char jws[4096];
    publish(jws, jws_make(key, data, (size_t)(split - data), split + 1, (size_t)(data + size - split - 1), jws));
    return 0;
}
