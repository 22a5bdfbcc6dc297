/*
 * The third way to an instance, where no enclave can open its store any more: K of its holders give their shares of the
 * master key (enclave/recovery/) to a new enclave, which they have judged by its quote. docs/recovery.md has it step by
 * step.
 *
 *     1. the host starts it with --recover: it makes a key, keeps it beside the store, sealed to itself, and gives
 *        the host what it asks holders with, the key under a quote
 *     2. each holder judges that, and seals his share to the key
 *     3. the host starts it again, with those: shares that fit together give a key that opens the store, which nothing
 *        else does; it is sealed to this enclave, and boot goes on as always
 *
 * Killed anywhere, it begins again at the step where it was: nothing of the store is written before it opens. The
 * history has an entry `recovery`. The owner's thread, at boot; turns the loop.
 *
 * Known weakness. Whoever has lost nothing can recover all the same, and have two: only witnesses see that, as with a
 * copy that is put back (docs/witnesses.md).
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_RECOVER_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_RECOVER_H

#include <stdbool.h>
#include <stddef.h>

struct store;

/* Boot, before the store is opened. Where the host did not ask for it, nothing, and *recovered is false. True: the
 * store is open, and recover_keep is to come once the settings are. 0; -ECANCELED: the holders were asked, and this
 * start is over; other negative errno with a line in error. */
int recover_take(struct store *store, bool *recovered, char *error, size_t error_size);
/* What was recovered is this enclave's from now on. 0 or a negative errno with a line in error. */
int recover_keep(struct store *store, char *error, size_t error_size);

#endif
