/* ECREATE, EADD and EINIT: what they refuse. The table of rules is in emulator_test.c. */
#include "sgx/emulator/test_enclave.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void create_refuses(void)
{
    struct te e;
    te_open(&e);
    struct sgx_secs bad[10];
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
    for (unsigned i = 0; i < n; i++) {
        e.error[0] = 0;
        CHECK(e.backend->ops->create(e.backend, &bad[i], e.error, sizeof e.error) == -EINVAL);
        CHECK(e.error[0]);
    }
    CHECK(e.backend->ops->create(e.backend, &e.secs, e.error, sizeof e.error) == 0);
    CHECK(e.secs.base % e.secs.size == 0);
    CHECK(e.secs.attributes.flags & SGX_FLAGS_DEBUG); /* always: it hides nothing */
    CHECK(e.backend->ops->create(e.backend, &e.secs, e.error, sizeof e.error) == -EBUSY);
}

static int add(struct te *e, uint64_t offset, uint64_t length, uint64_t flags, const void *content)
{
    struct sgx_secinfo secinfo = {.flags = flags};
    return e->backend->ops->add_pages(e->backend, offset, length, content, &secinfo, true, e->error, sizeof e->error);
}

static void created(struct te *e)
{
    te_open(e);
    CHECK(e->backend->ops->create(e->backend, &e->secs, e->error, sizeof e->error) == 0);
}

static void add_refuses_place(void)
{
    struct te e;
    const uint64_t rw = SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_W;
    te_open(&e);
    CHECK(add(&e, 0, SGX_PAGE_SIZE, rw, NULL) == -EINVAL); /* before ECREATE */
    CHECK(e.backend->ops->create(e.backend, &e.secs, e.error, sizeof e.error) == 0);
    CHECK(add(&e, 0x10, SGX_PAGE_SIZE, rw, NULL) == -EINVAL);
    CHECK(add(&e, 0, 100, rw, NULL) == -EINVAL);
    CHECK(add(&e, 0, 0, rw, NULL) == -EINVAL);
    CHECK(add(&e, TE_SIZE, SGX_PAGE_SIZE, rw, NULL) == -EINVAL);
    CHECK(add(&e, TE_SIZE - SGX_PAGE_SIZE, 2 * SGX_PAGE_SIZE, rw, NULL) == -EINVAL);
    CHECK(add(&e, 0, -SGX_PAGE_SIZE & ~0xfffull, rw, NULL) == -EINVAL);
    CHECK(add(&e, -(uint64_t)SGX_PAGE_SIZE, 2 * SGX_PAGE_SIZE, rw, NULL) == -EINVAL);
    CHECK(add(&e, 0x2000, 2 * SGX_PAGE_SIZE, rw, NULL) == 0);
    CHECK(add(&e, 0x2000, SGX_PAGE_SIZE, rw, NULL) == -EEXIST);
    CHECK(add(&e, 0x1000, 2 * SGX_PAGE_SIZE, rw, NULL) == -EEXIST);
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
        CHECK(add(&e, 0, SGX_PAGE_SIZE, bad[i], NULL) == -EINVAL);
    struct sgx_secinfo secinfo = {.flags = reg | r};
    for (unsigned i = 0; i < sizeof secinfo.reserved; i++) {
        memset(secinfo.reserved, 0, sizeof secinfo.reserved);
        secinfo.reserved[i] = 1;
        CHECK(e.backend->ops->add_pages(e.backend, 0, SGX_PAGE_SIZE, NULL, &secinfo, true, e.error, sizeof e.error) ==
              -EINVAL);
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
        CHECK(add(&e, 0, SGX_PAGE_SIZE, SECINFO_TYPE(PT_TCS), &bad[i]) == -EINVAL);
    const uint64_t rights[] = {SECINFO_R, SECINFO_R | SECINFO_W, SECINFO_X};
    for (unsigned i = 0; i < 3; i++)
        CHECK(add(&e, 0, SGX_PAGE_SIZE, SECINFO_TYPE(PT_TCS) | rights[i], &good) == -EINVAL);
    CHECK(add(&e, 0, SGX_PAGE_SIZE, SECINFO_TYPE(PT_TCS), NULL) == -EINVAL);
    CHECK(add(&e, 0, SGX_PAGE_SIZE, SECINFO_TYPE(PT_TCS), &good) == 0); /* a refusal leaves no page behind */
}

struct init_case {
    uint32_t secs_misc, misc_select, misc_mask;
    bool production;
    uint64_t extra_flags; /* of SECS.ATTRIBUTES */
    size_t flip;          /* offset in SIGSTRUCT, 0: none */
    const char *expected; /* NULL: EINIT accepts */
};

static void init_in_child(const struct init_case *c)
{
    struct te e;
    struct sgx_sigstruct s;
    te_open(&e);
    e.secs.attributes.flags |= c->extra_flags;
    te_add_all(&e, c->secs_misc);
    te_sign(&e, c->misc_select, c->misc_mask, c->production, &s);
    if (c->flip)
        ((uint8_t *)&s)[c->flip] ^= 1;
    int result = e.backend->ops->init(e.backend, &s, e.error, sizeof e.error);
    CHECK(result == (c->expected ? -EPERM : 0));
    CHECK(!c->expected || strstr(e.error, c->expected));
    exit(0);
}

/* A failed EINIT is the end of this process's enclave, so each try has its own. */
static void init_answers(const struct init_case *cases, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            init_in_child(&cases[i]);
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        if (status != 0)
            fprintf(stderr, "case %u: SIGSTRUCT byte %zu, expected %s\n", i, cases[i].flip,
                    cases[i].expected ? cases[i].expected : "success");
        CHECK(status == 0);
    }
}
#define INIT_ANSWERS(...)                                      \
    do {                                                       \
        static const struct init_case cases[] = {__VA_ARGS__}; \
        init_answers(cases, sizeof cases / sizeof *cases);     \
    } while (0)
