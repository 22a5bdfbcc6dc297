/*
 * enclavectl issuer: the CA that issues the enclave's certificates, where it is not the enclave's own.
 */
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "cli/authorised.h"
#include "cli/cli.h"
#include "cli/input.h"
#include "cli/report.h"

#define ISSUER_PATH "/_enclave/issuer"
#define PEM_MAX (1u << 16) /* the server's own bound is lower, and its to tell */

static const char usage[] =
    "usage: enclavectl issuer set CERTIFICATE.pem KEY.pem | show | rm, with --url, --admin-key and options\n"
    "An intermediate CA of yours that issues the enclave's certificates: of P-256, CA:TRUE, pathlen 0,\n"
    "keyCertSign and cRLSign; the key as PKCS#8. rm goes back to the one that the enclave made.\n"
    "  --now                    set, rm: cut at once what the configuration before still answers\n" AUTHORISED_USAGE
        TRUST_USAGE;

/* {"certificate","key"}; NULL: why was told. */
static char *read_both(const char *certificate_file, const char *key_file)
{
    size_t certificate_size, key_size = 0;
    char *body = NULL, *key = NULL, *certificate = read_input(NULL, certificate_file, PEM_MAX, &certificate_size);
    if (certificate && judge_certificates(NULL, certificate_file, certificate, certificate_size) == 0)
        key = read_input(NULL, key_file, PEM_MAX, &key_size);
    if (key) {
        json_t *both = json_pack("{s:s%,s:s%}", "certificate", certificate, certificate_size, "key", key, key_size);
        body = both ? json_dumps(both, JSON_COMPACT) : NULL;
        if (!body)
            wrong("%s: it is no text", key_file);
        json_decref(both);
        OPENSSL_clear_free(key, key_size);
    }
    free(certificate);
    return body;
}

static int run(struct authorised_options *o, const char *method, char *const *files)
{
    char *body = files ? read_both(files[0], files[1]) : NULL;
    if (files && !body)
        return 2;
    struct http_request request = {.method = method,
                                   .path = o->now ? ISSUER_PATH "?now=true" : ISSUER_PATH,
                                   .body = body,
                                   .body_size = body ? strlen(body) : 0};
    int result = authorised_print(o, &request);
    if (body)
        OPENSSL_clear_free(body, strlen(body));
    return result;
}

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    static const struct authorised_action actions[] = {
        {"set", "CERTIFICATE.pem KEY.pem", 2, 2}, {"show", "", 0, 0}, {"rm", "", 0, 0}, {0}};
    static const char *const methods[] = {"PUT", "GET", "DELETE"};
    int action = authorised_action("issuer", actions, argc, argv);
    if (action == 1 && o->now)
        return wrong("--now: nothing is changed by this");
    return action < 0 ? 2 : run(o, methods[action], action == 0 ? argv + 1 : NULL);
}

int issuer_main(int argc, char **argv)
{
    struct authorised_options o = {.has_change = true};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
