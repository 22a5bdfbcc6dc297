/*
 * enclavectl fetch: ask an enclave through whatever terminates TLS on the way, encrypted to the enclave itself
 * (Oblivious HTTP, RFC 9458).
 */
#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/input.h"
#include "cli/ohttp_keys.h"
#include "cli/report.h"
#include "cli/trust.h"
#include "common/bhttp.h"
#include "common/json.h"

#define DATA_MAX (1u << 20) /* more no server takes in this form */
#define PATH_SIZE 2048u
#define KEY_ATTEMPTS 2 /* a key may be replaced between its coming and its use */

struct place {
    char base[300]; /* https://HOST[:PORT] */
    char path[PATH_SIZE];
};

struct fetch {
    struct trust_options *trust;
    struct place target, relay;
    const char *method, *data_file, *content_type, *relay_url;
    bool any_instance;
    char *data;
    size_t data_size;
    char date[64];
    struct ohttp_shown shown;
};

/* https://HOST[:PORT]/PATH taken apart. */
static bool split(const char *url, struct place *out)
{
    size_t start = strncmp(url, "https://", 8) == 0 ? 8 : 0, size = start ? start + strcspn(url + start, "/") : 0;
    if (!start || !url[size] || size >= sizeof out->base || strlen(url + size) >= sizeof out->path)
        return false;
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '#') /* nothing that could end the request line */
            return false;
    snprintf(out->base, sizeof out->base, "%.*s", (int)size, url);
    strcpy(out->path, url + size);
    return connection_url_ok(out->base);
}

/* One request to somebody who is not judged: what comes is. */
static int ask(const char *base, struct http_request *request, struct http_answer *answer)
{
    struct connection c;
    int result = connection_open(&c, base);
    if (result != 0)
        return result;
    result = http_exchange(&c, request, answer);
    connection_close(&c);
    return result;
}

/* ---- the enclave's key ------------------------------------------------------------------------------------------- */

static int judge_key(struct fetch *f, const struct http_answer *answer)
{
    const char *why;
    ohttp_shown_deinit(&f->shown);
    if (answer->status != 200)
        return complain("%s: no key for encrypted requests: %d", f->target.base, answer->status);
    if (ohttp_shown_read(answer->body, answer->body_size, &f->shown, &why) < 0)
        return complain("%s: what shows the enclave's key: %s", f->target.base, why);
    struct verifier_result *result =
        trust_judge_shown(f->trust, f->target.base, f->shown.certificate, f->shown.certificate_size, f->shown.issuer,
                          f->shown.issuer_size);
    bool ok = verifier_result_ok(result);
    trust_tell(result, f->target.base);
    verifier_result_destroy(result);
    return ok ? 0 : 1;
}

static int get_key(struct fetch *f)
{
    struct http_request request = {.method = "GET", .path = "/_enclave/ohttp-keys/evidence"};
    struct http_answer answer;
    int result = ask(f->target.base, &request, &answer);
    if (result != 0)
        return result;
    result = judge_key(f, &answer);
    free(answer.body);
    return result;
}

/* ---- the request ------------------------------------------------------------------------------------------------- */

static void make_date(char out[64])
{
    struct tm utc;
    time_t now = time(NULL);
    if (!gmtime_r(&now, &utc) || strftime(out, 64, "%a, %d %b %Y %H:%M:%S GMT", &utc) == 0)
        out[0] = '\0';
}

/* Sealed, malloc'ed; NULL: why was told. */
static uint8_t *make_request(const struct fetch *f, size_t *size, struct ohttp_answer *key)
{
    const struct bhttp_field fields[] = {
        {{"date", 4}, {f->date, strlen(f->date)}},
        {{"content-type", 12}, {f->content_type, strlen(f->content_type)}},
    };
    size_t capacity = f->data_size + PATH_SIZE + 1024 + strlen(f->content_type) + strlen(f->method);
    uint8_t *plain = malloc(capacity), *sealed = malloc(capacity + OHTTP_REQUEST_OVERHEAD);
    struct bytes_writer w = bytes_writer_make(plain, plain ? capacity : 0);
    bhttp_put_request(&w, f->method, f->target.base + 8, f->target.path, fields, f->data ? 2 : 1, f->data,
                      f->data_size);
    int error = w.failed || !sealed ? -ENOMEM : ohttp_request_seal(&f->shown.key, plain, w.size, sealed, key);
    if (plain)
        OPENSSL_cleanse(plain, capacity);
    free(plain);
    *size = w.size + OHTTP_REQUEST_OVERHEAD;
    if (error == 0)
        return sealed;
    complain(error == -EINVAL ? "the enclave's key is none" : "the request cannot be encrypted");
    free(sealed);
    return NULL;
}

