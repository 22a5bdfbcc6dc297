/*
 * enclavectl acme: which public certificate authority issues certificates for apps' own names.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/report.h"

#define ACME_PATH "/_enclave/acme"

static const char usage[] =
    "usage: enclavectl acme set DIRECTORY-URL agree [ADDRESS...] | show | rm, with --url, --admin-key and options\n"
    "A public certificate authority (ACME) that issues for the names of apps, and that you agree to its terms of\n"
    "service; it may write to the mail addresses. Its server is believed by the CA bundle of outgoing requests\n"
    "(enclavectl egress-ca). rm: names have the enclave's own certificates again.\n"
    "  --now                    set, rm: cut at once what the configuration before still answers\n" AUTHORISED_USAGE
        TRUST_USAGE;

/* malloc'ed; NULL: why was told. */
static char *settings_of(int argc, char **argv)
{
    json_t *contact = json_array(), *all = NULL;
    if (strcmp(argv[1], "agree") != 0) {
        wrong("acme set: '%s': say agree, to the authority's terms of service: it issues to nobody else", argv[1]);
        json_decref(contact);
        return NULL;
    }
    for (int i = 2; i < argc; i++)
        json_array_append_new(contact, json_sprintf("mailto:%s", argv[i]));
    all = json_pack("{s:s,s:b}", "directory", argv[0], "terms_agreed", 1);
    if (all && argc > 2)
        json_object_set(all, "contact", contact);
    char *text = all && (int)json_array_size(contact) == argc - 2 ? json_dumps(all, JSON_COMPACT) : NULL;
    if (!text)
        wrong("acme set: what was given is no text, or there is no memory");
    json_decref(all);
    json_decref(contact);
    return text;
}

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    static const struct authorised_action actions[] = {
        {"set", "DIRECTORY-URL agree [ADDRESS...]", 2, 6}, {"show", "", 0, 0}, {"rm", "", 0, 0}, {0}};
    static const char *const methods[] = {"PUT", "GET", "DELETE"};
    int action = authorised_action("acme", actions, argc, argv);
    if (action == 1 && o->now)
        return wrong("--now: nothing is changed by this");
    char *body = action == 0 ? settings_of(argc - 1, argv + 1) : NULL;
    if (action < 0 || (action == 0 && !body))
        return 2;
    struct http_request request = {.method = methods[action],
                                   .path = o->now ? ACME_PATH "?now=true" : ACME_PATH,
                                   .body = body,
                                   .body_size = body ? strlen(body) : 0};
    int result = authorised_print(o, &request);
    free(body);
    return result;
}

int acme_main(int argc, char **argv)
{
    struct authorised_options o = {.has_change = true};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
