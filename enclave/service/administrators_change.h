/* Who administers: what the store has of it at boot, and the change of it (administrators.h). */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_ADMINISTRATORS_CHANGE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_ADMINISTRATORS_CHANGE_H

#include "common/callbacks.h"
#include "enclave/service/administrators.h"
#include "enclave/service/change.h"

/* Boot, on the owner's thread: those of the store, an older one's single key among them; a key that is given at this
 * boot and is none of theirs is told of. 0, and a reference in *out; a negative errno with a line in error. */
int administrators_boot(struct administrators **out, char *error, size_t error_size);

/* Put the list that json orders in force. 0: done is called, later; -EINVAL, with a line in error, or -ENOMEM. On the
 * asker's thread. */
MAY_REFUSE int administrators_set(const struct change_asker *asker, const void *json, size_t size,
                                  char error[ADMINISTRATORS_WHY_SIZE]);

#endif
