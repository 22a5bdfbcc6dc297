/*
 * What the query of a change's request says of how it is to be made, whatever it changes; and which publication it
 * comes with. A token is over the path with its query, and over the body, but over no field of the head: so what comes
 * in a field is named here by its SHA-256.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_CHANGE_QUERY_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_CHANGE_QUERY_H

#include <stdbool.h>
#include <stdint.h>

struct change_query {
    char *rest; /* the other parameters, in their order, joined as they were; to be freed. NULL: there are none */
    bool now, exclusive; /* now=true, exclusive=true; see change_asker */
};

/* path, with its query. publication=HEX is taken out, too. What is given twice, or with another value, is
 * among the rest, for whoever judges that. 0 or -ENOMEM. */
int change_query_read(const char *path, struct change_query *out);
/* publication=HEX, if it is there exactly once; false: it is not. */
bool change_query_publication(const char *path, uint8_t sha256[32]);

#endif
