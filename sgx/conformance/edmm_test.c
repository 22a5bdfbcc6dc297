/* Pages that change while the enclave runs: EAUG, EACCEPT, EACCEPTCOPY, EMODPE, EMODPR, EMODT, EREMOVE. See main.c. */
#include "sgx/conformance/test_enclave.h"

#include <errno.h>
#include <string.h>

#define SECINFO te_at(TE_DATA + DATA_A)
#define REG SECINFO_TYPE(PT_REG)
#define R SECINFO_R
#define W SECINFO_W
#define X SECINFO_X
#define FRESH (REG | R | W | SECINFO_PENDING)

static void build(struct te *e)
{
    te_build(e, SGX_MISC_EXINFO);
    if (!e->backend->edmm)
        exit(TE_SKIPPED);
}

static uint64_t page(unsigned n)
{
    return TE_GROWTH + n * SGX_PAGE_SIZE;
}

static void put_secinfo(uint64_t flags)
{
    const struct sgx_secinfo s = {.flags = flags};
    te_write(TE_DATA + DATA_A, &s, sizeof s);
}

/* EACCEPT, whose SGX code comes back, or -vector. */
static int accept(struct te *e, uint64_t flags, uint64_t offset)
{
    struct te_exit out;
    put_secinfo(flags);
    unsigned vector = te_leaf_call(e, ENCLU_EACCEPT, SECINFO, te_at(offset), 0, &out);
    CHECK(vector || out.rsi == (out.rdi != SGX_SUCCESS)); /* ZF */
    return vector ? -(int)vector : (int)out.rdi;
}

static int extend(struct te *e, uint64_t flags, uint64_t offset)
{
    put_secinfo(flags);
    return -(int)te_leaf_call(e, ENCLU_EMODPE, SECINFO, te_at(offset), 0, NULL);
}

static int accept_copy(struct te *e, uint64_t flags, uint64_t offset, uint64_t source)
{
    struct te_exit out;
    put_secinfo(flags);
    unsigned vector = te_leaf_call(e, ENCLU_EACCEPTCOPY, SECINFO, te_at(offset), te_at(source), &out);
    return vector ? -(int)vector : (int)out.rdi;
}

/* Does this access, made inside, work? If not it must be a page fault at that page. */
static bool works(struct te *e, uint64_t op, uint64_t offset)
{
    struct enclave_run run;
    if (te_call(e, TE_TCS, ENCLU_EENTER, op, te_at(offset), 0x1234, NULL, &run) == 0)
        return true;
    CHECK(run.exception_vector == VEC_PF && run.exception_addr == (te_at(offset) & ~0xfffull));
    struct sgx_gprsgx gpr = te_gpr(TE_SSA, 0);
    gpr.rip = te_at(TE_CODE), gpr.rdi = OP_STATE, gpr.rax = 0, gpr.rcx = te_word(TE_GS + GS_RETURN);
    te_set_gpr(TE_SSA, 0, &gpr);
    CHECK(te_call(e, TE_TCS, ENCLU_ERESUME, 0, 0, 0, NULL, &run) == 0);
    return false;
}

static int restrict_to(struct te *e, uint64_t offset, uint32_t permissions, uint64_t *sgx)
{
    return e->backend->ops->restrict_permissions(e->backend, offset, SGX_PAGE_SIZE, permissions, sgx);
}

static int retype(struct te *e, uint64_t offset, enum sgx_page_type type, uint64_t *sgx)
{
    return e->backend->ops->modify_type(e->backend, offset, SGX_PAGE_SIZE, type, sgx);
}

/* ---- growing --------------------------------------------------------------------------------------------------- */

