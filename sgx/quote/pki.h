/*
 * The simulation's certificate authority: what Intel's provisioning service is for hardware, on one machine.
 *
 *   root -> PCK CA -> PCK (signs the quoting enclave's report)
 *        -> TCB signing (signs TCB info and QE identity)
 *
 * Keys and certificates are made once and last for decades. What verifiers call collateral (TCB info, QE identity, both
 * CRLs) is valid for thirty days like Intel's, and is signed again in the second half of that time.
 */
#ifndef ENCLAVE_OS_SGX_QUOTE_PKI_H
#define ENCLAVE_OS_SGX_QUOTE_PKI_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#define SIMULATION_ROOT_NAME "Enclave OS SIMULATION Root CA - not hardware"
#define SIMULATION_PCK_CA_NAME "Enclave OS SIMULATION PCK Platform CA"
#define SIMULATION_PCK_NAME "Enclave OS SIMULATION PCK Certificate"
#define SIMULATION_TCB_NAME "Enclave OS SIMULATION TCB Signing"

/* The simulated platform. CPUSVN is the emulator's as it is at first: for newer microcode no PCK certificate is made.
 * */
#define SIMULATION_FMSPC "\x53\x49\x4d\x00\x00\x01" /* "SIM" */
#define SIMULATION_PCE_SVN 1u
#define SIMULATION_CPU_SVN 1u /* of each of the 16 components */

/* The simulated quoting enclave's identity. */
#define SIMULATION_QE_SIGNER "Enclave OS SIMULATION quoting enclave signer"
#define SIMULATION_QE_MEASUREMENT "Enclave OS SIMULATION quoting enclave"
#define SIMULATION_QE_PRODID 1u
#define SIMULATION_QE_SVN 1u
#define SIMULATION_QE_FLAGS 0x15ull /* INIT, MODE64BIT, PROVISION_KEY; never DEBUG */
#define SIMULATION_QE_XFRM 0x3ull

#define PKI_FOLDER "quote-simulation" /* in the machine's folder */
#define PKI_COLLATERAL_SECONDS (30ll * 86400)

struct pki {
    EVP_PKEY *pck_key;
    EVP_PKEY *attestation_key;
    char *chain; /* PEM: PCK, PCK CA, root */
};

/* Load the PKI from folder, making it first if it does not exist, and refresh its collateral. Processes that start at
 * once agree: each makes its own aside and the first rename wins. 0, or a negative errno with one line in error. */
int pki_open(struct pki *pki, const char *folder, char *error, size_t error_size);
void pki_close(struct pki *pki);

/* Sign the collateral in folder again if less than half of its time is left at now_s: each document is
 * replaced as a whole. 0 or a negative errno. Any thread, any process. */
int pki_refresh(const char *folder, int64_t now_s);

#endif
