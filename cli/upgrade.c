/*
 * enclavectl upgrade: an instance goes from the enclave that has it to another, by one command. The two enclaves do all
 * of it themselves; this judges the new one by the policy before it has anything, approves it, follows what becomes of
 * it, verifies it, and says at each step what would be if it stopped there.
 *
 * Another key that answers than the old one's of this boot is the new one's, or the old one's started again: the new
 * one has the MRENCLAVE that was approved, and the lineage or, where it is of the same image, a log with the entry of
 * this hand-over. And it is verified: as the same instance, by the policy's measurements.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/agreement.h"
#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/input.h"
#include "cli/key.h"
#include "cli/recipient.h"
#include "cli/report.h"
#include "cli/token.h"
#include "cli/upgrade_folder.h"
#include "common/hex.h"
#include "common/json.h"
#include "verifier/verifier_log.h"

#define STATEMENT_MAX 4096u
#define LOOK_NS 200000000L
#define LOOKS_AT_APPROVAL 10u /* of so many looks at an old enclave that serves, one asks for it */

static const char usage[] =
    "usage: enclavectl upgrade --data DIR | --recipient HEX, with --url, --admin-key and options\n"
    "Lets the enclave of serve --take-over have the instance of the one at --url, which then serves no more. Waits "
    "until\n"
    "the new one is there, judges it by the quote that it has shown, approves it, follows it until it serves, and\n"
    "verifies it: the policy accepts both, by --mrenclave, say; else it is not approved. At each step it says what\n"
    "would be if it stopped there. Where several admins must approve, --propose writes down what the others are to\n"
    "approve (enclavectl admin approve), and the same command with their approvals carries it out, within ten "
    "minutes.\n"
    "  --data DIR               the new server's folder, where its name comes to be\n"
    "  --recipient HEX          that name, where the folder is on another machine: the line hand-over of its log\n"
    "  --new-url https://HOST:PORT  where the new one serves; default: where the old one does\n"
    "  --agreement FILE         what a publisher says to it (upgrade-rule agree); may be repeated\n"
    "  --propose FILE           approve nothing, and write down what would be sent\n"
    "  --approval FILE          what admin approve made of that; may be repeated\n"
    "  --json                   print each step as JSON, one a line\n" AUTHORISED_USAGE TRUST_USAGE;

/* ---- what is said ------------------------------------------------------------------------------------------------ */

enum step { WAITS, FOUND, JUDGED, APPROVED, PAUSED, GIVEN, SERVES, STEPS };

static const struct {
    const char *name, *text, *if_stopped;
} steps[STEPS] = {
    [WAITS] = {"waits", "waiting for the new enclave to show itself", "this command has begun nothing"},
    [FOUND] = {"found", "the new enclave has shown itself", "nothing has begun: the old enclave serves on"},
    [JUDGED] = {"judged", "the policy accepts it, by its quote", "nothing has begun: the old enclave serves on"},
    [APPROVED] = {"approved", "it may have the instance",
                  "the two go on without this command; if the new one ends, the old enclave serves on"},
    [PAUSED] = {"paused", "the old enclave ends what is under way",
                "the two go on without this command; if the new one ends now, the old enclave serves on"},
    [GIVEN] = {"given", "the old enclave has given the instance away, and serves nobody",
               "the new one alone can serve: if it ends, start it again as it was started"},
    [SERVES] = {"serves", "the new enclave serves, and is verified", "all is done"},
};

/* What is known of it: "recipient", "mrenclave"; NULL: nothing. */
static int say(const struct authorised_options *o, enum step step, const char *name, const char *value)
{
    if (o->json) {
        json_t *line = json_pack("{s:s,s:s,s:s}", "step", steps[step].name, "text", steps[step].text, "if_stopped",
                                 steps[step].if_stopped);
        bool ok = line && (!name || json_object_set_new(line, name, json_string(value)) == 0) &&
                  json_dumpf(line, stdout, JSON_COMPACT) == 0;
        json_decref(line);
        if (!ok)
            return complain("out of memory");
        putchar('\n');
    } else {
        printf("%s", steps[step].text);
        if (name)
            printf(": %s %s", name, value);
        printf("\n  if it stopped here: %s\n", steps[step].if_stopped);
    }
    fflush(stdout);
    return 0;
}

