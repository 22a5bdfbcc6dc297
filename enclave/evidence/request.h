/*
 * What a client asks for, and what the quote that it gets is over.
 *
 *     {"v":2, "mode":"deterministic", "leaf":b64url(SHA-256(SPKI))}
 *     {"v":2, "mode":"challenge", "leaf":b64url(SHA-256(SPKI)), "context":b64url(32 bytes)}
 *
 * There are two forms: other makers' (v 2), whose quote binds a key and a time or a connection, and ours (v 1), whose
 * quote binds claims about what answers there as well. b64url is base64url without padding; SPKI the
 * SubjectPublicKeyInfo (DER) of the certificate that the client saw. docs/protocol.md has the format. Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_EVIDENCE_REQUEST_H
#define ENCLAVE_OS_ENCLAVE_EVIDENCE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/evidence/limits.h"

#define EVIDENCE_TIME_SIZE 18u /* YYYY-MM-DDTHH:MMZ and its zero */

struct evidence_form {
    const char *path;
    unsigned version;     /* the member v of what is asked */
    const char *exporter; /* the label, for RFC 8446's section 7.5: each purpose has its own */
    bool has_claims;
};
extern const struct evidence_form evidence_forms[2];

struct evidence_request {
    enum evidence_mode { EVIDENCE_DETERMINISTIC, EVIDENCE_CHALLENGE } mode;
    uint8_t leaf[32];
    uint8_t context[32]; /* of a challenge */
};

/* 0; or -EINVAL, and a sentence that names the member which is wrong, missing or not known. */
int evidence_request_read(const char *text, size_t size, unsigned version, struct evidence_request *out,
                          char why[EVIDENCE_WHY_SIZE]);

/* The minute that now_s is in, UTC. */
void evidence_time(int64_t now_s, char out[EVIDENCE_TIME_SIZE]);

/* What answers on a connection, and until when its client may believe it. */
struct evidence_claims {
    uint64_t generation, log_size;
    const uint8_t *instance, *root, *log_root; /* 32 bytes each */
    int64_t not_after_s;
    const char *time; /* of the question */
};
/* As JSON, compact, members sorted; malloc'ed. NULL: no memory. */
char *evidence_claims_text(const struct evidence_claims *claims);

/* Without claims (NULL) SHA-512(leaf || time), or for a challenge SHA-512(leaf || context || exported), where exported
 * are 32 bytes of the connection's exporter with the form's label over context. With claims, whose text has the time,
 * SHA-512(leaf || SHA-256(claims)), or SHA-512(leaf || context || exported || SHA-256(claims)). */
void evidence_report_data(const struct evidence_request *request, const char time[EVIDENCE_TIME_SIZE],
                          const char *claims, const uint8_t exported[32], uint8_t out[64]);

#endif
