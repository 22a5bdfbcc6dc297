/*
 * enclavectl get: the server's own pages that only its operator may see.
 */
#include <stdio.h>

#include "cli/authorised.h"
#include "cli/cli.h"

static int usage(void)
{
    fputs("usage: enclavectl get PATH --url https://HOST:PORT --admin-key FILE [options]\n"
          "       /readyz, /status or /metrics\n" TRUST_USAGE,
          stderr);
    return 2;
}

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    if (argc != 1 || argv[0][0] != '/')
        return usage();
    struct http_request request = {.method = "GET", .path = argv[0]};
    return authorised_print(o, &request);
}

int get_main(int argc, char **argv)
{
    struct authorised_options o = {.scope = "monitoring"};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
