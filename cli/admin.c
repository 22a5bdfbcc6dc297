/*
 * enclavectl admin: who may administer an enclave. A change of that is one request with the whole new list, which as
 * many admins as the list's threshold says authorise together: one sends it, the others approve what it proposes.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/admin_list.h"
#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/input.h"
#include "cli/key.h"
#include "cli/report.h"
#include "cli/token.h"
#include "common/hex.h"
#include "common/json.h"

#define ADMINISTRATORS_PATH "/_enclave/administrators"
#define PROPOSAL_FORMAT "enclave-os-proposal/1"
#define PROPOSAL_MAX 65536u
#define APPROVAL_MAX 8192u
#define JWS_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

static const char usage[] =
    "usage: enclavectl admin ls | add FILE.pub --role ROLE | replace KEY FILE.pub [--role ROLE] | rm KEY |\n"
    "       threshold M, with --url, --admin-key and options\n"
    "       enclavectl admin approve PROPOSAL --admin-key FILE --out APPROVAL [--url ... and options]\n"
    "Who may administer. ROLE: admin (everything), deploy (push, set and remove apps, and what monitor may), monitor\n"
    "(see /readyz, /status and /metrics). KEY: a thumbprint as ls shows it, its first 8 digits or more, or FILE.pub.\n"
    "Where a change takes the tokens of more than one admin: --propose writes it down, the others approve that, and\n"
    "the same command with their approvals carries it out, within ten minutes.\n"
    "  --role ROLE              add, replace: the key's role\n"
    "  --propose FILE           change nothing, and write down what would be sent\n"
    "  --approval FILE          what admin approve made of that; may be repeated\n"
    "  --out FILE               approve: where the approval goes\n"
    "  --json                   print the server's answer as it is\n" AUTHORISED_USAGE TRUST_USAGE;

enum action { LS, ADD, REPLACE, RM, THRESHOLD, APPROVE };

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    bool ok = out && fprintf(out, "%s\n", text) > 0;
    ok = out && fclose(out) == 0 && ok;
    return ok ? 0 : complain("%s: cannot be written", path);
}

/* One line of what a token is made of: it becomes a field of the request. malloc'ed; NULL: why was told. */
static char *read_approval(const char *path)
{
    size_t size;
    char *text = read_input("--approval", path, APPROVAL_MAX, &size);
    while (text && size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        text[--size] = '\0';
    const char *dot = text ? strchr(text, '.') : NULL;
    if (!text || (dot && strchr(dot + 1, '.') && strspn(text, JWS_LETTERS) == size))
        return text;
    wrong("--approval %s: not what enclavectl admin approve makes", path);
    free(text);
    return NULL;
}

static int propose(const struct authorised_options *o, const char *body)
{
    char audience[65];
    hex_text(o->spki_sha256, 32, audience);
    json_t *json = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "format", PROPOSAL_FORMAT, "url", o->url, "audience",
                             audience, "method", "PUT", "path", ADMINISTRATORS_PATH, "body", body);
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    int result = text ? write_text(o->admin->propose, text) : complain("out of memory");
    free(text);
    json_decref(json);
    if (result == 0)
        printf("nothing was changed; others approve this with: enclavectl admin approve %s\n", o->admin->propose);
    return result;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

/* A success's answer, or what complain returned. */
static int ask(struct authorised_options *o, struct http_request *request, struct http_answer *answer)
{
    int result = authorised_exchange(o, request, answer);
    if (result == 0 && (answer->status < 200 || answer->status > 299))
        result = authorised_complain(answer);
    return result;
}

/* The list in force; NULL: *result is the exit status. */
static json_t *get_list(struct authorised_options *o, int *result)
{
    struct http_request request = {.method = "GET", .path = ADMINISTRATORS_PATH};
    struct http_answer answer = {0};
    *result = ask(o, &request, &answer);
    json_t *list = *result == 0 ? admin_list_read(answer.body, answer.body_size) : NULL;
    if (*result == 0 && !list)
        *result = 1;
    free(answer.body);
    return list;
}

static int print_answer(const struct authorised_options *o, const struct http_answer *answer)
{
    json_t *list = o->json ? NULL : admin_list_read(answer->body, answer->body_size);
    if (o->json)
        printf("%s\n", answer->body);
    else if (list)
        admin_list_print(list);
    json_decref(list);
    return o->json || list ? 0 : 1;
}

static int show(struct authorised_options *o)
{
    struct http_request request = {.method = "GET", .path = ADMINISTRATORS_PATH};
    struct http_answer answer = {0};
    int result = ask(o, &request, &answer);
    if (result == 0)
        result = print_answer(o, &answer);
    free(answer.body);
    return result;
}

static int send_order(struct authorised_options *o, const char *body)
{
    char *approvals[APPROVALS_MAX] = {0};
    int result = 0;
    for (size_t i = 0; i < o->admin->approval_count && result == 0; i++)
        if (!(approvals[i] = read_approval(o->admin->approvals[i])))
            result = 2;
    struct http_request request = {.method = "PUT",
                                   .path = ADMINISTRATORS_PATH,
                                   .approvals = (const char *const *)approvals,
                                   .approval_count = o->admin->approval_count,
                                   .body = body,
                                   .body_size = strlen(body)};
    struct http_answer answer = {0};
    if (result == 0)
        result = ask(o, &request, &answer);
    if (result == 0)
        result = print_answer(o, &answer);
    for (size_t i = 0; i < APPROVALS_MAX; i++)
        free(approvals[i]);
    free(answer.body);
    return result;
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static int add(json_t *list, const struct authorised_options *o, char **argv)
{
    json_t *entry = admin_list_entry(argv[1], o->admin->role);
    if (!entry)
        return 2;
    return json_array_append_new(json_object_get(list, "administrators"), entry) == 0 ? 0 : complain("out of memory");
}

static int replace(json_t *list, const struct authorised_options *o, char **argv)
{
    json_t *array = json_object_get(list, "administrators");
    int at = admin_list_find(list, argv[1]);
    if (at < 0)
        return 1;
    const char *role = json_string_value(json_object_get(json_array_get(array, (size_t)at), "role"));
    json_t *entry = admin_list_entry(argv[2], o->admin->role ? o->admin->role : role);
    if (!entry)
        return 2;
    return json_array_set_new(array, (size_t)at, entry) == 0 ? 0 : complain("out of memory");
}

static int take_away(json_t *list, const struct authorised_options *o, char **argv)
{
    (void)o;
    int at = admin_list_find(list, argv[1]);
    return at < 0 ? 1 : json_array_remove(json_object_get(list, "administrators"), (size_t)at);
}

static int set_threshold(json_t *list, const struct authorised_options *o, char **argv)
{
    (void)o;
    json_t *number = json_integer(strtol(argv[1], NULL, 10));
    return json_object_set_new(list, "threshold", number) == 0 ? 0 : complain("out of memory");
}

/* What can be judged before anything is connected to. 0, or the exit status. */
static int judge_arguments(const struct authorised_options *o, enum action action, char **argv)
{
    char hex[65];
    const char *file = action == ADD ? argv[1] : action == REPLACE ? argv[2] : NULL;
    json_t *entry = file ? admin_list_entry(file, "") : NULL;
    bool ok = !file || entry;
    json_decref(entry);
    if (action == THRESHOLD && (strlen(argv[1]) > 2 || !*argv[1] || argv[1][strspn(argv[1], "0123456789")]))
        return wrong("admin threshold: '%s' is no number of admins", argv[1]);
    if (ok && (action == REPLACE || action == RM))
        ok = admin_list_name(argv[1], hex);
    for (size_t i = 0; ok && i < o->admin->approval_count; i++) {
        char *approval = read_approval(o->admin->approvals[i]);
        ok = approval;
        free(approval);
    }
    return ok ? 0 : 2;
}

static int change(struct authorised_options *o, enum action action, char **argv,
                  int (*how)(json_t *list, const struct authorised_options *o, char **argv))
{
    int result = judge_arguments(o, action, argv);
    json_t *list = result == 0 ? get_list(o, &result) : NULL;
    if (list)
        result = how(list, o, argv);
    char *body = list && result == 0 ? admin_list_order(list) : NULL;
    if (body)
        result = o->admin->propose ? propose(o, body) : send_order(o, body);
    else if (list && result == 0)
        result = complain("out of memory");
    free(body);
    json_decref(list);
    return result;
}

/* ---- approving --------------------------------------------------------------------------------------------------- */

/* Whether the server that is verified now is the one it is for, and still has the list that it changes. */
static int check_server(struct authorised_options *o, const uint8_t audience[32], const char *replaces)
{
    int result;
    json_t *list = get_list(o, &result);
    if (!list)
        return result;
    const char *now = json_string_value(json_object_get(list, "sha256"));
    if (memcmp(o->spki_sha256, audience, 32) != 0)
        result = complain("this is for another enclave than %s, or for what it was before it was restarted", o->url);
    else if (replaces && (!now || strcmp(now, replaces) != 0))
        result = complain("the administrators of %s have changed since this was proposed", o->url);
    else
        printf("now:\n");
    if (result == 0)
        admin_list_print(list);
    json_decref(list);
    return result;
}

static int sign_approval(const struct authorised_options *o, const uint8_t audience[32], const char *body)
{
    EVP_PKEY *key = key_open(&(struct key_options){"--admin-key", o->admin_key, o->pkcs11_module});
    if (!key)
        return 2;
    struct token_request request = {.spki_sha256 = audience,
                                    .method = "PUT",
                                    .path = ADMINISTRATORS_PATH,
                                    .body = body,
                                    .body_size = strlen(body),
                                    .lifetime_s = TOKEN_LIFETIME_MAX_S};
    char *token = token_make(key, &request);
    int result = token ? write_text(o->admin->out, token) : complain("cannot make a token");
    free(token);
    EVP_PKEY_free(key);
    return result;
}

static int judge_proposal(struct authorised_options *o, const json_t *proposal)
{
    const char *format = json_string_value(json_object_get(proposal, "format"));
    const char *method = json_string_value(json_object_get(proposal, "method"));
    const char *path = json_string_value(json_object_get(proposal, "path"));
    const char *hex = json_string_value(json_object_get(proposal, "audience"));
    const char *body = json_string_value(json_object_get(proposal, "body")), *replaces;
    uint8_t audience[32];
    if (!format || strcmp(format, PROPOSAL_FORMAT) != 0 || !method || strcmp(method, "PUT") != 0 || !path ||
        strcmp(path, ADMINISTRATORS_PATH) != 0 || !body || !hex || !hex_read(hex, strlen(hex), audience, 32))
        return wrong("not what enclavectl admin --propose writes");
    json_t *list = admin_list_of_order(body, strlen(body), &replaces);
    if (!list)
        return 2;
    int result = o->url ? check_server(o, audience, replaces) : 0;
    if (result == 0) {
        printf("proposed, for the enclave whose key of this boot has the SHA-256 %s:\n", hex);
        admin_list_print(list);
        result = sign_approval(o, audience, body);
    }
    json_decref(list);
    return result;
}

static int approve(struct authorised_options *o, const char *path)
{
    size_t size;
    if (!o->admin->out)
        return wrong("admin approve: --out is missing: where the approval goes");
    char *text = read_input(NULL, path, PROPOSAL_MAX, &size);
    if (!text)
        return 2;
    json_t *proposal = json_read(text, size, JSON_REJECT_DUPLICATES, NULL);
    int result = judge_proposal(o, proposal);
    json_decref(proposal);
    free(text);
    return result;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

/* No option is accepted and ignored. 0, or what wrong returned. */
static int judge_options(const struct authorised_options *o, enum action action)
{
    const struct admin_options *a = o->admin;
    if (action != APPROVE && !o->url)
        return wrong("--url is missing (see enclavectl admin --help)");
    if (!o->url && verifier_policy_names_enclave(o->trust.policy))
        return wrong("approve looks at a server only with --url: what was given says which server it may be");
    if (action == ADD && !a->role)
        return wrong("admin add: --role is missing: admin, deploy or monitor");
    if (a->role && action != ADD && action != REPLACE)
        return wrong("--role goes with add and replace");
    if (a->role && strcmp(a->role, "admin") != 0 && strcmp(a->role, "deploy") != 0 && strcmp(a->role, "monitor") != 0)
        return wrong("--role %s: expected admin, deploy or monitor", a->role);
    if (a->out && action != APPROVE)
        return wrong("--out goes with approve");
    if ((a->propose || a->approval_count) && (action == LS || action == APPROVE))
        return wrong("--%s goes with a change", a->propose ? "propose" : "approval");
    if (a->propose && a->approval_count)
        return wrong("--propose and --approval: a change is proposed or carried out");
    if (o->json && (action == APPROVE || a->propose))
        return wrong("--json: no answer of the server is shown here");
    return 0;
}

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    static const struct authorised_action actions[] = {
        [LS] = {"ls", "", 0, 0},
        [ADD] = {"add", "FILE.pub", 1, 1},
        [REPLACE] = {"replace", "KEY FILE.pub", 2, 2},
        [RM] = {"rm", "KEY", 1, 1},
        [THRESHOLD] = {"threshold", "M", 1, 1},
        [APPROVE] = {"approve", "PROPOSAL", 1, 1},
        {0},
    };
    int action = authorised_action("admin", actions, argc, argv);
    int result = action < 0 ? 2 : judge_options(o, (enum action)action);
    if (result != 0)
        return result;
    switch ((enum action)action) {
    case LS:
        return show(o);
    case ADD:
        return change(o, ADD, argv, add);
    case REPLACE:
        return change(o, REPLACE, argv, replace);
    case RM:
        return change(o, RM, argv, take_away);
    case THRESHOLD:
        return change(o, THRESHOLD, argv, set_threshold);
    case APPROVE:
        return approve(o, argv[1]);
    }
    return 2;
}

int admin_main(int argc, char **argv)
{
    struct admin_options admin = {0};
    struct authorised_options o = {.has_json = true, .admin = &admin, .url_optional = true};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