static void pages_are_added_and_accepted(void)
{
    struct te e;
    build(&e);
    CHECK(accept(&e, FRESH, page(0)) == SGX_SUCCESS);
    CHECK(te_word(page(0)) == 0 && te_word(page(1) - 8) == 0);
    CHECK(works(&e, OP_LOAD, page(0)) && works(&e, OP_STORE, page(0) + 64) && te_word(page(0) + 64) == 0x1234);
    CHECK(!works(&e, OP_JUMP, page(0)));                               /* EAUG gives R and W */
    CHECK(accept(&e, FRESH, page(0)) == SGX_PAGE_ATTRIBUTES_MISMATCH); /* once */
    CHECK(te_word(page(0) + 64) == 0x1234);
    CHECK(!works(&e, OP_LOAD, page(1))); /* one that was never accepted */
    CHECK(accept(&e, FRESH, page(1)) == SGX_SUCCESS && works(&e, OP_STORE, page(1)));
}

static void accept_compares_everything(void)
{
    struct te e;
    build(&e);
    const uint64_t other[] = {FRESH | X, FRESH & ~(uint64_t)W, REG | R | W | SECINFO_PR, FRESH | SECINFO_PR};
    for (unsigned i = 0; i < sizeof other / sizeof *other; i++)
        CHECK(accept(&e, other[i], page(0)) == SGX_PAGE_ATTRIBUTES_MISMATCH);
    CHECK(!works(&e, OP_LOAD, page(0))); /* still pending */
    CHECK(accept(&e, FRESH, page(0)) == SGX_SUCCESS);
    CHECK(accept(&e, FRESH, TE_DATA) == SGX_PAGE_ATTRIBUTES_MISMATCH); /* a page from EADD */
}

static void accept_operands(void)
{
    struct te e;
    struct te_exit out;
    static _Alignas(64) struct sgx_secinfo outside = {.flags = FRESH};
    build(&e);
    put_secinfo(FRESH);
    const struct {
        uint64_t rbx, rcx;
        unsigned vector;
    } operands[] = {{SECINFO + 8, te_at(page(0)), VEC_GP},         {(uint64_t)&outside, te_at(page(0)), VEC_GP},
                    {SECINFO, te_at(page(0)) + 8, VEC_GP},         {SECINFO, te_at(TE_SIZE), VEC_GP},
                    {SECINFO, (uint64_t)&outside & -4096, VEC_GP}, {te_at(TE_HOLE), te_at(page(0)), VEC_PF},
                    {te_at(TE_TCS), te_at(page(0)), VEC_PF},       {SECINFO, te_at(TE_HOLE), VEC_PF}};
    for (unsigned i = 0; i < sizeof operands / sizeof *operands; i++)
        CHECK(te_leaf_call(&e, ENCLU_EACCEPT, operands[i].rbx, operands[i].rcx, 0, &out) == operands[i].vector);
    const uint64_t senseless[] = {
        REG | R | W,                             /* no mark */
        REG | R | SECINFO_MODIFIED,              /* a regular page's type does not change to that */
        SECINFO_TYPE(PT_TRIM) | SECINFO_PENDING, /* and the reverse */
        SECINFO_TYPE(PT_TCS) | SECINFO_PR,
        SECINFO_TYPE(PT_SECS) | SECINFO_MODIFIED,
        FRESH | 0x40, /* reserved */
        FRESH | 1ull << 40,
    };
    for (unsigned i = 0; i < sizeof senseless / sizeof *senseless; i++)
        CHECK(accept(&e, senseless[i], page(0)) == -VEC_GP);
    struct sgx_secinfo s = {.flags = FRESH};
    s.reserved[55] = 1;
    te_write(TE_DATA + DATA_A, &s, sizeof s);
    CHECK(te_leaf_call(&e, ENCLU_EACCEPT, SECINFO, te_at(page(0)), 0, &out) == VEC_GP);
}

