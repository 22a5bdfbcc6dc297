/*
 * A result as JSON, by docs/verify.schema.json.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/text.h"

static void put_hex(struct text *t, const char *name, bool known, const uint8_t *data, size_t size)
{
    char hex[129];
    text_put(t, ",\n  \"%s\": ", name);
    if (known)
        text_put(t, "\"%s\"", verifier__hex(data, size, hex));
    else
        text_put(t, "null");
}

static void put_time(struct text *t, const char *name, int64_t unix_s)
{
    char date[24];
    text_put(t, ",\n  \"%s\": ", name);
    if (unix_s > 0) {
        verifier__format_time(unix_s, date);
        text_string(t, date);
    } else {
        text_put(t, "null");
    }
}

static void put_number(struct text *t, const char *name, bool known, int64_t value)
{
    if (known)
        text_put(t, ",\n  \"%s\": %lld", name, (long long)value);
    else
        text_put(t, ",\n  \"%s\": null", name);
}

static void put_head(struct text *t, const char *name, bool known, uint64_t size, const uint8_t root[32])
{
    char hex[65];
    if (known)
        text_put(t, ",\n    \"%s\": {\"size\": %llu, \"root\": \"%s\"}", name, (unsigned long long)size,
                 verifier__hex(root, 32, hex));
    else
        text_put(t, ",\n    \"%s\": null", name);
}

static void put_log(struct text *t, const struct verifier_claims *c)
{
    char name[NOTE_NAME_SIZE_MAX + 1], hex[65], text[NOTE_KEY_TEXT_SIZE];
    struct note_key key;
    snprintf(name, sizeof name, "enclave-os/%s", verifier__hex(c->instance, 32, hex));
    text_put(t, ",\n  \"log\": {\n    \"key\": ");
    if (c->has_log_key && c->has_instance && note_key_make(name, NOTE_ED25519, c->log_key, &key) == 0 &&
        note_key_text(&key, text, sizeof text) == 0)
        text_string(t, text);
    else
        text_put(t, "null");
    put_head(t, "certified", c->has_log_head, c->log_size, c->log_root);
    put_head(t, "checkpoint", c->has_checkpoint, c->checkpoint_size, c->checkpoint_root);
    text_put(t, ",\n    \"cosigned\": %u", c->cosigned);
    if (c->hand_over) { /* JSON, as the check has seen */
        text_put(t, ",\n    \"hand_over\": {\"index\": %llu, \"entry\": ", (unsigned long long)c->hand_over_index);
        text_append(t, c->hand_over, strlen(c->hand_over));
        text_put(t, "}\n  }");
    } else {
        text_put(t, ",\n    \"hand_over\": null\n  }");
    }
}

static void put_claims(struct text *t, const struct verifier_claims *c)
{
    text_put(t, ",\n  \"simulated\": %s", c->simulated ? "true" : "false");
    text_put(t, ",\n  \"debug\": %s", !c->has_quote ? "null" : c->debug ? "true" : "false");
    put_hex(t, "mrenclave", c->has_quote, c->mrenclave, 32);
    put_hex(t, "mrsigner", c->has_quote, c->mrsigner, 32);
    if (c->has_quote)
        text_put(t, ",\n  \"isv_prod_id\": %u,\n  \"isv_svn\": %u", c->isv_prod_id, c->isv_svn);
    else
        text_put(t, ",\n  \"isv_prod_id\": null,\n  \"isv_svn\": null");
    put_hex(t, "report_data", c->has_quote, c->report_data, 64);
    put_hex(t, "merkle_root", c->has_merkle_root, c->merkle_root, 32);
    put_hex(t, "spki_sha256", c->has_spki, c->spki_sha256, 32);
    put_hex(t, "fmspc", c->has_platform, c->fmspc, 6);
    text_put(t, ",\n  \"tcb_status\": ");
    text_string(t, verifier_tcb_status_name(c->tcb_status));
    put_time(t, "tcb_date", c->tcb_date_s);
    text_put(t, ",\n  \"advisories\": [");
    for (size_t i = 0; i < c->advisory_count; i++) {
        text_put(t, "%s", i ? ", " : "");
        text_string(t, c->advisories[i]);
    }
    text_put(t, "]");
    put_time(t, "collateral_until", c->collateral_until_s);
    put_number(t, "tcb_evaluation_number", c->evaluation_number > 0, c->evaluation_number);
    put_time(t, "not_before", c->has_validity ? c->not_before_s : 0);
    put_time(t, "not_after", c->has_validity ? c->not_after_s : 0);
    put_number(t, "age_seconds", c->has_validity, c->age_s);
    put_number(t, "generation", c->has_generation, (int64_t)c->generation);
    put_hex(t, "instance", c->has_instance, c->instance, 32);
    put_log(t, c);
}

char *verifier_result_json(const struct verifier_result *r)
{
    static const char *const outcomes[] = {"passed", "failed", "not checked"};
    struct text t = {0};
    enum verifier_verdict verdict = verifier_result_verdict(r);
    text_put(&t, "{\n  \"verdict\": \"%s\"", verifier_verdict_name(verdict));
    text_put(&t, ",\n  \"verified\": %s", verdict == VERIFIER_VERIFIED ? "true" : "false");
    put_claims(&t, verifier_result_claims(r));
    text_put(&t, ",\n  \"checks\": [");
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check check = verifier_result_check(r, i);
        text_put(&t, "%s\n    {\"name\": ", i ? "," : "");
        text_string(&t, check.name);
        text_put(&t, ", \"outcome\": \"%s\", \"reason\": ", outcomes[check.outcome]);
        text_string(&t, check.reason);
        text_put(&t, "}");
    }
    text_put(&t, "\n  ]\n}");
    return text_take(&t);
}

void verifier_free(void *memory)
{
    free(memory);
}
