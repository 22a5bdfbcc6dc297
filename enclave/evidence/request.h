/*
 * What a client asks for, and what the quote that it gets is over.
 *
 *     {"v":2, "mode":"deterministic", "leaf":b64url(SHA-256(SPKI))}
 *     {"v":2, "mode":"challenge", "leaf":b64url(SHA-256(SPKI)), "context":b64url(32 bytes)}
 *
 * b64url is base64url without padding; SPKI the SubjectPublicKeyInfo (DER) of the certificate that the client saw.
 * docs/protocol.md has the format. Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_EVIDENCE_REQUEST_H
#define ENCLAVE_OS_ENCLAVE_EVIDENCE_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/evidence/limits.h"

#define EVIDENCE_EXPORTER "EXPORTER-privasys-ratls-attest-v2" /* the label, for RFC 8446's section 7.5 */
#define EVIDENCE_TIME_SIZE 18u                                /* YYYY-MM-DDTHH:MMZ and its zero */

struct evidence_request {
    enum evidence_mode { EVIDENCE_DETERMINISTIC, EVIDENCE_CHALLENGE } mode;
    uint8_t leaf[32];
    uint8_t context[32]; /* of a challenge */
};

/* 0; or -EINVAL, and a sentence that names the member which is wrong, missing or not known. */
int evidence_request_read(const char *text, size_t size, struct evidence_request *out, char why[EVIDENCE_WHY_SIZE]);

/* The minute that now_s is in, UTC. */
void evidence_time(int64_t now_s, char out[EVIDENCE_TIME_SIZE]);

/* SHA-512(leaf || time), or for a challenge SHA-512(leaf || context || exported), where exported are 32 bytes of the
 * connection's exporter with the label EVIDENCE_EXPORTER over context. */
void evidence_report_data(const struct evidence_request *request, const char time[EVIDENCE_TIME_SIZE],
                          const uint8_t exported[32], uint8_t out[64]);

#endif
