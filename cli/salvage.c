/*
 * enclavectl salvage: what of an enclave's store is lost, and going on without it. Giving something up is one request
 * that names the very list that was shown.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/agreement.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "cli/salvage.h"
#include "common/hex.h"
#include "common/json.h"

static const char usage[] =
    "usage: enclavectl salvage ls | give-up LIST, with --url, --admin-key and options\n"
    "Which stored records are lost (changed, missing or older than acknowledged), and which apps are stopped for it.\n"
    "give-up goes on without those that ls says can be given up, as if they had never been stored; LIST is what ls\n"
    "shows of them, 64 hexadecimal digits, so that nothing else is. It is an entry in the history.\n"
    "Where a change takes the tokens of more than one admin: as with enclavectl admin.\n"
    "  --propose FILE           change nothing, and write down what would be sent\n"
    "  --approval FILE          what admin approve made of that; may be repeated\n"
    "  --json                   print the server's answer as it is\n" AUTHORISED_USAGE TRUST_USAGE;

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "?";
}

static void print_lost(const json_t *lost)
{
    const char *app = json_string_value(json_object_get(lost, "app"));
    const char *why = json_string_value(json_object_get(lost, "why"));
    printf("%s%s  %s  %s  %s%s%s\n", app ? "app " : "no app", app ? app : "", text_of(lost, "store"),
           text_of(lost, "key"), text_of(lost, "how"), why ? ": stays; " : "", why ? why : "");
}

static void print_list(const json_t *list)
{
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(list, "stopped"), index, item) printf("%s\n", text_of(item, "why"));
    json_array_foreach(json_object_get(list, "lost"), index, item) print_lost(item);
    if (json_is_true(json_object_get(list, "more")))
        printf("and more, which show once these are gone\n");
    long long count = (long long)json_integer_value(json_object_get(list, "give_up"));
    long long nameless = (long long)json_integer_value(json_object_get(list, "nameless"));
    if (nameless > 0)
        printf("%lld records of which nobody knows any more whose they are, so that nothing can be listed: another "
               "copy of the folder (restore)\n",
               nameless);
    if (json_array_size(json_object_get(list, "lost")) == 0 && nameless == 0)
        printf("no stored record is lost\n");
    else if (count > 0)
        printf("to go on without %lld of them, as if they had never been stored: enclavectl salvage give-up %s\n",
               count, text_of(list, "list"));
    if (json_integer_value(json_object_get(list, "mended")) > 0)
        printf("%lld were mended at the last start: see to the disk, and to whoever has the host\n",
               (long long)json_integer_value(json_object_get(list, "mended")));
}

static int print_answer(const struct authorised_options *o, const struct http_answer *answer)
{
    json_t *object = json_read(answer->body, answer->body_size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *given_up = json_object_get(object, "given_up");
    int result = 0;
    if (!json_is_array(json_object_get(object, "lost")) && !json_is_integer(given_up))
        result = complain("the server's answer is no list of what is lost");
    else if (o->json)
        printf("%s\n", answer->body);
    else if (given_up)
        printf("%lld lost records are given up; files of which a part was among them are read again after the next "
               "start\n",
               (long long)json_integer_value(given_up));
    else
        print_list(object);
    json_decref(object);
    return result;
}

int salvage_check(struct authorised_options *o, const char *list)
{
    struct http_request request = {.method = "GET", .path = SALVAGE_PATH};
    struct http_answer answer = {0};
    int result = authorised_ask(o, &request, &answer);
    json_t *lost = result == 0 ? json_read(answer.body, answer.body_size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *now = json_string_value(json_object_get(lost, "list"));
    if (result == 0 && (!list || !now || strcmp(now, list) != 0))
        result = complain("what is lost at %s is not what was proposed to be given up", o->url);
    else if (result == 0)
        print_list(lost);
    json_decref(lost);
    free(answer.body);
    return result;
}

static int give_up(struct authorised_options *o, const char *list)
{
    uint8_t sha256[32];
    char body[128];
    if (!hex_read(list, strlen(list), sha256, sizeof sha256))
        return wrong("%s: not the 64 hexadecimal digits that salvage ls shows", list);
    snprintf(body, sizeof body, "{\"list\":\"%s\"}", list);
    int result = o->propose ? authorised_show(o, SALVAGE_PATH, NULL) : 0; /* whose key a token is for */
    return result == 0 ? agreement_carry_out(o, SALVAGE_PATH, body, print_answer) : result;
}

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    static const struct authorised_action actions[] = {{"ls", "", 0, 0}, {"give-up", "LIST", 1, 1}, {0}};
    const struct admin_options *a = o->admin;
    int action = authorised_action("salvage", actions, argc, argv);
    if (action < 0)
        return 2;
    if (a->role || a->out)
        return wrong("--%s: salvage has no such option", a->role ? "role" : "out");
    if (action == 0 && (o->propose || o->approval_count))
        return wrong("--%s goes with give-up", o->propose ? "propose" : "approval");
    if (o->propose && o->approval_count)
        return wrong("--propose and --approval: a change is proposed or carried out");
    if (o->json && o->propose)
        return wrong("--json: no answer of the server is shown here");
    return action == 0 ? authorised_show(o, SALVAGE_PATH, print_answer) : give_up(o, argv[1]);
}

int salvage_main(int argc, char **argv)
{
    struct admin_options admin = {0};
    struct authorised_options o = {.has_json = true, .has_agreement = true, .admin = &admin};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
