/* See publication.h. */
#include "enclave/service/publication.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "enclave/secrets/jws.h"
#include "enclave/wasm/settings.h"

const char *const publication_set_names[RULE_SETS_COUNT] = {"arguments",   "config",    "durable",
                                                            "environment", "hostnames", "peers"};

struct parse {
    struct publication *out;
    char *why;
    size_t why_size;
    int error;
};

__attribute__((format(printf, 2, 3))) static void refuse(struct parse *p, const char *format, ...)
{
    va_list arguments;
    if (p->error)
        return;
    va_start(arguments, format);
    vsnprintf(p->why, p->why_size, format, arguments);
    va_end(arguments);
    p->error = -EINVAL;
}

static void take_hex(struct parse *p, const char *member, const json_t *value, uint8_t *out, size_t size)
{
    if (!json_is_string(value) || !hex_read(json_string_value(value), json_string_length(value), out, size))
        refuse(p, "the publication's %s is not %zu hexadecimal digits", member, 2 * size);
}

static uint64_t take_number(struct parse *p, const char *member, const json_t *value, uint64_t most)
{
    json_int_t number = json_integer_value(value); /* 0: it is none */
    if (number > 0 && (uint64_t)number <= most)
        return (uint64_t)number;
    refuse(p, "the publication's %s is no number from 1 to %llu", member, (unsigned long long)most);
    return 0;
}

static void take_name(struct parse *p, const json_t *value)
{
    size_t size = json_string_length(value);
    if (size == 0 || size > APP_NAME_MAX)
        refuse(p, "the publication's name is no app's");
    else
        memcpy(p->out->name, json_string_value(value), size + 1);
}

/* As settings have it, and judged as theirs. */
static void take_egress(struct parse *p, json_t *value)
{
    static const uint8_t no_salt[SETTINGS_SALT_SIZE];
    char why[160] = "out of memory";
    json_t *settings = json_pack("{s:O}", "egress", value);
    char *text = settings ? json_dumps(settings, JSON_COMPACT) : NULL;
    json_decref(settings);
    p->out->terms.egress = text ? app_settings_parse(text, strlen(text), no_salt, why, sizeof why) : NULL;
    free(text);
    if (!p->out->terms.egress)
        refuse(p, "the publication's %s", why);
}

static unsigned bit_of(const char *name)
{
    for (unsigned i = 0; name && i < RULE_SETS_COUNT; i++)
        if (strcmp(name, publication_set_names[i]) == 0)
            return 1u << i;
    return 0;
}

static void take_settings(struct parse *p, const json_t *array)
{
    size_t index;
    const json_t *value;
    if (!json_is_array(array))
        refuse(p, "the publication's settings are no array of their names");
    json_array_foreach(array, index, value)
    {
        unsigned bit = bit_of(json_string_value(value));
        if (!bit || (p->out->terms.sets & bit))
            refuse(p,
                   "the publication's settings: number %zu is none of arguments, config, durable, environment and "
                   "peers, or "
                   "is there twice",
                   index + 1);
        p->out->terms.sets |= bit;
    }
}

static void take_member(struct parse *p, const char *member, json_t *value)
{
    struct publication *out = p->out;
    if (!strcmp(member, "name"))
        take_name(p, value);
    else if (!strcmp(member, "sha256"))
        take_hex(p, member, value, out->sha256, sizeof out->sha256);
    else if (!strcmp(member, "version"))
        out->terms.version = take_number(p, member, value, RULE_VERSION_MAX);
    else if (!strcmp(member, "app_id"))
        take_hex(p, member, value, out->id, sizeof out->id);
    else if (!strcmp(member, "egress"))
        take_egress(p, value);
    else if (!strcmp(member, "egress_ca")) {
        out->terms.fixes_egress_ca = true;
        take_hex(p, member, value, out->terms.egress_ca, sizeof out->terms.egress_ca);
    } else if (!strcmp(member, "memory_mib"))
        out->terms.memory_mib = (uint32_t)take_number(p, member, value, RULE_MEMORY_MIB_MAX);
    else if (!strcmp(member, "timeout_ms"))
        out->terms.timeout_ms = (uint32_t)take_number(p, member, value, RULE_TIMEOUT_MS_MAX);
    else if (!strcmp(member, "settings"))
        take_settings(p, value);
    else
        refuse(p, "the publication says %.64s, which means nothing here", member);
}

int publication_read(const char *jws, size_t size, const uint8_t key[RULE_KEY_SIZE], struct publication *out, char *why,
                     size_t why_size)
{
    static const char *const needed[] = {"name", "sha256", "version"};
    struct parse p = {out, why, why_size, 0};
    json_t *claims, *value;
    const char *member;
    memset(out, 0, sizeof *out);
    int error = jws_open(jws, size, key, RULE_KEY_SIZE, PUBLICATION_TYPE, &claims);
    if (error < 0) {
        snprintf(why, why_size, "%s",
                 error == -EACCES ? "the publication is not signed as one by this app's publisher"
                                  : "the publication is no JWS of 4,096 bytes at most");
        return error;
    }
    out->has_id = json_object_get(claims, "app_id") != NULL;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!json_object_get(claims, needed[i]))
            refuse(&p, "the publication has no %s", needed[i]);
    json_object_foreach(claims, member, value) take_member(&p, member, value);
    json_decref(claims);
    if (p.error)
        publication_deinit(out);
    return p.error;
}

void publication_deinit(struct publication *p)
{
    app_settings_unref(p->terms.egress);
    p->terms.egress = NULL;
}
