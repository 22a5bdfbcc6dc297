/*
 * probe_host PROBE.signed SCENARIO: loads the probe into the emulator and is as hostile to it as the scenario says.
 * Exit status 0: the enclave did what it should.
 *
 * Being in the same process as the emulator it may look into ELRANGE, which is how it sees that nothing was touched.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "host/cpuid_table.h"
#include "tests/probe/probe_run.h"

/* ---- judging --------------------------------------------------------------------------------------------------- */

static uint64_t number_after(const char *name)
{
    const char *at = strstr(last_words, name);
    return at ? strtoull(at + strlen(name), NULL, 16) : 0;
}

static void in_the_gap_below(uint64_t stack)
{
    printf("%s\n", last_words);
    check(number_after("exception ") == VEC_PF, "it did not die of a page fault");
    uint64_t address = number_after("address ");
    check(address < stack && address >= stack - ENCLAVE_GUARD_SIZE, "the fault is not in the gap below the stack");
}

static void neighbour_is_whole(void)
{
    const uint8_t *p = (const uint8_t *)report.neighbour;
    for (uint64_t i = 0; i < report.neighbour_size; i++)
        check(p[i] == PATTERN, "the neighbour's stack was touched");
}

static void overflow(uint64_t kind, uint64_t where)
{
    long result = go(kind, where);
    while (atomic_load(&threads_inside) && last_words[0] == 0)
        usleep(1000);
    (void)result;
    check(last_words[0], "it went on");
    uint64_t stack = where == ON_BOOT ? base + image.tcs_offsets[0] - image.config.main_stack_size : report.stack;
    if (where == ON_EXCEPTION) { /* no handler is left to tell */
        check(strcmp(last_words, "without a word") == 0, "it died of something else");
        const uint8_t *td = (const uint8_t *)(stack - ENCLAVE_GUARD_SIZE - SGX_PAGE_SIZE);
        for (unsigned i = 1024; i < SGX_PAGE_SIZE; i++)
            check(td[i] == 0, "the thread's data was touched");
    } else {
        in_the_gap_below(stack);
    }
    neighbour_is_whole();
}

/* A short ECALL overflows its stack, or a buffer on it, without libc, while the boot thread is out on an OCALL. */
static void early(uint64_t kind)
{
    uint32_t slot = image.layout.tcs_count - 1;
    in_ocall = &(struct in_ocall){.slot = slot};
    go(kind, ON_ECALL);
    check(in_ocall->result == DIED, "a short ECALL went on");
    if (kind == ORDER_SMASH)
        check(strstr(last_words, "overrun") != NULL, last_words);
    else
        in_the_gap_below(base + image.tcs_offsets[slot] - image.config.thread_stack_size);
}

/* -EPERM: from the TCS whose ECALL has never ended. DIED: from one that was interrupted and is not resumed, since what
 * is entered there is the exception handler. */
static bool is_refusal(long result)
{
    return result == -ESHUTDOWN || result == -EPERM || result == DIED;
}

static void dead_means_dead(uint64_t fault)
{
    resume_anyway = fault != 0;
    map_before = fault;
    long result = go(ORDER_DEATH, fault);
    check(result == (fault ? -ESHUTDOWN : DIED), "the thread that died went on");
    for (time_t start = time(NULL); atomic_load(&threads_inside); usleep(1000))
        check(time(NULL) - start < HANG_SECONDS, "a thread is still inside");
    uint64_t seen = report.progress;
    check(report.failures == 0, report.text[0] ? report.text : "it went on behind the fault");
    for (uint32_t slot = 0; slot < image.layout.tcs_count; slot++)
        check(is_refusal(ecall_run(slot)), "a dead enclave was entered");
    check(report.progress == seen, "something was written by the dead");
    printf("%s\n", last_words);
}

static void well(uint64_t kind)
{
    long result = go(kind, 0);
    if (result != 0)
        fprintf(stderr, "it ended with %ld: %s\n", result, last_words);
    check(result == 0, "it did not end well");
    if (report.failures)
        fail(report.text);
    printf("%lu checks\n", report.checks);
}

static void refused_table(const char *why)
{
    check(go(ORDER_NOTHING, 0) == DIED, why);
    printf("%s: %s\n", why, last_words);
}

static struct cpuid_entry *entry(uint32_t leaf)
{
    for (uint32_t i = 0; i < args.cpuid_count; i++)
        if (args.cpuid[i].leaf == leaf)
            return &args.cpuid[i];
    fail("no such leaf");
    return NULL;
}