/* ---- what came of it --------------------------------------------------------------------------------------------- */

enum outcome { DONE, FAILED, STALE_KEY, WRONG_TIME };

static bool is_problem(const char *text, size_t size, const char *type)
{
    json_t *all = json_read(text, size, JSON_REJECT_DUPLICATES, NULL);
    const char *said = json_string_value(json_object_get(all, "type"));
    bool is = said && strcmp(said, type) == 0;
    json_decref(all);
    return is;
}

/* The time there, as it was sent. */
static void take_date(struct bhttp_lines lines, char out[64])
{
    struct bhttp_field field;
    while (bhttp_next(&lines, &field))
        if (field.name.size == 4 && memcmp(field.name.at, "date", 4) == 0 && field.value.size < 64)
            snprintf(out, 64, "%.*s", (int)field.value.size, field.value.at);
}

static enum outcome show(struct fetch *f, const struct bhttp_message *m)
{
    const char *content = (const char *)m->content;
    if (m->status >= 200 && m->status <= 299)
        return fwrite(content, 1, m->content_size, stdout) == m->content_size ? DONE : FAILED;
    if (m->status == 400 && is_problem(content, m->content_size, OHTTP_DATE_PROBLEM)) {
        take_date(m->header, f->date);
        return WRONG_TIME;
    }
    complain("the enclave answered %u: %.*s", m->status, (int)(m->content_size < 300 ? m->content_size : 300), content);
    return FAILED;
}

static enum outcome open_answer(struct fetch *f, const struct ohttp_answer *key, const struct http_answer *answer)
{
    struct bhttp_message m;
    uint8_t *plain, *data = (uint8_t *)answer->body;
    size_t size;
    const char *why, *where = f->relay.base;
    if (answer->status == 400 && is_problem(answer->body, answer->body_size, OHTTP_KEY_PROBLEM))
        return STALE_KEY;
    if (answer->status != 200)
        complain("%s: it does not pass it on: %d", where, answer->status);
    else if (ohttp_answer_open(key, data, answer->body_size, &plain, &size) < 0)
        complain("%s: what came is not the enclave's answer to this request", where);
    else if (bhttp_read(plain, size, &m, &why) < 0)
        complain("%s: the enclave's answer: %s", where, why);
    else if (!m.is_response)
        complain("%s: the enclave's answer is a request", where);
    else
        return show(f, &m);
    return FAILED;
}

static enum outcome send_once(struct fetch *f)
{
    struct ohttp_answer key;
    struct http_answer answer;
    size_t size;
    uint8_t *sealed = make_request(f, &size, &key);
    struct http_request request = {.method = "POST",
                                   .path = f->relay.path,
                                   .content_type = OHTTP_REQUEST_MEDIA_TYPE,
                                   .body = sealed,
                                   .body_size = size};
    enum outcome outcome = FAILED;
    if (sealed && ask(f->relay.base, &request, &answer) == 0) {
        outcome = open_answer(f, &key, &answer);
        free(answer.body);
    }
    OPENSSL_cleanse(&key, sizeof key);
    free(sealed);
    return outcome;
}

