/*
 * Shamir's secret sharing: a secret is split into count shares, of which any threshold give it back, and fewer say
 * nothing about it. Each byte of the secret is the value at 0 of a polynomial of its own over GF(256), whose other
 * coefficients are random; share x has the polynomials' values at x, from 1 on.
 *
 * A share that was changed, or is of another secret, is not noticed here: what comes out is another secret, and who
 * uses it must be able to tell. Time and accesses do not depend on any of the bytes. Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RECOVERY_SHAMIR_H
#define ENCLAVE_OS_ENCLAVE_RECOVERY_SHAMIR_H

#include <stddef.h>
#include <stdint.h>

#define SHAMIR_SIZE 32u /* bytes of a secret, and of a share */
#define SHAMIR_MAX 255u /* shares */

/* shares[i] becomes share i + 1. 1 <= threshold <= count <= SHAMIR_MAX. random fills what it is given. */
void shamir_split(const uint8_t secret[SHAMIR_SIZE], unsigned threshold, unsigned count,
                  void (*random)(void *bytes, size_t size), uint8_t (*shares)[SHAMIR_SIZE]);

/* Out of share x[i], which is y[i]. count is the threshold that they were made with; with fewer, or others, it is
 * another secret. 0; -EINVAL: an x is 0, or two are the same. */
int shamir_combine(const uint8_t *x, const uint8_t *const *y, unsigned count, uint8_t secret[SHAMIR_SIZE]);

#endif
