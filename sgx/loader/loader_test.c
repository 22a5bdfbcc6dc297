/*
 * The real image through the real loader, over a stand-in for the kernel (kernel_double.h): is the sequence, with each
 * offset, SECINFO, permission and the measurement, what the driver would accept? Does each thing that can be missing
 * end with a line that says so? And does the loader keep to what the vDSO's way in really answers?
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sgx/loader/abi.h"
#include "sgx/loader/enclave.h"
#include "sgx/loader/kernel_double.h"
#include "sgx/sign/image.h"

/* The loader's OCALLs come here. */
static int64_t ocall(uint32_t index, void *ms)
{
    return index + (int64_t)(ms != NULL);
}

static bool says(const char *text, const char *what)
{
    if (*what && strstr(text, what))
        return true;
    fprintf(stderr, "'%s' does not say '%s'\n", text, what);
    return false;
}

/* ---- the real image -------------------------------------------------------------------------------------------- */

static int create_image(struct kernel_double *k, bool debug, struct enclave **e, char error[512])
{
    struct enclave_create_options options = {
        .image_path = IMAGE, .ocall = ocall, .backend = ENCLAVE_BACKEND_SGX, .debug = debug, .kernel = &k->kernel};
    error[0] = 0;
    return enclave_create(&options, e, error, 512);
}

static void no_page(const struct kernel_double *k, uint64_t from, uint64_t size)
{
    for (uint64_t at = from; at < from + size; at += SGX_PAGE_SIZE)
        assert_false(k->pages[at / SGX_PAGE_SIZE].added);
    assert_true(k->pages[(from + size) / SGX_PAGE_SIZE].added);
}

/* The driver was given no page in the hole at the start, nor below any stack. */
static void gaps_are_gaps(const struct kernel_double *k)
{
    struct image image;
    char error[256];
    assert_int_equal(image_open(IMAGE, NULL, &image, error, sizeof error), 0);
    no_page(k, 0, ENCLAVE_LOW_GAP);
    for (uint32_t i = 0; i < image.layout.tcs_count; i++) {
        uint64_t size = i == 0 ? image.config.main_stack_size : image.config.thread_stack_size;
        no_page(k, image.tcs_offsets[i] - size - ENCLAVE_GUARD_SIZE, ENCLAVE_GUARD_SIZE);
    }
    for (int kind = 0; kind < ENCLAVE_STACK_KINDS; kind++) {
        const struct enclave_stacks *s = &image.layout.stacks[kind];
        assert_true(s->count > 0);
        for (uint64_t i = 0; i < s->count; i++)
            no_page(k, s->offset + i * (ENCLAVE_GUARD_SIZE + s->size), ENCLAVE_GUARD_SIZE);
    }
    image_close(&image);
}

static void test_the_image_is_accepted(void **state)
{
    (void)state;
    for (int debug = 0; debug < 2; debug++) {
        struct kernel_double k;
        struct enclave *e = NULL;
        char error[512];
        double_init(&k);
        assert_int_equal(create_image(&k, debug, &e, error), 0);
        assert_string_equal(k.broken, "");
        assert_true(k.initialised && k.measured > 1000 && k.added > k.measured);
        assert_memory_equal(k.mrenclave, enclave_mrenclave(e), 32);
        assert_int_equal(k.secs.attributes.flags, SGX_FLAGS_MODE64BIT | (debug ? SGX_FLAGS_DEBUG : 0));
        assert_int_equal(k.secs.attributes.xfrm, 0xE7);
        assert_int_equal(k.secs.miscselect, SGX_MISC_EXINFO);
        assert_int_equal(k.calls[CALL_PROVISION], 0); /* nobody asked */
        assert_int_equal(enclave_backend_of(e), ENCLAVE_BACKEND_SGX);
        assert_true(double_maps_fit(&k));
        assert_int_equal(k.secs.base, 0); /* so that NULL lies in ELRANGE */
        gaps_are_gaps(&k);
        uint32_t tcs = 0;
        for (uint64_t i = 0; i < k.page_count; i++)
            tcs += k.pages[i].type == PT_TCS;
        assert_int_equal(tcs, enclave_tcs_count(e));
        enclave_destroy(e);
        assert_int_equal(k.open_fds, 0);
        double_deinit(&k);
    }
}

/* The driver may stop wherever it likes: the enclave is the same in the end. */
static void test_the_image_in_parts(void **state)
{
    (void)state;
    static const struct double_stop plan[] = {
        {CALL_ADD, 1, 3, 0},      {CALL_ADD, 2, 0, EINTR},  {CALL_ADD, 3, 0, EAGAIN}, {CALL_ADD, 4, 7, EINTR},
        {CALL_ADD, 6, 1, 0},      {CALL_ADD, 7, 1, EAGAIN}, {CALL_ADD, 30, 2, EINTR}, {CALL_ADD, 100, 9999, 0},
        {CALL_INIT, 1, 0, EINTR}, {CALL_INIT, 2, 0, EINTR}};
    struct kernel_double k;
    struct enclave *e = NULL;
    char error[512];
    double_init(&k);
    memcpy(k.plan, plan, sizeof plan);
    assert_int_equal(create_image(&k, false, &e, error), 0);
    assert_string_equal(k.broken, "");
    assert_int_equal(k.calls[CALL_INIT], 3);
    assert_memory_equal(k.mrenclave, enclave_mrenclave(e), 32);
    enclave_destroy(e);
    double_deinit(&k);
}

