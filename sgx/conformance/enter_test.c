/* EENTER, EEXIT and ERESUME: state and refusals. The table of rules is in main.c. */
#include "sgx/conformance/test_enclave.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "sgx/emulator/internal.h"

static void refused_with(struct te *e, uint64_t tcs, unsigned function, unsigned vector)
{
    struct enclave_run run;
    CHECK(te_call(e, tcs, function, OP_STATE, 0, 0, NULL, &run) == -EFAULT);
    CHECK(run.function == function && run.exception_vector == vector);
    CHECK(run.exception_vector != VEC_PF || run.exception_addr == te_at(tcs));
}

static void refused(struct te *e, uint64_t tcs, unsigned function)
{
    refused_with(e, tcs, function, VEC_GP);
}

static void enter_state(void)
{
    struct te e;
    struct te_exit out;
    struct enclave_run run;
    te_build(&e, 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, &out, &run) == 0);
    CHECK(run.function == ENCLU_EEXIT);
    CHECK(out.rdi == 0); /* CSSA */
    CHECK(out.rsi == te_at(TE_TCS));
    CHECK(out.rdx - te_at(0) >= TE_SIZE); /* the return address is outside */
    CHECK(out.r8 == te_at(TE_FS) && out.r9 == te_at(TE_GS));
    CHECK(te_call(&e, TE_TCS2, ENCLU_EENTER, OP_STATE, 0, 0, &out, &run) == 0);
    CHECK(out.rsi == te_at(TE_TCS2) && out.r8 == te_at(TE_GS2));
    /* the thread's own bases are back: thread-local storage works, or this test would be gone by now */
    CHECK(te_on_hardware || emu_this_thread != NULL);
}

static void enter_refuses(void)
{
    struct te e;
    te_build(&e, 0);
    refused_with(&e, TE_DATA, ENCLU_EENTER, VEC_PF); /* a page, but not a TCS */
    refused_with(&e, TE_HOLE, ENCLU_EENTER, VEC_PF);
    refused_with(&e, TE_SIZE, ENCLU_EENTER, VEC_PF);
    refused(&e, TE_TCS + 8, ENCLU_EENTER);
    refused(&e, TE_TCS, ENCLU_ERESUME); /* CSSA is 0 */
    struct enclave_run run;
    CHECK(te_call(&e, TE_TCS, ENCLU_EEXIT, 0, 0, 0, NULL, &run) == -EINVAL);
    CHECK(te_call(&e, TE_TCS, ENCLU_EREPORT, 0, 0, 0, NULL, &run) == -EINVAL);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, NULL, &run) == 0);
}

/* An SSA that was never added, or is read-only, refuses entry: the CPU could not save registers. */
static void enter_needs_ssa(void)
{
    const uint64_t bad[] = {TE_HOLE, TE_READONLY, TE_TCS2, TE_CODE};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct te e;
        struct sgx_sigstruct s;
        te_open(&e);
        struct sgx_tcs *tcs = (struct sgx_tcs *)e.pages[2].content;
        CHECK(e.pages[2].offset == TE_TCS);
        tcs->ossa = bad[i];
        te_add_all(&e, 0);
        te_sign(&e, 0, 0, false, &s);
        CHECK(e.backend->ops->init(e.backend, &s, e.error, sizeof e.error) == 0);
        CHECK(e.backend->ops->prepare_thread(e.backend) == 0);
        struct enclave_run run;
        CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, NULL, &run) == -EFAULT);
        CHECK(run.function == ENCLU_EENTER && run.exception_vector == VEC_PF);
        CHECK(run.exception_addr == te_at(bad[i]));
        e.backend->ops->destroy(e.backend);
    }
}

struct spinner {
    struct te *e;
    _Atomic uint32_t words[2];
};

static void *spin(void *argument)
{
    struct spinner *s = argument;
    struct enclave_run run;
    CHECK(s->e->backend->ops->prepare_thread(s->e->backend) == 0);
    CHECK(te_call(s->e, TE_TCS, ENCLU_EENTER, OP_SPIN, (uint64_t)s->words, 0, NULL, &run) == 0);
    return NULL;
}

