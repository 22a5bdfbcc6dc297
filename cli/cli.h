/*
 * enclavectl's commands. Each reads its own arguments (argv[0] is its name), prints its own usage and errors, and
 * returns the process's exit status: 0, 1 (it failed), 2 (wrong arguments); verify also 3 (genuine, but nobody in
 * particular's), and log compare (unproven). Two more are sgx/sign's (sign.h).
 *
 *     if (strcmp(argv[1], "verify") == 0)
 *         return verify_main(argc - 1, argv + 1);
 *
 * Who connects goes from the arguments (trust.h) over a connection (connection.h) that is judged before anything
 * secret is sent (trust_connect) to a request (http.h), authorised by the admin key if need be (authorised.h). One
 * process runs one command, on one thread; arguments are borrowed from argv for as long as it runs.
 */
#ifndef ENCLAVE_OS_CLI_CLI_H
#define ENCLAVE_OS_CLI_CLI_H

#include <stdbool.h>

/* Of an app's name, as the server judges it. */
#define APP_NAME_SIZE_MAX 63u
#define APP_NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

#define APP_CODE_MAX (256u << 20) /* bytes of a .wasm */

/* Whether it is one; if not, why was told. */
bool app_name_ok(const char *name);

int verify_main(int argc, char **argv);
int policy_main(int argc, char **argv);
int keygen_main(int argc, char **argv);
int admin_main(int argc, char **argv);
int app_main(int argc, char **argv);
int fetch_main(int argc, char **argv);
int get_main(int argc, char **argv);
int egress_ca_main(int argc, char **argv);
int acme_main(int argc, char **argv);
int issuer_main(int argc, char **argv);
int upgrade_main(int argc, char **argv);
int recovery_main(int argc, char **argv);
int upgrade_rule_main(int argc, char **argv);
int witness_main(int argc, char **argv);
int salvage_main(int argc, char **argv);
int ca_main(int argc, char **argv);
int context_main(int argc, char **argv);
int publish_main(int argc, char **argv);
int log_main(int argc, char **argv);
int log_compare_main(int argc, char **argv);
int monitor_main(int argc, char **argv);
int backup_main(int argc, char **argv);
int recover_main(int argc, char **argv);
int restore_main(int argc, char **argv);

#endif
