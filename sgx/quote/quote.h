/*
 * From a REPORT to a quote that a remote party can verify. Runs in the untrusted host.
 *
 * Two backends: AESM for real hardware (aesm.h), and the simulated quoting enclave that goes with the emulator. The
 * latter's quotes are well-formed DCAP v3 ECDSA quotes, but their certificate chain ends in a root that is made on
 * this machine and named as a simulation: they prove nothing about hardware.
 *
 *     struct quote_backend *b;
 *     uint8_t target[QUOTE_TARGET_INFO_SIZE], quote[QUOTE_SIZE_MAX];
 *     quote_simulation_create(machine_dir, emulator_report_key, &b, error, sizeof error);
 *     quote_target_info(b, target);                       the enclave makes its REPORT for this
 *     quote_get(b, report, quote, sizeof quote, &size);
 *     quote_destroy(b);
 *
 * A backend is its creator's; its functions block (AESM answers within its own deadline), so they run on a service
 * thread, one at a time. All memory is the caller's. Errors are negative errno.
 *
 * In the room: aesm.c and simulation.c are the backends; assemble.c lays a quote out; pki.c keeps the simulation's
 * keys, certificates.c and collateral.c make what it signs, ecdsa.c signs, files.c stores; pccs.h answers verifiers.
 */
#ifndef ENCLAVE_OS_SGX_QUOTE_QUOTE_H
#define ENCLAVE_OS_SGX_QUOTE_QUOTE_H

#include <stddef.h>
#include <stdint.h>

#define QUOTE_SIZE_MAX 16384u
#define QUOTE_TARGET_INFO_SIZE 512u
#define QUOTE_REPORT_SIZE 432u

struct quote_backend;

struct quote_backend_ops {
    const char *name;
    int (*target_info)(struct quote_backend *b, uint8_t out[QUOTE_TARGET_INFO_SIZE]);
    int (*get)(struct quote_backend *b, const uint8_t report[QUOTE_REPORT_SIZE], uint8_t *out, size_t capacity,
               size_t *size);
    void (*destroy)(struct quote_backend *b);
};

/* First member of each backend's own structure. */
struct quote_backend {
    const struct quote_backend_ops *ops;
};

/* The TARGETINFO of the quoting enclave: what a REPORT must be made for. 0 or a negative errno. */
static inline int quote_target_info(struct quote_backend *b, uint8_t out[QUOTE_TARGET_INFO_SIZE])
{
    return b->ops->target_info(b, out);
}

/* A quote of at most capacity bytes for report. 0; -EACCES if the report was not made for the quoting enclave on
 * this machine; -ENOSPC if capacity is too small; another negative errno. One thread at a time. */
static inline int quote_get(struct quote_backend *b, const uint8_t report[QUOTE_REPORT_SIZE], uint8_t *out,
                            size_t capacity, size_t *size)
{
    return b->ops->get(b, report, out, capacity, size);
}

static inline void quote_destroy(struct quote_backend *b)
{
    b->ops->destroy(b);
}

/* The key that MACs reports for the enclave that targetinfo describes: emulator_report_key. Passed in, so that
 * quoting does not depend on the emulator. */
typedef int (*quote_report_key)(const uint8_t targetinfo[512], const uint8_t keyid[32], uint8_t key[16]);

/* The simulated quoting enclave. Its PKI lives in machine_dir/quote-simulation and is made on first use; root.pem
 * there is what a client can pin. 0, or a negative errno with one line in error. */
int quote_simulation_create(const char *machine_dir, quote_report_key report_key, struct quote_backend **out,
                            char *error, size_t error_size);

#endif
