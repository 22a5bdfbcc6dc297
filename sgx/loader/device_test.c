/*
 * The hardware backend over a stand-in for the kernel that judges every call (kernel_double.h), with a small enclave
 * made by hand: each rule of the driver, and that the stand-in would notice a breach of it. The real image and the
 * loader: loader_test.c.
 */
#include <asm/sgx.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/rsa.h>

#include "sgx/loader/kernel_double.h"
#include "sgx/loader/sgx_device.h"
#include "sgx/sign/measure.h"
#include "sgx/sign/sigstruct.h"

#define REG_R (SECINFO_TYPE(PT_REG) | SECINFO_R)
#define REG_RW (REG_R | SECINFO_W)
#define REG_RX (REG_R | SECINFO_X)
#define REG_RWX (REG_RW | SECINFO_X)

static bool says(const char *text, const char *what)
{
    if (*what ? strstr(text, what) != NULL : !*text) /* "": nothing is said */
        return true;
    fprintf(stderr, "'%s' does not say '%s'\n", text, what);
    return false;
}

/* ---- a small enclave by hand ----------------------------------------------------------------------------------- */

#define SMALL_SIZE 0x10000u
#define CODE 0x0000u
#define TCS 0x1000u
#define DATA 0x2000u
#define GROWTH 0x8000u

struct small {
    struct kernel_double k;
    struct backend *b;
    struct sgx_secs secs;
    struct sgx_tcs tcs;
    uint8_t code[2 * SGX_PAGE_SIZE]; /* one page, at any alignment */
    uint8_t *code_at;
    struct measure *measure;
    char error[256];
};

static int add(struct small *s, uint64_t offset, uint64_t length, uint64_t flags, const void *content, bool measured)
{
    struct sgx_secinfo secinfo = {.flags = flags};
    return s->b->ops->add_pages(s->b, offset, length, content, &secinfo, measured, s->error, sizeof s->error);
}

static void small_open(struct small *s)
{
    memset(s, 0, sizeof *s);
    double_init(&s->k);
    assert_int_equal(sgx_device_open(&s->k.kernel, &s->b, s->error, sizeof s->error), 0);
    s->secs =
        (struct sgx_secs){.size = SMALL_SIZE, .ssa_frame_size = 1, .attributes = {SGX_FLAGS_MODE64BIT, s->b->xfrm}};
    s->tcs =
        (struct sgx_tcs){.ossa = DATA, .nssa = 1, .ofsbase = DATA, .ogsbase = DATA, .fslimit = 0xfff, .gslimit = 0xfff};
    s->code_at = s->code + 8; /* the backend must align it for the driver */
    for (unsigned i = 0; i < SGX_PAGE_SIZE; i++)
        s->code_at[i] = (uint8_t)(i * 7);
}

static int small_create(struct small *s)
{
    return s->b->ops->create(s->b, &s->secs, 0, s->error, sizeof s->error);
}

static void small_add_all(struct small *s)
{
    assert_int_equal(small_create(s), 0);
    assert_int_equal(add(s, CODE, SGX_PAGE_SIZE, REG_RX, s->code_at, true), 0);
    assert_int_equal(add(s, TCS, SGX_PAGE_SIZE, SECINFO_TYPE(PT_TCS), &s->tcs, true), 0);
    assert_int_equal(add(s, DATA, 4 * SGX_PAGE_SIZE, REG_RWX, NULL, false), 0);
    assert_int_equal(s->b->ops->allow_growth(s->b, GROWTH, 2 * SGX_PAGE_SIZE, s->error, sizeof s->error), 0);
}

static EVP_PKEY *key;

