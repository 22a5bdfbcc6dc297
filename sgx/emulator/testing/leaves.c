/*
 * For tests outside any enclave: what the runtime does with ENCLU and RDRAND, done with the emulator's leaves directly
 * and OpenSSL's generator. Keys are those of the emulated CPU's state (internal.h), which the test fills in.
 */
#include <openssl/rand.h>

#include "common/ensure.h"
#include "sgx/emulator/internal.h"
#include "sgx/trusted/bridge.h"

void sgx_report(const struct sgx_targetinfo *target, const uint8_t reportdata[64], struct sgx_report *out)
{
    static const struct sgx_targetinfo empty;
    emu_ereport(target ? target : &empty, reportdata, out);
}

uint32_t sgx_get_key(const struct sgx_keyrequest *request, uint8_t key[16])
{
    return (uint32_t)emu_egetkey(request, key);
}

void sgx_random(void *out, size_t size)
{
    ENSURE(RAND_bytes(out, (int)size) == 1);
}