static void test_what_is_missing(void **state)
{
    (void)state;
    struct kernel_double k;
    struct enclave *e = NULL;
    char error[512];
#define BROKEN(change, code, text)                              \
    double_init(&k);                                            \
    change;                                                     \
    assert_int_equal(create_image(&k, false, &e, error), code); \
    assert_true(says(error, text));                             \
    assert_int_equal(k.open_fds, 0);                            \
    double_deinit(&k)
    BROKEN(k.open_error = ENOENT, -ENOENT, "no SGX in this CPU or firmware");
    BROKEN(k.open_error = EACCES, -EACCES, "group");
    BROKEN(k.open_error = EACCES, -EACCES, "enclave-os doctor");
    BROKEN(k.no_vdso = true, -ENOSYS, "vDSO");
    BROKEN(k.noexec = true, -EPERM, "noexec");
    BROKEN(k.epc_pages = 5000, -ENOMEM, "no EPC left");
    BROKEN(k.xfrm = 1, -EIO, "ECREATE refused");
    BROKEN((k.plan[0] = (struct double_stop){CALL_INIT, 1, 0, EIO}), -EIO, "SGX_IOC_ENCLAVE_INIT");
#undef BROKEN
}

/* ---- the vDSO ---- */

/* What the vDSO answers, step by step, and what it must have been called with. */
struct step {
    unsigned called_with; /* leaf */
    long rdi;             /* at EENTER */
    unsigned function;    /* left in run */
    unsigned vector;
    long out_rdi, out_rsi; /* of EEXIT */
    int result;
};
static const struct step *script;
static unsigned steps_done;

static int scripted_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function,
                          unsigned long r8, unsigned long r9, struct enclave_run *run)
{
    const struct step *s = &script[steps_done++];
    assert_int_equal(function, s->called_with);
    if (function == ENCLU_EENTER)
        assert_int_equal((long)rdi, s->rdi);
    for (unsigned i = 0; i < sizeof run->reserved; i++)
        assert_int_equal(run->reserved[i], 0);
    if (s->result)
        return s->result;
    run->function = s->function;
    run->exception_vector = (uint16_t)s->vector;
    bool left = s->function == ENCLU_EEXIT;
    return ((enclave_user_handler)run->user_handler)(left ? s->out_rdi : (long)s->vector, left ? s->out_rsi : 7, 0, 0,
                                                     0, 0, run);
}

static int run_script(struct enclave *e, const struct step *steps)
{
    script = steps;
    steps_done = 0;
    return enclave_ecall(e, 5, NULL);
}

/* The loader against the vDSO's contract: after an exception it calls the handler and returns 0 all the same. */
static void test_exceptions_and_ocalls(void **state)
{
    (void)state;
    struct kernel_double k;
    struct enclave *e = NULL;
    char error[512];
    double_init(&k);
    k.enter = scripted_enter;
    assert_int_equal(create_image(&k, false, &e, error), 0);
    static const struct step plain[] = {{ENCLU_EENTER, 5, ENCLU_EEXIT, 0, EXIT_ERET, -9, 0}};
    assert_int_equal(run_script(e, plain), -9);
    static const struct step exception[] = {{ENCLU_EENTER, 5, ENCLU_ERESUME, VEC_UD, 0, 0, 0},
                                            {ENCLU_EENTER, 0, ENCLU_EEXIT, 0, EXIT_HANDLED, 0, 0},
                                            {ENCLU_ERESUME, 0, ENCLU_EEXIT, 0, 3, 0, 0}, /* OCALL 3 */
                                            {ENCLU_EENTER, ENTER_ORET, ENCLU_EEXIT, 0, EXIT_ERET, 0, 0}};
    assert_int_equal(run_script(e, exception), 0);
    assert_int_equal(steps_done, 4);
    static const struct step refused[] = {{ENCLU_EENTER, 5, 0, 0, 0, 0, -EINVAL}};
    assert_int_equal(run_script(e, refused), -ESHUTDOWN);
    assert_int_equal(enclave_ecall(e, 5, NULL), -ESHUTDOWN);
    enclave_destroy(e);
    double_deinit(&k);

    double_init(&k);
    k.enter = scripted_enter;
    assert_int_equal(create_image(&k, false, &e, error), 0);
    static const struct step lost[] = {{ENCLU_EENTER, 5, ENCLU_EENTER, VEC_PF, 0, 0, 0}}; /* the pages are gone */
    assert_int_equal(run_script(e, lost), -ESHUTDOWN);
    assert_int_equal(steps_done, 1);
    enclave_destroy(e);
    double_deinit(&k);

    double_init(&k);
    k.enter = scripted_enter;
    assert_int_equal(create_image(&k, false, &e, error), 0);
    static const struct step fatal[] = {{ENCLU_EENTER, 5, ENCLU_ERESUME, VEC_GP, 0, 0, 0},
                                        {ENCLU_EENTER, 0, ENCLU_EEXIT, 0, EXIT_FATAL, 1, 0}};
    assert_int_equal(run_script(e, fatal), -ESHUTDOWN);
    enclave_destroy(e);
    double_deinit(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_image_is_accepted),
        cmocka_unit_test(test_the_image_in_parts),
        cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_exceptions_and_ocalls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