/* attributes: what SIGSTRUCT demands beyond MODE64BIT */
static void small_sign(struct small *s, uint64_t attributes, struct sgx_sigstruct *out)
{
    uint8_t mrenclave[32];
    struct measure *m = measure_ecreate(1, SMALL_SIZE);
    struct sgx_secinfo rx = {.flags = REG_RX}, tcs = {.flags = SECINFO_TYPE(PT_TCS)}, rwx = {.flags = REG_RWX};
    measure_eadd(m, CODE, &rx);
    for (unsigned at = 0; at < SGX_PAGE_SIZE; at += 256)
        measure_eextend(m, CODE + at, s->code_at + at);
    measure_eadd(m, TCS, &tcs);
    for (unsigned at = 0; at < SGX_PAGE_SIZE; at += 256)
        measure_eextend(m, TCS + at, (const uint8_t *)&s->tcs + at);
    for (unsigned i = 0; i < 4; i++)
        measure_eadd(m, DATA + i * SGX_PAGE_SIZE, &rwx);
    measure_final(m, mrenclave);
    const struct image_config config = {.prod_id = 1, .isv_svn = 1};
    assert_int_equal(sigstruct_make(&config, mrenclave, 0x20260101, 1, key, out), 0);
    out->attributes.flags |= attributes;
    assert_int_equal(sigstruct_sign(out, key), 0);
}

static int small_init(struct small *s)
{
    struct sgx_sigstruct sigstruct;
    small_sign(s, s->secs.attributes.flags & ~SGX_FLAGS_MODE64BIT & ~SGX_FLAGS_DEBUG, &sigstruct);
    return s->b->ops->init(s->b, &sigstruct, s->error, sizeof s->error);
}

static void small_close(struct small *s)
{
    s->b->ops->destroy(s->b);
    assert_int_equal(s->k.open_fds, 0);
    double_deinit(&s->k);
}

static void small_build(struct small *s)
{
    small_open(s);
    small_add_all(s);
    assert_int_equal(small_init(s), 0);
    assert_string_equal(s->k.broken, "");
    assert_true(double_maps_fit(&s->k));
}

static void test_create_refusals(void **state)
{
    (void)state;
    static const struct {
        struct sgx_secs secs;
        int result;
        const char *rule;
    } cases[] = {
#define SECS(bytes, frame, flags, xfrm, misc, byte) \
    {.size = bytes, .ssa_frame_size = frame, .attributes = {flags, xfrm}, .miscselect = misc, .reserved4 = {byte}}
        {SECS(0, 1, 4, 0xE7, 0, 0), -EINVAL, ""},
        {SECS(0x3000, 1, 4, 0xE7, 0, 0), -EINVAL, ""},
        {SECS(0x1000, 1, 4, 0xE7, 0, 0), -EIO, "SIZE"},
        {SECS(SMALL_SIZE, 0, 4, 0xE7, 0, 0), -EIO, "SSAFRAMESIZE"},
        {SECS(SMALL_SIZE, 1, 4, 0x3E7, 0, 0), -EIO, "XFRM"},
        {SECS(SMALL_SIZE, 1, 4, 0x1, 0, 0), -EIO, "XFRM"},
        {SECS(SMALL_SIZE, 1, 4, 0x27, 0, 0), -EIO, "AVX-512"},
        {SECS(SMALL_SIZE, 1, 0, 3, 0, 0), -EIO, "MODE64BIT"},
        {SECS(SMALL_SIZE, 1, 5, 3, 0, 0), -EIO, "INIT"},
        {SECS(SMALL_SIZE, 1, 4 | 1ull << 40, 3, 0, 0), -EIO, "unknown bits"},
        {SECS(SMALL_SIZE, 1, 4, 0xE7, 2, 0), -EIO, "MISCSELECT"},
        {SECS(SMALL_SIZE, 1, 4, 0xE7, 0, 1), -EIO, "reserved"},
#undef SECS
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct small s;
        small_open(&s);
        s.secs = cases[i].secs;
        assert_int_equal(small_create(&s), cases[i].result);
        assert_true(s.error[0] && says(s.k.broken, cases[i].rule));
        small_close(&s);
    }
}

