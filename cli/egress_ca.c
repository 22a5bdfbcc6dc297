/*
 * enclavectl egress-ca: the certificate authorities that apps' outgoing requests trust.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/input.h"
#include "cli/report.h"

#define EGRESS_CA_PATH "/_enclave/egress-ca"
#define BUNDLE_MAX (1u << 20)

static const char usage[] =
    "usage: enclavectl egress-ca set FILE.pem | show | rm, with --url, --admin-key and options\n"
    "The CAs that apps' outgoing requests believe: certificates in PEM, and nothing else but\n"
    "comments before each. show prints the SHA-256 of the file, which is attested.\n"
    "  --now                    set, rm: cut at once what the configuration before still answers\n" AUTHORISED_USAGE
        TRUST_USAGE;

static bool is_empty(const char *path)
{
    size_t size = 1;
    free(read_whole_file(path, BUNDLE_MAX, &size));
    return size == 0;
}

static int run(struct authorised_options *o, const char *method, const char *file)
{
    size_t size = 0;
    char *body = NULL;
    if (file && is_empty(file))
        return wrong("%s: the bundle is empty; to trust nobody, enclavectl egress-ca rm", file);
    if (file && !(body = read_input(NULL, file, BUNDLE_MAX, &size)))
        return 2;
    if (file && judge_certificates(NULL, file, body, size) != 0) { /* a private key does not even leave the machine */
        OPENSSL_clear_free(body, size);
        return 2;
    }
    struct http_request request = {.method = method,
                                   .path = o->now ? EGRESS_CA_PATH "?now=true" : EGRESS_CA_PATH,
                                   .body = body,
                                   .body_size = size};
    int result = authorised_print(o, &request);
    free(body);
    return result;
}

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    static const struct authorised_action actions[] = {
        {"set", "FILE.pem", 1, 1}, {"show", "", 0, 0}, {"rm", "", 0, 0}, {0}};
    static const char *const methods[] = {"PUT", "GET", "DELETE"};
    int action = authorised_action("egress-ca", actions, argc, argv);
    if (action == 1 && o->now)
        return wrong("--now: nothing is changed by this");
    return action < 0 ? 2 : run(o, methods[action], action == 0 ? argv[1] : NULL);
}

int egress_ca_main(int argc, char **argv)
{
    struct authorised_options o = {.has_change = true};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
