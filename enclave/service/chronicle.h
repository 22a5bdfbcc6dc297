/*
 * What the service writes into the enclave's history (history/history.h), and shows of it.
 *
 *     error = chronicle_open(why, sizeof why);                  boot: enclave_system.history is there
 *     error = chronicle_boot(g, is_new, why, sizeof why);       boot: this start is in the log, and what is new with it
 *     entry = chronicle_entry_of(g, subject, authors)           a change's
 *
 * On the owner's thread, but for what is marked.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_CHRONICLE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_CHRONICLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "enclave/history/history.h"

struct authors;
struct change_subject;
struct generation;

/* Boot, with the store and the identity open: the log as the store has it. A store that is older than this has no key
 * for it: it is made then. 0 or a negative errno with a line in error. Turns the loop. */
int chronicle_open(char *error, size_t error_size);

/* Boot: an entry of this start, with a fresh nonce, and before it one of g where that is new: of the log's first
 * ("begin") or of what the host has changed ("limits"). In one transaction with g's record. 0 or a negative errno
 * with a line in error. Turns the loop. */
int chronicle_boot(const struct generation *g, bool is_new, char *error, size_t error_size);

/* What is written of the change that makes g. Borrows from all three. */
struct history_entry chronicle_entry_of(const struct generation *g, const struct change_subject *subject,
                                        const struct authors *authors);

/* {"size":N,"root":"hex"}; NULL: no memory. Any thread. */
json_t *chronicle_json(const struct history_head *head);
/* The same of the newest head. */
json_t *chronicle_head_json(void);

#endif