static void test_add_refusals(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, length, flags;
        int result;
        const char *rule;
    } cases[] = {
        {0x10, 0x1000, REG_RW, -EINVAL, ""},
        {0, 0x800, REG_RW, -EINVAL, ""},
        {0, 0, REG_RW, -EINVAL, ""},
        {SMALL_SIZE, 0x1000, REG_RW, -EINVAL, "leaves ELRANGE"},
        {SMALL_SIZE - 0x1000, 0x2000, REG_RW, -EINVAL, "leaves ELRANGE"},
        {-0x1000ull, 0x2000, REG_RW, -EINVAL, "leaves ELRANGE"},
        {0, 0x1000, SECINFO_TYPE(PT_REG) | SECINFO_W, -EINVAL, "W without R"},
        {0, 0x1000, SECINFO_TYPE(PT_TCS) | SECINFO_R, -EINVAL, "a TCS page with R, W or X"},
        {0, 0x1000, SECINFO_TYPE(PT_TCS) | SECINFO_R | SECINFO_W, -EINVAL, "a TCS page with R, W or X"},
        {0, 0x1000, SECINFO_TYPE(PT_SECS) | SECINFO_R, -EINVAL, "neither PT_REG nor PT_TCS"},
        {0, 0x1000, SECINFO_TYPE(PT_TRIM) | SECINFO_R, -EINVAL, "neither PT_REG nor PT_TCS"},
        {0, 0x1000, REG_RW | SECINFO_PENDING, -EINVAL, "reserved bits"},
        {0, 0x1000, REG_RW | SECINFO_MODIFIED, -EINVAL, "reserved bits"},
        {0, 0x1000, REG_RW | 1ull << 63, -EINVAL, "reserved bits"},
        {0, 0x1000, SECINFO_TYPE(PT_TCS), -EIO, "TCS"}, /* of zeros */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct small s;
        small_open(&s);
        assert_int_equal(small_create(&s), 0);
        assert_int_equal(add(&s, cases[i].offset, cases[i].length, cases[i].flags, NULL, false), cases[i].result);
        assert_true(s.error[0] && says(s.k.broken, cases[i].rule));
        assert_int_equal(s.k.added, 0);
        small_close(&s);
    }
    struct small s; /* the same page twice: not "try again later" */
    small_open(&s);
    small_add_all(&s);
    assert_int_equal(add(&s, DATA + SGX_PAGE_SIZE, SGX_PAGE_SIZE, REG_RW, NULL, false), -EBUSY);
    small_close(&s);
}

/* What no caller of the backend can get wrong, the stand-in must notice all the same. */
static void test_the_judge(void **state)
{
    (void)state;
    struct small s;
    small_open(&s);
    assert_int_equal(small_create(&s), 0);
    struct kernel_double *k = &s.k;
    struct sgx_secinfo secinfo = {.flags = REG_RW};
    static _Alignas(4096) uint8_t page[2 * SGX_PAGE_SIZE];
    const struct sgx_enclave_add_pages good = {
        .src = (uint64_t)page, .offset = 0, .length = SGX_PAGE_SIZE, .secinfo = (uint64_t)&secinfo};
#define JUDGED(request, type, value, code, text)                                 \
    do {                                                                         \
        type argument = value;                                                   \
        k->broken[0] = 0;                                                        \
        errno = 0;                                                               \
        assert_int_equal(k->kernel.ioctl(k, DOUBLE_FD, request, &argument), -1); \
        assert_int_equal(errno, code);                                           \
        assert_true(says(k->broken, text));                                      \
    } while (0)
    struct sgx_enclave_add_pages a = good;
    a.src += 8;
    JUDGED(SGX_IOC_ENCLAVE_ADD_PAGES, struct sgx_enclave_add_pages, a, EINVAL, "src");
    a = good, a.offset = 8;
    JUDGED(SGX_IOC_ENCLAVE_ADD_PAGES, struct sgx_enclave_add_pages, a, EINVAL, "offset");
    a = good, a.length = 100;
    JUDGED(SGX_IOC_ENCLAVE_ADD_PAGES, struct sgx_enclave_add_pages, a, EINVAL, "length");
    a = good, a.flags = 2;
    JUDGED(SGX_IOC_ENCLAVE_ADD_PAGES, struct sgx_enclave_add_pages, a, EINVAL, "flags");
    secinfo.reserved[55] = 1;
    JUDGED(SGX_IOC_ENCLAVE_ADD_PAGES, struct sgx_enclave_add_pages, good, EINVAL, "reserved");
    secinfo.reserved[55] = 0, page[0] = 1;
    JUDGED(SGX_IOC_ENCLAVE_ADD_PAGES, struct sgx_enclave_add_pages, good, EINVAL, "nobody measures");
    JUDGED(SGX_IOC_ENCLAVE_CREATE, struct sgx_enclave_create, {.src = (uint64_t)&s.secs}, EINVAL, "twice");
    JUDGED(SGX_IOC_ENCLAVE_PROVISION, struct sgx_enclave_provision, {.fd = 0}, EINVAL, "PROVISION");
    JUDGED(SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, struct sgx_enclave_restrict_permissions, {0}, EINVAL, "before INIT");
    JUDGED(_IOW(SGX_MAGIC, 0x01, struct sgx_enclave_add_pages), struct sgx_enclave_add_pages, good, ENOTTY,
           "size or direction");
    void *base = (void *)s.secs.base;
    k->broken[0] = 0;
    assert_ptr_equal(k->kernel.mmap(k, base, SMALL_SIZE * 2, PROT_READ, MAP_SHARED | MAP_FIXED, DOUBLE_FD), MAP_FAILED);
    assert_true(says(k->broken, "outside ELRANGE"));
    k->broken[0] = 0;
    assert_ptr_equal(k->kernel.mmap(k, base, SGX_PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_FIXED, DOUBLE_FD), MAP_FAILED);
    assert_true(says(k->broken, "shared"));
    page[0] = 0, a = good;
    assert_int_equal(k->kernel.ioctl(k, DOUBLE_FD, SGX_IOC_ENCLAVE_ADD_PAGES, &a), 0);
    k->broken[0] = 0;
    assert_ptr_equal(k->kernel.mmap(k, base, SGX_PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, DOUBLE_FD),
                     MAP_FAILED);
    assert_true(says(k->broken, "more than the page"));
#undef JUDGED
    small_close(&s);
}

