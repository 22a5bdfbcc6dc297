/* A host that is asked to take permissions from pages and does not: LIE=success says that it did, LIE=refuse says no.
 * Linked in place of the loader's own function (--wrap); all else is the real host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sgx/loader/enclave.h"

int __real_enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length);
int __wrap_enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length);

int __wrap_enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length)
{
    const char *lie = getenv("LIE");
    if (!lie)
        return __real_enclave_restrict_pages(e, offset_and_permissions, length);
    return strcmp(lie, "success") == 0 ? 0 : -EBUSY;
}
