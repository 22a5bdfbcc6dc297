/*
 * TCB info and QE identity as Intel's PCS API version 4 serves them, made and signed by the simulation.
 */
#ifndef ENCLAVE_OS_SGX_QUOTE_COLLATERAL_H
#define ENCLAVE_OS_SGX_QUOTE_COLLATERAL_H

#include <openssl/evp.h>

#include "sgx/quote/certificates.h"

#define COLLATERAL_LEVELS_MAX 4

/* One of tcbLevels. */
struct collateral_level {
    uint8_t component; /* TCB info: what each of the 16 must be at least */
    uint16_t pce_svn;  /* TCB info */
    uint16_t isv_svn;  /* QE identity */
    const char *status;
    const char *advisory; /* NULL: none */
};

struct collateral_options {
    int64_t issued_s, next_update_s;
    struct collateral_level levels[COLLATERAL_LEVELS_MAX]; /* from the highest down */
    int level_count;
    const struct platform_description *platform; /* TCB info */
    uint8_t qe_signer[32];                       /* QE identity */
    uint16_t qe_prod_id;
    uint64_t qe_flags;
};

/* {"tcbInfo":...,"signature":...} and {"enclaveIdentity":...,"signature":...}, malloc'ed; the signature is over the
 * inner object's bytes. NULL on failure. */
char *collateral_tcb_info(const struct collateral_options *options, EVP_PKEY *key);
char *collateral_qe_identity(const struct collateral_options *options, EVP_PKEY *key);

#endif
