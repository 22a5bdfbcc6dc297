/*
 * enclavectl get: the server's own pages that only its operator may see.
 */
#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/report.h"

static const char usage[] = "usage: enclavectl get PATH, with --url, --admin-key and options\n"
                            "Prints /readyz, /status or /metrics.\n" AUTHORISED_USAGE TRUST_USAGE;

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    if (argc != 1)
        return wrong_arguments("get", "one PATH, such as /status", 1, 1, argc, argv);
    const char *c = argv[0];
    while (*c > ' ' && *c < 0x7f) /* nothing that could end the request line */
        c++;
    if (argv[0][0] != '/' || *c)
        return wrong("%s: expected a path that begins with / and has no spaces or controls", argv[0]);
    struct http_request request = {.method = "GET", .path = argv[0]};
    return authorised_print(o, &request);
}

int get_main(int argc, char **argv)
{
    struct authorised_options o = {.scope = "monitoring"};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
