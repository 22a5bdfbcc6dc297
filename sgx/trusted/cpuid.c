/*
 * CPUID inside an enclave is illegal, so its answers come from the host, once, at boot. A lie can only deny service:
 * the host's table is made into one of ours, with one answer for each leaf and subleaf, in which what is relied on is
 * looked up just as it will be looked up later. What is not there is answered with zeros. Features that need state
 * outside XFRM are taken out of the table itself.
 */
#include "sgx/trusted/internal.h"

#include "common/protocol.h"

#define EINVAL 22
#define MAX_SUBLEAVES 10u

/* The leaves that are taken, with how many subleaves; those with one do not look at ECX. */
static const struct {
    uint32_t leaf, subleaves;
} known[] = {
    {0x0, 1},        {0x1, 1},        {0x2, 1},        {0x4, 5},        {0x6, 1},        {0x7, 3},
    {0xa, 1},        {0xb, 2},        {0xd, 10},       {0x14, 1},       {0x15, 1},       {0x16, 1},
    {0x18, 1},       {0x19, 1},       {0x80000000, 1}, {0x80000001, 1}, {0x80000002, 1}, {0x80000003, 1},
    {0x80000004, 1}, {0x80000005, 1}, {0x80000006, 1}, {0x80000007, 1}, {0x80000008, 1}, {0x8000001d, 4},
};
#define KNOWN (sizeof known / sizeof *known)

enum { EAX, EBX, ECX, EDX };

static struct answer {
    bool given;
    uint32_t registers[4];
} table[KNOWN][MAX_SUBLEAVES];

/* The one way to an answer, for the host's entries, for the checks, and for the instruction. NULL: no such leaf. */
static struct answer *find(uint32_t leaf, uint32_t subleaf)
{
    for (uint32_t i = 0; i < KNOWN; i++) {
        if (known[i].leaf != leaf)
            continue;
        if (known[i].subleaves == 1)
            return &table[i][0];
        return subleaf < known[i].subleaves ? &table[i][subleaf] : 0;
    }
    return 0;
}

/* ---- what must be there --------------------------------------------------------------------------------------- */

/* Without these, crypto falls back in silence to tables, whose accesses the host can watch. */
static const struct {
    uint32_t leaf, reg, bits;
} needed[] = {
    {1, ECX, 1u << 1 | 1u << 9 | 1u << 19 | 1u << 25 | 1u << 30}, /* PCLMULQDQ, SSSE3, SSE4.1, AES, RDRAND */
    {1, EDX, 1u << 24 | 1u << 25 | 1u << 26},                     /* FXSR (OpenSSL's GHASH asks), SSE, SSE2 */
    {7, EBX, 1u << 18},                                           /* RDSEED */
};

static bool has_what_is_needed(void)
{
    for (uint32_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        uint32_t out[4];
        rt_cpuid(needed[i].leaf, 0, out);
        if ((out[needed[i].reg] & needed[i].bits) != needed[i].bits)
            return false;
    }
    return true;
}

/* Use it: if the CPU has it not, the instruction faults now. */
static void try_features(void)
{
    uint64_t value;
    __asm__ volatile("pxor %%xmm0, %%xmm0\n\taesenc %%xmm0, %%xmm0\n\tpclmulqdq $0, %%xmm0, %%xmm0\n\t"
                     "pshufb %%xmm0, %%xmm0\n\tptest %%xmm0, %%xmm0\n\trdrand %0\n\trdseed %0\n\tpxor %%xmm0, %%xmm0"
                     : "=r"(value)
                     :
                     : "cc");
}

static bool take(const struct cpuid_entry *e)
{
    struct answer *a = find(e->leaf, e->subleaf);
    if (!a || a->given || (a == find(e->leaf, ~0u) && e->subleaf != 0))
        return false;
    *a = (struct answer){true, {e->eax, e->ebx, e->ecx, e->edx}};
    return true;
}

