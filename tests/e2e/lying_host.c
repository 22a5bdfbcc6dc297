/* A host that is asked to take permissions from pages and does not: LIE=success says that it did, LIE=refuse says no;
 * if LIE_WHILE names a file, only while it is there. KEEP_SERVING=1 goes on with an enclave that has died.
 * Linked in place of the loader's own functions (--wrap); all else is the real host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sgx/loader/enclave.h"

int __real_enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length);
int __wrap_enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length);

int __wrap_enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length)
{
    const char *lie = getenv("LIE"), *file = getenv("LIE_WHILE");
    if (!lie || (file && access(file, F_OK) != 0))
        return __real_enclave_restrict_pages(e, offset_and_permissions, length);
    return strcmp(lie, "success") == 0 ? 0 : -EBUSY;
}

bool __real_enclave_is_dead(const struct enclave *e);
bool __wrap_enclave_is_dead(const struct enclave *e);

bool __wrap_enclave_is_dead(const struct enclave *e)
{
    return !getenv("KEEP_SERVING") && __real_enclave_is_dead(e);
}
