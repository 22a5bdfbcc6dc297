/* See shamir.h. */
#include "enclave/recovery/shamir.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "common/ensure.h"

/* In GF(2)[x] modulo x^8 + x^4 + x^3 + x + 1, without a branch or a table. */
static uint8_t multiply(uint8_t a, uint8_t b)
{
    uint8_t product = 0;
    for (int i = 0; i < 8; i++) {
        product ^= (uint8_t)(-(b & 1) & a);
        a = (uint8_t)((a << 1) ^ (-(a >> 7) & 0x1b));
        b >>= 1;
    }
    return product;
}

/* a^254: of 0 it is 0. */
static uint8_t invert(uint8_t a)
{
    uint8_t square = a, result = 1;
    for (int i = 1; i < 8; i++) {
        square = multiply(square, square);
        result = multiply(result, square);
    }
    return result;
}

void shamir_split(const uint8_t secret[SHAMIR_SIZE], unsigned threshold, unsigned count,
                  void (*random)(void *bytes, size_t size), uint8_t (*shares)[SHAMIR_SIZE])
{
    uint8_t coefficients[SHAMIR_SIZE];
    ENSURE(threshold >= 1 && threshold <= count && count <= SHAMIR_MAX);
    ENSURE(secret && random && shares);
    memset(shares, 0, count * sizeof *shares);
    for (unsigned degree = threshold; degree-- > 0;) { /* Horner's rule, for all shares at once */
        if (degree > 0)
            random(coefficients, sizeof coefficients);
        else
            memcpy(coefficients, secret, sizeof coefficients);
        for (unsigned i = 0; i < count; i++)
            for (size_t b = 0; b < SHAMIR_SIZE; b++)
                shares[i][b] = multiply(shares[i][b], (uint8_t)(i + 1)) ^ coefficients[b];
    }
    OPENSSL_cleanse(coefficients, sizeof coefficients);
}

/* What the value at x[of] counts for at 0: the product of x[j] / (x[j] - x[of]) over all others. 0: one is there twice,
 * or is 0. */
static uint8_t weight(const uint8_t *x, unsigned count, unsigned of)
{
    uint8_t above = 1, below = 1;
    for (unsigned j = 0; j < count; j++) {
        if (j == of)
            continue;
        above = multiply(above, x[j]);
        below = multiply(below, x[j] ^ x[of]);
    }
    return multiply(above, invert(below));
}

int shamir_combine(const uint8_t *x, const uint8_t *const *y, unsigned count, uint8_t secret[SHAMIR_SIZE])
{
    ENSURE(count >= 1 && count <= SHAMIR_MAX);
    ENSURE(x && y && secret);
    memset(secret, 0, SHAMIR_SIZE);
    for (unsigned i = 0; i < count; i++) {
        uint8_t factor = weight(x, count, i);
        if (factor == 0 || x[i] == 0) {
            OPENSSL_cleanse(secret, SHAMIR_SIZE);
            return -EINVAL;
        }
        for (size_t b = 0; b < SHAMIR_SIZE; b++)
            secret[b] ^= multiply(factor, y[i][b]);
    }
    return 0;
}
