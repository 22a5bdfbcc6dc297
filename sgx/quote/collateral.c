/*
 * Writing TCB info version 3 and QE identity version 2. Compact JSON in a fixed order, since some clients write the
 * inner object again before they check its signature.
 */
#include "sgx/quote/collateral.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "sgx/quote/ecdsa.h"

#define EVALUATION_NUMBER 1
#define HEX_MAX 64u /* a signature is the longest */

struct text {
    char data[8192];
    size_t size;
};

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(t->data + t->size, sizeof t->data - t->size, format, arguments);
    va_end(arguments);
    t->size += size > 0 && (size_t)size < sizeof t->data - t->size ? (size_t)size : 0;
}

static void put_hex(struct text *t, const void *data, size_t size)
{
    char hex[2 * HEX_MAX + 1];
    ENSURE(size <= HEX_MAX);
    hex_text(data, size, hex);
    put(t, "%s", hex);
}

static void put_time(struct text *t, int64_t unix_s)
{
    char text[32];
    struct tm tm;
    time_t seconds = (time_t)unix_s;
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    put(t, "\"%s\"", text);
}

static void put_dates(struct text *t, const struct collateral_options *o)
{
    put(t, "\"issueDate\":");
    put_time(t, o->issued_s);
    put(t, ",\"nextUpdate\":");
    put_time(t, o->next_update_s);
}

static void put_levels(struct text *t, const struct collateral_options *o)
{
    put(t, "\"tcbLevels\":[");
    for (int i = 0; i < o->level_count; i++) {
        const struct collateral_level *level = &o->levels[i];
        put(t, "%s{\"tcb\":{", i ? "," : "");
        if (o->platform) {
            put(t, "\"sgxtcbcomponents\":[");
            for (int k = 0; k < 16; k++)
                put(t, "%s{\"svn\":%u}", k ? "," : "", level->component);
            put(t, "],\"pcesvn\":%u", level->pce_svn);
        } else {
            put(t, "\"isvsvn\":%u", level->isv_svn);
        }
        put(t, "},\"tcbDate\":");
        put_time(t, 1735689600 - 31536000ll * i); /* 2025, and a year earlier for each lower one */
        put(t, ",\"tcbStatus\":\"%s\"", level->status);
        if (level->advisory)
            put(t, ",\"advisoryIDs\":[\"%s\"]", level->advisory);
        put(t, "}");
    }
    put(t, "]}");
}

static char *sign(const char *name, const struct text *inner, EVP_PKEY *key)
{
    uint8_t signature[64];
    struct text *out = calloc(1, sizeof *out);
    if (!out || ecdsa_sign(key, inner->data, inner->size, signature) != 0) {
        free(out);
        return NULL;
    }
    put(out, "{\"%s\":%s,\"signature\":\"", name, inner->data);
    put_hex(out, signature, sizeof signature);
    put(out, "\"}");
    char *text = strdup(out->data);
    free(out);
    return text;
}

char *collateral_tcb_info(const struct collateral_options *o, EVP_PKEY *key)
{
    struct text t = {.size = 0};
    put(&t, "{\"id\":\"SGX\",\"version\":3,");
    put_dates(&t, o);
    put(&t, ",\"fmspc\":\"");
    put_hex(&t, o->platform->fmspc, sizeof o->platform->fmspc);
    put(&t, "\",\"pceId\":\"");
    put_hex(&t, o->platform->pce_id, sizeof o->platform->pce_id);
    put(&t, "\",\"tcbType\":0,\"tcbEvaluationDataNumber\":%d,", EVALUATION_NUMBER);
    put_levels(&t, o);
    return sign("tcbInfo", &t, key);
}

char *collateral_qe_identity(const struct collateral_options *o, EVP_PKEY *key)
{
    struct text t = {.size = 0};
    uint64_t attributes[2] = {o->qe_flags, 0};
    put(&t, "{\"id\":\"QE\",\"version\":2,");
    put_dates(&t, o);
    put(&t, ",\"tcbEvaluationDataNumber\":%d,\"miscselect\":\"00000000\",\"miscselectMask\":\"ffffffff\",",
        EVALUATION_NUMBER);
    put(&t, "\"attributes\":\"");
    put_hex(&t, attributes, sizeof attributes);
    put(&t, "\",\"attributesMask\":\"ffffffffffffffff0000000000000000\",\"mrsigner\":\"");
    put_hex(&t, o->qe_signer, sizeof o->qe_signer);
    put(&t, "\",\"isvprodid\":%u,", o->qe_prod_id);
    put_levels(&t, o);
    return sign("enclaveIdentity", &t, key);
}
