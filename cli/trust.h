/*
 * What makes a server trusted: the options that every command which connects has, and the judgement by them.
 */
#ifndef ENCLAVE_OS_CLI_TRUST_H
#define ENCLAVE_OS_CLI_TRUST_H

#include "cli/connection.h"
#include "cli/expected_admins.h"
#include "cli/history.h"
#include "common/arguments.h"
#include "verifier/verifier_fetch.h"

struct trust_options {
    struct verifier_policy *policy;
    struct verifier_fetch_options fetch;
    const char *collateral_folder, *pccs_url, *save_folder; /* NULL: not given */
    bool tcb_accepted;                                      /* --accept-tcb was given */
    bool fresh;                                             /* --fresh was given */
    bool only_apps;                                         /* --only-apps was given */
    const char *log_state;                                  /* NULL: not given */
    uint64_t log_from;                                      /* how many entries it remembered; 0: none */
    bool remembers_later;                                   /* trust_remember is called, not by trust_judge */
    bool reads_log;                                         /* the command is of no use without it */
    struct expected_admins admins;                          /* --admin, --admin-threshold */
    struct {                                                /* what trust_judge saw last; the texts are malloc'ed */
        uint8_t *certificate, *issuer;                      /* DER */
        int certificate_size, issuer_size;
        X509 *leaf;     /* the certificate; NULL: not judged */
        char *manifest; /* NULL: not asked for, or none came */
        size_t manifest_size;
        struct verifier_fresh fresh; /* its answer NULL: not asked for, or none came */
        bool spent;                  /* the server closes that connection behind what was asked for */
        bool ended;                  /* it did before it answered */
        struct verifier_log *log;    /* NULL: not asked for, or none came */
        const struct verifier_log_view *log_view;
        struct history_source source; /* where it comes from */
    } seen;
};

/* A command that connects, to trust_options_read: its table begins with TRUST_OPTIONS. */
struct trust_command {
    const struct option *table;
    const char *usage;
    const char *name, *form; /* of the command, and of its arguments that are no options: for who gave others */
    int (*other)(void *user, int id, const char *value); /* the table's other options: 0, or what wrong returned */
    void *user;
    int repeats[2];  /* which of those may be given more than once; 0: none */
    bool names_apps; /* it names those that run: --only-apps is for what comes of that, and not judged by */
    int least, most; /* how many arguments that are no options */
    bool help;       /* out: asked for, and shown */
    char **rest;     /* out: the arguments that are no options, count of them */
    int count;
};

enum trust_option_id {
    TRUST_MRENCLAVE = 1000,
    TRUST_MRSIGNER,
    TRUST_PROD_ID,
    TRUST_MIN_SVN,
    TRUST_ALLOW_SIMULATION,
    TRUST_ALLOW_DEBUG,
    TRUST_ROOT,
    TRUST_ISSUER,
    TRUST_ACCEPT_TCB,
    TRUST_COLLATERAL,
    TRUST_REQUIRE_COLLATERAL,
    TRUST_FRESH,
    TRUST_SAVE_COLLATERAL,
    TRUST_PCCS,
    TRUST_PCCS_CA,
    TRUST_EXTENSION,
    TRUST_APP,
    TRUST_APP_SETTINGS,
    TRUST_EGRESS,
    TRUST_ONLY_APPS,
    TRUST_INSTANCE,
    TRUST_ADMIN,
    TRUST_ADMIN_THRESHOLD,
    TRUST_POLICY,
    TRUST_LOG_STATE,
    TRUST_HELP
};
/* Entries for a getopt_long table, and their part of a usage text. */
// clang-format off
#define TRUST_OPTIONS \
    {"mrenclave", 1, 0, TRUST_MRENCLAVE}, {"mrsigner", 1, 0, TRUST_MRSIGNER}, {"prod-id", 1, 0, TRUST_PROD_ID}, \
    {"min-svn", 1, 0, TRUST_MIN_SVN}, {"allow-simulation", 0, 0, TRUST_ALLOW_SIMULATION}, \
    {"allow-debug", 0, 0, TRUST_ALLOW_DEBUG}, {"root", 1, 0, TRUST_ROOT}, {"issuer", 1, 0, TRUST_ISSUER}, \
    {"accept-tcb", 1, 0, TRUST_ACCEPT_TCB}, {"collateral", 1, 0, TRUST_COLLATERAL}, \
    {"require-collateral", 0, 0, TRUST_REQUIRE_COLLATERAL}, {"fresh", 0, 0, TRUST_FRESH}, \
    {"save-collateral", 1, 0, TRUST_SAVE_COLLATERAL}, \
    {"pccs", 1, 0, TRUST_PCCS}, {"pccs-ca", 1, 0, TRUST_PCCS_CA}, {"extension", 1, 0, TRUST_EXTENSION}, \
    {"app", 1, 0, TRUST_APP}, {"app-settings", 1, 0, TRUST_APP_SETTINGS}, {"egress", 1, 0, TRUST_EGRESS}, \
    {"only-apps", 0, 0, TRUST_ONLY_APPS}, {"instance", 1, 0, TRUST_INSTANCE}, {"policy", 1, 0, TRUST_POLICY}, \
    {"log-state", 1, 0, TRUST_LOG_STATE}, {"admin", 1, 0, TRUST_ADMIN}, \
    {"admin-threshold", 1, 0, TRUST_ADMIN_THRESHOLD}, {"help", 0, 0, TRUST_HELP}
