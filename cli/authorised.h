/*
 * A request that the admin key authorises, over a connection that is verified first: what the commands for apps and
 * for monitoring share.
 */
#ifndef ENCLAVE_OS_CLI_AUTHORISED_H
#define ENCLAVE_OS_CLI_AUTHORISED_H

#include "cli/http.h"
#include "cli/trust.h"

struct authorised_options {
    struct trust_options trust;
    const char *url, *admin_key;
    const char *scope; /* of the token; NULL: one request's, and nothing else */
    bool json;
};

/* The options; what is left of the arguments begins at optind. 0, or the exit status. To be freed in any case with
 * trust_options_deinit(&o->trust). */
int authorised_options_parse(struct authorised_options *o, int argc, char **argv, int (*usage)(void));

/* Verify, and only then send. 0, or what complain returned. */
int authorised_exchange(struct authorised_options *o, struct http_request *request, struct http_answer *answer);
/* Tell of an answer that is no success. */
int authorised_complain(const struct http_answer *answer);

#endif
