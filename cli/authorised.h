/*
 * A request that the admin key authorises, over a connection that is verified first: what the commands for apps and
 * for monitoring share.
 */
#ifndef ENCLAVE_OS_CLI_AUTHORISED_H
#define ENCLAVE_OS_CLI_AUTHORISED_H

#include "cli/context.h"
#include "cli/http.h"
#include "cli/trust.h"

#define APPROVALS_MAX 15u

struct authorised_options {
    struct trust_options trust;
    const char *url, *admin_key, *pkcs11_module;
    const char *scope;                    /* of the token; NULL: one request's, and nothing else */
    bool has_json, json;                  /* whether the command has --json; whether it was given */
    bool has_change, now;                 /* whether it has --now; whether it was given */
    bool has_push;                        /* whether it has the next three */
    bool exclusive;                       /* --exclusive was given */
    const char *rule, *publication;       /* NULL: not given */
    bool has_agreement;                   /* whether it has the next two (agreement.h) */
    const char *propose;                  /* NULL: not given */
    const char *approvals[APPROVALS_MAX]; /* files */
    size_t approval_count;
    struct admin_options *admin;     /* NULL: this command does not change who administers */
    struct upgrade_options *upgrade; /* NULL: this command lets nobody have an instance */
    const struct whole *whole;       /* NULL: it is not a command of such (whole.h) */
    bool url_optional;
    uint8_t spki_sha256[32]; /* out: of the server that was verified */
};

/* What `enclavectl admin` has beside that. NULL: not given. */
struct admin_options {
    const char *role, *out;
};

/* What `enclavectl upgrade` has beside that. NULL: not given. */
#define AGREEMENTS_MAX 64u
struct upgrade_options {
    const char *data, *recipient, *new_url;
    const char *agreements[AGREEMENTS_MAX]; /* files */
    size_t agreement_count;
};

/* Their part of a usage text, before TRUST_USAGE; the first without --context. */
// clang-format off
#define AUTHORISED_OPTIONS_USAGE \
    "  --url https://HOST:PORT  the server\n" \
    "  --admin-key FILE         the secret half of the key that may deploy there (enclavectl keygen), or pkcs11:URI\n" \
    "  --pkcs11-module FILE     the library that a pkcs11:URI is for; default: as OpenSSL is configured\n" \
    "  --any-instance           send it though nothing says whose enclave it is to be\n"
#define AUTHORISED_USAGE AUTHORISED_OPTIONS_USAGE CONTEXT_USAGE
// clang-format on

/* A command whole: read the options into o, run it with what is left of the arguments, free the options. Returns the
 * exit status. */
int authorised_command(struct authorised_options *o, int argc, char **argv, const char *usage,
                       int (*run)(struct authorised_options *o, int argc, char **argv));

/* What a command of several does: its first argument's word, and how many more go with it. */
struct authorised_action {
    const char *word;
    const char *form; /* of those, as the usage has it */
    int least, most;
};

/* Which one of actions (ended by one without a word) the arguments ask for; -1: none, and why was told. */
int authorised_action(const char *command, const struct authorised_action *actions, int argc, char **argv);

/* Verify, and only then send; without a pin not even connect. 0, or what complain returned. */
int authorised_exchange(struct authorised_options *o, struct http_request *request, struct http_answer *answer);
/* The same, and print the answer's body if it is a 200; else tell of it. */
int authorised_print(struct authorised_options *o, struct http_request *request);
/* The same, and an answer that is no success is told of: 0 only where there is one. */
int authorised_ask(struct authorised_options *o, struct http_request *request, struct http_answer *answer);
/* GET path, and print the answer; print NULL: only whose it is, spki_sha256, is wanted. */
int authorised_show(struct authorised_options *o, const char *path,
                    int (*print)(const struct authorised_options *o, const struct http_answer *answer));
/* Tell of an answer that is no success. */
int authorised_complain(const struct http_answer *answer);

#endif
