/* ECREATE, EADD and EINIT: what they refuse. The table of rules is in main.c. */
#include "sgx/conformance/test_enclave.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sgx/sign/sigstruct.h"

static void create_refuses(void)
{
    struct te e;
    te_open(&e);
    struct sgx_secs bad[12];
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        bad[i] = e.secs;
    bad[n++].size = 0;
    bad[n++].size = SGX_PAGE_SIZE;
    bad[n++].size = 3 * SGX_PAGE_SIZE;
    bad[n++].attributes.xfrm = 1;          /* without SSE */
    bad[n++].attributes.xfrm |= 1ull << 8; /* never in the mask of what is allowed */
    bad[n++].miscselect = 0x80000000;
    bad[n++].attributes.flags |= SGX_FLAGS_INIT;
    bad[n++].attributes.flags = 0; /* not 64-bit */
    bad[n++].ssa_frame_size = 0;
    bad[n++].attributes.flags |= 1ull << 40; /* reserved */
    bad[n++].reserved4[0] = 1;
    bad[n++].configid[0] = 1; /* without KSS */
    for (unsigned i = 0; i < n; i++) {
        e.error[0] = 0;
        CHECK(e.backend->ops->create(e.backend, &bad[i], 0, e.error, sizeof e.error) < 0);
        CHECK(e.error[0]);
    }
    CHECK(e.backend->ops->create(e.backend, &e.secs, 0, e.error, sizeof e.error) == 0);
    CHECK(e.secs.base % e.secs.size == 0);
    CHECK(e.secs.attributes.flags & SGX_FLAGS_DEBUG);
    CHECK(e.backend->ops->create(e.backend, &e.secs, 0, e.error, sizeof e.error) == -EBUSY);
}

static int add(struct te *e, uint64_t offset, uint64_t length, uint64_t flags, const void *content)
{
    struct sgx_secinfo secinfo = {.flags = flags};
    return e->backend->ops->add_pages(e->backend, offset, length, content, &secinfo, true, e->error, sizeof e->error);
}

static void created(struct te *e)
{
    te_open(e);
    CHECK(e->backend->ops->create(e->backend, &e->secs, 0, e->error, sizeof e->error) == 0);
}

static void add_refuses_place(void)
{
    struct te e;
    const uint64_t rw = SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_W;
    te_open(&e);
    CHECK(add(&e, 0, SGX_PAGE_SIZE, rw, NULL) < 0); /* before ECREATE */
    CHECK(e.backend->ops->create(e.backend, &e.secs, 0, e.error, sizeof e.error) == 0);
    CHECK(add(&e, 0x10, SGX_PAGE_SIZE, rw, NULL) < 0);
    CHECK(add(&e, 0, 100, rw, NULL) < 0);
    CHECK(add(&e, 0, 0, rw, NULL) < 0);
    CHECK(add(&e, TE_SIZE, SGX_PAGE_SIZE, rw, NULL) < 0);
    CHECK(add(&e, TE_SIZE - SGX_PAGE_SIZE, 2 * SGX_PAGE_SIZE, rw, NULL) < 0);
    CHECK(add(&e, 0, -SGX_PAGE_SIZE & ~0xfffull, rw, NULL) < 0);
    CHECK(add(&e, -(uint64_t)SGX_PAGE_SIZE, 2 * SGX_PAGE_SIZE, rw, NULL) < 0);
    CHECK(add(&e, 0x2000, 2 * SGX_PAGE_SIZE, rw, NULL) == 0);
    CHECK(add(&e, 0x2000, SGX_PAGE_SIZE, rw, NULL) < 0);
    CHECK(add(&e, 0x1000, 2 * SGX_PAGE_SIZE, rw, NULL) < 0);
}

