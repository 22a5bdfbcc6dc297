/*
 * AESM's client against a service of the test's own, on a real socket with real messages: the honest sequence, every
 * way that the service can be missing, error codes, and answers that a hostile or broken one might give.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sgx/quote/aesm.h"
#include "sgx/quote/aesm_double.h"

static bool says(const char *text, const char *what)
{
    if (*what && strstr(text, what))
        return true;
    fprintf(stderr, "'%s' does not say '%s'\n", text, what);
    return false;
}

static void test_honest(void **state)
{
    (void)state;
    struct quote_backend *b;
    char error[512] = "";
    uint8_t quote[QUOTE_SIZE_MAX], info[QUOTE_TARGET_INFO_SIZE];
    size_t size = 0;
    service_start(NULL, QUESTIONS, HONEST, 0);
    assert_int_equal(quote_aesm_create(service.path, client_timeout_ms, &b, error, sizeof error), 0);
    assert_int_equal(quote_target_info(b, info), 0);
    assert_int_equal(info[0], 0x5a);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(quote_get(b, service.report, quote, sizeof quote, &size), 0);
        assert_int_equal(size, QUOTE_SIZE);
        assert_memory_equal(quote + 48, service.report, 384);
        assert_int_equal(service.asked[QUOTE], i); /* one exchange for each quote */
    }
    assert_int_equal(quote_get(b, service.report, quote, 1000, &size), -ENOSPC);
    assert_int_equal(service.asked[SELECT], 1);
    assert_string_equal(service.wrong, "");
    quote_destroy(b);
    service_stop();
}

/* The service was started anew: its key is made ready again, once. */
static void test_key_not_ready(void **state)
{
    (void)state;
    struct quote_backend *b;
    char error[512];
    uint8_t quote[QUOTE_SIZE_MAX];
    size_t size = 0;
    service_start(NULL, QUOTE, ERROR_CODE, 42);
    service.once = 1;
    assert_int_equal(quote_aesm_create(service.path, client_timeout_ms, &b, error, sizeof error), 0);
    assert_int_equal(quote_get(b, service.report, quote, sizeof quote, &size), 0);
    assert_int_equal(service.asked[SELECT], 2);
    assert_int_equal(service.asked[QUOTE], 2);
    service.once = 0;
    assert_int_equal(quote_get(b, service.report, quote, sizeof quote, &size), -EREMOTEIO);
    assert_int_equal(service.asked[QUOTE], 4); /* and not for ever */
    quote_destroy(b);
    service_stop();
}

static void test_no_service(void **state)
{
    (void)state;
    struct quote_backend *b;
    char error[512];
    assert_int_equal(quote_aesm_create("/tmp/aesm_test.none/socket", client_timeout_ms, &b, error, sizeof error),
                     -ENOENT);
    assert_true(says(error, "install and start sgx-aesm-service"));
    service_start(NULL, QUESTIONS, HONEST, 0);
    service_abandon();
    assert_int_equal(quote_aesm_create(service.path, client_timeout_ms, &b, error, sizeof error), -ECONNREFUSED);
    assert_true(says(error, "systemctl start aesmd"));
    if (getuid() == 0 && chmod(service.path, 0) == 0 && chmod(service.folder, 0755) == 0 && seteuid(65534) == 0) {
        assert_int_equal(quote_aesm_create(service.path, client_timeout_ms, &b, error, sizeof error), -EACCES);
        assert_true(says(error, "permission"));
        assert_int_equal(seteuid(0), 0);
    }
    unlink(service.path);
    rmdir(service.folder);
    char long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    assert_int_equal(quote_aesm_create(long_name, client_timeout_ms, &b, error, sizeof error), -ENAMETOOLONG);
}

