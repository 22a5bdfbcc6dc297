/*
 * Going on without what is lost of the store (kvstore/damage.h): which records those are, by app; and giving them up,
 * which an administrator asks for together with as many others as a change of the administrators takes.
 *
 * What is given up is deleted: from then on it is as if it had never been stored, which is another history of that
 * app's data than the one that it wrote. So it is never done by itself; whoever asks names the very list that he was
 * shown (its SHA-256); it is a change of its own generation, and an entry "salvage" in the history.
 *
 * Of an app whose rule binds administrators (rule.h) nothing is given up: together with whoever has the host they could
 * choose which of its records are to be forgotten, by damaging them. What of it is lost stays an error, which its own
 * code meets, until that writes it anew; or the app is removed with all that it has.
 *
 * The same holds for the enclave's own records: what of these is lost is mended by whoever makes it anew (a push of the
 * app), and nothing else needs it.
 *
 * On the owner's thread, but for what is marked.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_SALVAGE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_SALVAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"
#include "enclave/service/change.h"

#define SALVAGE_MAX 1000u /* records that are listed, and given up at once */
#define SALVAGE_WHY_SIZE 200u

/* Boot, with the list of apps (deployed.h): of which app there may be losses. 0 or -ENOMEM with a line in error. */
int salvage_boot(char *error, size_t error_size);
/* How many records of this space are lost (app_config's lost); NULL: there were never any. Any thread, after
 * salvage_boot. */
const _Atomic uint64_t *salvage_lost_of(const char *space);

/* For whoever asks, later on his own loop: docs/operate.md has the format. NULL: no memory. */
typedef void (*salvage_listed)(void *user, json_t *list);
MAY_REFUSE int salvage_list(struct worker *w, salvage_listed done, void *user);

/* {"list":"HEX64"}: what the list of that SHA-256 names as lost is given up. 0; -EINVAL with why, or -ENOMEM, and done
 * never runs. On the asker's thread. */
MAY_REFUSE int salvage_give_up(const struct change_asker *asker, const void *json, size_t size,
                               char why[SALVAGE_WHY_SIZE]);

#endif
