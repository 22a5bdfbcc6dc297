/* Asynchronous exits: the SSA frame, what is left outside, and every kind of exception. See emulator_test.c. */
#include "sgx/emulator/test_enclave.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>

#include "sgx/emulator/emu.h"

#define RFLAGS_CF 0x1u
#define RFLAGS_DF 0x400u

static uint64_t pattern(unsigned n)
{
    return 0xA5C3000000000000ull | (uint64_t)(n + 1) * 0x0101010101ull;
}

#define GENERAL 16u
#define VECTOR_WORDS (16u * 4u)

static void put_patterns(uint64_t *in)
{
    for (unsigned i = 0; i < GENERAL; i++)
        in[i] = pattern(i);
    for (unsigned i = 0; i < VECTOR_WORDS; i++)
        in[DATA_YMM / 8 + i] = pattern(GENERAL + i);
}

static bool is_pattern(uint64_t word)
{
    for (unsigned i = 0; i < GENERAL + VECTOR_WORDS; i++)
        if (word == pattern(i))
            return true;
    return false;
}

static void check_vectors(const uint8_t *xsave)
{
    uint32_t a, upper_offset, c, d;
    __cpuid_count(0xd, 2, a, upper_offset, c, d);
    for (unsigned n = 0; n < 16; n++) {
        uint64_t low[2], high[2];
        memcpy(low, xsave + 160 + 16 * n, 16);
        memcpy(high, xsave + upper_offset + 16 * n, 16);
        for (unsigned i = 0; i < 2; i++) {
            CHECK(low[i] == pattern(GENERAL + 4 * n + i));
            CHECK(high[i] == pattern(GENERAL + 4 * n + 2 + i));
        }
    }
}

/* Nothing of the enclave's may stay in registers, or in the memory of the signal's frame. */
static void check_remains(const struct te_remains *remains)
{
    for (unsigned i = 0; i < sizeof remains->words / sizeof *remains->words; i++)
        CHECK(!is_pattern(remains->words[i]));
    const uint64_t *stack = (const uint64_t *)emu_this_thread;
    for (unsigned i = 0; i < EMU_THREAD_SPAN / 8; i++)
        CHECK(!is_pattern(stack[i]));
}

static void registers(void)
{
    struct te e;
    struct te_exit out;
    struct te_remains remains;
    if (!__builtin_cpu_supports("avx"))
        return;
    te_build(&e, 0);
    uint64_t *in = te_at(TE_DATA + DATA_IN), *back = te_at(TE_DATA + DATA_OUT);
    put_patterns(in);
    struct enclave_run run = {.tcs = (uint64_t)te_at(TE_TCS)};
    CHECK(te_enter_and_look(e.backend->ops->enter, &run, OP_REGISTERS, &remains) == 0);
    CHECK(run.function == ENCLU_ERESUME && run.exception_vector == VEC_UD);
    check_remains(&remains);

    struct sgx_gprsgx *gpr = te_gpr(TE_SSA, 0);
    CHECK(memcmp(gpr, in, GENERAL * 8) == 0);
    CHECK(gpr->rip == te_rip(te_ud2));
    CHECK((gpr->rflags & (RFLAGS_CF | RFLAGS_DF)) == (RFLAGS_CF | RFLAGS_DF));
    CHECK(gpr->exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | VEC_UD));
    CHECK(gpr->fsbase == (uint64_t)te_at(TE_FS) && gpr->gsbase == (uint64_t)te_at(TE_GS));
    check_vectors(te_at(TE_SSA));

    /* the handler's entry, and then everything as it was */
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, &out, &run) == 0 && out.rdi == 1);
    CHECK(memcmp(gpr, in, GENERAL * 8) == 0);
    gpr->rip += 2;
    CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == 0);
    CHECK(memcmp(back, in, GENERAL * 8) == 0);
    CHECK(memcmp((uint8_t *)back + DATA_YMM, (uint8_t *)in + DATA_YMM, VECTOR_WORDS * 8) == 0);
    uint64_t flags = *(uint64_t *)te_at(TE_DATA + DATA_FLAGS);
    CHECK((flags & (RFLAGS_CF | RFLAGS_DF)) == (RFLAGS_CF | RFLAGS_DF));
}

static void illegal_syscall(void)
{
    struct te e;
    struct te_exit out;
    struct enclave_run run;
    te_build(&e, 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_SYSCALL, 0, 0, NULL, &run) == -EFAULT);
    struct sgx_gprsgx *gpr = te_gpr(TE_SSA, 0);
    CHECK(run.exception_vector == VEC_UD);
    CHECK(gpr->exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | VEC_UD));
    CHECK(gpr->rip == te_rip(te_syscall) && gpr->rax == 39);
    gpr->rip += 2;
    gpr->rax = 12345; /* the runtime's answer, not the kernel's */
    CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, &out, &run) == 0 && out.rdi == 12345);
}

static void divide(void)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_DIVIDE, 0, 0, NULL, &run) == -EFAULT);
    CHECK(run.exception_vector == VEC_DE && te_gpr(TE_SSA, 0)->rip == te_rip(te_divide));
    CHECK(te_gpr(TE_SSA, 0)->exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | VEC_DE));
    /* not repaired: the same again, in the same frame */
    CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == -EFAULT);
    CHECK(run.function == ENCLU_ERESUME && run.exception_vector == VEC_DE);
}

