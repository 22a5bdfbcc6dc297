/*
 * enclavectl egress-ca: the certificate authorities that apps' outgoing requests trust.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/authorised.h"
#include "cli/cli.h"

#define BUNDLE_MAX (1u << 20)

static int usage(void)
{
    fputs("usage: enclavectl egress-ca set FILE.pem | show | rm\n"
          "       --url https://HOST:PORT --admin-key FILE [options]\n" TRUST_USAGE,
          stderr);
    return 2;
}

static int run(struct authorised_options *o, const char *method, const char *file)
{
    size_t size = 0;
    char *body = NULL;
    if (file && !(body = read_whole_file(file, BUNDLE_MAX, &size)))
        return complain("%s: %s", file, strerror(errno));
    struct http_request request = {.method = method, .path = "/_enclave/egress-ca", .body = body, .body_size = size};
    struct http_answer answer = {0};
    int result = authorised_exchange(o, &request, &answer);
    if (result == 0 && answer.status != 200)
        result = authorised_complain(&answer);
    else if (result == 0)
        printf("%s\n", answer.body);
    free(answer.body);
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
    return usage();
}

int egress_ca_main(int argc, char **argv)
{
    struct authorised_options o = {0};
    int result = authorised_options_parse(&o, argc, argv, usage);
    if (result == 0)
        result = dispatch(&o, argc - optind, argv + optind);
    trust_options_deinit(&o.trust);
    return result;
}
