/* A host on whose machine the image in FORMER (its MRENCLAVE, in hex) seals as the one that is loaded would: so an
 * image can be shown a store that an older one has made. Linked in place of the emulator's own EGETKEY (--wrap); all
 * else, reports and quotes too, is the real host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "sgx/emulator/internal.h"

enum sgx_error __real_emu_egetkey(const struct sgx_keyrequest *r, uint8_t key[16]);
enum sgx_error __wrap_emu_egetkey(const struct sgx_keyrequest *r, uint8_t key[16]);
enum sgx_error __wrap_emu_egetkey(const struct sgx_keyrequest *r, uint8_t key[16])
{
    const char *former = getenv("FORMER");
    uint8_t own[32];
    if (!former || r->keyname != KEYNAME_SEAL)
        return __real_emu_egetkey(r, key);
    memcpy(own, emu.secs.mrenclave, sizeof own); /* at boot, when no report is made */
    ENSURE(hex_read(former, strlen(former), emu.secs.mrenclave, sizeof own));
    enum sgx_error error = __real_emu_egetkey(r, key);
    memcpy(emu.secs.mrenclave, own, sizeof own);
    return error;
}