static void accept_copy_fills(void)
{
    struct te e;
    build(&e);
    uint8_t content[SGX_PAGE_SIZE], back[SGX_PAGE_SIZE];
    memset(content, 0x77, sizeof content);
    te_write(TE_WIDE_IN, content, sizeof content);
    CHECK(accept_copy(&e, REG | R | X, page(0), TE_WIDE_IN) == SGX_SUCCESS);
    te_read(page(0), back, sizeof back);
    CHECK(memcmp(content, back, sizeof content) == 0);
    CHECK(works(&e, OP_STORE, page(0))); /* EAUG's R and W stay, X comes to it */
    CHECK(accept_copy(&e, REG | R, page(0), TE_WIDE_IN) == SGX_PAGE_ATTRIBUTES_MISMATCH);
    CHECK(te_word(page(0)) == 0x1234);
    CHECK(accept_copy(&e, REG | W, page(1), TE_WIDE_IN) == -VEC_GP);
    CHECK(accept_copy(&e, SECINFO_TYPE(PT_TCS), page(1), TE_WIDE_IN) == -VEC_GP);
    CHECK(accept_copy(&e, REG | R | SECINFO_PENDING, page(1), TE_WIDE_IN) == -VEC_GP);
    CHECK(accept_copy(&e, REG | R, page(1) + 8, TE_WIDE_IN) == -VEC_GP);
    CHECK(accept_copy(&e, REG | R, page(1), TE_WIDE_IN + 8) == -VEC_GP);
    CHECK(accept_copy(&e, REG | R, page(1), TE_HOLE) == -VEC_PF);
    CHECK(accept_copy(&e, REG | R, TE_HOLE, TE_WIDE_IN) == -VEC_PF);
}

/* ---- permissions ----------------------------------------------------------------------------------------------- */

static void permissions_are_cut_and_extended(void)
{
    struct te e;
    uint64_t sgx;
    build(&e);
    CHECK(works(&e, OP_STORE, TE_WIDE_IN));
    CHECK(restrict_to(&e, TE_WIDE_IN, R, &sgx) == 0 && sgx == 0);
    CHECK(!works(&e, OP_STORE, TE_WIDE_IN) && works(&e, OP_LOAD, TE_WIDE_IN));               /* at once */
    CHECK(accept(&e, REG | R | W | SECINFO_PR, TE_WIDE_IN) == SGX_PAGE_ATTRIBUTES_MISMATCH); /* the host lied */
    CHECK(accept(&e, REG | R | SECINFO_PR, TE_WIDE_IN) == SGX_SUCCESS);
    CHECK(accept(&e, REG | R | SECINFO_PR, TE_WIDE_IN) == SGX_PAGE_ATTRIBUTES_MISMATCH); /* nothing waits */
    CHECK(extend(&e, REG | R | W, TE_WIDE_IN) == 0);
    CHECK(works(&e, OP_STORE, TE_WIDE_IN));
    /* EMODPR only takes away: what is asked for beyond is not given */
    CHECK(restrict_to(&e, TE_WIDE_OUT, R | W | X, &sgx) == 0);
    CHECK(accept(&e, REG | R | W | X | SECINFO_PR, TE_WIDE_OUT) == SGX_PAGE_ATTRIBUTES_MISMATCH);
    CHECK(accept(&e, REG | R | W | SECINFO_PR, TE_WIDE_OUT) == SGX_SUCCESS);
    CHECK(!works(&e, OP_JUMP, TE_WIDE_OUT));
}

static void restricting_is_refused(void)
{
    struct te e;
    uint64_t sgx;
    build(&e);
    CHECK(restrict_to(&e, TE_TCS, R, &sgx) == -EINVAL);
    CHECK(restrict_to(&e, TE_HOLE, R, &sgx) == -EFAULT);
    CHECK(restrict_to(&e, TE_DATA, W, &sgx) == -EINVAL);
    CHECK(restrict_to(&e, TE_DATA, 8, &sgx) == -EINVAL);
    CHECK(restrict_to(&e, TE_DATA + 8, R, &sgx) == -EINVAL);
    CHECK(restrict_to(&e, TE_SIZE, R, &sgx) == -EINVAL);
    /* a page that waits for EACCEPT: looking at it with a SECINFO that does not fit has added it */
    CHECK(accept(&e, FRESH | X, page(0)) == SGX_PAGE_ATTRIBUTES_MISMATCH);
    CHECK(restrict_to(&e, page(0), R, &sgx) == -EFAULT && sgx == SGX_PAGE_NOT_MODIFIABLE);
}

