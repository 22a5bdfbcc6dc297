/* The ENCLU leaves that the runtime executes. Operands of EREPORT and EGETKEY are copied here, for their alignment. */
#include "sgx/trusted/internal.h"

static struct rt_lock lock;
static _Alignas(512) struct sgx_targetinfo target_space;
static _Alignas(512) struct sgx_report report_space;
static _Alignas(512) struct sgx_keyrequest request_space;
static _Alignas(128) uint8_t data_space[128];
static _Alignas(16) uint8_t key_space[16];

static void wipe(volatile uint8_t *p, size_t size)
{
    while (size--)
        *p++ = 0;
}

void sgx_report(const struct sgx_targetinfo *target, const uint8_t reportdata[64], struct sgx_report *out)
{
    rt_lock(&lock);
    if (target)
        target_space = *target;
    else
        __builtin_memset(&target_space, 0, sizeof target_space);
    __builtin_memcpy(data_space, reportdata, 64);
    __asm__ volatile("enclu"
                     :
                     : "a"(ENCLU_EREPORT), "b"(&target_space), "c"(data_space), "d"(&report_space)
                     : "memory");
    *out = report_space;
    rt_unlock(&lock);
}

bool sgx_is_debug(void)
{
    static const uint8_t nothing[64];
    static _Atomic int debug = -1;
    if (debug < 0) {
        struct sgx_report report;
        sgx_report(NULL, nothing, &report);
        debug = (report.body.attributes.flags & SGX_FLAGS_DEBUG) != 0;
    }
    return debug;
}

uint32_t sgx_get_key(const struct sgx_keyrequest *request, uint8_t key[16])
{
    rt_lock(&lock);
    request_space = *request;
    uint64_t result = ENCLU_EGETKEY;
    __asm__ volatile("enclu" : "+a"(result) : "b"(&request_space), "c"(key_space) : "memory", "cc");
    if (result == SGX_SUCCESS)
        __builtin_memcpy(key, key_space, 16);
    wipe(key_space, sizeof key_space);
    rt_unlock(&lock);
    return (uint32_t)result;
}

uint64_t rt_eaccept(uint64_t secinfo_flags, uint64_t page)
{
    struct sgx_secinfo secinfo __attribute__((aligned(64))) = {.flags = secinfo_flags};
    uint64_t result = ENCLU_EACCEPT;
    __asm__ volatile("enclu" : "+a"(result) : "b"(&secinfo), "c"(page) : "memory", "cc");
    return result;
}

void rt_emodpe(uint64_t secinfo_flags, uint64_t page)
{
    struct sgx_secinfo secinfo __attribute__((aligned(64))) = {.flags = secinfo_flags};
    __asm__ volatile("enclu" : : "a"(ENCLU_EMODPE), "b"(&secinfo), "c"(page) : "memory");
}
