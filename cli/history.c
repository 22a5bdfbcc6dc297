/*
 * The log, fetched and shown. See history.h.
 */
#include "cli/history.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/report.h"
#include "common/hex.h"
#include "common/json.h"
#include "verifier/verifier_openssl.h"

#define ENTRY_FORMAT "enclave-os-entry/1"
#define ATTEMPTS_MAX 3 /* over connections that the server ends in the meantime */

/* ---- fetched --------------------------------------------------------------------------------------------------- */

static int get(struct history_source *s, struct connection *c, const char *path, size_t limit, char **data,
               size_t *size)
{
    char page[128], error[256];
    bool reusable;
    snprintf(page, sizeof page, "/_enclave/log/%s", path);
    int result = verifier_openssl_get(c->ssl, c->authority, page, limit, data, size, &reusable, error, sizeof error);
    if (!reusable && c == s->given)
        s->given = NULL;
    else if (!reusable)
        connection_close(c);
    return result;
}

static int open_own(struct history_source *s)
{
    int result = connection_open(&s->own, s->url);
    X509 *leaf = result == 0 ? SSL_get0_peer_certificate(s->own.ssl) : NULL;
    s->stranger |= result == 0 && (!leaf || !s->leaf || X509_cmp(leaf, s->leaf) != 0);
    return result == 0 ? 0 : -EIO;
}

int history_fetch(void *user, const char *path, size_t limit, uint8_t **data, size_t *size)
{
    struct history_source *s = user;
    int result = -EIO;
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        bool fresh = !s->given && !s->own.ssl;
        if (fresh && open_own(s) != 0)
            return -EIO;
        result = get(s, s->given ? s->given : &s->own, path, limit, (char **)data, size);
        if (fresh || result != -EIO) /* else the server may have closed it meanwhile */
            break;
    }
    return result;
}

void history_source_close(struct history_source *s)
{
    connection_close(&s->own);
}

/* ---- shown ----------------------------------------------------------------------------------------------------- */

/* A text of the server's: nothing that a terminal obeys. */
static void put_text(const char *text)
{
    for (; *text; text++)
        putchar(*text < ' ' || *text > '~' ? '?' : *text);
}

static void put_time(const json_t *entry)
{
    char text[32];
    struct tm tm;
    const json_t *value = json_object_get(entry, "time");
    time_t seconds = (time_t)json_integer_value(value);
    if (json_is_integer(value) && seconds >= 0 && seconds < 253402300800 && gmtime_r(&seconds, &tm) &&
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        printf("  %s", text);
    else
        printf("  %-20s", "?");
}

/* Who asked for it, by the first digits of their keys. */
static void put_askers(const json_t *entry)
{
    const json_t *by = json_object_get(entry, "by");
    for (size_t i = 0; i < json_array_size(by); i++) {
        char digits[17] = "";
        const char *key = json_string_value(json_array_get(by, i));
        snprintf(digits, sizeof digits, "%s", key ? key : "?");
        printf("%s", i ? ", " : "  by ");
        put_text(digits);
    }
}

static void put_line(uint64_t index, const json_t *entry)
{
    static const char *const details[] = {"what", "measurement", NULL};
    const char *kind = json_string_value(json_object_get(entry, "kind"));
    const json_t *generation = json_object_get(entry, "generation");
    printf("%6" PRIu64, index);
    put_time(entry);
    printf("  ");
    put_text(kind ? kind : "(no kind)");
    if (json_is_integer(generation))
        printf("  generation %" JSON_INTEGER_FORMAT, json_integer_value(generation));
    for (int i = 0; details[i]; i++) {
        const char *text = json_string_value(json_object_get(entry, details[i]));
        if (!text || !*text)
            continue;
        printf("  %s", i > 0 ? details[i] : "");
        printf("%s", i > 0 ? " " : "");
        put_text(text);
    }
    put_askers(entry);
    putchar('\n');
}

/* RFC 9162, section 2.1.1: as the log's tree has it. */
static bool hash_entry(const char *data, size_t size, char text[65])
{
    uint8_t hash[32], input[1 + VERIFIER_LOG_ENTRY_SIZE_MAX] = {0};
    memcpy(input + 1, data, size);
    if (EVP_Digest(input, size + 1, hash, NULL, EVP_sha256(), NULL) != 1)
        return false;
    hex_text(hash, sizeof hash, text);
    return true;
}

static bool put_object(const char *url, uint64_t index, json_t *entry, const char *data, size_t size)
{
    char hash[65];
    if (!hash_entry(data, size, hash))
        return false;
    json_t *all = json_pack("{s:I,s:s,s:O?}", "index", (json_int_t)index, "hash", hash, "entry", entry);
    if (all && url && json_object_set_new(all, "url", json_string(url)) != 0) {
        json_decref(all);
        all = NULL;
    }
    bool ok = all && json_dumpf(all, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) == 0;
    json_decref(all);
    return ok;
}

int history_print(const char *url, uint64_t index, const char *data, size_t size, bool json)
{
    json_t *entry = json_read(data, size, JSON_REJECT_DUPLICATES, NULL);
    const char *format = json_string_value(json_object_get(entry, "format"));
    const json_t *said = json_object_get(entry, "index");
    int status = 0;
    if (json && !put_object(url, index, entry, data, size))
        status = complain("out of memory");
    else if (!json)
        put_line(index, entry);
    if (status == 0 && (!format || strcmp(format, ENTRY_FORMAT) != 0))
        status = complain("entry %" PRIu64 " is none of " ENTRY_FORMAT, index);
    else if (status == 0 && (!json_is_integer(said) || json_integer_value(said) != (json_int_t)index))
        status = complain("entry %" PRIu64 " says that it is another one", index);
    json_decref(entry);
    return status;
}
