/*
 * What an operator reads whole, changes in a file and puts back whole: who the witnesses are, the upgrade rule. A
 * command of two words, one that shows it and `set FILE.json`, where a change may take several admins (agreement.h).
 */
#ifndef ENCLAVE_OS_CLI_WHOLE_H
#define ENCLAVE_OS_CLI_WHOLE_H

#include <jansson.h>
#include <stdbool.h>

struct whole {
    const char *command, *show; /* "witness", "ls" */
    const char *path;           /* of the server */
    const char *name;           /* of what it is, for who is told that something is none: "set of witnesses" */
    const char *lacks;          /* what is said of a file that is none */
    bool (*is)(const json_t *whole);
    void (*print)(const json_t *whole); /* for people */
};

/* Returns the exit status. */
int whole_command(const struct whole *w, int argc, char **argv, const char *usage);

/* A usage's part between what the command is and AUTHORISED_USAGE. */
// clang-format off
#define WHOLE_USAGE \
    "Where a change takes the tokens of more than one admin: as with enclavectl admin.\n" \
    "  --propose FILE           change nothing, and write down what would be sent\n" \
    "  --approval FILE          what admin approve made of that; may be repeated\n" \
    "  --now                    set: cut at once what the configuration before still answers\n" \
    "  --json                   print the server's answer as it is\n"
// clang-format on

#endif