/* ---- the recipient ----------------------------------------------------------------------------------------------- */

static void pause_for_a_look(void)
{
    static const struct timespec pause = {.tv_nsec = LOOK_NS};
    nanosleep(&pause, NULL);
}

#define IS_OVER (-2)

/* 0; IS_OVER: the server of that folder serves, and waits for no approval; or what complain returned. */
static int await_recipient(const struct authorised_options *o, char recipient[65])
{
    const struct upgrade_options *u = o->upgrade;
    if (u->recipient) {
        snprintf(recipient, 65, "%s", u->recipient);
        return 0;
    }
    for (bool said = false;; said = true) {
        int result = upgrade_folder_recipient(u->data, recipient);
        if (result != -1)
            return result;
        if (upgrade_folder_serves(u->data))
            return IS_OVER;
        if (!said)
            say(o, WAITS, NULL, NULL);
        pause_for_a_look();
    }
}

/* Of a hand-over that nothing is left to do for: who serves is verified, and the history has it. */
static int tell_over(struct authorised_options *o, const char *url)
{
    struct connection c;
    const char *data = o->upgrade->data;
    int result = connection_open(&c, url);
    if (result != 0)
        return result;
    struct verifier_result *judged = trust_judge(&o->trust, &c, url, true);
    connection_close(&c);
    if (!judged)
        return 1;
    trust_tell(judged, url);
    if (!verifier_result_ok(judged))
        result =
            complain("the server of %s serves already; who answers at %s is not verified by what was given", data, url);
    else if (!verifier_result_claims(judged)->hand_over)
        result = complain("the server of %s serves already, and waits for no approval; the history of %s has no "
                          "hand-over: is it the folder of the server that is to take over?",
                          data, url);
    else
        result = say(o, SERVES, "url", url);
    verifier_result_destroy(judged);
    return result;
}

/* ---- the approval ------------------------------------------------------------------------------------------------ */

