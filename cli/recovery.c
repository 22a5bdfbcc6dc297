/*
 * enclavectl recovery: who holds shares of an enclave's data, and how many of them it takes. Setting that is one
 * request with all of them, and makes new shares: those of before are old.
 */
#include <jansson.h>
#include <stdio.h>

#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/whole.h"

static const char usage[] =
    "usage: enclavectl recovery show | set FILE.json, with --url, --admin-key and options\n"
    "Who holds a share of what recovers the data where no enclave can open it, and how many of them it takes.\n"
    "FILE.json, as show --json prints it: {\"holders\": [HEX, ...], \"threshold\": K}, where HEX is what keygen\n"
    "--recovery has said of a holder's key. set makes new shares, also for the same holders: those of before open\n"
    "nothing any more but copies of the store from before.\n" WHOLE_USAGE AUTHORISED_USAGE TRUST_USAGE;

static bool is_recovery(const json_t *recovery)
{
    return json_is_array(json_object_get(recovery, "holders")) &&
           json_is_integer(json_object_get(recovery, "threshold"));
}

static void print_recovery(const json_t *recovery)
{
    const json_t *list = json_object_get(recovery, "holders");
    if (json_array_size(list) == 0)
        printf("nobody can recover the data\n");
    else
        printf("sharing %lld: any %lld of %zu holders can recover the data\n",
               (long long)json_integer_value(json_object_get(recovery, "epoch")),
               (long long)json_integer_value(json_object_get(recovery, "threshold")), json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *holder = json_string_value(json_array_get(list, i));
        printf("%s\n", holder ? holder : "?");
    }
}

int recovery_main(int argc, char **argv)
{
    static const struct whole recovery = {.command = "recovery",
                                          .show = "show",
                                          .path = "/_enclave/recovery",
                                          .name = "list of holders",
                                          .lacks = "there are no \"holders\" with a \"threshold\" in it",
                                          .is = is_recovery,
                                          .print = print_recovery};
    return whole_command(&recovery, argc, argv, usage);
}
