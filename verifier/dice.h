/* Reading DICE evidence (common/dice.h): views into bytes that the caller keeps. Any bytes may be given. */
#ifndef ENCLAVE_VERIFIER_DICE_H
#define ENCLAVE_VERIFIER_DICE_H

#include <stddef.h>
#include <stdint.h>

struct dice_evidence {
    const uint8_t *quote, *claims;
    size_t quote_size, claims_size;
};

/* What claims say; NULL: nothing of that. */
struct dice_claims {
    unsigned algorithm; /* of key: DICE_SHA256, DICE_SHA384 or DICE_SHA512 */
    const uint8_t *key; /* the hash */
    const uint8_t *root, *generation, *from, *until, *extensions;
};

/* NULL, or what is wrong (static). */
const char *verifier__dice_read(const void *bytes, size_t size, struct dice_evidence *out);
/* The same. Claims of other names are passed over; who says a thing twice says nothing. */
const char *verifier__dice_read_claims(const void *bytes, size_t size, struct dice_claims *out);

#endif
