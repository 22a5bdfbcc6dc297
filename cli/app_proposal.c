/* See app_proposal.h. */
#include "cli/app_proposal.h"

#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/jws.h"
#include "cli/report.h"
#include "common/hex.h"

#define APPS_PATH "/_enclave/apps/"
#define PUBLICATION_TYPE "enclave-os-publication"

/* ---- what its path says ------------------------------------------------------------------------------------------ */

static bool is_word(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(text, word, size) == 0;
}

/* The value, if the parameter has this name and was not there before. */
static const char *value_of(const char *text, size_t *size, const char *name, bool *seen)
{
    size_t start = strlen(name);
    if (*seen || *size < start || memcmp(text, name, start) != 0)
        return NULL;
    *seen = true;
    *size -= start;
    return text + start;
}

static bool take_rule(struct app_proposal *p, const char *text, size_t size)
{
    p->rule = is_word(text, size, "operator")    ? RULE_OPERATOR
              : is_word(text, size, "frozen")    ? RULE_FROZEN
              : is_word(text, size, "publisher") ? RULE_PUBLISHER
                                                 : RULE_AS_IT_IS;
    return p->rule != RULE_AS_IT_IS;
}

struct seen {
    bool rule, now, exclusive;
};

static bool take_parameter(struct app_proposal *p, struct seen *seen, const char *text, size_t size)
{
    const char *value;
    size_t left = size;
    if ((value = value_of(text, &left, "rule=", &seen->rule)))
        return take_rule(p, value, left);
    if ((value = value_of(text, &left, "key=", &p->has_key)))
        return hex_read(value, left, p->key, sizeof p->key);
    if ((value = value_of(text, &left, "publication=", &p->has_publication)))
        return hex_read(value, left, p->publication_sha256, sizeof p->publication_sha256);
    if ((value = value_of(text, &left, "now=", &seen->now)))
        return p->now = is_word(value, left, "true");
    if ((value = value_of(text, &left, "exclusive=", &seen->exclusive)))
        return p->exclusive = is_word(value, left, "true");
    return false; /* nobody could say what it does */
}

/* False: it is not what app push or app rm asks for. */
static bool take_path(struct app_proposal *p, const char *path)
{
    size_t start = strlen(APPS_PATH);
    if (strncmp(path, APPS_PATH, start) != 0)
        return false;
    size_t size = strspn(path + start, APP_NAME_LETTERS);
    const char *at = path + start + size;
    if (size == 0 || size > APP_NAME_SIZE_MAX || (*at && *at != '?'))
        return false;
    memcpy(p->name, path + start, size);
    struct seen seen = {0};
    while (*at) {
        size = strcspn(++at, "&");
        if (!take_parameter(p, &seen, at, size))
            return false;
        at += size;
    }
    return p->has_key == (p->rule == RULE_PUBLISHER) &&
           (!p->removes || (p->rule == RULE_AS_IT_IS && !p->has_publication));
}

/* ---- its publication --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *otherwise; /* what there is where it is left out */
} terms[] = {
    {"version", "none"},
    {"egress", "wherever its settings say"},
    {"egress_ca", "whichever the server has"},
    {"memory_mib", "as the server has it"},
    {"timeout_ms", "as the server has it"},
    {"settings", "nothing else"},
    {"app_id", "a first push"},
};

static bool is_known(const char *claim)
{
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
        if (strcmp(terms[i].name, claim) == 0)
            return true;
    return strcmp(claim, "name") == 0 || strcmp(claim, "sha256") == 0;
}

/* What the enclave will judge again, so that nobody approves in vain, or what is not shown. 0, or what wrong
 * returned. */
static int judge_claims(const struct app_proposal *p, const char *file)
{
    const char *name = json_string_value(json_object_get(p->claims, "name")), *claim;
    const char *code = json_string_value(json_object_get(p->claims, "sha256"));
    uint8_t sha256[32];
    json_t *value;
    if (!name || strcmp(name, p->name) != 0)
        return wrong("%s: its publication is for another app than %s", file, p->name);
    if (!code || !hex_read(code, strlen(code), sha256, sizeof sha256) ||
        memcmp(sha256, p->agreement->body_sha256, sizeof sha256) != 0)
        return wrong("%s: its publication is for other code", file);
    json_object_foreach(p->claims, claim, value)
    {
        if (!is_known(claim))
            return wrong("%s: its publication says something of which nobody here knows what it means", file);
    }
    return 0;
}

static int take_publication(struct app_proposal *p, const char *file)
{
    const char *text = p->agreement->publication;
    const uint8_t *at = p->key;
    uint8_t sha256[32];
    SHA256((const uint8_t *)text, strlen(text), sha256);
    if (memcmp(sha256, p->publication_sha256, sizeof sha256) != 0)
        return wrong("%s: its publication is not the one that would be approved", file);
    EVP_PKEY *key = p->has_key ? d2i_PUBKEY(NULL, &at, sizeof p->key) : NULL;
    bool holds = false;
    p->claims = jws_open(text, PUBLICATION_TYPE, key, key ? &holds : NULL);
    EVP_PKEY_free(key);
    if (!p->claims)
        return wrong("%s: its publication is not what enclavectl publish makes", file);
    if (p->has_key && !holds)
        return wrong("%s: its publication is not signed by the publisher's key", file);
    return judge_claims(p, file);
}

int app_proposal_read(const struct agreement *agreement, const char *file, struct app_proposal *out)
{
    *out = (struct app_proposal){.agreement = agreement, .removes = strcmp(agreement->method, "DELETE") == 0};
    if (agreement->body || (!out->removes && strcmp(agreement->method, "PUT") != 0) ||
        !take_path(out, agreement->path) || out->has_publication != (agreement->publication != NULL))
        return wrong("%s: not what --propose writes", file);
    return agreement->publication ? take_publication(out, file) : 0;
}

void app_proposal_deinit(struct app_proposal *p)
{
    json_decref(p->claims);
    p->claims = NULL;
}

/* ---- shown ------------------------------------------------------------------------------------------------------- */

static void print_rule(const struct app_proposal *p)
{
    uint8_t hash[32];
    char hex[65];
    if (p->rule == RULE_OPERATOR)
        printf("  rule: operator\n");
    if (p->rule == RULE_FROZEN)
        printf("  rule: frozen, for ever\n");
    if (p->rule != RULE_PUBLISHER)
        return;
    SHA256(p->key, sizeof p->key, hash);
    hex_text(hash, sizeof hash, hex);
    printf("  rule: publisher, for ever; SHA-256 of the publisher's key: %s\n", hex);
}

static void print_claims(const struct app_proposal *p)
{
    char hex[65];
    hex_text(p->publication_sha256, sizeof p->publication_sha256, hex);
    printf("  publication: %s\n", hex);
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        json_t *value = json_object_get(p->claims, terms[i].name);
        char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY) : NULL;
        printf("    %s: %s\n", terms[i].name, text ? text : terms[i].otherwise);
        free(text);
    }
}

void app_proposal_print(const struct app_proposal *p)
{
    char hex[65];
    if (p->removes) {
        printf("  remove an app with its data: %s\n", p->name);
    } else {
        hex_text(p->agreement->body_sha256, 32, hex);
        printf("  push an app: %s\n  code's SHA-256: %s\n", p->name, hex);
        print_rule(p);
    }
    if (p->claims)
        print_claims(p);
    if (p->now)
        printf("  and cut at once what is still answered (--now)\n");
    if (p->exclusive)
        printf("  nothing new of it begins before what it was has ended (--exclusive)\n");
}
