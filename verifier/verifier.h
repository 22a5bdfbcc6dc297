/*
 * libenclave_verifier: does this certificate belong to a key inside the enclave that I expect? For clients; needs
 * OpenSSL only, and no enclave.
 *
 * A verification is a list of named checks, each with its outcome and a reason in words. All that were made must
 * hold; what a caller did not ask for (a pinned measurement, say) is shown as not checked.
 *
 * Not checked yet: revocation lists and TCB level (they need collateral from a service). The list says so.
 */
#ifndef ENCLAVE_OS_VERIFIER_VERIFIER_H
#define ENCLAVE_OS_VERIFIER_VERIFIER_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#define VERIFIER_CHECKS_MAX 24

enum verifier_outcome { VERIFIER_PASSED, VERIFIER_FAILED, VERIFIER_NOT_CHECKED };

struct verifier_check {
    const char *name; /* static, stable: for programs */
    enum verifier_outcome outcome;
    char reason[256];
};

struct verifier_policy {
    const uint8_t *mrenclave; /* 32 bytes the enclave must have; NULL: any */
    const uint8_t *mrsigner;  /* 32 bytes; NULL: any */
    /* PEM certificates; the PCK chain must end in one of them. NULL: Intel's root key, which is built in, or, with
     * allow_simulation, whatever root the quote brings, if it is named as a simulation. */
    const char *root_pem;
    bool allow_simulation; /* accept simulated quotes: they prove nothing about hardware */
    bool allow_debug;      /* accept a debug enclave on hardware: its owner can read it */
    bool live;             /* the certificate comes from a TLS handshake that proved its key just now */
};

struct verifier_result {
    struct verifier_check checks[VERIFIER_CHECKS_MAX];
    int count;
    bool simulated; /* the chain's root is named as a simulation */
    /* What the quote says; only as good as the checks. */
    uint8_t mrenclave[32], mrsigner[32];
    uint16_t isv_prod_id, isv_svn;
    bool debug;
    bool has_merkle_root;
    uint8_t merkle_root[32];
    uint8_t spki_sha256[32]; /* of the certificate's key: names this enclave instance */
};

/* Check an RA-TLS leaf certificate. Returns true if no check failed. The result is always filled in. */
bool verifier_check_certificate(X509 *leaf, const struct verifier_policy *policy, struct verifier_result *result);

/* What every simulation root's name contains. */
#define VERIFIER_SIMULATION_WORD "SIMULATION"

#endif
