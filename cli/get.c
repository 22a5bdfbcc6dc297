/*
 * enclavectl get: the server's own pages that only its operator may see.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/authorised.h"
#include "cli/cli.h"

static int usage(void)
{
    fputs("usage: enclavectl get PATH --url https://HOST:PORT --admin-key FILE [options]\n"
          "       /readyz, /status or /metrics\n" TRUST_USAGE,
          stderr);
    return 2;
}

static int get(struct authorised_options *o, const char *path)
{
    struct http_request request = {.method = "GET", .path = path};
    struct http_answer answer = {0};
    int result = authorised_exchange(o, &request, &answer);
    if (result == 0 && answer.status != 200)
        result = authorised_complain(&answer);
    else if (result == 0)
        printf("%s\n", answer.body);
    free(answer.body);
    return result;
}

int get_main(int argc, char **argv)
{
    struct authorised_options o = {.scope = "monitoring"};
    int result = authorised_options_parse(&o, argc, argv, usage);
    if (result == 0)
        result = argc - optind == 1 && argv[optind][0] == '/' ? get(&o, argv[optind]) : usage();
    trust_options_deinit(&o.trust);
    return result;
}