static void extending_is_refused(void)
{
    struct te e;
    build(&e);
    static _Alignas(64) struct sgx_secinfo outside = {.flags = REG | R};
    CHECK(extend(&e, REG | R, TE_DATA + 8) == -VEC_GP);
    CHECK(extend(&e, REG | R, TE_SIZE) == -VEC_GP);
    CHECK(extend(&e, REG | R | 1ull << 40, TE_WIDE_IN) == -VEC_GP);
    CHECK(extend(&e, REG | R, TE_TCS) == -VEC_PF);
    CHECK(extend(&e, REG | R, TE_HOLE) == -VEC_PF);
    CHECK(te_leaf_call(&e, ENCLU_EMODPE, SECINFO + 8, te_at(TE_WIDE_IN), 0, NULL) == VEC_GP);
    CHECK(te_leaf_call(&e, ENCLU_EMODPE, (uint64_t)&outside, te_at(TE_WIDE_IN), 0, NULL) == VEC_GP);
    CHECK(accept(&e, FRESH | X, page(0)) == SGX_PAGE_ATTRIBUTES_MISMATCH); /* pending now */
    CHECK(extend(&e, REG | R | W, page(0)) == -VEC_PF);
}

/* ---- types ----------------------------------------------------------------------------------------------------- */

static void pages_are_trimmed_and_removed(void)
{
    struct te e;
    uint64_t sgx;
    build(&e);
    CHECK(accept(&e, FRESH, page(0)) == SGX_SUCCESS && works(&e, OP_STORE, page(0)));
    CHECK(e.backend->ops->remove_pages(e.backend, page(0), SGX_PAGE_SIZE) == -EPERM); /* not trimmed */
    CHECK(retype(&e, page(0), PT_TRIM, &sgx) == 0);
    CHECK(!works(&e, OP_LOAD, page(0)));
    CHECK(e.backend->ops->remove_pages(e.backend, page(0), SGX_PAGE_SIZE) == -EPERM); /* not accepted */
    CHECK(retype(&e, page(0), PT_TRIM, &sgx) < 0);
    CHECK(accept(&e, FRESH, page(0)) == SGX_PAGE_ATTRIBUTES_MISMATCH);
    CHECK(accept(&e, SECINFO_TYPE(PT_TRIM) | SECINFO_MODIFIED, page(0)) == SGX_SUCCESS);
    CHECK(!works(&e, OP_LOAD, page(0)));
    CHECK(e.backend->ops->remove_pages(e.backend, page(0), SGX_PAGE_SIZE) == 0);
    CHECK(!works(&e, OP_LOAD, page(0)));
    CHECK(accept(&e, FRESH, page(0)) == SGX_SUCCESS); /* there may be one again, and it is empty */
    CHECK(te_word(page(0)) == 0 && works(&e, OP_LOAD, page(0)));
}

