/*
 * Contexts: which server, by which key, and what is expected of it, written down once under a name, so that commands
 * need not be told each time.
 *
 *     enclavectl context add work --url https://enclave.example:8443 --admin-key admin.key --policy policy.json
 *     enclavectl context use work
 *     enclavectl app list
 *
 * A context is a file of options, $XDG_CONFIG_HOME/enclavectl/contexts/NAME.json (~/.config, where that is not set):
 * {"format":"enclavectl-context/1","options":["--url","https://...",...]}, files by their absolute names. Which one is
 * in use stands in enclavectl/current beside that folder, and in ENCLAVECTL_CONTEXT, which comes first.
 */
#ifndef ENCLAVE_OS_CLI_CONTEXT_H
#define ENCLAVE_OS_CLI_CONTEXT_H

/* How a command is told its server. */
enum context_use {
    CONTEXT_NONE,  /* not at all, or in a way of its own: no context is for it, and it has no option --context */
    CONTEXT_VISIT, /* by an argument, https://HOST:PORT: a context's server and what is expected of it */
    CONTEXT_ASK,   /* by --url: all of a context */
};

#define CONTEXT_USAGE "  --context NAME           what enclavectl context add wrote down under that name\n"

/* Put a context's options behind the command's own arguments: that of --context NAME, which is taken out; or else the
 * one in use, unless the arguments name a server themselves. An option that the arguments have takes the place of the
 * context's. The new array lives as long as the process. 0, or what wrong or complain returned. */
int context_apply(enum context_use use, int *argc, char ***argv);

#endif
