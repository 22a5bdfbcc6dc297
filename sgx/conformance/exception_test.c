/* Asynchronous exits: the SSA frame, what is left outside, and every kind of exception. See main.c. */
#include "sgx/conformance/test_enclave.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>

#include "sgx/emulator/internal.h"

#define RFLAGS_CF 0x1u
#define RFLAGS_DF 0x400u

static uint64_t pattern(unsigned n)
{
    return 0xA5C3000000000000ull | (uint64_t)(n + 1) * 0x0101010101ull;
}

#define GENERAL 16u
#define VECTOR_WORDS (16u * 4u)
#define WIDE_WORDS (32u * 8u + 8u)
#define PATTERNS 1024u

struct registers {
    uint64_t general[GENERAL];
    uint64_t gap[(DATA_YMM - GENERAL * 8) / 8];
    uint64_t vectors[VECTOR_WORDS];
};

/* Patterns from number first on, in the enclave. */
static void put_patterns(struct registers *in, unsigned first)
{
    memset(in, 0, sizeof *in);
    for (unsigned i = 0; i < GENERAL; i++)
        in->general[i] = pattern(first + i);
    for (unsigned i = 0; i < VECTOR_WORDS; i++)
        in->vectors[i] = pattern(first + GENERAL + i);
    te_write(TE_DATA + DATA_IN, in, sizeof *in);
}

static bool is_pattern(uint64_t word)
{
    uint64_t n = (word & 0xffffffffffull) / 0x0101010101ull;
    return n >= 1 && n <= PATTERNS && word == pattern((unsigned)n - 1);
}

/* Where a component of the XSAVE area stands: CPUID 0DH. */
static uint32_t component_offset(unsigned component)
{
    uint32_t size, offset, ecx, edx;
    __cpuid_count(0xd, component, size, offset, ecx, edx);
    return offset;
}

static void check_vectors(uint64_t ssa, const struct registers *in)
{
    uint8_t xsave[SGX_PAGE_SIZE];
    te_read(ssa, xsave, sizeof xsave);
    for (unsigned n = 0; n < 16; n++) {
        CHECK(memcmp(xsave + 160 + 16 * n, in->vectors + 4 * n, 16) == 0);
        CHECK(memcmp(xsave + component_offset(2) + 16 * n, in->vectors + 4 * n + 2, 16) == 0);
    }
}

/* Nothing of the enclave's may stay in registers, or, on the emulator, in the memory of the signal's frame. */
static void check_remains(const struct te_remains *remains)
{
    for (unsigned i = 0; remains && i < sizeof remains->words / sizeof *remains->words; i++)
        CHECK(!is_pattern(remains->words[i]));
    const uint64_t *stack = (const uint64_t *)emu_this_thread;
    for (unsigned i = 0; !te_on_hardware && i < EMU_THREAD_SPAN / 8; i++)
        CHECK(!is_pattern(stack[i]));
}

static void check_frame(unsigned frame, const struct registers *in)
{
    struct sgx_gprsgx gpr = te_gpr(TE_SSA, frame);
    CHECK(memcmp(&gpr, in->general, GENERAL * 8) == 0);
    CHECK(gpr.rip == te_rip(te_ud2));
    CHECK((gpr.rflags & (RFLAGS_CF | RFLAGS_DF)) == (RFLAGS_CF | RFLAGS_DF));
    CHECK(gpr.exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | VEC_UD));
    CHECK(gpr.fsbase == te_at(TE_FS) && gpr.gsbase == te_at(TE_GS));
    check_vectors(TE_SSA + frame * SGX_PAGE_SIZE, in);
}

