/*
 * The CPUID emulation against a host that lies: whatever table it is given, what was checked is what is answered. The
 * tables are made at random from the real one; SEED in the environment repeats a run.
 */
#include <cpuid.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/protocol.h"
#include "enclave/crypto/processor.h"
#include "host/cpuid_table.h"
#include "sgx/trusted/internal.h"

static jmp_buf died;

void sgx_panic(const char *text)
{
    (void)text;
    longjmp(died, 1);
}

uint32_t OPENSSL_ia32cap_P[10]; /* libcrypto.a's, in the image */

static int take(const struct cpuid_entry *entries, uint32_t count)
{
    return setjmp(died) ? -1 : (int)rt_cpuid_set(entries, count);
}

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

static struct cpuid_entry *find(struct cpuid_entry *entries, uint32_t count, uint32_t leaf)
{
    for (uint32_t i = 0; i < count; i++)
        if (entries[i].leaf == leaf)
            return &entries[i];
    return NULL;
}

static void has_what_is_needed_whatever_ecx(uint32_t ecx)
{
    uint32_t one[4], seven[4];
    rt_cpuid(1, ecx, one);
    rt_cpuid(7, 0, seven);
    const uint32_t seen[4] = {one[3], one[2], seven[1], seven[2]};
    assert_null(processor_lacks(seen)); /* as OpenSSL would see it */
}

static void test_the_real_table(void **state)
{
    (void)state;
    struct cpuid_entry entries[PROTO_CPUID_MAX];
    uint32_t count = cpuid_table_fill(entries);
    assert_int_equal(take(entries, count), 0);
    has_what_is_needed_whatever_ecx(0);
    has_what_is_needed_whatever_ecx(0x12345);
    assert_int_equal(take(entries, PROTO_CPUID_MAX + 1), -22);
    assert_int_equal(take(entries, 0), -1);
}

/* Entries doubled, moved to other leaves and subleaves, bits flipped. */
static void test_random_tables(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) | 1, first = seed;
    print_message("SEED=%lu\n", first);
    unsigned taken = 0;
    struct cpuid_entry real[PROTO_CPUID_MAX]; /* read once: under a hypervisor each CPUID is slow */
    uint32_t real_count = cpuid_table_fill(real);
    for (unsigned round = 0; round < 20000; round++) {
        struct cpuid_entry entries[PROTO_CPUID_MAX];
        uint32_t count = real_count;
        memcpy(entries, real, sizeof entries);
        for (unsigned change = next(&seed) % 3; change > 0; change--) {
            struct cpuid_entry *e = &entries[next(&seed) % count], *other = &entries[next(&seed) % count];
            switch (next(&seed) % 4) {
            case 0:
                *e = *other;
                break;
            case 1:
                e->leaf = other->leaf;
                break;
            case 2:
                e->subleaf = (uint32_t)next(&seed) % 12;
                break;
            default:
                (&e->eax)[next(&seed) % 4] ^= 1u << next(&seed) % 32;
            }
        }
        if (take(entries, count) != 0)
            continue;
        taken++;
        for (int i = 0; i < 4; i++)
            has_what_is_needed_whatever_ecx((uint32_t)next(&seed));
    }
    assert_true(taken > 1000);
}

/* Without AVX in XFRM nothing that needs it is to be seen. */
static void test_xfrm(void **state)
{
    (void)state;
    struct cpuid_entry entries[PROTO_CPUID_MAX];
    uint32_t count = cpuid_table_fill(entries), out[4];
    struct cpuid_entry *seven = find(entries, count, 7), *one = find(entries, count, 1);
    seven->ebx |= 1u << 5 | 1u << 16 | 1u << 11 | 1u << 14;
    seven->ecx |= 1u << 3 | 1u << 7 | 1u << 9;
    one->ecx |= 1u << 12 | 1u << 28;
    assert_int_equal(take(entries, count), 0);
    rt_cpuid(7, 0, out);
    assert_int_equal(out[1] & (1u << 5 | 1u << 16 | 1u << 11 | 1u << 14), 1u << 5 | 1u << 16);
    assert_int_equal(out[2] & (1u << 3 | 1u << 7), 0);
    rt_cpuid_limit(0x7);
    rt_cpuid(7, 0, out);
    assert_int_equal(out[1] & (1u << 5 | 1u << 16), 1u << 5);
    rt_cpuid_limit(0x3);
    rt_cpuid(7, 0, out);
    assert_int_equal(out[1] & (1u << 5 | 1u << 16), 0);
    assert_int_equal(out[2] & 1u << 9, 0);
    rt_cpuid(1, 7, out);
    assert_int_equal(out[2] & (1u << 12 | 1u << 28), 0);
    rt_cpuid(0xd, 0, out);
    assert_int_equal(out[0] & ~3u, 0);
    rt_cpuid(0xd, 2, out);
    assert_int_equal(out[0], 0);
}

static void test_what_openssl_must_see(void **state)
{
    (void)state;
    uint32_t all[4] = {~0u, ~0u, ~0u, ~0u};
    assert_null(processor_lacks(all));
    all[1] = ~(1u << 25);
    assert_string_equal(processor_lacks(all), "AES-NI");
    all[1] = ~0u;
    all[0] = ~(1u << 24);
    assert_string_equal(processor_lacks(all), "FXSR");
    assert_string_equal(processor_lacks_for_openssl(), "FXSR"); /* all zero, as if it had never looked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_real_table),
        cmocka_unit_test(test_random_tables),
        cmocka_unit_test(test_xfrm),
        cmocka_unit_test(test_what_openssl_must_see),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