#define TRUST_USAGE \
    "  --policy FILE            what is expected, from a file (enclavectl policy); these options add to it\n" \
    "  --mrenclave HEX          accept this measurement; may be repeated\n" \
    "  --mrsigner HEX           accept this signer\n" \
    "  --prod-id N              accept this product of its signer's alone, 0 to 65535\n" \
    "  --min-svn N              accept no older security version, 0 to 65535\n" \
    "  --root FILE.pem          the root that the PCK chain must end in; default: Intel's\n" \
    "  --allow-simulation       accept simulated quotes, which prove nothing about hardware\n" \
    "  --allow-debug            accept a debug enclave, which its host can read\n" \
    "  --pccs URL               fetch collateral (TCB info, QE identity, revocation lists) from there\n" \
    "  --pccs-ca FILE.pem       who may sign the certificate of an https --pccs; default: the system's CAs\n" \
    "  --save-collateral DIR    keep what --pccs gave\n" \
    "  --collateral DIR         take collateral from a folder\n" \
    "  --require-collateral     fail without collateral\n" \
    "  --fresh                  it must prove itself once more, for this very connection\n" \
    "  --accept-tcb STATUS      beside UpToDate: SWHardeningNeeded, OutOfDate ...; may be repeated\n" \
    "  --instance HEX           this instance, of an accepted measurement or signer\n" \
    "  --issuer FILE.pem        the enclave's own CA\n" \
    "  --admin [ROLE:]KEY       who may change it: FILE.pub or its SHA-256, none for nobody; " \
    "ROLE: admin (default), deploy,\n" \
    "                           monitor; may be repeated, and nobody else may be there\n" \
    "  --admin-threshold N      how many of those in the role admin it takes to change that; default 1\n" \
    "  --extension OID=HEX      the certificate's extension must have this value; may be repeated\n" \
    "  --app NAME=SHA256        this app must be running, of this .wasm; may be repeated\n" \
    "  --app-settings NAME=HASH  its settings must have this hash, or be none; may be repeated\n" \
    "  --egress NAME=HOSTS      it may connect to HOST[:PORT],... and nowhere else; may be repeated\n" \
    "  --only-apps              no app may run but those that are named\n" \
    "  --log-state FILE         its history must go on from what FILE remembers, which is written there\n"
// clang-format on

/* Read all of a command's arguments, and judge them, alone and together, before anything is done. 0; else the exit
 * status, and why was told (or help shown). Strings are borrowed from the command line. deinit in any case. */
int trust_options_read(struct trust_options *t, struct trust_command *command, int argc, char **argv);
void trust_options_deinit(struct trust_options *t);
/* What was seen of a server. */
void trust_forget(struct trust_options *t);

/* Judge the server at the other end of c, which was reached at url, fetching what is needed for that. The manifest
 * comes over c: asked for if the policy needs it, or all says so; likewise the log. Where c ends before it answers, it
 * is opened anew, and judged anew, a few times; it is to be closed in any case. What the log shows is written down
 * for --log-state, or the conflict with that is. NULL: it could not be judged, which was told: something that is needed
 * for that did not come, which says nothing of the server. */
struct verifier_result *trust_judge(struct trust_options *t, struct connection *c, const char *url, bool all);
/* The same of an enclave that is not at the other end of a connection, but has shown with its key, by a signature that
 * was verified, that the certificate is its own: live, as a handshake is. What else is needed comes from url, whoever
 * answers there. */
struct verifier_result *trust_judge_shown(struct trust_options *t, const char *url, const uint8_t *certificate,
                                          size_t certificate_size, const uint8_t *issuer, size_t issuer_size);
/* Write down for --log-state, if that was given, what the log showed, of which result is. 0, or 1, which was told. */
int trust_remember(struct trust_options *t, const char *url, const struct verifier_result *result);
/* What it was judged by, as it was seen; borrowed from t until it judges again. */
struct verifier_evidence trust_evidence(const struct trust_options *t);
/* Tell each check that failed. */
void trust_tell(const struct verifier_result *result, const char *url);
/* Connect to url, and to a server that is verified, or genuine where the policy pins no instance, or none. 0, with the
 * SHA-256 of its key (unless NULL); else 1 or 2, which was told, and c is closed. */
int trust_connect(struct trust_options *t, struct connection *c, const char *url, uint8_t spki_sha256[32]);
/* 0 if the policy says whose enclave it is to be, or any will do; else 2, which was told: for who sends anything,
 * before he connects. */
int trust_require_pin(const struct trust_options *t);

#endif
