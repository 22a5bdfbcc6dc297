/*
 * From the first ecall_run to libc's _start: checks, then a stack with arguments, environment and auxiliary vector as
 * a kernel would leave it, all of it from inside.
 */
#include <elf.h>

#include "sgx/trusted/internal.h"

#include "common/protocol.h"

extern void _start(void) __attribute__((visibility("hidden")));

enum state { STATE_NEW, STATE_BOOTING, STATE_ENDED };
static atomic_uint state;

static uint64_t *put_auxv(uint64_t *at, uint64_t type, uint64_t value)
{
    at[0] = type;
    at[1] = value;
    return at + 2;
}

static uint64_t *put_auxiliary_vector(uint64_t *at, uint64_t random_bytes, uint64_t name)
{
    const struct enclave_layout *l = sgx_layout();
    at = put_auxv(at, AT_PHDR, sgx_base() + l->phdr_offset);
    at = put_auxv(at, AT_PHENT, sizeof(Elf64_Phdr));
    at = put_auxv(at, AT_PHNUM, l->phdr_count);
    at = put_auxv(at, AT_PAGESZ, SGX_PAGE_SIZE);
    at = put_auxv(at, AT_BASE, 0);
    at = put_auxv(at, AT_ENTRY, (uint64_t)_start);
    at = put_auxv(at, AT_UID, 0);
    at = put_auxv(at, AT_EUID, 0);
    at = put_auxv(at, AT_GID, 0);
    at = put_auxv(at, AT_EGID, 0);
    at = put_auxv(at, AT_SECURE, 0);
    at = put_auxv(at, AT_CLKTCK, 100);
    at = put_auxv(at, AT_RANDOM, random_bytes);
    at = put_auxv(at, AT_EXECFN, name);
    at = put_auxv(at, AT_MINSIGSTKSZ, 4096); /* no signal is ever delivered */
    return put_auxv(at, AT_NULL, 0);
}

/* The stack that _start finds: argc, argv, envp, auxv; strings and random bytes above them. */
static uint64_t prepare_stack(uint64_t top)
{
    static const char name[] = "enclave";
    /* malloc must neither map (heap pages come from brk alone) nor give back what it has; what a thread frees and
     * takes again stays with the thread, so that workers seldom meet at the one arena's lock. */
    static const char tunables[] = "GLIBC_TUNABLES=glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=0x7fffffffffff:"
                                   "glibc.malloc.top_pad=0x400000:glibc.malloc.arena_max=1:"
                                   "glibc.malloc.tcache_count=64";
    uint64_t name_at = top - 64, tunables_at = name_at - 256, random_at = tunables_at - 16;
    _Static_assert(sizeof name <= 64 && sizeof tunables <= 256, "room");
    __builtin_memcpy((void *)name_at, name, sizeof name);
    __builtin_memcpy((void *)tunables_at, tunables, sizeof tunables);
    sgx_random((void *)random_at, 16);
    uint64_t *sp = (uint64_t *)((random_at - 512) & ~15ull), *at = sp;
    *at++ = 1;
    *at++ = name_at;
    *at++ = 0;
    *at++ = tunables_at;
    *at++ = 0;
    put_auxiliary_vector(at, random_at, name_at);
    return (uint64_t)sp;
}

static int64_t boot(bool edmm)
{
    const struct enclave_layout *l = sgx_layout();
    if (l->magic != ENCLAVE_LAYOUT_MAGIC)
        sgx_panic("boot: no layout page behind the image");
    rt_memory_init(l, edmm);
    struct thread_data *td = rt_td();
    uint64_t top = (uint64_t)__builtin_frame_address(0) - 4096; /* below what this ECALL still needs */
    td->tid = 1;
    struct sgx_gprsgx start = {.rsp = prepare_stack(top), .rip = (uint64_t)_start, .fsbase = (uint64_t)td};
    rt_run_here(&start);
    atomic_store(&state, STATE_ENDED);
    return rt_exit_status;
}

int32_t sgx_run_thread(const struct cpuid_entry *cpuid, uint32_t cpuid_count, const struct time_page *time_page,
                       bool edmm)
{
    unsigned expected = STATE_NEW;
    if (rt_td()->tcs_index != 0 || !atomic_compare_exchange_strong(&state, &expected, STATE_BOOTING))
        return expected == STATE_ENDED ? -108 : (int32_t)rt_adopt_thread();
    static const uint8_t nothing[64];
    struct sgx_report report;
    sgx_report(0, nothing, &report);
    rt_console_init(report.body.attributes.flags & SGX_FLAGS_DEBUG);
    rt_time_set_page(time_page);
    if (rt_cpuid_set(cpuid, cpuid_count) < 0)
        sgx_panic("boot: the host's table of CPUID answers is refused");
    rt_cpuid_limit(report.body.attributes.xfrm);
    return (int32_t)boot(edmm);
}