static void test_init_refusals(void **state)
{
    (void)state;
    static const struct {
        size_t flip; /* byte of SIGSTRUCT */
        bool sign_again;
        int result;
        enum sgx_error code;
    } cases[] = {
        {offsetof(struct sgx_sigstruct, header), false, -EPERM, SGX_INVALID_SIG_STRUCT},
        {offsetof(struct sgx_sigstruct, exponent), false, -EPERM, SGX_INVALID_SIG_STRUCT},
        {offsetof(struct sgx_sigstruct, reserved2), false, -EPERM, SGX_INVALID_SIG_STRUCT},
        {offsetof(struct sgx_sigstruct, signature) + 5, false, -EPERM, SGX_INVALID_SIGNATURE},
        {offsetof(struct sgx_sigstruct, q1) + 5, false, -EPERM, SGX_INVALID_SIGNATURE},
        {offsetof(struct sgx_sigstruct, q2) + 5, false, -EPERM, SGX_INVALID_SIGNATURE},
        {offsetof(struct sgx_sigstruct, isvsvn), false, -EPERM, SGX_INVALID_SIGNATURE},
        {offsetof(struct sgx_sigstruct, enclavehash), true, -EPERM, SGX_INVALID_MEASUREMENT},
        {offsetof(struct sgx_sigstruct, attributes), true, -EPERM, SGX_SUCCESS}, /* INIT: not compared */
        {offsetof(struct sgx_sigstruct, vendor), false, -EINVAL, SGX_SUCCESS},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct small s;
        struct sgx_sigstruct sigstruct;
        small_open(&s);
        small_add_all(&s);
        small_sign(&s, 0, &sigstruct);
        ((uint8_t *)&sigstruct)[cases[i].flip] ^= 1;
        if (cases[i].sign_again)
            assert_int_equal(sigstruct_sign(&sigstruct, key), 0);
        int result = s.b->ops->init(s.b, &sigstruct, s.error, sizeof s.error);
        bool accepted = cases[i].sign_again && cases[i].code == SGX_SUCCESS;
        assert_int_equal(result, accepted ? 0 : cases[i].result);
        assert_int_equal(s.k.einit_code, cases[i].code);
        assert_true(accepted || says(s.error, "INIT"));
        assert_int_equal(s.k.map_count > 0, accepted);
        small_close(&s);
    }
    struct small s; /* one bit of one page */
    struct sgx_sigstruct sigstruct;
    small_open(&s);
    small_sign(&s, 0, &sigstruct);
    s.code_at[99] ^= 1;
    small_add_all(&s);
    assert_int_equal(s.b->ops->init(s.b, &sigstruct, s.error, sizeof s.error), -EPERM);
    assert_int_equal(s.k.einit_code, SGX_INVALID_MEASUREMENT);
    small_close(&s);
}

