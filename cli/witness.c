/*
 * enclavectl witness: who cosigns an enclave's history. Changing that is one request with the whole new set.
 */
#include <jansson.h>
#include <stdio.h>

#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/whole.h"

static const char usage[] =
    "usage: enclavectl witness ls | set FILE.json, with --url, --admin-key and options\n"
    "Who cosigns the history (C2SP tlog-witness). FILE.json: {\"witnesses\": [{\"name\", \"url\", \"key\"}], "
    "\"quorum\",\n"
    "\"seconds\", \"commits\"}, as ls --json prints it; {\"witnesses\": []}: nobody. Those before cosign the change, "
    "too.\n" WHOLE_USAGE AUTHORISED_USAGE TRUST_USAGE;

static bool is_set(const json_t *set)
{
    return json_is_array(json_object_get(set, "witnesses"));
}

static void print_set(const json_t *set)
{
    const json_t *list = json_object_get(set, "witnesses");
    size_t count = json_array_size(list);
    if (count == 0)
        printf("no witness cosigns the history\n");
    else
        printf("%lld of %zu must cosign, at most %lld seconds and %lld commits behind\n",
               (long long)json_integer_value(json_object_get(set, "quorum")), count,
               (long long)json_integer_value(json_object_get(set, "seconds")),
               (long long)json_integer_value(json_object_get(set, "commits")));
    for (size_t i = 0; i < count; i++) {
        const json_t *witness = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(witness, "name"));
        const char *url = json_string_value(json_object_get(witness, "url"));
        const char *key = json_string_value(json_object_get(witness, "key"));
        printf("%s  %s  %s\n", name ? name : "?", url ? url : "?", key ? key : "?");
    }
    if (json_object_get(set, "witnessed"))
        printf("%lld have cosigned this change\n", (long long)json_integer_value(json_object_get(set, "witnessed")));
}

int witness_main(int argc, char **argv)
{
    static const struct whole witnesses = {.command = "witness",
                                           .show = "ls",
                                           .path = "/_enclave/witnesses",
                                           .name = "set of witnesses",
                                           .lacks = "there is no list \"witnesses\" in it",
                                           .is = is_set,
                                           .print = print_set};
    return whole_command(&witnesses, argc, argv, usage);
}
