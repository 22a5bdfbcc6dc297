/*
 * enclavectl egress-ca: the certificate authorities that apps' outgoing requests trust.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/authorised.h"
#include "cli/cli.h"

#define BUNDLE_MAX (1u << 20)

static const char usage[] = "usage: enclavectl egress-ca set FILE.pem | show | rm\n"
                            "       --url https://HOST:PORT --admin-key FILE [options]\n" TRUST_USAGE;

static int run(struct authorised_options *o, const char *method, const char *file)
{
    size_t size = 0;
    char *body = NULL;
    if (file && !(body = read_whole_file(file, BUNDLE_MAX, &size)))
        return complain("%s: %s", file, strerror(errno));
    struct http_request request = {.method = method, .path = "/_enclave/egress-ca", .body = body, .body_size = size};
    int result = authorised_print(o, &request);
    free(body);
    return result;
}

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[0], "set") == 0)
        return run(o, "PUT", argv[1]);
    if (argc == 1 && strcmp(argv[0], "show") == 0)
        return run(o, "GET", NULL);
    if (argc == 1 && strcmp(argv[0], "rm") == 0)
        return run(o, "DELETE", NULL);
    return show_usage(usage, false);
}

int egress_ca_main(int argc, char **argv)
{
    struct authorised_options o = {0};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
