/*
 * Evidence of TCG DICE in a certificate (extension 2.23.133.5.4.9), in the form that other makers' RA-TLS has: CBOR,
 *
 *     tag 60000 [ quote: bytes, claims: bytes ]
 *
 * where claims are themselves CBOR, a map of names to bytes, and the quote's ReportData is SHA-256(claims), then zeros.
 * docs/attestation.md has what each claim says.
 */
#ifndef ENCLAVE_OS_COMMON_DICE_H
#define ENCLAVE_OS_COMMON_DICE_H

#define DICE_OID "2.23.133.5.4.9"
#define DICE_TAG 60000u
#define DICE_SIZE_MIN 256u  /* of the extension's value: other verifiers take its length from two bytes, */
#define DICE_SIZE_MAX 8192u /* and no more than this */
#define DICE_CLAIMS_MAX 512u
#define DICE_CLAIM_COUNT_MAX 32u

#define DICE_KEY "pubkey-hash"       /* [algorithm, hash of the SubjectPublicKeyInfo], CBOR again */
#define DICE_ROOT "merkle-root"      /* 32 bytes */
#define DICE_GENERATION "generation" /* 8 bytes, big endian; so are both times, in seconds since 1970 */
#define DICE_FROM "not-before"
#define DICE_UNTIL "not-after"
#define DICE_EXTENSIONS "extensions" /* SHA-256 over all extensions but this one */

#define DICE_SHA256 1u /* IANA's "Named Information Hash Algorithm Registry" */
#define DICE_SHA384 7u
#define DICE_SHA512 8u

#endif
