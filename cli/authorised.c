/*
 * Requests that the admin key authorises. See authorised.h.
 */
#include "common/json.h"
#include "cli/authorised.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/key.h"
#include "cli/report.h"
#include "cli/token.h"

int authorised_exchange(struct authorised_options *o, struct http_request *request, struct http_answer *answer)
{
    struct connection c;
    uint8_t spki_sha256[32];
    EVP_PKEY *key = key_open(&(struct key_options){"--admin-key", o->admin_key, o->pkcs11_module});
    if (!key)
        return 2;
    int result = trust_require_pin(&o->trust);
    if (result == 0) {
        result = trust_connect(&o->trust, &c, o->url, spki_sha256);
        if (result != 0 && o->trust.seen.certificate)
            complain("%s is not verified: nothing was sent", o->url);
    }
    if (result == 0) {
        memcpy(o->spki_sha256, spki_sha256, sizeof spki_sha256);
        struct token_request t = {.spki_sha256 = spki_sha256,
                                  .method = request->method,
                                  .path = request->path,
                                  .scope = o->scope,
                                  .body = request->body,
                                  .body_size = request->body_size};
        char *token = token_make(key, &t);
        request->token = token;
        result = token ? http_exchange(&c, request, answer) : complain("cannot make a token");
        free(token);
        connection_close(&c);
    }
    EVP_PKEY_free(key);
    return result;
}

int authorised_complain(const struct http_answer *a)
{
    json_t *json = json_read(a->body, strlen(a->body), JSON_REJECT_DUPLICATES, NULL);
    const char *error = json_string_value(json_object_get(json, "error"));
    int result = complain("the server answers %d: %s", a->status, error ? error : a->body);
    json_decref(json);
    return result;
}

int authorised_ask(struct authorised_options *o, struct http_request *request, struct http_answer *answer)
{
    int result = authorised_exchange(o, request, answer);
    if (result == 0 && (answer->status < 200 || answer->status > 299))
        result = authorised_complain(answer);
    return result;
}

int authorised_show(struct authorised_options *o, const char *path,
                    int (*print)(const struct authorised_options *o, const struct http_answer *answer))
{
    struct http_request request = {.method = "GET", .path = path};
    struct http_answer answer = {0};
    int result = authorised_ask(o, &request, &answer);
    if (result == 0 && print)
        result = print(o, &answer);
    free(answer.body);
    return result;
}

/* --role, --out. */
static int set_admin_option(struct admin_options *a, int id, const char *value)
{
    if (!a)
        return wrong("--%s: this command does not change who administers, and has no such option",
                     id == 'R' ? "role" : "out");
    *(id == 'R' ? &a->role : &a->out) = value;
    return 0;
}

/* --propose, --approval. */
static int set_agreement_option(struct authorised_options *o, int id, const char *value)
{
    if (!o->has_agreement)
        return wrong("--%s: this command changes nothing that takes several admins, and has no such option",
                     id == 'P' ? "propose" : "approval");
    if (id == 'P')
        o->propose = value;
    else if (o->approval_count == APPROVALS_MAX)
        return wrong("--approval: more than %u", APPROVALS_MAX);
    else
        o->approvals[o->approval_count++] = value;
    return 0;
}

/* --data, --recipient, --new-url, --agreement. */
static int set_upgrade_option(struct upgrade_options *u, int id, const char *value)
{
    if (!u)
        return wrong("--%s: this command lets nobody have an instance, and has no such option",
                     id == 'D'   ? "data"
                     : id == 'I' ? "recipient"
                     : id == 'N' ? "new-url"
                                 : "agreement");
    if (id == 'G' && u->agreement_count == AGREEMENTS_MAX)
        return wrong("--agreement: more than %u", AGREEMENTS_MAX);
    *(id == 'D'   ? &u->data
      : id == 'I' ? &u->recipient
      : id == 'N' ? &u->new_url
                  : &u->agreements[u->agreement_count++]) = value;
    return 0;
}