/* ERESUME behind the UD2: everything is as it was. */
static void resume_and_check(struct te *e, unsigned frame, const struct registers *in)
{
    struct registers back;
    struct enclave_run run;
    te_step_over(TE_SSA, frame, 2);
    CHECK(te_call(e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == 0);
    te_read(TE_DATA + DATA_OUT, &back, sizeof back);
    CHECK(memcmp(back.general, in->general, sizeof back.general) == 0);
    CHECK(memcmp(back.vectors, in->vectors, sizeof back.vectors) == 0);
    CHECK((te_word(TE_DATA + DATA_FLAGS) & (RFLAGS_CF | RFLAGS_DF)) == (RFLAGS_CF | RFLAGS_DF));
}

static void needs_avx(void)
{
    if (!__builtin_cpu_supports("avx"))
        exit(TE_SKIPPED);
}

static void registers(void)
{
    struct te e;
    struct te_exit out;
    struct te_remains remains;
    struct registers in;
    needs_avx();
    te_build(&e, 0);
    put_patterns(&in, 0);
    struct enclave_run run = {.tcs = te_at(TE_TCS)};
    CHECK(te_enter_and_look(e.backend->ops->enter, &run, OP_REGISTERS, &remains) == 0);
    CHECK(run.function == ENCLU_ERESUME && run.exception_vector == VEC_UD);
    check_remains(&remains);
    check_frame(0, &in);
    /* the handler's entry, and then everything as it was */
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, &out, &run) == 0 && out.rdi == 1);
    check_frame(0, &in);
    resume_and_check(&e, 0, &in);
}

/* An exception in the handler, and one in its handler: a frame for each, up to NSSA, and back again. */
static void nested_registers(void)
{
    struct te e;
    struct registers in[3];
    struct enclave_run run;
    needs_avx();
    te_build(&e, 0);
    for (unsigned frame = 0; frame < 3; frame++) {
        put_patterns(&in[frame], frame * 100);
        CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_REGISTERS, 0, 0, NULL, &run) == -EFAULT);
        CHECK(run.function == ENCLU_ERESUME && run.exception_vector == VEC_UD);
        for (unsigned below = 0; below <= frame; below++)
            check_frame(below, &in[below]);
    }
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, NULL, &run) == -EFAULT); /* no frame is left */
    CHECK(run.function == ENCLU_EENTER && run.exception_vector == VEC_GP);
    for (unsigned frame = 3; frame-- > 0;) {
        /* the code of that entry ends with EEXIT by its own frame's URSP: R15 must hold its CSSA when it does */
        struct sgx_gprsgx gpr = te_gpr(TE_SSA, frame);
        if (frame == 0) {
            resume_and_check(&e, 0, &in[0]);
            break;
        }
        gpr.rip = te_at(TE_CODE), gpr.rdi = OP_STATE, gpr.rax = frame, gpr.rcx = te_word(TE_GS + GS_RETURN);
        te_set_gpr(TE_SSA, frame, &gpr);
        CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == 0 && run.function == ENCLU_EEXIT);
    }
}

/* AVX-512: all 32 ZMM registers and the masks, through an exception and back. */
static void wide_registers(void)
{
    struct te e;
    struct enclave_run run;
    uint64_t in[WIDE_WORDS], back[WIDE_WORDS];
    uint8_t xsave[SGX_PAGE_SIZE];
    te_open(&e);
    if ((e.secs.attributes.xfrm & 0xE0) != 0xE0 || !__builtin_cpu_supports("avx512bw"))
        exit(TE_SKIPPED);
    te_finish(&e, 0);
    for (unsigned i = 0; i < WIDE_WORDS; i++)
        in[i] = pattern(i);
    te_write(TE_WIDE_IN, in, sizeof in);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_WIDE, 0, 0, NULL, &run) == -EFAULT);
    CHECK(run.exception_vector == VEC_UD && te_gpr(TE_SSA, 0).rip == te_rip(te_wide_ud2));
    check_remains(NULL);
    te_read(TE_SSA, xsave, sizeof xsave);
    for (unsigned n = 0; n < 16; n++) {
        CHECK(memcmp(xsave + 160 + 16 * n, in + 8 * n, 16) == 0);
        CHECK(memcmp(xsave + component_offset(2) + 16 * n, in + 8 * n + 2, 16) == 0);
        CHECK(memcmp(xsave + component_offset(6) + 32 * n, in + 8 * n + 4, 32) == 0);
        CHECK(memcmp(xsave + component_offset(7) + 64 * n, in + 8 * (16 + n), 64) == 0);
    }
    CHECK(memcmp(xsave + component_offset(5), in + 256, 64) == 0);
    CHECK((te_word(TE_SSA + 512) & ~e.secs.attributes.xfrm) == 0); /* XSTATE_BV */
    te_step_over(TE_SSA, 0, 2);
    CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == 0);
    te_read(TE_WIDE_OUT, back, sizeof back);
    CHECK(memcmp(back, in, sizeof in) == 0);
}

