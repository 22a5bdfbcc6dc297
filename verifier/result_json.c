/*
 * A result as JSON, by docs/verify.schema.json.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/internal.h"

struct text {
    char *data;
    size_t size, capacity;
    bool failed;
};

static void append(struct text *t, const char *data, size_t size)
{
    if (t->failed)
        return;
    if (t->capacity - t->size <= size) {
        size_t capacity = 2 * (t->capacity + size) + 1024;
        char *grown = realloc(t->data, capacity);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->data = grown;
        t->capacity = capacity;
    }
    memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
}

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof(line))
        t->failed = true;
    else
        append(t, line, (size_t)size);
}

/* Reasons and advisories may quote what a peer sent: anything but printable ASCII becomes an escape. */
static void put_string(struct text *t, const char *s)
{
    append(t, "\"", 1);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            put(t, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            put(t, "\\u%04x", c);
        else
            append(t, s, 1);
    }
    append(t, "\"", 1);
}

static void put_hex(struct text *t, const char *name, bool known, const uint8_t *data, size_t size)
{
    char hex[129];
    put(t, ",\n  \"%s\": ", name);
    if (known)
        put(t, "\"%s\"", verifier__hex(data, size, hex));
    else
        put(t, "null");
}

static void put_time(struct text *t, const char *name, int64_t unix_s)
{
    char date[24];
    put(t, ",\n  \"%s\": ", name);
    if (unix_s > 0) {
        verifier__format_time(unix_s, date);
        put_string(t, date);
    } else {
        put(t, "null");
    }
}

static void put_claims(struct text *t, const struct verifier_claims *c)
{
    put(t, ",\n  \"simulated\": %s", c->simulated ? "true" : "false");
    put(t, ",\n  \"debug\": %s", !c->has_quote ? "null" : c->debug ? "true" : "false");
    put_hex(t, "mrenclave", c->has_quote, c->mrenclave, 32);
    put_hex(t, "mrsigner", c->has_quote, c->mrsigner, 32);
    if (c->has_quote)
        put(t, ",\n  \"isv_prod_id\": %u,\n  \"isv_svn\": %u", c->isv_prod_id, c->isv_svn);
    else
        put(t, ",\n  \"isv_prod_id\": null,\n  \"isv_svn\": null");
    put_hex(t, "report_data", c->has_quote, c->report_data, 64);
    put_hex(t, "merkle_root", c->has_merkle_root, c->merkle_root, 32);
    put_hex(t, "spki_sha256", c->has_spki, c->spki_sha256, 32);
    put_hex(t, "fmspc", c->has_platform, c->fmspc, 6);
    put(t, ",\n  \"tcb_status\": ");
    put_string(t, verifier_tcb_status_name(c->tcb_status));
    put_time(t, "tcb_date", c->tcb_date_s);
    put(t, ",\n  \"advisories\": [");
    for (size_t i = 0; i < c->advisory_count; i++) {
        put(t, "%s", i ? ", " : "");
        put_string(t, c->advisories[i]);
    }
    put(t, "]");
    put_time(t, "collateral_until", c->collateral_until_s);
}

char *verifier_result_json(const struct verifier_result *r)
{
    static const char *const outcomes[] = {"passed", "failed", "not checked"};
    struct text t = {0};
    put(&t, "{\n  \"verified\": %s", verifier_result_ok(r) ? "true" : "false");
    put_claims(&t, verifier_result_claims(r));
    put(&t, ",\n  \"checks\": [");
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check check = verifier_result_check(r, i);
        put(&t, "%s\n    {\"name\": ", i ? "," : "");
        put_string(&t, check.name);
        put(&t, ", \"outcome\": \"%s\", \"reason\": ", outcomes[check.outcome]);
        put_string(&t, check.reason);
        put(&t, "}");
    }
    put(&t, "\n  ]\n}");
    if (t.failed) {
        free(t.data);
        return NULL;
    }
    return t.data;
}

void verifier_free(void *memory)
{
    free(memory);
}
