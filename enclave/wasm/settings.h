/*
 * What an operator sets of an app beside its code: environment, arguments, configuration, and where it may connect.
 *
 * Given as one JSON object, all of whose members may be left out:
 *   {"environment": {"NAME": "value"},   wasi:cli/environment
 *    "arguments": ["value"],             wasi:cli/environment, behind the app's name
 *    "config": {"key": "value"},         wasi:config/store
 *    "egress": ["api.example.com", "*.example.org:8443"],
 *    "hostnames": ["app.example.com"],   names of its own, under which it is all that there is
 *    "peers": "request",                 clients are asked for a certificate, and the app is told what it proves
 *    "durable": "witnessed",             what it stores is acknowledged once witnesses have cosigned a later head
 *    "limits": {"requests": 100}}        how much of it may go on, beneath what the server allows (admission.h)
 * An entry of egress is a host name, "*." and the end of one (which has at least one more label), or an IP address (an
 * IPv6 address in brackets), with a port or else 443. What is not listed is refused. A hostname is a DNS name without a
 * wildcard, at most APP_HOSTNAMES_MAX of them; whether another app has it, service/hostnames.h knows.
 *
 * Immutable and counted. Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_SETTINGS_H
#define ENCLAVE_OS_ENCLAVE_WASM_SETTINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/wasm/admission.h"

struct json_t;

#define SETTINGS_SIZE_MAX 65536u /* bytes of JSON */
#define SETTINGS_SALT_SIZE 16u
#define APP_HOSTNAMES_MAX 8u /* of one app: each has a certificate, and so a quote, of its own */

struct setting {
    const char *name, *value; /* arguments have no name */
};

struct setting_list {
    struct setting *items;
    size_t count;
};

struct egress_rule {
    const char *host; /* lower case; begins with "*." if any name below it will do */
    uint16_t port;
};

/* Lower case, sorted, each once. */
struct app_hostnames {
    char **names;
    size_t count;
};

struct app_settings {
    atomic_uint refs;
    struct setting_list environment, arguments, config;
    struct egress_rule *egress;
    size_t egress_count;
    struct app_hostnames hostnames;
    bool request_peers;
    bool witnessed;
    struct app_limits limits;
    uint8_t salt[SETTINGS_SALT_SIZE];
    uint8_t digest[32]; /* SHA-256(salt || json): what the Merkle tree holds; salted, since values may be secrets */
    char *json;         /* members sorted, no blanks; empty settings are "{}" */
};

/* NULL, and why says which member is wrong and how. */
struct app_settings *app_settings_parse(const char *json, size_t size, const uint8_t salt[SETTINGS_SALT_SIZE],
                                        char *why, size_t why_size);
struct app_settings *app_settings_ref(struct app_settings *s);
void app_settings_unref(struct app_settings *s); /* wipes the values; NULL is nothing */

bool app_settings_empty(const struct app_settings *s);
/* host as in a URL, an IPv6 address without its brackets; in any case. */
bool app_settings_may_connect(const struct app_settings *s, const char *host, uint16_t port);

/* Its rules of egress, each as "host:port", an IPv6 address in brackets; sorted, each once, joined by commas;
 * malloc'ed. NULL: no memory. */
char *app_settings_egress_text(const struct app_settings *s);
/* Its names, joined by commas; malloc'ed. NULL: no memory. */
char *app_settings_hostnames_text(const struct app_settings *s);
/* The same as an array, the caller's, which is empty where it has none. NULL: no memory. */
struct json_t *app_settings_hostnames_json(const struct app_settings *s);
/* The first rule that reaches a server which those of bound (NULL: they reach all) do not; NULL: there is none. */
const struct egress_rule *app_settings_egress_beyond(const struct app_settings *s, const struct app_settings *bound);

/* A list's item by its name, or NULL. */
const char *setting_find(const struct setting_list *list, const char *name, size_t name_size);

#endif