/* Nothing was done where a key or a time was refused: so it may be sent again, once for each (RFC 9458, 6.5.2). */
static int fetch(struct fetch *f)
{
    bool corrected = false;
    make_date(f->date);
    for (int attempt = 0; attempt < KEY_ATTEMPTS; attempt++) {
        int result = get_key(f);
        if (result != 0)
            return result;
        enum outcome outcome = send_once(f);
        if (outcome == WRONG_TIME && !corrected) {
            corrected = true;
            outcome = send_once(f);
        }
        if (outcome == WRONG_TIME)
            return complain("the clocks here and there differ too much, whichever time is said");
        if (outcome != STALE_KEY)
            return outcome == DONE ? 0 : 1;
    }
    return complain("%s: the enclave does not know the key that was shown for it: whoever is in between shows an old "
                    "one, or replaces it",
                    f->target.base);
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: enclavectl fetch https://HOST[:PORT]/PATH [options]\n"
    "Asks for it through whatever terminates TLS on the way, encrypted to the enclave itself, whose key is verified "
    "first.\n"
    "Prints the answer's body. Exit status: 0 if it is a success.\n"
    "  --data FILE              send what is in it, by POST\n"
    "  --content-type TYPE      what that is; default: application/octet-stream\n"
    "  --method METHOD          another method than GET or POST\n"
    "  --relay URL              send it there; default: https://HOST[:PORT]/_enclave/ohttp\n"
    "  --any-instance           send it though nothing says whose enclave it is to be\n" TRUST_USAGE;

static int set_option(void *user, int id, const char *value)
{
    struct fetch *f = user;
    if (id == 'd')
        f->data_file = value;
    else if (id == 't')
        f->content_type = value;
    else if (id == 'm')
        f->method = value;
    else if (id == 'r')
        f->relay_url = value;
    else
        f->any_instance = true;
    return 0;
}

static bool is_plain(const char *text, const char *letters)
{
    size_t size = strspn(text, letters);
    return size > 0 && size < 64 && !text[size];
}

static int judge_options(struct fetch *f, const char *url)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    if (!split(url, &f->target))
        return wrong("%s: expected https://HOST[:PORT]/PATH, without spaces, controls or #", url);
    f->relay = f->target;
    strcpy(f->relay.path, "/_enclave/ohttp");
    if (f->relay_url && !split(f->relay_url, &f->relay))
        return wrong("--relay %s: expected https://HOST[:PORT]/PATH, without spaces, controls or #", f->relay_url);
    if (f->method && !is_plain(f->method, letters))
        return wrong("--method %s: expected letters, digits and -", f->method);
    if (f->content_type && !f->data_file)
        return wrong("--content-type is of what --data sends: give that, too");
    if (f->content_type)
        for (const char *c = f->content_type; *c; c++)
            if (*c < ' ' || *c >= 0x7f || f->content_type[0] == ' ')
                return wrong("--content-type %s: expected one line", f->content_type);
    if (f->trust->fresh)
        return wrong("--fresh is for a connection to the enclave itself: enclavectl verify has it");
    f->method = f->method ? f->method : f->data_file ? "POST" : "GET";
    f->content_type = f->content_type ? f->content_type : "application/octet-stream";
    f->data = f->data_file ? read_input("--data", f->data_file, DATA_MAX, &f->data_size) : NULL;
    return f->data_file && !f->data ? 2 : f->any_instance ? 0 : trust_require_pin(f->trust);
}

int fetch_main(int argc, char **argv)
{
    static const struct option table[] = {TRUST_OPTIONS,         {"data", 1, 0, 'd'},  {"content-type", 1, 0, 't'},
                                          {"method", 1, 0, 'm'}, {"relay", 1, 0, 'r'}, {"any-instance", 0, 0, 'a'},
                                          {0, 0, 0, 0}};
    struct trust_options trust;
    struct fetch f = {.trust = &trust};
    struct trust_command command = {.table = table,
                                    .usage = usage,
                                    .name = "fetch",
                                    .form = "https://HOST[:PORT]/PATH",
                                    .other = set_option,
                                    .user = &f,
                                    .least = 1,
                                    .most = 1};
    int result = trust_options_read(&trust, &command, argc, argv);
    if (result == 0)
        result = judge_options(&f, command.rest[0]);
    if (result == 0)
        result = fetch(&f);
    ohttp_shown_deinit(&f.shown);
    free(f.data);
    trust_options_deinit(&trust);
    return command.help ? 0 : result;
}
