/*
 * CPUID inside an enclave is illegal, so its answers come from the host, once, at boot. A lie can only deny service:
 * features the enclave relies on are tried here, and what XFRM does not cover is hidden.
 */
#include "sgx/trusted/rt.h"

#include "common/protocol.h"

static struct cpuid_entry table[PROTO_CPUID_MAX];
static uint32_t table_count;

#define LEAF1_ECX_NEEDED ((1u << 1) | (1u << 25) | (1u << 30)) /* PCLMULQDQ, AES, RDRAND */
#define LEAF7_EBX_RDSEED (1u << 18)
#define LEAF7_ECX_HIDDEN ((1u << 3) | (1u << 4) | (1u << 7)) /* PKU, OSPKE, shadow stacks: not in XFRM */
#define LEAF7_EDX_HIDDEN ((1u << 20) | (1u << 22) | (1u << 24) | (1u << 25)) /* IBT, AMX */

static const struct cpuid_entry *find(uint32_t leaf, uint32_t subleaf)
{
    const struct cpuid_entry *any = 0;
    for (uint32_t i = 0; i < table_count; i++) {
        if (table[i].leaf != leaf)
            continue;
        if (table[i].subleaf == subleaf)
            return &table[i];
        any = any ? any : &table[i];
    }
    /* leaves without subleaves answer the same for every one */
    return leaf == 7 || leaf == 0xd || leaf == 4 || leaf == 0xb ? 0 : any;
}

/* Use what must be there: without it the instruction faults now, rather than crypto falling back in silence. */
static void try_features(void)
{
    uint64_t value;
    __asm__ volatile("pxor %%xmm0, %%xmm0\n\taesenc %%xmm0, %%xmm0\n\tpclmulqdq $0, %%xmm0, %%xmm0\n\t"
                     "rdrand %0\n\trdseed %0\n\tpxor %%xmm0, %%xmm0"
                     : "=r"(value));
}

int64_t rt_cpuid_set(const struct cpuid_entry *entries, uint32_t count)
{
    if (count > PROTO_CPUID_MAX)
        return -22; /* EINVAL */
    __builtin_memcpy(table, entries, count * sizeof *entries);
    table_count = count;
    const struct cpuid_entry *one = find(1, 0), *seven = find(7, 0);
    if (!one || !seven || (one->ecx & LEAF1_ECX_NEEDED) != LEAF1_ECX_NEEDED || !(seven->ebx & LEAF7_EBX_RDSEED))
        sgx_panic("boot: this CPU, or what the host says of it, lacks AES, PCLMULQDQ, RDRAND or RDSEED");
    try_features();
    return 0;
}

bool rt_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const struct cpuid_entry *e = find(leaf, subleaf);
    out[0] = out[1] = out[2] = out[3] = 0;
    if (!e)
        return true;
    out[0] = e->eax;
    out[1] = e->ebx;
    out[2] = e->ecx;
    out[3] = e->edx;
    if (leaf == 7 && subleaf == 0) {
        out[2] &= ~LEAF7_ECX_HIDDEN;
        out[3] &= ~LEAF7_EDX_HIDDEN;
    }
    if (leaf == 0xd && subleaf == 0) {
        out[0] &= XSAVE_MASK;
        out[3] = 0;
    }
    return true;
}
