/* See seal.h. */
#include "enclave/crypto/seal.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "common/ensure.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"

static const uint8_t magic[8] = {'E', 'O', 'S', 'S', 'E', 'A', 'L', 1};
static_assert(sizeof magic + sizeof(struct sgx_keyrequest) == SEAL_HEADER_SIZE, "a blob carries the whole request");

/* Everything but INIT, DEBUG, MODE64BIT and the reserved flags may differ; XFRM and MISCSELECT are the machine's. */
#define ATTRIBUTE_FLAGS_MASK 0xFF0000000000000Bull
#define MISC_MASK 0xF0000000u

static void make_request(struct sgx_keyrequest *r)
{
    static const uint8_t nothing[64];
    struct sgx_report self;
    sgx_report(NULL, nothing, &self);
    memset(r, 0, sizeof *r);
    r->keyname = KEYNAME_SEAL;
    r->keypolicy = KEYPOLICY_MRENCLAVE;
    r->isvsvn = self.body.isvsvn;
    memcpy(r->cpusvn, self.body.cpusvn, sizeof r->cpusvn);
    r->configsvn = self.body.configsvn;
    r->attributemask.flags = ATTRIBUTE_FLAGS_MASK;
    r->miscmask = MISC_MASK;
    sgx_random(r->keyid, sizeof r->keyid);
}

/* The processor gives no key for a version that is above its own, or the enclave's. */
static int error_of(uint32_t code)
{
    switch (code) {
    case SGX_SUCCESS:
        return 0;
    case SGX_INVALID_CPUSVN:
        return -ENOKEY;
    case SGX_INVALID_ISVSVN:
        return -EKEYEXPIRED;
    default:
        return -EACCES;
    }
}

static int derive_key(const struct sgx_keyrequest *r, uint8_t key[AEAD_KEY_SIZE])
{
    uint8_t seal_key[16];
    int error = error_of(sgx_get_key(r, seal_key));
    if (error == 0)
        error = kdf(seal_key, sizeof seal_key, "enclave-os seal", NULL, 0, key);
    OPENSSL_cleanse(seal_key, sizeof seal_key);
    return error;
}

int seal(const void *plain, size_t size, uint8_t *out)
{
    struct sgx_keyrequest request;
    uint8_t key[AEAD_KEY_SIZE];
    ENSURE(plain && out);
    make_request(&request);
    memcpy(out, magic, sizeof magic);
    memcpy(out + sizeof magic, &request, sizeof request);
    int error = derive_key(&request, key);
    if (error == 0)
        error = aead_seal(key, out, SEAL_HEADER_SIZE, plain, size, out + SEAL_HEADER_SIZE);
    OPENSSL_cleanse(key, sizeof key);
    return error;
}

/* A request from a blob is only used if it is one we could have made: never for a key of another policy, and never
 * with a reserved bit set, at which EGETKEY faults. */
static int check_request(const struct sgx_keyrequest *r)
{
    uint8_t reserved = r->reserved1 | r->cet_attributes_mask;
    for (size_t i = 0; i < sizeof r->reserved2; i++)
        reserved |= r->reserved2[i];
    return reserved == 0 && r->keyname == KEYNAME_SEAL && r->keypolicy == KEYPOLICY_MRENCLAVE &&
           r->attributemask.flags == ATTRIBUTE_FLAGS_MASK && r->attributemask.xfrm == 0 && r->miscmask == MISC_MASK;
}

int unseal(const uint8_t *blob, size_t size, uint8_t *out)
{
    struct sgx_keyrequest request;
    uint8_t key[AEAD_KEY_SIZE];
    ENSURE(blob && out);
    if (size < SEAL_OVERHEAD || memcmp(blob, magic, sizeof magic) != 0)
        return -EBADMSG;
    memcpy(&request, blob + sizeof magic, sizeof request);
    if (!check_request(&request))
        return -EBADMSG;
    int error = derive_key(&request, key);
    if (error == 0)
        error = aead_open(key, blob, SEAL_HEADER_SIZE, blob + SEAL_HEADER_SIZE, size - SEAL_HEADER_SIZE, out);
    if (error == -EBADMSG)
        error = -EACCES;
    OPENSSL_cleanse(key, sizeof key);
    return error;
}

bool seal_is_current(const uint8_t *blob, size_t size)
{
    struct sgx_keyrequest then, now;
    ENSURE(blob && size >= SEAL_OVERHEAD);
    memcpy(&then, blob + sizeof magic, sizeof then);
    make_request(&now);
    return memcmp(then.cpusvn, now.cpusvn, sizeof now.cpusvn) == 0 && then.isvsvn == now.isvsvn &&
           then.configsvn == now.configsvn;
}