static void breakpoint(void)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_INT3, 0, 0, NULL, &run) == -EFAULT);
    CHECK(run.exception_vector == VEC_BP);
    CHECK(te_gpr(TE_SSA, 0)->exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_SOFTWARE | VEC_BP));
    CHECK(te_gpr(TE_SSA, 0)->rip == te_rip(te_int3) + 1); /* a trap */
    CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == 0);
}

static const struct {
    uint64_t op, address;
    uint32_t bits, mask; /* of the error code */
} faults[] = {
    {OP_STORE, TE_READONLY + 0x123, PF_PRESENT | PF_WRITE | PF_USER, 0x17},
    {OP_STORE, TE_CODE + 0x10, PF_PRESENT | PF_WRITE | PF_USER, 0x17},
    {OP_LOAD, TE_TCS + 8, PF_USER, PF_WRITE | PF_USER | PF_FETCH},
    {OP_STORE, TE_TCS2, PF_WRITE | PF_USER, PF_WRITE | PF_USER | PF_FETCH},
    {OP_LOAD, TE_HOLE + 0x777, PF_USER, PF_WRITE | PF_USER | PF_FETCH},
    {OP_JUMP, TE_DATA + 0x40, PF_USER | PF_FETCH, PF_WRITE | PF_USER | PF_FETCH},
    {OP_JUMP, TE_READONLY, PF_USER | PF_FETCH, PF_WRITE | PF_USER | PF_FETCH},
};

static void page_faults(uint32_t miscselect)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, miscselect);
    struct sgx_gprsgx *gpr = te_gpr(TE_SSA, 0);
    struct sgx_exinfo *exinfo = (struct sgx_exinfo *)gpr - 1;
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) {
        uint64_t address = (uint64_t)te_at(faults[i].address);
        memset(exinfo, 0xee, sizeof *exinfo);
        CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, faults[i].op, address, 0, NULL, &run) == -EFAULT);
        CHECK(run.exception_vector == VEC_PF && run.exception_addr == (address & ~0xfffull));
        if (miscselect) {
            CHECK(gpr->exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | VEC_PF));
            CHECK(exinfo->maddr == address && (exinfo->errcd & faults[i].mask) == faults[i].bits);
        } else {
            CHECK(gpr->exitinfo == 0 && exinfo->maddr == 0xeeeeeeeeeeeeeeee);
        }
        CHECK(gpr->rip == (faults[i].op == OP_LOAD    ? te_rip(te_load)
                           : faults[i].op == OP_STORE ? te_rip(te_store)
                                                      : address));
        gpr->rip = (uint64_t)te_at(TE_CODE); /* resume into an ordinary exit */
        gpr->rdi = OP_STATE, gpr->rax = 0, gpr->rcx = *(uint64_t *)te_at(TE_GS + GS_RETURN);
        CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == 0);
    }
}

static void page_faults_with_exinfo(void)
{
    page_faults(SGX_MISC_EXINFO);
}

static void page_faults_without_exinfo(void)
{
    page_faults(0);
}

/* ENCLU's bytes on a page without X are data: fetching them faults, and no leaf runs. */
static void code_must_be_executable(void)
{
    static const uint8_t enclu[3] = {0x0f, 0x01, 0xd7};
    struct te e;
    struct enclave_run run;
    te_build(&e, SGX_MISC_EXINFO);
    memcpy(te_at(TE_DATA + 0x40), enclu, 3);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_JUMP, (uint64_t)te_at(TE_DATA + 0x40), 0, NULL, &run) == -EFAULT);
    CHECK(run.exception_vector == VEC_PF);
    CHECK(te_gpr(TE_SSA, 0)->rip == (uint64_t)te_at(TE_DATA + 0x40));
}

/* A fault in the last byte before a hole: the emulator must not read beyond it. */
static void fault_at_the_edge(void)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, SGX_MISC_EXINFO);
    uint64_t edge = (uint64_t)te_at(TE_EDGE) + SGX_PAGE_SIZE - 1;
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_JUMP, edge, 0, NULL, &run) == -EFAULT);
    CHECK(run.exception_vector == VEC_GP && te_gpr(TE_SSA, 0)->rip == edge);
}

/* A jump out of ELRANGE without EEXIT: the enclave stops there, and is not taken for the host. */
static void jump_outside(void)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_JUMP, (uint64_t)te_host_ud2, 0, NULL, &run) == -EFAULT);
    CHECK(te_gpr(TE_SSA, 0)->rip == (uint64_t)te_host_ud2);
}

const struct te_case te_exception_cases[] = {
    {"registers", registers},
    {"illegal_syscall", illegal_syscall},
    {"divide", divide},
    {"breakpoint", breakpoint},
    {"page_faults_with_exinfo", page_faults_with_exinfo},
    {"page_faults_without_exinfo", page_faults_without_exinfo},
    {"code_must_be_executable", code_must_be_executable},
    {"fault_at_the_edge", fault_at_the_edge},
    {"jump_outside", jump_outside},
    {NULL, NULL},
};
