/*
 * enclavectl: verify a server, manage its apps, make keys, measure and sign images.
 */
#include <signal.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/context.h"
#include "cli/report.h"
#include "sgx/sign/sign.h"

static const char usage[] =
    "usage: enclavectl COMMAND ...\n"
    "  verify https://HOST:PORT [--policy FILE] [--mrenclave HEX] [--instance HEX] [--json] ...\n"
    "  policy from https://HOST:PORT [--out FILE]   write down what is seen, for --policy FILE\n"
    "  log https://HOST:PORT   who changed what, and when; each entry is proven\n"
    "  log compare STATE-A STATE-B [--url https://HOST:PORT]   whether two clients have seen one history\n"
    "  monitor https://HOST:PORT   follow an instance, and say each change in one line\n"
    "  ca https://HOST:PORT --out FILE   save the enclave's CA once it is verified, for curl --cacert and others\n"
    "  app push NAME FILE.wasm | app settings NAME [FILE.json] | app list | app rm NAME, with --url https://HOST:PORT "
    "--admin-key FILE\n"
    "      and what verify has to say which server is trusted\n"
    "  admin ls | add | replace | rm | threshold | approve: who may administer, with the same options\n"
    "  witness ls | set FILE.json: who cosigns the history, with the same options\n"
    "  upgrade --data DIR: let another enclave have the instance, and follow it until it serves, with the same "
    "options\n"
    "  upgrade-rule show | set FILE.json: which other enclaves may ever have the data, with the same options\n"
    "  recovery show | set FILE.json: who holds shares of the data, with the same options\n"
    "  salvage ls | give-up LIST: what of the store is lost, and going on without it, with the same options\n"
    "  egress-ca set FILE.pem | show | rm: whom apps' outgoing requests trust, with the same options\n"
    "  issuer set CERTIFICATE.pem KEY.pem | show | rm: a CA of yours that issues certificates, with the same options\n"
    "  acme set DIRECTORY-URL agree [ADDRESS...] | show | rm: a public CA that issues for apps' names, with the same "
    "options\n"
    "  get /readyz | /status | /metrics, with the same options as app\n"
    "  fetch https://HOST:PORT/PATH   ask through whatever terminates TLS in between, encrypted to the enclave itself\n"
    "  context add NAME | ls | show NAME | use NAME | rm NAME   which server is meant, said once, for all of these\n"
    "  keygen FILE [--recovery]   make an admin key, or one for shares: FILE (secret) and FILE.pub\n"
    "  publish NAME FILE.wasm --key FILE --version N   sign that some code may be pushed as an app of yours\n"
    "  recover --dry-run | --request FILE, with --key FILE   open a share of the data, or give it to a new enclave\n"
    "  backup DATA OUT        copy a server's data folder, while it runs\n"
    "  restore BACKUP DATA    put a backup in its place, for the next start to judge\n"
    "  measure IMAGE          print MRENCLAVE\n"
    "  sign ...               sign an enclave image\n"
    "each command has --help\n";

/* Offline as they are, though their commands connect otherwise. */
static bool is_offline(int argc, char **argv)
{
    return argc >= 2 && ((strcmp(argv[0], "log") == 0 && strcmp(argv[1], "compare") == 0) ||
                         (strcmp(argv[0], "upgrade-rule") == 0 && strcmp(argv[1], "agree") == 0));
}

static int run(int (*command)(int argc, char **argv), enum context_use use, int argc, char **argv)
{
    int result = context_apply(is_offline(argc, argv) ? CONTEXT_NONE : use, &argc, &argv);
    return result == 0 ? command(argc, argv) : result;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
        enum context_use use;
    } commands[] = {
        {"verify", verify_main, CONTEXT_VISIT},
        {"policy", policy_main, CONTEXT_VISIT},
        {"ca", ca_main, CONTEXT_VISIT},
        {"app", app_main, CONTEXT_ASK},
        {"admin", admin_main, CONTEXT_ASK},
        {"egress-ca", egress_ca_main, CONTEXT_ASK},
        {"get", get_main, CONTEXT_ASK},
        {"keygen", keygen_main, CONTEXT_NONE},
        {"publish", publish_main, CONTEXT_NONE},
        {"log", log_main, CONTEXT_VISIT},
        {"monitor", monitor_main, CONTEXT_VISIT},
        {"measure", measure_main, CONTEXT_NONE},
        {"sign", sign_main, CONTEXT_NONE},
        {"witness", witness_main, CONTEXT_ASK},
        {"upgrade-rule", upgrade_rule_main, CONTEXT_ASK},
        {"upgrade", upgrade_main, CONTEXT_ASK},
        {"backup", backup_main, CONTEXT_NONE},
        {"restore", restore_main, CONTEXT_NONE},
        {"salvage", salvage_main, CONTEXT_ASK},
        {"recover", recover_main, CONTEXT_NONE},
        {"recovery", recovery_main, CONTEXT_ASK},
        {"fetch", fetch_main, CONTEXT_NONE},
        {"issuer", issuer_main, CONTEXT_ASK},
        {"acme", acme_main, CONTEXT_ASK},
        {"context", context_main, CONTEXT_NONE},
    };
    signal(SIGPIPE, SIG_IGN); /* a server that refuses an upload closes: what it said is read and told */
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0))
        return show_usage(usage, true);
    for (size_t i = 0; argc >= 2 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(commands[i].run, commands[i].use, argc - 1, argv + 1);
    if (argc >= 2)
        return wrong("unknown command '%s' (see enclavectl --help)", argv[1]);
    return show_usage(usage, false);
}