static void add_refuses_secinfo(void)
{
    struct te e;
    created(&e);
    const uint64_t reg = SECINFO_TYPE(PT_REG), r = SECINFO_R;
    const uint64_t bad[] = {
        reg | r | SECINFO_PENDING,
        reg | r | SECINFO_MODIFIED,
        reg | r | SECINFO_PR,
        reg | r | 0x40,
        reg | r | 0x80,
        reg | r | 1ull << 16,
        reg | r | 1ull << 63,
        reg | SECINFO_W,
        reg | SECINFO_W | SECINFO_X,
        SECINFO_TYPE(PT_SECS) | r,
        SECINFO_TYPE(PT_VA) | r,
        SECINFO_TYPE(PT_TRIM) | r,
        SECINFO_TYPE(5) | r,
        SECINFO_TYPE(0x12) | r,
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(add(&e, 0, SGX_PAGE_SIZE, bad[i], NULL) < 0);
    struct sgx_secinfo secinfo = {.flags = reg | r};
    for (unsigned i = 0; i < sizeof secinfo.reserved; i++) {
        memset(secinfo.reserved, 0, sizeof secinfo.reserved);
        secinfo.reserved[i] = 1;
        CHECK(e.backend->ops->add_pages(e.backend, 0, SGX_PAGE_SIZE, NULL, &secinfo, true, e.error, sizeof e.error) <
              0);
    }
    CHECK(add(&e, 0, SGX_PAGE_SIZE, reg | r, NULL) == 0);
}

static void add_refuses_tcs(void)
{
    struct te e;
    created(&e);
    const struct sgx_tcs good = {
        .ossa = TE_SSA, .nssa = 1, .ofsbase = TE_FS, .ogsbase = TE_GS, .fslimit = 0xfff, .gslimit = 0xfff};
    struct sgx_tcs bad[16];
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        bad[i] = good;
    bad[n++].flags = 2;
    bad[n++].cssa = 1;
    bad[n++].nssa = 0;
    bad[n++].ossa = TE_SSA + 8;
    bad[n++].ossa = TE_SIZE;
    bad[n++].oentry = TE_SIZE;
    bad[n++].ofsbase = TE_FS + 8;
    bad[n++].ogsbase = TE_GS + 8;
    bad[n++].ofsbase = TE_SIZE;
    bad[n++].ogsbase = TE_SIZE;
    bad[n++].fslimit = 0;
    bad[n++].gslimit = 0;
    bad[n++].reserved[0] = 1;
    bad[n++].reserved[sizeof good.reserved - 1] = 1;
    for (unsigned i = 0; i < n; i++)
        CHECK(add(&e, 0, SGX_PAGE_SIZE, SECINFO_TYPE(PT_TCS), &bad[i]) < 0);
    const uint64_t rights[] = {SECINFO_R, SECINFO_R | SECINFO_W, SECINFO_X};
    for (unsigned i = 0; i < 3; i++)
        CHECK(add(&e, 0, SGX_PAGE_SIZE, SECINFO_TYPE(PT_TCS) | rights[i], &good) < 0);
    CHECK(add(&e, 0, SGX_PAGE_SIZE, SECINFO_TYPE(PT_TCS), NULL) < 0);
    CHECK(add(&e, 0, SGX_PAGE_SIZE, SECINFO_TYPE(PT_TCS), &good) == 0); /* a refusal leaves no page behind */
}

/* ---- EINIT ----------------------------------------------------------------------------------------------------- */

/* Build an enclave with SECS changed by one of these, sign it with SIGSTRUCT changed by the other, before the
 * signature (which fits then) or after it. */
struct init_case {
    void (*secs)(struct te *e);
    void (*before)(struct sgx_sigstruct *s);
    uint32_t secs_misc, misc_select, misc_mask;
    bool production;
    size_t flip;          /* offset in SIGSTRUCT of a byte to be changed after signing, plus 1; 0: none */
    const char *expected; /* NULL: EINIT accepts */
};

static void init_in_child(const struct init_case *c)
{
    struct te e;
    struct sgx_sigstruct s;
    te_open(&e);
    if (c->secs)
        c->secs(&e);
    if (c->secs_misc & ~e.backend->miscselect)
        exit(0); /* a CPU without EXINFO */
    te_add_all(&e, c->secs_misc);
    te_sign(&e, c->misc_select, c->misc_mask, c->production, &s);
    if (c->before) {
        c->before(&s);
        CHECK(sigstruct_sign(&s, e.key) == 0);
    }
    if (c->flip)
        ((uint8_t *)&s)[c->flip - 1] ^= 1;
    int result = e.backend->ops->init(e.backend, &s, e.error, sizeof e.error);
    CHECK(c->expected ? result < 0 : result == 0);
    /* the kernel does not hand EINIT's code on */
    CHECK(!c->expected || te_on_hardware || strstr(e.error, c->expected));
    exit(0);
}

/* A failed EINIT is the end of this process's enclave, so each try has its own. */
static void init_answers(const struct init_case *c)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        init_in_child(c);
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    if (status != 0)
        fprintf(stderr, "SIGSTRUCT byte %zu, expected %s\n", c->flip - 1, c->expected ? c->expected : "success");
    CHECK(status == 0);
}
#define INIT_ANSWERS(...)                                         \
    do {                                                          \
        static const struct init_case cases[] = {__VA_ARGS__};    \
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) \
            init_answers(&cases[i]);                              \
    } while (0)

static void init_accepts(void)
{
    INIT_ANSWERS({.expected = NULL}, {.secs_misc = SGX_MISC_EXINFO},
                 {.secs_misc = 1, .misc_select = 1, .misc_mask = 1});
}