int64_t rt_cpuid_set(const struct cpuid_entry *entries, uint32_t count)
{
    if (count > PROTO_CPUID_MAX)
        return -EINVAL;
    __builtin_memset(table, 0, sizeof table);
    for (uint32_t i = 0; i < count; i++)
        if (!take(&entries[i]))
            return -EINVAL; /* an unknown leaf or subleaf, or one twice */
    if (!has_what_is_needed())
        sgx_panic("boot: this CPU, or what the host says of it, lacks AES, PCLMULQDQ, SSSE3, RDRAND or RDSEED");
    try_features();
    rt_cpuid_limit(XSAVE_MASK);
    return 0;
}

/* ---- what is hidden ------------------------------------------------------------------------------------------- */

#define AVX 0x4ull
#define AVX512 0xe4ull
#define NEVER (~0ull) /* state that this enclave never has, or that makes no sense inside */

static const struct {
    uint32_t leaf, subleaf, reg, bits;
    uint64_t state; /* all of it in XFRM, or the bits go */
} depends[] = {
    {1, 0, ECX, 1u << 12 | 1u << 28 | 1u << 29, AVX},                        /* FMA, AVX, F16C */
    {7, 0, EBX, 1u << 5, AVX},                                               /* AVX2 */
    {7, 0, EBX, 0xdc230000, AVX512},                                         /* F, DQ, IFMA, PF, ER, CD, BW, VL */
    {7, 0, EBX, 1u << 4 | 1u << 11 | 1u << 14 | 1u << 25, NEVER},            /* HLE, RTM, MPX, PT */
    {7, 0, ECX, 1u << 9 | 1u << 10, AVX},                                    /* VAES, VPCLMULQDQ */
    {7, 0, ECX, 1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14, AVX512}, /* VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ */
    {7, 0, ECX, 1u << 3 | 1u << 4 | 1u << 7 | 1u << 23, NEVER},              /* PKU, OSPKE, shadow stacks, Key Locker */
    {7, 0, EDX, 1u << 2 | 1u << 3 | 1u << 8 | 1u << 23, AVX512},             /* 4VNNIW, 4FMAPS, VP2INTERSECT, FP16 */
    {7, 0, EDX, 1u << 20 | 1u << 22 | 1u << 24 | 1u << 25, NEVER},           /* IBT, AMX */
    {7, 1, EAX, 1u << 0 | 1u << 1 | 1u << 2 | 1u << 4 | 1u << 23, AVX},      /* SHA512, SM3, SM4, AVX-VNNI, AVX-IFMA */
    {7, 1, EAX, 1u << 5, AVX512},                                            /* BF16 */
    {7, 1, EAX, 1u << 21, NEVER},                                            /* AMX-FP16 */
    {7, 1, EDX, 1u << 4 | 1u << 5 | 1u << 10, AVX},                          /* VNNI-INT8, NE-CONVERT, VNNI-INT16 */
    {7, 1, EDX, 1u << 8 | 1u << 19 | 1u << 21, NEVER},                       /* AMX-COMPLEX, AVX10, APX */
};

void rt_cpuid_limit(uint64_t xfrm)
{
    for (uint32_t i = 0; i < sizeof depends / sizeof *depends; i++)
        if (depends[i].state == NEVER || (xfrm & depends[i].state) != depends[i].state)
            find(depends[i].leaf, depends[i].subleaf)->registers[depends[i].reg] &= ~depends[i].bits;
    uint32_t *state = find(0xd, 0)->registers;
    state[EAX] &= (uint32_t)xfrm & XSAVE_MASK;
    state[EDX] = 0;
    for (uint32_t component = 2; component < MAX_SUBLEAVES; component++)
        if (!(xfrm & XSAVE_MASK & 1u << component))
            __builtin_memset(find(0xd, component)->registers, 0, sizeof(uint32_t[4]));
}

bool rt_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const struct answer *a = find(leaf, subleaf);
    for (int i = 0; i < 4; i++)
        out[i] = a ? a->registers[i] : 0;
    return true;
}