static void test_provision(void **state)
{
    (void)state;
    struct small s;
    small_open(&s);
    s.secs.attributes.flags |= SGX_FLAGS_PROVISION_KEY;
    small_add_all(&s);
    assert_int_equal(small_init(&s), 0);
    assert_int_equal(s.k.calls[CALL_PROVISION], 1);
    assert_int_equal(s.k.open_fds, 1); /* the provisioning file is closed again */
    assert_string_equal(s.k.broken, "");
    small_close(&s);

    small_open(&s);
    s.k.provision_open_error = EACCES;
    s.secs.attributes.flags |= SGX_FLAGS_PROVISION_KEY;
    small_add_all(&s);
    assert_int_equal(small_init(&s), -EACCES);
    assert_true(says(s.error, "sgx_prv"));
    assert_int_equal(s.k.calls[CALL_INIT], 0);
    small_close(&s);

    small_build(&s); /* not asked for: not touched */
    assert_int_equal(s.k.calls[CALL_PROVISION], 0);
    small_close(&s);

    small_open(&s); /* the launch enclave's attribute is for nobody */
    s.secs.attributes.flags |= SGX_FLAGS_EINITTOKEN_KEY;
    small_add_all(&s);
    assert_int_equal(small_init(&s), -EACCES);
    small_close(&s);
}

/* ---- EDMM ------------------------------------------------------------------------------------------------------ */

static void test_edmm_is_found(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct small s;
        uint64_t sgx_result;
        small_open(&s);
        s.k.sgx2 = i & 1;
        s.k.knows_edmm = i & 2;
        small_add_all(&s);
        assert_int_equal(small_init(&s), 0);
        assert_string_equal(s.k.broken, "");
        assert_int_equal(s.b->edmm, i == 3);
        assert_true(double_maps_fit(&s.k));
        bool growth_mapped = false;
        for (unsigned m = 0; m < s.k.map_count; m++)
            growth_mapped |= s.k.maps[m].offset == GROWTH && s.k.maps[m].length == 2 * SGX_PAGE_SIZE;
        assert_int_equal(growth_mapped, i == 3);
        assert_int_equal(s.b->ops->restrict_permissions(s.b, DATA, SGX_PAGE_SIZE, SECINFO_R, &sgx_result),
                         i == 3 ? 0 : -ENODEV);
        small_close(&s);
    }
}

