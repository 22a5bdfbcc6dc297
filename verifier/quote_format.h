/*
 * A DCAP v3 ECDSA quote, taken apart. Private to the verifier.
 */
#ifndef ENCLAVE_OS_VERIFIER_QUOTE_FORMAT_H
#define ENCLAVE_OS_VERIFIER_QUOTE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define QUOTE_BODY_SIZE 384u

/* Views into the quote's bytes. */
struct quote {
    const uint8_t *signed_part; /* header and report body: what the attestation key signs */
    size_t signed_size;
    const uint8_t *body;            /* QUOTE_BODY_SIZE */
    const uint8_t *signature;       /* 64 */
    const uint8_t *attestation_key; /* 64: x, y */
    const uint8_t *qe_body;         /* QUOTE_BODY_SIZE */
    const uint8_t *qe_signature;    /* 64 */
    const uint8_t *auth_data;
    size_t auth_size;
    const uint8_t *chain; /* PEM */
    size_t chain_size;
};

/* NULL, or what is wrong with it. */
const char *quote_parse(const uint8_t *bytes, size_t size, struct quote *q);

/* Fields of a report body. */
#define BODY_FLAGS(b) ((b) + 48) /* u64 */
#define BODY_MRENCLAVE(b) ((b) + 64)
#define BODY_MRSIGNER(b) ((b) + 128)
#define BODY_PROD_ID(b) ((b) + 256)     /* u16 */
#define BODY_SVN(b) ((b) + 258)         /* u16 */
#define BODY_REPORT_DATA(b) ((b) + 320) /* 64 */
#define FLAG_INIT 0x1u
#define FLAG_DEBUG 0x2u

#endif