/* Every field, by its place: what EINIT says when a byte of it is not what was signed. */
static void init_checks_every_field(void)
{
    static const char fixed[] = "SGX_INVALID_SIG_STRUCT", signed_bytes[] = "SGX_INVALID_SIGNATURE";
    static const struct {
        size_t from, to, step;
        const char *expected;
    } fields[] = {
        {0, 16, 1, fixed},             /* HEADER */
        {16, 20, 1, fixed},            /* VENDOR: neither 0 nor Intel's */
        {20, 24, 1, signed_bytes},     /* DATE */
        {24, 40, 1, fixed},            /* HEADER2 */
        {40, 44, 1, signed_bytes},     /* SWDEFINED */
        {44, 128, 7, fixed},           /* reserved */
        {128, 512, 51, signed_bytes},  /* MODULUS */
        {512, 516, 1, fixed},          /* EXPONENT */
        {516, 900, 51, signed_bytes},  /* SIGNATURE */
        {900, 910, 1, signed_bytes},   /* MISCSELECT, MISCMASK, CET_ATTRIBUTES and its mask */
        {910, 912, 1, fixed},          /* reserved */
        {912, 992, 7, signed_bytes},   /* ISVFAMILYID, ATTRIBUTES, ATTRIBUTEMASK, ENCLAVEHASH */
        {992, 1008, 3, fixed},         /* reserved */
        {1008, 1028, 3, signed_bytes}, /* ISVEXTPRODID, ISVPRODID, ISVSVN */
        {1028, 1040, 3, fixed},        /* reserved */
        {1040, 1808, 51, signed_bytes} /* Q1, Q2 */
    };
    size_t covered = 0;
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        CHECK(fields[f].from == covered);
        covered = fields[f].to;
        for (size_t at = fields[f].from; at < fields[f].to; at += fields[f].step)
            init_answers(&(struct init_case){.flip = at + 1, .expected = fields[f].expected});
        init_answers(&(struct init_case){.flip = fields[f].to, .expected = fields[f].expected}); /* its last byte */
    }
    CHECK(covered == sizeof(struct sgx_sigstruct));
}

static void ask_provision(struct te *e)
{
    e->secs.attributes.flags |= SGX_FLAGS_PROVISION_KEY;
}
static void ask_little_xfrm(struct te *e)
{
    e->secs.attributes.xfrm = SGX_XFRM_LEGACY;
}
static void demand_provision(struct sgx_sigstruct *s)
{
    s->attributes.flags |= SGX_FLAGS_PROVISION_KEY;
}
static void demand_avx(struct sgx_sigstruct *s)
{
    s->attributes.xfrm |= 4;
    s->attributemask.xfrm |= 4;
}
static void forbid_avx(struct sgx_sigstruct *s)
{
    s->attributemask.xfrm |= 4;
}
static void demand_init(struct sgx_sigstruct *s)
{
    s->attributes.flags |= SGX_FLAGS_INIT; /* not compared while the mask has it out */
}
static void other_date(struct sgx_sigstruct *s)
{
    s->date = 0x19991231, s->swdefined = 99;
}
static void by_intel(struct sgx_sigstruct *s)
{
    s->vendor = 0x8086;
}
static void other_hash(struct sgx_sigstruct *s)
{
    s->enclavehash[31] ^= 0x80;
}

static void init_checks_attributes(void)
{
    INIT_ANSWERS({.production = true, .expected = "SGX_INVALID_ATTRIBUTE"}, /* the enclave has DEBUG */
                 {.secs = ask_provision, .expected = "SGX_INVALID_ATTRIBUTE"},
                 {.before = demand_provision, .expected = "SGX_INVALID_ATTRIBUTE"},
                 {.secs = ask_little_xfrm, .before = demand_avx, .expected = "SGX_INVALID_ATTRIBUTE"},
                 {.misc_select = 1, .misc_mask = 1, .expected = "SGX_INVALID_ATTRIBUTE"},
                 {.secs_misc = 1, .misc_mask = 1, .expected = "SGX_INVALID_ATTRIBUTE"},
                 {.secs = ask_little_xfrm, .before = forbid_avx}, {.before = demand_init}, {.before = other_date},
                 {.before = by_intel});
    struct te e;
    te_open(&e);
    if (e.backend->xfrm & 4)
        INIT_ANSWERS({.before = demand_avx}, {.before = forbid_avx, .expected = "SGX_INVALID_ATTRIBUTE"});
}

static void init_checks_measurement(void)
{
    INIT_ANSWERS({.before = other_hash, .expected = "SGX_INVALID_MEASUREMENT"});
    struct te e;
    struct sgx_sigstruct s;
    te_open(&e);
    te_sign(&e, 0, 0, false, &s);
    e.pages[1].content[SGX_PAGE_SIZE - 1] ^= 1; /* one bit of one page */
    te_add_all(&e, 0);
    CHECK(e.backend->ops->init(e.backend, &s, e.error, sizeof e.error) == -EPERM);
    CHECK(te_on_hardware || strstr(e.error, "SGX_INVALID_MEASUREMENT"));
    struct enclave_run run;
    CHECK(e.backend->ops->prepare_thread(e.backend) == 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, NULL, &run) != 0); /* not initialised, not entered */
}

const struct te_case te_build_cases[] = {
    {"create_refuses", create_refuses, false},
    {"add_refuses_place", add_refuses_place, false},
    {"add_refuses_secinfo", add_refuses_secinfo, false},
    {"add_refuses_tcs", add_refuses_tcs, false},
    {"init_accepts", init_accepts, false},
    {"init_checks_every_field", init_checks_every_field, false},
    {"init_checks_attributes", init_checks_attributes, false},
    {"init_checks_measurement", init_checks_measurement, false},
    {NULL, NULL, false},
};