/* One statement in each file. NULL: why was told. */
static json_t *read_statements(const struct upgrade_options *u)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < u->agreement_count; i++) {
        size_t size;
        char *text = read_input("--agreement", u->agreements[i], STATEMENT_MAX, &size);
        while (text && size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
            text[--size] = '\0';
        json_t *statement = text ? json_stringn(text, size) : NULL;
        if (text && !statement)
            wrong("--agreement %s: not what enclavectl upgrade-rule agree makes", u->agreements[i]);
        free(text);
        if (!statement || json_array_append_new(list, statement) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* malloc'ed; NULL: why was told. */
static char *make_body(const struct upgrade_options *u, const char *recipient)
{
    json_t *statements = read_statements(u);
    json_t *body = statements ? json_pack("{s:s}", "recipient", recipient) : NULL;
    if (body && json_array_size(statements) > 0)
        json_object_set(body, "statements", statements);
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (statements && !text)
        complain("out of memory");
    json_decref(body);
    json_decref(statements);
    return text;
}

/* Or write down what the others are to approve. mrenclave: of whom the policy has judged, in HEX. */
static int approve(struct authorised_options *o, const char *recipient, const char *mrenclave)
{
    char *body = make_body(o->upgrade, recipient);
    if (!body)
        return 2;
    struct http_request request = {.method = "POST", .path = RECIPIENT_PATH, .body = body, .body_size = strlen(body)};
    struct http_answer answer = {0};
    int result = o->propose ? agreement_propose(o, &request, true) : agreement_take(o, &request);
    if (result == 0 && !o->propose)
        result = authorised_ask(o, &request, &answer);
    json_t *who = answer.body ? json_read(answer.body, answer.body_size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *named = json_string_value(json_object_get(who, "mrenclave"));
    if (result == 0 && !o->propose)
        result = named && strcmp(named, mrenclave) == 0
                     ? say(o, APPROVED, "mrenclave", named)
                     : complain("the server has approved another one than was judged, %s", named ? named : "nobody");
    json_decref(who);
    agreement_free(&request);
    free(answer.body);
    free(body);
    return result;
}

/* ---- what becomes of it ------------------------------------------------------------------------------------------ */

/* Who is asked how far it is. */
struct following {
    struct authorised_options *o;
    EVP_PKEY *key;
    const char *new_url;
    uint8_t old_spki[32];       /* of its last boot that is known */
    struct recipient_giver old; /* before the new one was approved */
    const char *recipient;
    char approved[65]; /* the new one's MRENCLAVE in HEX */
    enum step said;
    unsigned served; /* looks at the old one at which it served */
};

/* What a server says of hand-overs, on a connection to it that was judged. REFUSED: not to this key. */
enum word { NO_WORD, NONE, OF_A_HAND_OVER, REFUSED };

static enum word ask(struct following *f, struct connection *c, const uint8_t spki[32])
{
    static const struct {
        const char *word;
        enum step step;
    } words[] = {{"paused", PAUSED}, {"committing", PAUSED}, {"given", GIVEN}};
    struct token_request t = {.spki_sha256 = spki, .method = "GET", .path = "/status", .scope = "monitoring"};
    char *token = token_make(f->key, &t);
    struct http_request request = {.method = "GET", .path = "/status", .token = token};
    struct http_answer answer = {0};
    enum word heard = NO_WORD;
    report_quietly(true);
    bool answered = token && http_exchange(c, &request, &answer) == 0;
    if (answered && (answer.status == 401 || answer.status == 403))
        heard = REFUSED;
    if (answered && answer.status == 200) {
        json_t *status = json_read(answer.body, answer.body_size, JSON_REJECT_DUPLICATES, NULL);
        const char *word =
            json_string_value(json_object_get(json_object_get(json_array_get(status, 0), "details"), "hand_over"));
        heard = word && strcmp(word, "none") == 0 ? NONE : NO_WORD;
        for (size_t i = 0; word && i < sizeof words / sizeof *words; i++) {
            if (strcmp(word, words[i].word) != 0)
                continue;
            heard = OF_A_HAND_OVER;
            if (words[i].step > f->said)
                say(f->o, f->said = words[i].step, NULL, NULL);
        }
        json_decref(status);
    }
    report_quietly(false);
    free(answer.body);
    free(token);
    return heard;
}

/* What it cannot see, it says at once, and waits for nothing. */
static int tell_refused(const char *url, const char *rest)
{
    return complain("%s: it does not tell this key how far a hand-over is (/status is refused): %s", url, rest);
}
#define GOES_ON \
    "the two go on without this command; look at it with the key of another administrator, and verify the new one"

/* Whether the server there has that key, of somebody who was judged: nothing is to be judged again. */
static bool has_key(const struct connection *c, const uint8_t expected[32])
{
    uint8_t spki[32];
    X509 *leaf = SSL_get0_peer_certificate(c->ssl);
    unsigned size = sizeof spki;
    uint8_t *der = NULL;
    int der_size = leaf ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der) : -1;
    bool ok = der_size > 0 && EVP_Digest(der, (size_t)der_size, spki, &size, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return ok && memcmp(spki, expected, sizeof spki) == 0;
}

/* Whether the log of who was judged last has an entry of a hand-over that the old one's had not. */
static bool has_its_entry(const struct following *f)
{
    struct verifier_log *log = f->o->trust.seen.log;
    const char *data;
    size_t size;
    bool has = false;
    for (uint64_t i = f->old.log_size; log && !has && i < verifier_log_size(log); i++) {
        if (verifier_log_entry(log, i, &data, &size) != 0)
            return false;
        json_t *entry = json_read(data, size, JSON_REJECT_DUPLICATES, NULL);
        const char *kind = json_string_value(json_object_get(entry, "kind"));
        has = kind && strcmp(kind, "hand-over") == 0;
        json_decref(entry);
    }
    return has;
}

/* Whether the old one, which serves, would give the instance to whom was approved: a recipient that was silent for too
 * long is forgotten with its approval, and the rule, or who approved, may have changed. -1; or what complain returned.
 */
static int look_at_approval(struct following *f, const char *url)
{
    char path[128];
    struct connection c;
    snprintf(path, sizeof path, RECIPIENT_PATH "?recipient=%s", f->recipient);
    struct token_request t = {.spki_sha256 = f->old_spki, .method = "GET", .path = path, .scope = f->o->scope};
    char *token = token_make(f->key, &t);
    struct http_request request = {.method = "GET", .path = path, .token = token};
    struct http_answer answer = {0};
    report_quietly(true);
    bool opened = connection_open(&c, url) == 0; /* anew: this may be all that is answered on one */
    bool answered = opened && token && has_key(&c, f->old_spki) && http_exchange(&c, &request, &answer) == 0;
    if (opened)
        connection_close(&c);
    report_quietly(false);
    json_t *json = answered ? json_read(answer.body, answer.body_size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *error = json_string_value(json_object_get(json, "error"));
    int found = -1;
    if (answered && (answer.status == 403 || answer.status == 404) && error)
        found = complain("the old enclave serves on, and lets this recipient have nothing any more: %s: when that is "
                         "mended, give this command again",
                         error);
    else if (answered && answer.status == 200 && json_is_false(json_object_get(json, "approved")))
        found = complain("no administrator has approved this recipient any more: give this command again");
    json_decref(json);
    free(answer.body);
    free(token);
    return found;
}

/* On another connection: what a judgement reads may be all that the server answers on its own. */
static enum word ask_anew(struct following *f, const char *url, const uint8_t spki[32])
{
    struct connection c;
    report_quietly(true);
    bool opened = connection_open(&c, url) == 0;
    report_quietly(false);
    enum word word = opened && has_key(&c, spki) ? ask(f, &c, spki) : NO_WORD;
    if (opened)
        connection_close(&c);
    return word;
}

/* A verified server with a key that the old one had not: the new one, or the old one started again. As look. */
static int recognise(struct following *f, const char *url, const struct verifier_claims *claims)
{
    uint8_t approved[32];
    bool is_approved = hex_read(f->approved, 64, approved, sizeof approved) &&
                       memcmp(claims->mrenclave, approved, sizeof approved) == 0;
    if (is_approved && memcmp(approved, f->old.claims.mrenclave, sizeof approved) != 0)
        return 0;
    enum word word = ask_anew(f, url, claims->spki_sha256);
    if (word == REFUSED)
        return tell_refused(url, GOES_ON);
    if (word == NO_WORD)
        return -1;
    if (word == NONE && is_approved && has_its_entry(f))
        return 0;
    memcpy(f->old_spki, claims->spki_sha256, sizeof f->old_spki);
    return word == NONE ? complain("the old enclave was started again, and has forgotten the approval: give this "
                                   "command again")
                        : -1;
}

static int tell_unverified(const struct following *f, const struct verifier_result *result, const char *url)
{
    char mrenclave[65];
    hex_text(verifier_result_claims(result)->mrenclave, 32, mrenclave);
    trust_tell(result, url);
    if (strcmp(mrenclave, f->approved) == 0)
        return complain("%s: the hand-over is done, but the new enclave is not verified by what was given: verify it "
                        "with --mrenclave %s",
                        url, f->approved);
    return complain("%s: who answers there now is not verified", url);
}

/* Whether the new one answers at this address, and is verified; where it is the old one, that is asked. A server that
 * is not reached is asked again. 0; -1: not yet; or what complain returned: somebody else answers. */
static int look(struct following *f, const char *url)
{
    struct connection c;
    int found = -1;
    report_quietly(true); /* of two that come and go: what cannot be had now is asked again */
    bool opened = connection_open(&c, url) == 0, old = opened && has_key(&c, f->old_spki);
    struct verifier_result *result = opened && !old ? trust_judge(&f->o->trust, &c, url, true) : NULL;
    report_quietly(false);
    enum word word = old ? ask(f, &c, f->old_spki) : NO_WORD;
    if (word == REFUSED)
        found = tell_refused(url, GOES_ON);
    else if (word == NONE && ++f->served % LOOKS_AT_APPROVAL == 0)
        found = look_at_approval(f, url);
    else if (result && verifier_result_ok(result))
        found = recognise(f, url, verifier_result_claims(result));
    else if (result)
        found = tell_unverified(f, result, url);
    verifier_result_destroy(result);
    if (opened)
        connection_close(&c);
    return found;
}

static int follow(struct following *f)
{
    int found;
    while ((found = look(f, f->new_url)) == -1) {
        if (f->new_url != f->o->url && (found = look(f, f->o->url)) > 0)
            return found;
        pause_for_a_look();
    }
    return found == 0 ? say(f->o, SERVES, "url", f->new_url) : found;
}

/* Whatever the policy would refuse later it refuses before anything begins: who has the instance now, by all that it
 * says; who would have it, by its quote; and a key that could not follow what becomes of it. */
static int judge_first(struct following *f, const char *recipient)
{
    struct authorised_options *o = f->o;
    int result = recipient_giver_know(o, &f->old);
    if (result == 0)
        result = recipient_judge(o, &f->old, recipient, true, f->approved);
    if (result == 0)
        result = say(o, JUDGED, "mrenclave", f->approved);
    if (result == 0 && ask_anew(f, o->url, o->spki_sha256) == REFUSED)
        result = tell_refused(o->url, "another administrator's key may");
    if (result != 0)
        complain("nobody was approved");
    return result;
}

static int follow_it(struct following *f)
{
    memcpy(f->old_spki, f->o->spki_sha256, sizeof f->old_spki);
    return follow(f);
}

static int upgrade(struct authorised_options *o)
{
    char recipient[65];
    struct following f = {.o = o, .new_url = o->upgrade->new_url ? o->upgrade->new_url : o->url, .said = APPROVED};
    int result = trust_require_pin(&o->trust);
    f.recipient = recipient;
    if (result == 0)
        result = await_recipient(o, recipient);
    if (result == IS_OVER)
        return tell_over(o, f.new_url);
    if (result == 0)
        result = say(o, FOUND, "recipient", recipient);
    f.key = result == 0 ? key_open(&(struct key_options){"--admin-key", o->admin_key, o->pkcs11_module}) : NULL;
    if (result == 0 && !f.key)
        result = 2;
    if (result == 0)
        result = judge_first(&f, recipient);
    if (result == 0)
        result = approve(o, recipient, f.approved);
    if (result == 0 && !o->propose)
        result = follow_it(&f);
    EVP_PKEY_free(f.key);
    return result;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    const struct upgrade_options *u = o->upgrade;
    uint8_t unused[32];
    if (argc > 0)
        return wrong_arguments("upgrade", "", 0, 0, argc, argv);
    if (!u->data == !u->recipient)
        return wrong("upgrade: it needs --data or --recipient, one of them (see enclavectl upgrade --help)");
    if (u->recipient && !hex_read(u->recipient, strlen(u->recipient), unused, sizeof unused))
        return wrong("--recipient %s: expected 64 hexadecimal digits", u->recipient);
    if (u->data && !is_folder(u->data))
        return wrong("--data %s: %s", u->data, errno ? strerror(errno) : "not a folder");
    if (u->new_url && !connection_url_ok(u->new_url))
        return wrong("--new-url %s: expected https://HOST[:PORT], with a name, an IPv4 address or [IPv6 address]",
                     u->new_url);
    if (o->propose && o->approval_count)
        return wrong("--propose and --approval: it is proposed or carried out");
    if (o->propose && o->json)
        return wrong("--json: with --propose there is nothing to follow");
    return agreement_judge(o) == 0 ? upgrade(o) : 2;
}

int upgrade_main(int argc, char **argv)
{
    struct upgrade_options u = {0};
    struct authorised_options o = {.has_json = true, .has_agreement = true, .upgrade = &u};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
