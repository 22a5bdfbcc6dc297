/*
 * enclavectl admin: who may administer an enclave. A change of that is one request with the whole new list, which as
 * many admins as the list's threshold says authorise together: one sends it, the others approve what it proposes.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/admin_list.h"
#include "cli/agreement.h"
#include "cli/app_proposal.h"
#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/recipient.h"
#include "cli/report.h"
#include "cli/salvage.h"
#include "common/hex.h"
#include "common/json.h"

#define ADMINISTRATORS_PATH "/_enclave/administrators"
#define NOW "?now=true"
#define PROPOSAL_MAX 65536u

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
    "  --now                    add, replace, rm, threshold: cut at once what the configuration before still answers\n"
    "  --json                   print the server's answer as it is\n" AUTHORISED_USAGE TRUST_USAGE;

enum action { LS, ADD, REPLACE, RM, THRESHOLD, APPROVE };

/* What a change is sent to, and approved for. */
static const char *path_of(bool now)
{
    return now ? ADMINISTRATORS_PATH NOW : ADMINISTRATORS_PATH;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

/* The list in force; NULL: *result is the exit status. */
static json_t *get_list(struct authorised_options *o, int *result)
{
    struct http_request request = {.method = "GET", .path = ADMINISTRATORS_PATH};
    struct http_answer answer = {0};
    *result = authorised_ask(o, &request, &answer);
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
    return ok ? agreement_judge(o) : 2;
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
        result = agreement_carry_out(o, path_of(o->now), body, print_answer);
    else if (list && result == 0)
        result = complain("out of memory");
    free(body);
    json_decref(list);
    return result;
}

/* ---- approving --------------------------------------------------------------------------------------------------- */

/* Whether the server that is verified now is the one it is for, and still has the list that it changes. */
static int check_server(struct authorised_options *o, const struct agreement *a, const char *replaces)
{
    int result;
    json_t *list = get_list(o, &result);
    if (!list)
        return result;
    const char *now = json_string_value(json_object_get(list, "sha256"));
    if (memcmp(o->spki_sha256, a->spki_sha256, 32) != 0)
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

static void print_proposed(const struct agreement *a)
{
    printf("proposed, for the enclave whose key of this boot has the SHA-256 %s", a->audience);
}

#define CUT ", and to cut at once what is still answered"

static bool says_now(const struct agreement *a)
{
    return strchr(a->path, '?') != NULL; /* it is one of the paths that approve knows */
}

/* A change of administrators: they are shown. */
static int approve_list(struct authorised_options *o, const struct agreement *a)
{
    const char *replaces;
    json_t *list = admin_list_of_order(a->body, strlen(a->body), &replaces);
    if (!list)
        return 2;
    int result = o->url ? check_server(o, a, replaces) : 0;
    if (result == 0) {
        print_proposed(a);
        printf("%s:\n", says_now(a) ? CUT : "");
        admin_list_print(list);
        result = agreement_approve(o, a, o->admin->out);
    }
    json_decref(list);
    return result;
}

/* A change of an app itself: all that it says is shown, of a publication its terms, too. */
static int approve_app(struct authorised_options *o, const struct agreement *a, const char *file)
{
    struct app_proposal p;
    int result = app_proposal_read(a, file, &p);
    if (result == 0 && o->url)
        result = check_server(o, a, NULL);
    if (result == 0) {
        print_proposed(a);
        printf(":\n");
        app_proposal_print(&p);
        result = agreement_approve(o, a, o->admin->out);
    }
    app_proposal_deinit(&p);
    return result;
}

/* Who is to have the instance: with --url also whose measurement that is, as the policy judges by its quote. */
static int approve_recipient(struct authorised_options *o, const struct agreement *a)
{
    struct recipient_giver giver;
    char mrenclave[65] = "";
    uint8_t unused[32];
    json_t *order = json_read(a->body, strlen(a->body), JSON_REJECT_DUPLICATES, NULL);
    const char *recipient = json_string_value(json_object_get(order, "recipient"));
    size_t statements = json_array_size(json_object_get(order, "statements"));
    int result = recipient && hex_read(recipient, strlen(recipient), unused, sizeof unused)
                     ? 0
                     : wrong("%s: what is proposed names no recipient", a->path);
    if (result == 0 && o->url)
        result = check_server(o, a, NULL);
    if (result == 0 && o->url)
        result = recipient_giver_know(o, &giver);
    if (result == 0 && o->url)
        result = recipient_judge(o, &giver, recipient, false, mrenclave);
    if (result == 0) {
        print_proposed(a);
        printf(":\nto let another enclave have the instance, and serve no more\nrecipient: %s\nmrenclave: %s\n",
               recipient, o->url ? mrenclave : "not known: with --url the server shows whose it is");
        if (statements > 0)
            printf("publishers' statements: %zu\n", statements);
        result = agreement_approve(o, a, o->admin->out);
    }
    json_decref(order);
    return result;
}

/* What is put in place whole (whole.h). */
static const struct {
    const char *path, *name;
} wholes[] = {{"/_enclave/witnesses", "these witnesses"},
              {"/_enclave/upgrade-rule", "this upgrade rule"},
              {"/_enclave/recovery", "these holders of shares of the data"},
              {SALVAGE_PATH, "to give up the lost records of this list"}};

/* NULL: it is none of those. */
static const char *whole_name(const struct agreement *a)
{
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        size_t size = strlen(wholes[i].path);
        if (strncmp(a->path, wholes[i].path, size) == 0 && (!a->path[size] || strcmp(a->path + size, NOW) == 0))
            return wholes[i].name;
    }
    return NULL;
}

/* A change of such, by what it says: its own white space and escapes are not shown. */
static int approve_whole(struct authorised_options *o, const struct agreement *a)
{
    json_t *set = json_read(a->body, strlen(a->body), JSON_REJECT_DUPLICATES, NULL);
    char *shown = json_is_object(set) ? json_dumps(set, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;
    int result = shown ? 0 : wrong("%s: what is proposed is no JSON object", a->path);
    if (result == 0 && o->url)
        result = check_server(o, a, NULL);
    if (result == 0 && o->url && strncmp(a->path, SALVAGE_PATH, strlen(SALVAGE_PATH)) == 0)
        result = salvage_check(o, json_string_value(json_object_get(set, "list")));
    if (result == 0) {
        print_proposed(a);
        printf("%s, %s:\n%s\n", says_now(a) ? CUT : "", whole_name(a), shown);
        result = agreement_approve(o, a, o->admin->out);
    }
    free(shown);
    json_decref(set);
    return result;
}

static int approve(struct authorised_options *o, const char *path)
{
    size_t size;
    struct agreement a;
    if (!o->admin->out)
        return wrong("admin approve: --out is missing: where the approval goes");
    if (output_judge("--out", o->admin->out) != 0)
        return 2;
    char *text = read_input(NULL, path, PROPOSAL_MAX, &size);
    if (!text)
        return 2;
    bool ok = agreement_read(text, size, &a);
    bool shown = ok && strcmp(a.method, "PUT") == 0 && a.body && !a.publication;
    bool of_recipient = ok && !strcmp(a.method, "POST") && a.body && !a.publication && !strcmp(a.path, RECIPIENT_PATH);
    bool of_list = shown && (!strcmp(a.path, path_of(false)) || !strcmp(a.path, path_of(true)));
    int result = of_list                   ? approve_list(o, &a)
                 : of_recipient            ? approve_recipient(o, &a)
                 : shown && whole_name(&a) ? approve_whole(o, &a)
                 : ok                      ? approve_app(o, &a, path)
                                           : wrong("%s: not what --propose writes", path);
    json_decref(a.json);
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
    if ((o->propose || o->approval_count) && (action == LS || action == APPROVE))
        return wrong("--%s goes with a change", o->propose ? "propose" : "approval");
    if (o->now && (action == LS || action == APPROVE))
        return wrong("--now goes with a change");
    if (o->propose && o->approval_count)
        return wrong("--propose and --approval: a change is proposed or carried out");
    if (o->json && (action == APPROVE || o->propose))
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
        return authorised_show(o, ADMINISTRATORS_PATH, print_answer);
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
    struct authorised_options o = {
        .has_json = true, .has_change = true, .has_agreement = true, .admin = &admin, .url_optional = true};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
