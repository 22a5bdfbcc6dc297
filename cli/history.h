/*
 * An instance's log over the network: what verifier_log.h asks for, over a connection that is there, or one of its own;
 * and its entries, shown to people and programs.
 */
#ifndef ENCLAVE_OS_CLI_HISTORY_H
#define ENCLAVE_OS_CLI_HISTORY_H

#include "cli/connection.h"
#include "verifier/verifier_log.h"

struct history_source {
    const char *url;
    struct connection *given; /* used first, while it takes requests; NULL: none */
    struct connection own;
    X509 *leaf;    /* borrowed: the certificate of who is judged; NULL: nobody is */
    bool stranger; /* a connection of its own had another one, by now: its answers may be anybody's */
};

/* A verifier_log_fetch; user is the source. What comes over a stranger's connection is good for what is signed or
 * hashed, and nothing else: that something is missing there, or wrong, says nothing of who is judged. */
int history_fetch(void *user, const char *path, size_t limit, uint8_t **data, size_t *size);
void history_source_close(struct history_source *source);

/* Print an entry, in one line for people, or as one JSON object with its index and hash, and the URL if it is not NULL.
 * 0; or what complain returned: it is not what an entry says of itself. It is printed nevertheless. */
int history_print(const char *url, uint64_t index, const char *data, size_t size, bool json);

#endif
