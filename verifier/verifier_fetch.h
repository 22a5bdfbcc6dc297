/*
 * Collateral from a folder or from a server. Not for use inside an enclave: opens files and sockets.
 */
#ifndef ENCLAVE_VERIFIER_FETCH_H
#define ENCLAVE_VERIFIER_FETCH_H

#include "verifier.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Read tcb-info.json, tcb-info-chain.pem, qe-identity.json, qe-identity-chain.pem, root.crl and pck.crl from a folder.
 * A file that is missing leaves its document unset; verification tells. 0, or a negative errno with one line in error:
 * the folder or a file cannot be read, or is too large. */
VERIFIER_API int verifier_collateral_load(struct verifier_collateral *collateral, const char *folder, char *error,
                                          size_t error_size);

/* Write the documents that are set into an existing folder, under those names. 0, or a negative errno as above. */
VERIFIER_API int verifier_collateral_save(const struct verifier_collateral *collateral, const char *folder, char *error,
                                          size_t error_size);

struct verifier_fetch_options {
    const char *ca_file;  /* PEM, who may sign an https server's certificate; NULL: the system's */
    unsigned timeout_ms;  /* for all documents together, but for looking up the name; 0: 20,000 */
    bool any_certificate; /* https without checking the server: the documents are signed, so a false one cannot lie,
                              * only learn which kind of platform is being asked about */
};

/* Fetch what the platform of this quote needs from a PCCS, or from Intel's PCS, at url: "https://HOST[:PORT]", with or
 * without "/sgx/certification/v4". options may be NULL. The server is not trusted: answers are bounded and nothing but
 * verification believes them. 0, or a negative errno with one line in error. */
VERIFIER_API int verifier_collateral_fetch(struct verifier_collateral *collateral, const char *url, const void *quote,
                                           size_t quote_size, const struct verifier_fetch_options *options, char *error,
                                           size_t error_size);
/* The same for the quote in a certificate, given in DER. */
VERIFIER_API int verifier_collateral_fetch_for(struct verifier_collateral *collateral, const char *url,
                                               const void *certificate, size_t certificate_size,
                                               const struct verifier_fetch_options *options, char *error,
                                               size_t error_size);

#ifdef __cplusplus
}
#endif

#endif