/* What XFRM leaves out is not the enclave's: it is not saved, and using it is not possible on hardware. */
static void xfrm_limits_the_frame(void)
{
    struct te e;
    struct enclave_run run;
    te_open(&e);
    e.secs.attributes.xfrm = SGX_XFRM_LEGACY;
    te_finish(&e, 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_DIVIDE, 0, 0, NULL, &run) == -EFAULT);
    CHECK((te_word(TE_SSA + 512) & ~(uint64_t)SGX_XFRM_LEGACY) == 0);
}

static void illegal_syscall(void)
{
    struct te e;
    struct te_exit out;
    struct enclave_run run;
    te_build(&e, 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_SYSCALL, 0, 0, NULL, &run) == -EFAULT);
    struct sgx_gprsgx gpr = te_gpr(TE_SSA, 0);
    CHECK(run.exception_vector == VEC_UD);
    CHECK(gpr.exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | VEC_UD));
    CHECK(gpr.rip == te_rip(te_syscall) && gpr.rax == 39);
    gpr.rip += 2;
    gpr.rax = 12345; /* the runtime's answer, not the kernel's */
    te_set_gpr(TE_SSA, 0, &gpr);
    CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, &out, &run) == 0 && out.rdi == 12345);
}

/* CPUID is illegal inside. The emulator can make it fault where the CPU can be told to. */
static void illegal_cpuid(void)
{
    struct te e;
    struct te_exit out;
    struct enclave_run run;
    te_build(&e, 0);
    if (!te_on_hardware && !emu.cpuid_faults)
        exit(TE_SKIPPED);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_CPUID, 0, 0, NULL, &run) == -EFAULT);
    struct sgx_gprsgx gpr = te_gpr(TE_SSA, 0);
    CHECK(run.exception_vector == VEC_UD && gpr.rip == te_rip(te_cpuid));
    CHECK(gpr.exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | VEC_UD));
    gpr.rip += 2;
    gpr.rax = 777;
    te_set_gpr(TE_SSA, 0, &gpr);
    uint32_t eax, ebx, ecx, edx;
    __cpuid(0, eax, ebx, ecx, edx); /* legal outside, before and after */
    CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, &out, &run) == 0 && out.rdi == 777);
    __cpuid(0, eax, ebx, ecx, edx);
}

static void divide(void)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_DIVIDE, 0, 0, NULL, &run) == -EFAULT);
    CHECK(run.exception_vector == VEC_DE && te_gpr(TE_SSA, 0).rip == te_rip(te_divide));
    CHECK(te_gpr(TE_SSA, 0).exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | VEC_DE));
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
    CHECK(te_gpr(TE_SSA, 0).exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_SOFTWARE | VEC_BP));
    CHECK(te_gpr(TE_SSA, 0).rip == te_rip(te_int3) + 1); /* a trap */
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