static void a_new_tcs(void)
{
    struct te e;
    struct te_exit out;
    struct enclave_run run;
    uint64_t sgx;
    build(&e);
    struct sgx_tcs tcs = {.ossa = page(1), .nssa = 1, .ofsbase = TE_GS2, .ogsbase = TE_GS2};
    CHECK(accept(&e, FRESH, page(0)) == SGX_SUCCESS && accept(&e, FRESH, page(1)) == SGX_SUCCESS);
    tcs.fslimit = tcs.gslimit = 0xfff;
    tcs.ofsbase = tcs.ogsbase = page(2);
    const uint64_t ssa = page(1);
    CHECK(accept(&e, FRESH, page(2)) == SGX_SUCCESS);
    te_write(page(2) + GS_SSA, &ssa, 8);
    te_write(page(0), &tcs, sizeof tcs);
    CHECK(te_call(&e, page(0), ENCLU_EENTER, OP_STATE, 0, 0, NULL, &run) == -EFAULT); /* a regular page still */
    CHECK(run.function == ENCLU_EENTER && run.exception_vector == VEC_PF);
    CHECK(retype(&e, page(0), PT_TCS, &sgx) == 0);
    CHECK(te_call(&e, page(0), ENCLU_EENTER, OP_STATE, 0, 0, NULL, &run) == -EFAULT); /* not accepted */
    CHECK(accept(&e, SECINFO_TYPE(PT_TCS) | SECINFO_MODIFIED, page(0)) == SGX_SUCCESS);
    CHECK(te_call(&e, page(0), ENCLU_EENTER, OP_STATE, 0, 0, &out, &run) == 0);
    CHECK(out.rsi == te_at(page(0)) && out.r8 == te_at(page(2)));
    CHECK(!works(&e, OP_LOAD, page(0))); /* nobody reads a TCS */
    /* and away with it */
    CHECK(retype(&e, page(0), PT_TRIM, &sgx) == 0);
    CHECK(te_call(&e, page(0), ENCLU_EENTER, OP_STATE, 0, 0, NULL, &run) == -EFAULT);
    CHECK(accept(&e, SECINFO_TYPE(PT_TRIM) | SECINFO_MODIFIED, page(0)) == SGX_SUCCESS);
    CHECK(e.backend->ops->remove_pages(e.backend, page(0), SGX_PAGE_SIZE) == 0);
}

static void retyping_is_refused(void)
{
    struct te e;
    uint64_t sgx;
    build(&e);
    CHECK(retype(&e, TE_DATA, PT_REG, &sgx) == -EINVAL);
    CHECK(retype(&e, TE_DATA, PT_SECS, &sgx) == -EINVAL);
    CHECK(retype(&e, TE_TCS, PT_TCS, &sgx) == -EINVAL);
    CHECK(retype(&e, TE_READONLY, PT_TCS, &sgx) == -EPERM);
    CHECK(retype(&e, TE_HOLE, PT_TRIM, &sgx) == -EFAULT);
    CHECK(accept(&e, FRESH | X, page(0)) == SGX_PAGE_ATTRIBUTES_MISMATCH); /* pending now */
    CHECK(retype(&e, page(0), PT_TRIM, &sgx) == -EFAULT && sgx == SGX_PAGE_NOT_MODIFIABLE);
    /* what is no TCS cannot be accepted as one */
    struct sgx_tcs tcs = {.flags = 2, .nssa = 1, .fslimit = 0xfff, .gslimit = 0xfff};
    CHECK(accept(&e, FRESH, page(1)) == SGX_SUCCESS);
    te_write(page(1), &tcs, sizeof tcs);
    CHECK(retype(&e, page(1), PT_TCS, &sgx) == 0);
    CHECK(accept(&e, SECINFO_TYPE(PT_TCS) | SECINFO_MODIFIED, page(1)) == -VEC_GP);
}

static void nothing_without_init(void)
{
    struct te e;
    uint64_t sgx;
    te_open(&e);
    te_add_all(&e, 0);
    CHECK(restrict_to(&e, TE_DATA, R, &sgx) < 0);
    CHECK(retype(&e, TE_DATA, PT_TRIM, &sgx) < 0);
    CHECK(e.backend->ops->remove_pages(e.backend, TE_DATA, SGX_PAGE_SIZE) < 0);
}

const struct te_case te_edmm_cases[] = {
    {"pages_are_added_and_accepted", pages_are_added_and_accepted, false},
    {"accept_compares_everything", accept_compares_everything, false},
    {"accept_operands", accept_operands, false},
    {"accept_copy_fills", accept_copy_fills, false},
    {"permissions_are_cut_and_extended", permissions_are_cut_and_extended, false},
    {"restricting_is_refused", restricting_is_refused, false},
    {"extending_is_refused", extending_is_refused, false},
    {"pages_are_trimmed_and_removed", pages_are_trimmed_and_removed, false},
    {"a_new_tcs", a_new_tcs, false},
    {"retyping_is_refused", retyping_is_refused, false},
    {"nothing_without_init", nothing_without_init, false},
    {NULL, NULL, false},
};