static void test_edmm_calls(void **state)
{
    (void)state;
    struct small s;
    uint64_t r;
    small_build(&s);
    /* in parts */
    static const struct double_stop plan[] = {{CALL_RESTRICT, 2, 1, EINTR}, {CALL_RESTRICT, 3, 0, EAGAIN},
                                              {CALL_RESTRICT, 4, 0, EBUSY}, {CALL_RESTRICT, 5, 1, EAGAIN},
                                              {CALL_MODIFY, 1, 1, EAGAIN},  {CALL_REMOVE, 2, 1, EBUSY}};
    memcpy(s.k.plan, plan, sizeof plan);
    assert_int_equal(s.b->ops->restrict_permissions(s.b, DATA, 4 * SGX_PAGE_SIZE, SECINFO_R | SECINFO_X, &r), 0);
    assert_int_equal(r, 0);
    assert_int_equal(s.k.calls[CALL_RESTRICT], 6);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(s.k.pages[DATA / SGX_PAGE_SIZE + i].permissions, SECINFO_R | SECINFO_X);
    double_accept(&s.k, DATA, 4 * SGX_PAGE_SIZE);
    /* away with three pages: type, accept, remove */
    assert_int_equal(s.b->ops->modify_type(s.b, DATA, 3 * SGX_PAGE_SIZE, PT_TRIM, &r), 0);
    assert_int_equal(s.b->ops->remove_pages(s.b, DATA, 3 * SGX_PAGE_SIZE), -EPERM); /* not accepted */
    double_accept(&s.k, DATA, 3 * SGX_PAGE_SIZE);
    assert_string_equal(s.k.broken, "REMOVE_PAGES: not PT_TRIM, or not accepted by the enclave");
    s.k.broken[0] = 0;
    assert_int_equal(s.b->ops->remove_pages(s.b, DATA, 3 * SGX_PAGE_SIZE), 0);
    assert_string_equal(s.k.broken, "");
    /* the leaf's own refusals come through */
    uint64_t last = DATA + 3 * SGX_PAGE_SIZE;
    assert_int_equal(s.b->ops->restrict_permissions(s.b, last, SGX_PAGE_SIZE, SECINFO_R, &r), 0);
    assert_int_equal(s.b->ops->modify_type(s.b, last, SGX_PAGE_SIZE, PT_TRIM, &r), -EFAULT);
    assert_int_equal(r, SGX_PAGE_NOT_MODIFIABLE);
    assert_int_equal(s.b->ops->restrict_permissions(s.b, TCS, SGX_PAGE_SIZE, SECINFO_R, &r), -EINVAL);
    assert_int_equal(s.b->ops->modify_type(s.b, CODE, SGX_PAGE_SIZE, PT_TCS, &r), -EPERM); /* was not RW */
    assert_int_equal(s.b->ops->modify_type(s.b, last, SGX_PAGE_SIZE, PT_REG, &r), -EINVAL);
    assert_int_equal(s.b->ops->restrict_permissions(s.b, last, SGX_PAGE_SIZE, SECINFO_W, &r), -EINVAL);
    assert_int_equal(s.b->ops->restrict_permissions(s.b, last + 8, SGX_PAGE_SIZE, SECINFO_R, &r), -EINVAL);
    assert_int_equal(s.b->ops->restrict_permissions(s.b, SMALL_SIZE, SGX_PAGE_SIZE, SECINFO_R, &r), -EINVAL);
    assert_int_equal(s.b->ops->remove_pages(s.b, DATA, SGX_PAGE_SIZE), -EFAULT); /* gone already */
    small_close(&s);
}

/* A driver that never gets on ends as an error, and one whose count cannot be is not believed. */
static uint64_t lie;
static int lying_ioctl(void *user, int fd, unsigned long request, void *argument)
{
    if (request == SGX_IOC_ENCLAVE_ADD_PAGES) {
        ((struct sgx_enclave_add_pages *)argument)->count = lie;
        return 0;
    }
    return 0;
}

static void test_counts_that_cannot_be(void **state)
{
    (void)state;
    static const uint64_t lies[] = {2 * SGX_PAGE_SIZE, 100, UINT64_MAX, -0x1000ull};
    for (unsigned i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct small s;
        small_open(&s);
        assert_int_equal(small_create(&s), 0);
        s.k.kernel.ioctl = lying_ioctl;
        lie = lies[i];
        assert_int_equal(add(&s, CODE, SGX_PAGE_SIZE, REG_RX, s.code_at, true), -EIO);
        small_close(&s);
    }
    struct small s;
    small_open(&s);
    assert_int_equal(small_create(&s), 0);
    s.k.plan[0] = (struct double_stop){CALL_ADD, 1, 0, EFAULT};
    assert_int_equal(add(&s, CODE, SGX_PAGE_SIZE, REG_RX, s.code_at, true), -EFAULT);
    s.k.kernel.ioctl = lying_ioctl; /* no progress, no error */
    lie = 0;
    assert_int_equal(add(&s, CODE, SGX_PAGE_SIZE, REG_RX, s.code_at, true), -EIO);
    small_close(&s);
}

/* ---------------------------------------------------------------------------------------------------------------- */

static int make_key(void **state)
{
    (void)state;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *three = BN_new();
    bool ok = BN_set_word(three, 3) && EVP_PKEY_keygen_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 3072) == 1 &&
              EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, three) == 1 && EVP_PKEY_keygen(ctx, &key) == 1;
    BN_free(three);
    EVP_PKEY_CTX_free(ctx);
    return ok ? 0 : -1;
}

static int free_key(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_refusals), cmocka_unit_test(test_add_refusals),
        cmocka_unit_test(test_the_judge),       cmocka_unit_test(test_init_refusals),
        cmocka_unit_test(test_provision),       cmocka_unit_test(test_edmm_is_found),
        cmocka_unit_test(test_edmm_calls),      cmocka_unit_test(test_counts_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