static int set_option(void *user, int id, const char *value)
{
    struct authorised_options *o = user;
    if (strchr("RO", id))
        return set_admin_option(o->admin, id, value);
    if (strchr("PA", id))
        return set_agreement_option(o, id, value);
    if (strchr("DING", id))
        return set_upgrade_option(o->upgrade, id, value);
    if (id == 'u')
        o->url = value;
    else if (id == 'k')
        o->admin_key = value;
    else if (id == 'm')
        o->pkcs11_module = value;
    else if (strchr("rpx", id) && !o->has_push)
        return wrong("--%s: this command changes no app, and has no such option", id == 'r'   ? "rule"
                                                                                  : id == 'p' ? "publication"
                                                                                              : "exclusive");
    else if (id == 'x')
        o->exclusive = true;
    else if (id == 'n' && !o->has_change)
        return wrong("--now: this command changes nothing, and has no such option");
    else if (id == 'n')
        o->now = true;
    else if (id == 'r')
        o->rule = value;
    else if (id == 'p')
        o->publication = value;
    else if (id == 'a')
        verifier_policy_accept_any_instance(o->trust.policy, true);
    else if (!o->has_json)
        return wrong("--json: this command prints what the server answers, and has no such option");
    else
        o->json = true;
    return id == 'u' && !connection_url_ok(value)
               ? wrong("--url %s: expected https://HOST[:PORT], with a name, an IPv4 address or [IPv6 address]", value)
               : 0;
}

int authorised_action(const char *command, const struct authorised_action *actions, int argc, char **argv)
{
    char words[128] = "", name[64];
    for (int i = 0; actions[i].word; i++) {
        if (argc > 0 && strcmp(argv[0], actions[i].word) == 0) {
            if (argc - 1 >= actions[i].least && argc - 1 <= actions[i].most)
                return i;
            snprintf(name, sizeof name, "%s %s", command, argv[0]);
            wrong_arguments(name, actions[i].form, actions[i].least, actions[i].most, argc - 1, argv + 1);
            return -1;
        }
        snprintf(words + strlen(words), sizeof words - strlen(words), "%s%s", i ? ", " : "", actions[i].word);
    }
    if (argc > 0)
        wrong("%s: there is no '%s'; there is %s", command, argv[0], words);
    else
        wrong("%s: say what to do: %s (see enclavectl %s --help)", command, words, command);
    return -1;
}

int authorised_command(struct authorised_options *o, int argc, char **argv, const char *usage,
                       int (*run)(struct authorised_options *o, int argc, char **argv))
{
    static const struct option table[] = {TRUST_OPTIONS,
                                          {"url", 1, 0, 'u'},
                                          {"admin-key", 1, 0, 'k'},
                                          {"pkcs11-module", 1, 0, 'm'},
                                          {"json", 0, 0, 'j'},
                                          {"rule", 1, 0, 'r'},
                                          {"publication", 1, 0, 'p'},
                                          {"role", 1, 0, 'R'},
                                          {"propose", 1, 0, 'P'},
                                          {"out", 1, 0, 'O'},
                                          {"approval", 1, 0, 'A'},
                                          {"data", 1, 0, 'D'},
                                          {"recipient", 1, 0, 'I'},
                                          {"new-url", 1, 0, 'N'},
                                          {"agreement", 1, 0, 'G'},
                                          {"any-instance", 0, 0, 'a'},
                                          {"now", 0, 0, 'n'},
                                          {"exclusive", 0, 0, 'x'},
                                          {0, 0, 0, 0}};
    struct trust_command command = {.table = table,
                                    .usage = usage,
                                    .other = set_option,
                                    .user = o,
                                    .repeats = {'A', o->upgrade ? 'G' : 0},
                                    .least = 0,
                                    .most = INT_MAX};
    int result = trust_options_read(&o->trust, &command, argc, argv);
    if (result == 0 && ((!o->url && !o->url_optional) || !o->admin_key))
        result = wrong("--%s is missing (see enclavectl %s --help)", o->url || o->url_optional ? "admin-key" : "url",
                       argv[0]);
    if (result == 0)
        result = run(o, command.count, command.rest);
    trust_options_deinit(&o->trust);
    return command.help ? 0 : result;
}

int authorised_print(struct authorised_options *o, struct http_request *request)
{
    struct http_answer answer = {0};
    int result = authorised_exchange(o, request, &answer);
    if (result == 0 && answer.status != 200)
        result = authorised_complain(&answer);
    else if (result == 0)
        printf("%s\n", answer.body);
    free(answer.body);
    return result;
}