/* Each number that the host gives at the start, with what is right for it, as common/protocol.h has it; beside these,
 * 0 is for the default. */
static const struct number {
    const char *name;
    size_t offset, size;
    uint64_t least, most, also;
} numbers[] = {
#define NUMBER(field, least, most, also)                                               \
    {                                                                                  \
#field, offsetof(struct run_args, field), sizeof args.field, least, most, also \
    }
    NUMBER(version, PROTO_VERSION, PROTO_VERSION, PROTO_VERSION),
    NUMBER(workers, 1, PROTO_MAX_WORKERS, 1),
    NUMBER(cpuid_count, 0, PROTO_CPUID_MAX, 0),
    NUMBER(admin_key_size, 0, PROTO_ADMIN_KEY_MAX, 0),
    NUMBER(http_max_header_bytes, 256, 1 << 20, 0),
    NUMBER(http_max_headers, 1, 4096, 0),
    NUMBER(http_max_body_bytes, 1, 1ull << 62, 0),
    NUMBER(http_header_timeout_ms, 1, 86400000, 0),
    NUMBER(http_idle_timeout_ms, 1, 86400000, 0),
    NUMBER(http_request_timeout_ms, 1, 86400000, 0),
    NUMBER(http_min_rate, 1, 1 << 30, UINT32_MAX),
    NUMBER(http_rate_grace_ms, 1, 86400000, 0),
    NUMBER(drain_timeout_ms, 1, 86400000, 0),
    NUMBER(app_memory_max_mib, 1, 4096, 0),
    NUMBER(app_disk_max_mib, 1, PROTO_APP_DISK_MIB_MAX, 0),
    NUMBER(request_client_certificates, 0, 1, 0),
    NUMBER(ratls, 0, 2, 0),
    NUMBER(witness_seconds, 1, PROTO_WITNESS_SECONDS_MAX, 0),
    NUMBER(witness_commits, 1, PROTO_WITNESS_COMMITS_MAX, 0),
    NUMBER(witnesses_size, 0, PROTO_WITNESSES_MAX, 0),
    NUMBER(recover, 0, 1, 0),
    NUMBER(recover_share_count, 0, PROTO_RECOVERY_KEYS_MAX, 0),
    NUMBER(recovery_threshold, 0, PROTO_RECOVERY_KEYS_MAX, 0),
    NUMBER(recovery_count, 0, PROTO_RECOVERY_KEYS_MAX, 0),
    NUMBER(upgrade_rule, 0, PROTO_UPGRADE_SIGNER, 0),
};

static uint64_t random_state;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state >> (random_state & 63);
}

static void try_number(const struct number *n, uint64_t value)
{
    char text[160];
    const struct run_args kept = args;
    if (n->size == 4)
        value = (uint32_t)value;
    memcpy((char *)&args + n->offset, &value, n->size);
    bool strict = n->least == n->most || !strcmp(n->name, "workers");
    bool right = (value >= n->least && value <= n->most) || value == n->also || (value == 0 && !strict);
    snprintf(text, sizeof text, "%s = %lu is accepted", n->name, (unsigned long)value);
    if (!right)
        check(ecall_run(3) == -EINVAL, text);
    args = kept;
}

/* What is out of bounds is refused before anything starts, and the enclave is there for whoever asks rightly. What is
 * in bounds boots it, once: e2e/numbers tries the edges. */
static void lying_numbers(void)
{
    uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%lu\n", (unsigned long)seed);
    random_state = seed * 2654435761u + 1;
    set_args();
    check(backend->ops->prepare_thread(backend) == 0, "prepare");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct number *n = &numbers[i];
        const uint64_t edges[] = {0,           1,          n->least,         n->least - 1, n->most,
                                  n->most + 1, 1ull << 31, (1ull << 31) - 1, UINT32_MAX,   UINT32_MAX - 1ull,
                                  1ull << 32,  1ull << 63, INT64_MAX,        UINT64_MAX};
        for (size_t j = 0; j < sizeof edges / sizeof *edges; j++)
            try_number(n, edges[j]);
        for (int j = 0; j < 200; j++)
            try_number(n, random_number());
    }
    memset(args.san, 'a', sizeof args.san);
    check(ecall_run(3) == -EINVAL, "names without an end are accepted");
    memset(args.san, 0, sizeof args.san);
    const uint64_t pages[] = {base + image.layout.heap_offset, (uint64_t)&time_page + 4, UINT64_MAX - 7, 8,
                              base + image.layout.heap_offset - 8};
    for (size_t j = 0; j < sizeof pages / sizeof *pages; j++) {
        args.time_page = pages[j];
        check(ecall_run(3) == -EINVAL, "a time page that is inside or out of line is accepted");
    }
    check(go(ORDER_NOTHING, 0) != -EINVAL, "what is right is refused");
}

