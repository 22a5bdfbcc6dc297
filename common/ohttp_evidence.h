/*
 * What an enclave says of its key configuration for Oblivious HTTP: these bytes, signed by the key of its certificate
 * (ECDSA with SHA-256). They begin as what TLS 1.3 signs does (RFC 8446, section 4.4.3), with a context of their own,
 * so that neither can be taken for the other.
 */
#ifndef ENCLAVE_OS_COMMON_OHTTP_EVIDENCE_H
#define ENCLAVE_OS_COMMON_OHTTP_EVIDENCE_H

#include <stdint.h>
#include <string.h>

#define OHTTP_EVIDENCE_FORMAT "enclave-os-ohttp-keys/1"
#define OHTTP_EVIDENCE_CONTEXT "enclave-os OHTTP key configuration, version 1"
#define OHTTP_SAID_SIZE (64u + sizeof OHTTP_EVIDENCE_CONTEXT + 32u + 32u)

/* SHA-256 of the certificate, as DER, and of the list of configurations (application/ohttp-keys). */
static inline void ohttp_said(const uint8_t certificate[32], const uint8_t list[32], uint8_t out[OHTTP_SAID_SIZE])
{
    static const char context[] = OHTTP_EVIDENCE_CONTEXT; /* with its zero */
    memset(out, ' ', 64);
    memcpy(out + 64, context, sizeof context);
    memcpy(out + 64 + sizeof context, certificate, 32);
    memcpy(out + 96 + sizeof context, list, 32);
}

#endif