static const struct {
    enum question at;
    enum trick trick;
    uint64_t argument;
    int result;
    const char *says;
} tricks[] = {
    {SELECT, ERROR_CODE, 30, -EPROTONOSUPPORT, "libsgx-aesm-ecdsa-plugin"},
    {SELECT, ERROR_CODE, 1, -EREMOTEIO, "journalctl"},
    {SELECT, OTHER_ALGORITHM, 0, -EPROTONOSUPPORT, "ecdsa_256"},
    {SELECT, UNSUPPORTED, 0, -EPROTONOSUPPORT, "install"},
    {SELECT, SILENT, 0, -ETIMEDOUT, "no answer"},
    {SELECT, DRIP, 0, -ETIMEDOUT, "no answer"},
    {SELECT, HANG_UP, 0, -EPIPE, "hung up"},
    {SELECT, HALF, 2, -EPIPE, "hung up"},
    {SELECT, HALF, 50, -EPIPE, "hung up"},
    {SELECT, LENGTH, 0, -EBADMSG, "not one"},
    {SELECT, LENGTH, 0xffffffff, -EBADMSG, "not one"},
    {SELECT, LENGTH, 65537, -EBADMSG, "not one"},
    {SELECT, LENGTH, 100, -EBADMSG, "not one"}, /* a part of the message */
    {SELECT, LENGTH, 60000, -EPIPE, "hung up"}, /* more than comes */
    {SELECT, GARBAGE, 0, -EBADMSG, "not one"},
    {SELECT, OTHER_QUESTION, 0, -EBADMSG, "another question"},
    {SELECT, NO_FIELD, 0, -EBADMSG, "impossible size"},
    {SELECT, SIZE_IS, 0, -EBADMSG, "impossible size"},
    {SELECT, SIZE_IS, 157, -EBADMSG, "impossible size"},
    {SELECT, SIZE_IS, 257, -EBADMSG, "impossible size"},
    {INIT_SIZE, ERROR_CODE, 44, -EREMOTEIO, "sgx_default_qcnl.conf"},
    {INIT_SIZE, NO_FIELD, 0, -EBADMSG, "impossible size"},
    {INIT_SIZE, SIZE_IS, 1ull << 60, -EBADMSG, "impossible size"},
    {INIT, ERROR_CODE, 49, -EREMOTEIO, "sgx_provision"},
    {INIT, NO_FIELD, 0, -EBADMSG, "TARGETINFO"},
    {INIT, SIZE_IS, 511, -EBADMSG, "TARGETINFO"},
    {INIT, SIZE_IS, 513, -EBADMSG, "TARGETINFO"},
    {INIT, OTHER_QUESTION, 0, -EBADMSG, "another question"},
    {SIZE, ERROR_CODE, 41, -EREMOTEIO, "libsgx-dcap-default-qpl"},
    {SIZE, SIZE_IS, 0, -EBADMSG, "cannot be"},
    {SIZE, SIZE_IS, 431, -EBADMSG, "cannot be"},
    {SIZE, SIZE_IS, QUOTE_SIZE_MAX + 1, -EBADMSG, "cannot be"},
    {SIZE, SIZE_IS, 0xffffffff, -EBADMSG, "cannot be"},
};

static void test_tricks(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        struct quote_backend *b;
        char error[512] = "";
        client_timeout_ms = tricks[i].result == -ETIMEDOUT ? 200 : PATIENT_MS;
        service_start(NULL, tricks[i].at, tricks[i].trick, tricks[i].argument);
        int result = quote_aesm_create(service.path, client_timeout_ms, &b, error, sizeof error);
        service_stop();
        client_timeout_ms = PATIENT_MS;
        if (result != tricks[i].result)
            fprintf(stderr, "trick %u: %s\n", i, error);
        assert_int_equal(result, tricks[i].result);
        assert_true(says(error, tricks[i].says));
    }
}

static void test_quote_tricks(void **state)
{
    (void)state;
    static const struct {
        enum trick trick;
        uint64_t argument;
        int result;
    } cases[] = {
        {ERROR_CODE, 48, -EREMOTEIO}, {NO_FIELD, 0, -EBADMSG},    {OTHER_REPORT, 0, -EBADMSG},
        {VERSION, 0, -EBADMSG},       {SIZE_IS, 0, -EBADMSG},     {SIZE_IS, 431, -EBADMSG},
        {SIZE_IS, 17000, -EBADMSG},   {SIZE_IS, 66000, -EBADMSG}, {OTHER_QUESTION, 0, -EBADMSG},
        {SILENT, 0, -ETIMEDOUT},      {HALF, 1000, -EPIPE},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct quote_backend *b;
        char error[512];
        uint8_t quote[QUOTE_SIZE_MAX] = {0};
        size_t size = 0;
        client_timeout_ms =
            cases[i].result == -ETIMEDOUT ? 4000 : PATIENT_MS; /* the questions before are answered in it */
        service_start(NULL, QUOTE, cases[i].trick, cases[i].argument);
        assert_int_equal(quote_aesm_create(service.path, client_timeout_ms, &b, error, sizeof error), 0);
        assert_int_equal(quote_get(b, service.report, quote, sizeof quote, &size), cases[i].result);
        assert_int_equal(quote[0], 0); /* nothing of it is handed out */
        quote_destroy(b);
        service_stop();
        client_timeout_ms = PATIENT_MS;
    }
}

static void test_texts(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 100; code++)
        assert_true(strlen(quote_aesm_error_text(code)) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest), cmocka_unit_test(test_key_not_ready), cmocka_unit_test(test_no_service),
        cmocka_unit_test(test_tricks), cmocka_unit_test(test_quote_tricks),  cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