static void cpuid_lie(const char *lie)
{
    args.cpuid_count = cpuid_table_fill(args.cpuid);
    if (!strcmp(lie, "twice")) {
        args.cpuid[args.cpuid_count - 1] = *entry(1);
        args.cpuid[args.cpuid_count - 1].subleaf = 0x12345;
    } else if (!strcmp(lie, "same-twice")) {
        args.cpuid[args.cpuid_count - 1] = *entry(7);
    } else if (!strcmp(lie, "subleaf")) {
        entry(1)->subleaf = 1; /* once, but for a subleaf that it has not */
    } else if (!strcmp(lie, "no-aes")) {
        entry(1)->ecx &= ~(1u << 25);
    } else if (!strcmp(lie, "no-ssse3")) {
        entry(1)->ecx &= ~(1u << 9);
    } else if (!strcmp(lie, "no-fxsr")) {
        entry(1)->edx &= ~(1u << 24);
    } else {
        args.cpuid[0].leaf = 0x40000000;
    }
    refused_table(lie);
}

static void entries_out_of_turn(void)
{
    check(run_on(3, ENTER_ORET, NULL) == -EPERM, "a return from an OCALL that nobody made");
    check(run_on(3, 0x1234, NULL) == -ENOSYS, "an ECALL that there is not");
    uint64_t inside = base + image.layout.heap_offset;
    check(run_on(3, 0, (void *)inside) == -EPERM, "arguments inside the enclave");
    check(run_on(3, 0, (void *)8) == -EPERM, "arguments at address 8");
    check(run_on(3, 0, (void *)-8ll) == -EPERM, "arguments that wrap");
    check(run_on(3, 0, (char *)&report + 4) == -EPERM, "arguments out of line");
}

int main(int argc, char **argv)
{
    check(argc == 3, "usage: probe_host PROBE.signed SCENARIO");
    const char *s = argv[2];
    alarm(5 * HANG_SECONDS);
    garbage = !strcmp(s, "zeroed");
    load(argv[1], strcmp(s, "base") ? ENCLAVE_LOW_GAP : 0);
    static const char *const wheres[] = {"boot", "thread", "compiler", "guest", "exception"};
    for (uint64_t i = 0; i < sizeof wheres / sizeof *wheres; i++)
        if (!strcmp(s, wheres[i])) {
            overflow(ORDER_OVERFLOW, i);
            return 0;
        }
    if (!strcmp(s, "big-frame"))
        overflow(ORDER_BIG_FRAME, ON_THREAD);
    else if (!strcmp(s, "syscalls"))
        well(ORDER_SYSCALLS);
    else if (!strcmp(s, "numbers"))
        lying_numbers();
    else if (!strcmp(s, "zeroed"))
        well(ORDER_ZEROED);
    else if (!strcmp(s, "join"))
        well(ORDER_JOIN);
    else if (!strcmp(s, "dead"))
        dead_means_dead(0);
    else if (!strcmp(s, "resumed"))
        dead_means_dead(ENCLAVE_LOW_GAP - SGX_PAGE_SIZE);
    else if (!strncmp(s, "cpuid-", 6))
        cpuid_lie(s + 6);
    else if (!strcmp(s, "entries")) {
        check(backend->ops->prepare_thread(backend) == 0, "prepare");
        entries_out_of_turn();
    } else if (!strcmp(s, "base")) {
        check(go(ORDER_NOTHING, 0) == DIED, "it runs where address 0 is the host's");
        check(strstr(last_words, "address 0") || !strcmp(last_words, "without a word"), last_words);
    } else if (!strcmp(s, "smash")) {
        check(go(ORDER_SMASH, 0) == DIED && strstr(last_words, "overrun"), "a smashed stack went unnoticed");
    } else if (!strcmp(s, "smash-early")) {
        early(ORDER_SMASH);
    } else if (!strcmp(s, "ecall")) {
        early(ORDER_OVERFLOW);
    } else if (!strcmp(s, "null")) {
        check(go(ORDER_NULL, 8) == DIED && number_after("exception ") == VEC_PF && number_after("address ") == 8,
              "address 8 could be read");
    } else
        fail("no such scenario");
    return 0;
}
