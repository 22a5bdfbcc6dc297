/* See request.h. */
#include "enclave/evidence/request.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base64url.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "common/json.h"

const struct evidence_form evidence_forms[2] = {
    {"/__privasys/attest", 2, "EXPORTER-privasys-ratls-attest-v2", false},
    {"/_enclave/evidence", 1, "EXPORTER-enclave-os-evidence-v1", true},
};

__attribute__((format(printf, 2, 3))) static int refuse(char *why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, EVIDENCE_WHY_SIZE, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static bool read_bytes(json_t *object, const char *name, uint8_t out[32])
{
    json_t *value = json_object_get(object, name);
    return json_is_string(value) && base64url_read(json_string_value(value), json_string_length(value), out, 32) == 32;
}

static int read_mode(json_t *object, struct evidence_request *out, char *why)
{
    const char *mode = json_string_value(json_object_get(object, "mode"));
    out->mode = mode && strcmp(mode, "challenge") == 0 ? EVIDENCE_CHALLENGE : EVIDENCE_DETERMINISTIC;
    if (!mode || (out->mode == EVIDENCE_DETERMINISTIC && strcmp(mode, "deterministic") != 0))
        return refuse(why, "mode: it is deterministic or challenge");
    bool has_context = json_object_get(object, "context") != NULL;
    if (out->mode == EVIDENCE_DETERMINISTIC && has_context)
        return refuse(why, "context: nothing of it would be in a deterministic quote; mode challenge binds it");
    if (out->mode == EVIDENCE_CHALLENGE && !read_bytes(object, "context", out->context))
        return refuse(why, "context: a challenge has 32 bytes, as base64url without padding");
    return 0;
}

/* Whether it may stand in an answer. */
static bool is_plain(const char *name)
{
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return size > 0 && size <= 32 && !name[size];
}

static int read_members(json_t *object, unsigned expected, struct evidence_request *out, char *why)
{
    static const char *const known[] = {"v", "mode", "leaf", "context"};
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            is_known |= strcmp(name, known[i]) == 0;
        if (!is_known)
            return refuse(why, "%s: there is no such member", is_plain(name) ? name : "a name of other characters");
    }
    json_t *version = json_object_get(object, "v");
    if (!json_is_integer(version) || json_integer_value(version) != (json_int_t)expected)
        return refuse(why, "v: only version %u is known here", expected);
    if (!read_bytes(object, "leaf", out->leaf))
        return refuse(why, "leaf: it is the SHA-256 of the certificate's public key, as base64url without padding");
    return read_mode(object, out, why);
}

int evidence_request_read(const char *text, size_t size, unsigned version, struct evidence_request *out,
                          char why[EVIDENCE_WHY_SIZE])
{
    ENSURE(text && out && why);
    ENSURE(size <= EVIDENCE_BODY_MAX);
    *out = (struct evidence_request){0};
    json_t *object = json_read(text, size, JSON_REJECT_DUPLICATES, NULL);
    int error =
        json_is_object(object) ? read_members(object, version, out, why) : refuse(why, "the body is no JSON object");
    json_decref(object);
    return error;
}

void evidence_time(int64_t now_s, char out[EVIDENCE_TIME_SIZE])
{
    struct tm utc;
    time_t seconds = now_s;
    ENSURE(gmtime_r(&seconds, &utc) && utc.tm_year < 8100);
    strftime(out, EVIDENCE_TIME_SIZE, "%Y-%m-%dT%H:%MZ", &utc);
}

/* "YYYY-MM-DDTHH:MM:SSZ" */
static void put_second(int64_t unix_s, char out[24])
{
    struct tm utc;
    time_t seconds = unix_s;
    ENSURE(unix_s >= 0 && gmtime_r(&seconds, &utc) && utc.tm_year < 8100);
    strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

char *evidence_claims_text(const struct evidence_claims *claims)
{
    char instance[65], root[65], log_root[65], not_after[24];
    put_second(claims->not_after_s, not_after);
    hex_text(claims->instance, 32, instance);
    hex_text(claims->root, 32, root);
    hex_text(claims->log_root, 32, log_root);
    json_t *value = json_pack("{s:I,s:s,s:{s:s,s:I},s:s,s:s,s:s}", "generation", (json_int_t)claims->generation,
                              "instance", instance, "log", "root", log_root, "size", (json_int_t)claims->log_size,
                              "merkle_root", root, "not_after", not_after, "time", claims->time);
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(value);
    return text;
}

void evidence_report_data(const struct evidence_request *request, const char time[EVIDENCE_TIME_SIZE],
                          const char *claims, const uint8_t exported[32], uint8_t out[64])
{
    uint8_t input[4 * 32];
    size_t size = 32;
    memcpy(input, request->leaf, 32);
    if (request->mode == EVIDENCE_CHALLENGE) {
        memcpy(input + 32, request->context, 32);
        memcpy(input + 64, exported, 32);
        size = 96;
    } else if (!claims) {
        memcpy(input + 32, time, EVIDENCE_TIME_SIZE - 1);
        size += EVIDENCE_TIME_SIZE - 1;
    }
    if (claims) {
        SHA256((const uint8_t *)claims, strlen(claims), input + size);
        size += 32;
    }
    SHA512(input, size, out);
}