#define FIELD(name) .flip = offsetof(struct sgx_sigstruct, name)

static void init_accepts(void)
{
    INIT_ANSWERS({.expected = NULL}, {.secs_misc = SGX_MISC_EXINFO},
                 {.secs_misc = 1, .misc_select = 1, .misc_mask = 1});
}

static void init_checks_fixed_fields(void)
{
#define BAD(name) {FIELD(name), .expected = "SGX_INVALID_SIG_STRUCT"}
    INIT_ANSWERS(BAD(header[1]), BAD(header[15]), BAD(header2[0]), BAD(header2[15]), BAD(vendor), BAD(exponent),
                 BAD(reserved1[0]), BAD(reserved1[83]), BAD(reserved2[0]), BAD(reserved3[15]), BAD(reserved4[0]));
#undef BAD
}

static void init_checks_signature(void)
{
#define BAD(name) {FIELD(name), .expected = "SGX_INVALID_SIGNATURE"}
    INIT_ANSWERS(BAD(signature[0]), BAD(signature[383]), BAD(modulus[0]), BAD(q1[0]), BAD(q1[383]), BAD(q2[0]),
                 BAD(q2[383]), BAD(date), BAD(swdefined), BAD(miscselect), BAD(miscmask), BAD(attributes),
                 BAD(attributemask), BAD(enclavehash), BAD(isvprodid), BAD(isvsvn));
#undef BAD
}

static void init_checks_attributes(void)
{
    INIT_ANSWERS({.production = true, .expected = "SGX_INVALID_ATTRIBUTE"}, /* DEBUG is always set here */
                 {.extra_flags = SGX_FLAGS_PROVISION_KEY, .expected = "SGX_INVALID_ATTRIBUTE"},
                 {.misc_select = 1, .misc_mask = 1, .expected = "SGX_INVALID_ATTRIBUTE"},
                 {.secs_misc = 1, .misc_mask = 1, .expected = "SGX_INVALID_ATTRIBUTE"});
}

static void init_checks_measurement(void)
{
    struct te e;
    struct sgx_sigstruct s;
    te_open(&e);
    te_sign(&e, 0, 0, false, &s);
    e.pages[1].content[SGX_PAGE_SIZE - 1] ^= 1; /* one bit of one page */
    te_add_all(&e, 0);
    CHECK(e.backend->ops->init(e.backend, &s, e.error, sizeof e.error) == -EPERM);
    CHECK(strstr(e.error, "SGX_INVALID_MEASUREMENT"));
    struct enclave_run run;
    CHECK(e.backend->ops->prepare_thread(e.backend) == 0);
    CHECK(te_call(&e, TE_TCS, ENCLU_EENTER, OP_STATE, 0, 0, NULL, &run) != 0); /* not initialised, not entered */
}

const struct te_case te_build_cases[] = {
    {"create_refuses", create_refuses},
    {"add_refuses_place", add_refuses_place},
    {"add_refuses_secinfo", add_refuses_secinfo},
    {"add_refuses_tcs", add_refuses_tcs},
    {"init_accepts", init_accepts},
    {"init_checks_fixed_fields", init_checks_fixed_fields},
    {"init_checks_signature", init_checks_signature},
    {"init_checks_attributes", init_checks_attributes},
    {"init_checks_measurement", init_checks_measurement},
    {NULL, NULL},
};