/* Resume into an ordinary exit. */
static void leave_again(struct te *e)
{
    struct enclave_run run;
    struct sgx_gprsgx gpr = te_gpr(TE_SSA, 0);
    gpr.rip = te_at(TE_CODE);
    gpr.rdi = OP_STATE, gpr.rax = 0, gpr.rcx = te_word(TE_GS + GS_RETURN);
    te_set_gpr(TE_SSA, 0, &gpr);
    CHECK(te_call(e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == 0);
}

static void page_faults(uint32_t miscselect)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, miscselect);
    if (e.secs.miscselect != miscselect)
        exit(TE_SKIPPED); /* the CPU has no EXINFO */
    const uint64_t exinfo_offset = TE_SSA + SGX_PAGE_SIZE - sizeof(struct sgx_gprsgx) - sizeof(struct sgx_exinfo);
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) {
        uint64_t address = te_at(faults[i].address);
        struct sgx_exinfo exinfo;
        memset(&exinfo, 0xee, sizeof exinfo);
        te_write(exinfo_offset, &exinfo, sizeof exinfo);
        CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, faults[i].op, address, 0, NULL, &run) == -EFAULT);
        CHECK(run.exception_vector == VEC_PF && run.exception_addr == (address & ~0xfffull));
        struct sgx_gprsgx gpr = te_gpr(TE_SSA, 0);
        exinfo = te_exinfo(TE_SSA, 0);
        if (miscselect) {
            CHECK(gpr.exitinfo == (EXITINFO_VALID | EXITINFO_TYPE_HARDWARE | VEC_PF));
            CHECK(exinfo.maddr == address && (exinfo.errcd & faults[i].mask) == faults[i].bits);
        } else {
            CHECK(gpr.exitinfo == 0 && exinfo.maddr == 0xeeeeeeeeeeeeeeee);
        }
        CHECK(gpr.rip == (faults[i].op == OP_LOAD    ? te_rip(te_load)
                          : faults[i].op == OP_STORE ? te_rip(te_store)
                                                     : address));
        leave_again(&e);
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
    static const uint8_t enclu[8] = {0x0f, 0x01, 0xd7};
    struct te e;
    struct enclave_run run;
    te_build(&e, SGX_MISC_EXINFO);
    te_write(TE_DATA + 0x40, enclu, sizeof enclu);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_JUMP, te_at(TE_DATA + 0x40), 0, NULL, &run) == -EFAULT);
    CHECK(run.exception_vector == VEC_PF);
    CHECK(te_gpr(TE_SSA, 0).rip == te_at(TE_DATA + 0x40));
}

/* A fault in the last byte before a hole: the emulator must not read beyond it. */
static void fault_at_the_edge(void)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, SGX_MISC_EXINFO);
    uint64_t edge = te_at(TE_EDGE) + SGX_PAGE_SIZE - 1;
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_JUMP, edge, 0, NULL, &run) == -EFAULT);
    CHECK(run.exception_vector == VEC_GP && te_gpr(TE_SSA, 0).rip == edge);
}

/* A jump out of ELRANGE without EEXIT: the enclave stops there, and is not taken for the host. */
static void jump_outside(void)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_JUMP, (uint64_t)te_host_ud2, 0, NULL, &run) == -EFAULT);
    CHECK(te_gpr(TE_SSA, 0).rip == (uint64_t)te_host_ud2);
}

const struct te_case te_exception_cases[] = {
    {"registers", registers, false},
    {"nested_registers", nested_registers, false},
    {"wide_registers", wide_registers, false},
    {"xfrm_limits_the_frame", xfrm_limits_the_frame, false},
    {"illegal_syscall", illegal_syscall, false},
    {"illegal_cpuid", illegal_cpuid, false},
    {"divide", divide, false},
    {"breakpoint", breakpoint, true}, /* #BP reaches the host as a signal on hardware */
    {"page_faults_with_exinfo", page_faults_with_exinfo, false},
    {"page_faults_without_exinfo", page_faults_without_exinfo, false},
    {"code_must_be_executable", code_must_be_executable, false},
    {"fault_at_the_edge", fault_at_the_edge, false},
    {"jump_outside", jump_outside, false},
    {NULL, NULL, false},
};
