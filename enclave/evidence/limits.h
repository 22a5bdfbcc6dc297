/* What asking for evidence takes at most. docs/limits.md names them. */
#ifndef ENCLAVE_OS_ENCLAVE_EVIDENCE_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_EVIDENCE_LIMITS_H

#include <assert.h>

#define EVIDENCE_BODY_MAX 1024u    /* bytes of JSON that a question has */
#define EVIDENCE_REQUESTS_MAX 256u /* that are whole, and not answered yet */
#define EVIDENCE_QUOTES_MAX 8u     /* that the host makes at once: a certificate's waits behind these at most */
#define EVIDENCE_CLIENT_MAX 2u     /* of them for one address */
static_assert(EVIDENCE_CLIENT_MAX * 2u <= EVIDENCE_QUOTES_MAX, "one client leaves room for others");
#define EVIDENCE_WHY_SIZE 128u /* of a sentence that says what is wrong, with its zero */

#endif
