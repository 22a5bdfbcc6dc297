/*
 * Reading CPUID. See cpuid_table.h.
 */
#include "host/cpuid_table.h"

#include <cpuid.h>
#include <stddef.h>

/* The leaves that libc and crypto libraries look at, with the number of subleaves that matter. */
static const struct {
    uint32_t leaf, subleaves;
} wanted[] = {
    {0x0, 1},        {0x1, 1},        {0x2, 1},        {0x4, 5},        {0x6, 1},        {0x7, 3},
    {0xa, 1},        {0xb, 2},        {0xd, 10},       {0x14, 1},       {0x15, 1},       {0x16, 1},
    {0x18, 1},       {0x19, 1},       {0x80000000, 1}, {0x80000001, 1}, {0x80000002, 1}, {0x80000003, 1},
    {0x80000004, 1}, {0x80000005, 1}, {0x80000006, 1}, {0x80000007, 1}, {0x80000008, 1}, {0x8000001d, 4},
};

uint32_t cpuid_table_fill(struct cpuid_entry *entries)
{
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        uint32_t leaf = wanted[i].leaf;
        if (leaf > __get_cpuid_max(leaf & 0x80000000u, NULL))
            continue;
        for (uint32_t sub = 0; sub < wanted[i].subleaves && count < PROTO_CPUID_MAX; sub++) {
            struct cpuid_entry *e = &entries[count++];
            e->leaf = leaf;
            e->subleaf = sub;
            __cpuid_count(leaf, sub, e->eax, e->ebx, e->ecx, e->edx);
        }
    }
    return count;
}