static void busy_tcs(void)
{
    struct te e;
    struct enclave_run run;
    pthread_t thread;
    te_build(&e, 0);
    struct spinner s = {.e = &e};
    CHECK(pthread_create(&thread, NULL, spin, &s) == 0);
    while (!atomic_load(&s.words[1]))
        sched_yield();
    refused(&e, TE_TCS, ENCLU_EENTER);
    refused(&e, TE_TCS, ENCLU_ERESUME);
    CHECK(te_call(&e, TE_TCS2, ENCLU_EENTER, OP_STATE, 0, 0, NULL, &run) == 0); /* another is free */
    atomic_store(&s.words[0], 1);
    pthread_join(thread, NULL);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, NULL, &run) == 0);
}

static void exit_stays_outside(void)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, SGX_MISC_EXINFO);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_EXIT_TO, te_at(TE_CODE), 0, NULL, &run) == -EFAULT);
    CHECK(run.exception_vector == VEC_GP);
    CHECK(te_gpr(TE_SSA, 0).rip == te_rip(te_exit_to));
}

/* Leaves that enter, or that do not exist, fault inside. */
static void no_entering_inside(void)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, 0);
    const uint64_t leaves[] = {ENCLU_EENTER, ENCLU_ERESUME, 99};
    for (unsigned i = 0; i < 3; i++) {
        CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_LEAF, leaves[i], 0, NULL, &run) == -EFAULT);
        CHECK(run.exception_vector == VEC_GP && te_gpr(TE_SSA, i).rip == te_rip(te_leaf));
    }
    refused(&e, TE_TCS, ENCLU_EENTER);
}

static void nested(void)
{
    struct te e;
    struct te_exit out;
    struct enclave_run run;
    te_build(&e, 0);
    for (unsigned cssa = 0; cssa < 3; cssa++) {
        CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, &out, &run) == 0);
        CHECK(out.rdi == cssa);
        CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_DIVIDE, 0, 0, NULL, &run) == -EFAULT);
        CHECK(te_gpr(TE_SSA, cssa).rip == te_rip(te_divide));
    }
    refused(&e, TE_TCS, ENCLU_EENTER); /* NSSA frames are in use */
    for (unsigned cssa = 3; cssa-- > 0;) {
        te_step_over(TE_SSA, cssa, 2); /* behind DIV */
        CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == 0);
    }
    refused(&e, TE_TCS, ENCLU_ERESUME);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, &out, &run) == 0 && out.rdi == 0);
}

static void resume_checks_xsave(void)
{
    struct te e;
    struct enclave_run run;
    te_build(&e, 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_DIVIDE, 0, 0, NULL, &run) == -EFAULT);
    te_step_over(TE_SSA, 0, 2);
    const struct {
        unsigned at;
        uint8_t bits;
    } bad[] = {{512 + 7, 0x80}, {512 + 1, 0x01}, {520 + 7, 0x80}, {528, 1}, {575, 1}, {24 + 2, 1}};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t good = te_word(TE_SSA + bad[i].at / 8 * 8), broken = good ^ (uint64_t)bad[i].bits << bad[i].at % 8 * 8;
        te_write(TE_SSA + bad[i].at / 8 * 8, &broken, 8);
        refused(&e, TE_TCS, ENCLU_ERESUME);
        te_write(TE_SSA + bad[i].at / 8 * 8, &good, 8);
    }
    CHECK(te_call(&e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == 0);
}

const struct te_case te_enter_cases[] = {
    {"enter_state", enter_state, false},
    {"enter_refuses", enter_refuses, false},
    {"enter_needs_ssa", enter_needs_ssa, false},
    {"busy_tcs", busy_tcs, false},
    {"exit_stays_outside", exit_stays_outside, false},
    {"no_entering_inside", no_entering_inside, false},
    {"nested", nested, false},
    {"resume_checks_xsave", resume_checks_xsave, false},
    {NULL, NULL, false},
};
