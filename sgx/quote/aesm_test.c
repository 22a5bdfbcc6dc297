/*
 * AESM's client against a service of the test's own, on a real socket with real messages: the honest sequence, every
 * way that the service can be missing, error codes, and answers that a hostile or broken one might give.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "aesm.pb-c.h"
#include "common/bytes.h"
#include "sgx/include/arch.h"
#include "sgx/quote/aesm.h"

#define TIMEOUT_MS 400u
#define QUOTE_SIZE 4600u
#define KEY_ID_SIZE 256u

enum question { SELECT, INIT_SIZE, INIT, SIZE, QUOTE, QUESTIONS };

/* How the service misbehaves, at which question. */
enum trick {
    HONEST,
    ERROR_CODE,      /* argument: the code */
    SILENT,          /* no answer */
    HANG_UP,         /* without an answer */
    HALF,            /* argument bytes of the answer, then closes */
    DRIP,            /* a byte now and then, never done in time */
    LENGTH,          /* argument instead of the length, then the answer */
    GARBAGE,         /* bytes that are no message */
    OTHER_QUESTION,  /* the answer to another one */
    UNSUPPORTED,     /* the service's "cannot" */
    NO_FIELD,        /* success without content */
    SIZE_IS,         /* content of argument bytes, or the size argument */
    OTHER_ALGORITHM, /* an EPID key */
    OTHER_REPORT,    /* a quote of somebody else's report */
    VERSION          /* a quote of version 4 */
};

static struct {
    char folder[64], path[100];
    int listener;
    pthread_t thread;
    enum question at;
    enum trick trick;
    uint64_t argument;
    unsigned once; /* misbehave only so many times; 0: always */
    atomic_uint asked[QUESTIONS];
    char wrong[160]; /* what a request had wrong, "" if nothing */
    uint8_t report[QUOTE_REPORT_SIZE];
} service;

static void note_wrong(const char *what)
{
    if (!service.wrong[0])
        snprintf(service.wrong, sizeof(service.wrong), "%s", what);
}

static void key_of(uint8_t id[KEY_ID_SIZE], uint32_t algorithm)
{
    for (unsigned i = 0; i < KEY_ID_SIZE; i++)
        id[i] = (uint8_t)i;
    bytes_put_u32(id + 154, algorithm);
}

static bool is_our_key(const ProtobufCBinaryData *id)
{
    uint8_t expected[KEY_ID_SIZE];
    key_of(expected, 2);
    return id->len == KEY_ID_SIZE && memcmp(id->data, expected, KEY_ID_SIZE) == 0;
}

static enum question question_of(const Aesm__Request *r)
{
    if (r->select_att_key_id)
        return SELECT;
    if (r->init_quote_ex)
        return r->init_quote_ex->b_pub_key_id ? INIT : INIT_SIZE;
    return r->get_quote_size_ex ? SIZE : QUOTE;
}

static void check_request(const Aesm__Request *r, enum question q)
{
    if (q == INIT || q == INIT_SIZE) {
        if (!is_our_key(&r->init_quote_ex->att_key_id))
            note_wrong("init: another key");
        if (q == INIT && r->init_quote_ex->buf_size != 32)
            note_wrong("init: not the size that was told");
        if (!r->init_quote_ex->has_timeout || r->init_quote_ex->timeout != TIMEOUT_MS * 1000)
            note_wrong("init: time-out");
    }
    if (q == SIZE && !is_our_key(&r->get_quote_size_ex->att_key_id))
        note_wrong("size: another key");
    if (q == QUOTE) {
        if (!is_our_key(&r->get_quote_ex->att_key_id) || r->get_quote_ex->buf_size != QUOTE_SIZE)
            note_wrong("quote: another key or size");
        if (r->get_quote_ex->report.len != QUOTE_REPORT_SIZE ||
            memcmp(r->get_quote_ex->report.data, service.report, QUOTE_REPORT_SIZE) != 0)
            note_wrong("quote: another report");
    }
}

/* Build the answer into out; its size. */
static size_t answer(const Aesm__Request *request, enum question q, enum trick trick, uint64_t argument, uint8_t *out)
{
    static uint8_t content[70000];
    Aesm__Response response = AESM__RESPONSE__INIT;
    Aesm__Response__SelectAttKeyID select = AESM__RESPONSE__SELECT_ATT_KEY_ID__INIT;
    Aesm__Response__InitQuoteEx init = AESM__RESPONSE__INIT_QUOTE_EX__INIT;
    Aesm__Response__GetQuoteSizeEx size = AESM__RESPONSE__GET_QUOTE_SIZE_EX__INIT;
    Aesm__Response__GetQuoteEx quote = AESM__RESPONSE__GET_QUOTE_EX__INIT;
    Aesm__Response__Unsupported unsupported = AESM__RESPONSE__UNSUPPORTED__INIT;
    uint32_t code = trick == ERROR_CODE ? (uint32_t)argument : 0;
    bool has = trick != NO_FIELD && code == 0;
    size_t length = q == SELECT ? KEY_ID_SIZE : q == QUOTE ? QUOTE_SIZE : 512;
    if (trick == SIZE_IS)
        length = argument;
    memset(content, 0x5a, sizeof(content));
    select.error_code = init.error_code = size.error_code = quote.error_code = code;
    if (trick == OTHER_QUESTION)
        q = q == SIZE ? QUOTE : SIZE;
    if (trick == UNSUPPORTED)
        response.unsupported = &unsupported;
    else if (q == SELECT) {
        key_of(content, trick == OTHER_ALGORITHM ? 1 : 2);
        select.has_selected_att_key_id = has;
        select.selected_att_key_id = (ProtobufCBinaryData){length, content};
        response.select_att_key_id = &select;
    } else if (q == INIT_SIZE) {
        init.has_pub_key_id_size = has;
        init.pub_key_id_size = trick == SIZE_IS ? argument : 32;
        response.init_quote_ex = &init;
    } else if (q == INIT) {
        init.has_target_info = has;
        init.target_info = (ProtobufCBinaryData){length, content};
        response.init_quote_ex = &init;
    } else if (q == SIZE) {
        size.has_quote_size = has;
        size.quote_size = trick == SIZE_IS ? (uint32_t)argument : QUOTE_SIZE;
        response.get_quote_size_ex = &size;
    } else {
        bytes_put_u16(content, trick == VERSION ? 4 : 3);
        if (request->get_quote_ex)
            memcpy(content + 48, request->get_quote_ex->report.data, 384);
        content[48 + 383] ^= trick == OTHER_REPORT;
        quote.has_quote = has;
        quote.quote = (ProtobufCBinaryData){length, content};
        response.get_quote_ex = &quote;
    }
    return aesm__response__pack(&response, out);
}

static void nap(unsigned ms)
{
    struct timespec t = {.tv_nsec = (long)ms * 1000000};
    nanosleep(&t, NULL);
}

static void serve_one(int fd)
{
    static uint8_t in[80000], out[80000];
    enum trick trick = HONEST;
    if (recv(fd, in, 4, MSG_WAITALL) != 4)
        return;
    uint32_t size = bytes_u32(in);
    if (size > sizeof(in) || recv(fd, in, size, MSG_WAITALL) != (ssize_t)size)
        return;
    Aesm__Request *request = aesm__request__unpack(NULL, size, in);
    if (!request) {
        note_wrong("a request that does not parse");
        return;
    }
    enum question q = question_of(request);
    check_request(request, q);
    unsigned times = atomic_fetch_add(&service.asked[q], 1);
    if (q == service.at && (service.once == 0 || times < service.once))
        trick = service.trick;
    size_t answer_size = answer(request, q, trick, service.argument, out + 4);
    aesm__request__free_unpacked(request, NULL);
    bytes_put_u32(out, trick == LENGTH ? (uint32_t)service.argument : (uint32_t)answer_size);
    if (trick == GARBAGE)
        memset(out + 4, 0xff, answer_size);
    if (trick == SILENT)
        nap(2 * TIMEOUT_MS);
    else if (trick == DRIP)
        for (unsigned i = 0; i < 20 && send(fd, out + i, 1, MSG_NOSIGNAL) == 1; i++)
            nap(TIMEOUT_MS / 10);
    else if (trick != HANG_UP)
        send(fd, out, trick == HALF ? service.argument : 4 + answer_size, MSG_NOSIGNAL);
}

static void *serve(void *unused)
{
    for (;;) {
        int fd = accept(service.listener, NULL, NULL);
        if (fd < 0)
            return unused;
        serve_one(fd);
        close(fd);
    }
}

static void service_start(enum question at, enum trick trick, uint64_t argument)
{
    memset(&service, 0, sizeof(service));
    service.at = at, service.trick = trick, service.argument = argument;
    for (unsigned i = 0; i < QUOTE_REPORT_SIZE; i++)
        service.report[i] = (uint8_t)(i * 5);
    snprintf(service.folder, sizeof(service.folder), "/tmp/aesm_test.XXXXXX");
    assert_non_null(mkdtemp(service.folder));
    snprintf(service.path, sizeof(service.path), "%s/aesm.socket", service.folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", service.path);
    service.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(service.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(service.listener, 4), 0);
    assert_int_equal(pthread_create(&service.thread, NULL, serve, NULL), 0);
}

static void service_stop(void)
{
    shutdown(service.listener, SHUT_RDWR);
    pthread_join(service.thread, NULL);
    close(service.listener);
    unlink(service.path);
    rmdir(service.folder);
}

static bool says(const char *text, const char *what)
{
    if (strstr(text, what))
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
    service_start(QUESTIONS, HONEST, 0);
    assert_int_equal(quote_aesm_create(service.path, TIMEOUT_MS, &b, error, sizeof(error)), 0);
    assert_int_equal(quote_target_info(b, info), 0);
    assert_int_equal(info[0], 0x5a);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(quote_get(b, service.report, quote, sizeof(quote), &size), 0);
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
    service_start(QUOTE, ERROR_CODE, 42);
    service.once = 1;
    assert_int_equal(quote_aesm_create(service.path, TIMEOUT_MS, &b, error, sizeof(error)), 0);
    assert_int_equal(quote_get(b, service.report, quote, sizeof(quote), &size), 0);
    assert_int_equal(service.asked[SELECT], 2);
    assert_int_equal(service.asked[QUOTE], 2);
    service.once = 0;
    assert_int_equal(quote_get(b, service.report, quote, sizeof(quote), &size), -EREMOTEIO);
    assert_int_equal(service.asked[QUOTE], 4); /* and not for ever */
    quote_destroy(b);
    service_stop();
}

static void test_no_service(void **state)
{
    (void)state;
    struct quote_backend *b;
    char error[512];
    assert_int_equal(quote_aesm_create("/tmp/aesm_test.none/socket", TIMEOUT_MS, &b, error, sizeof(error)), -ENOENT);
    assert_true(says(error, "install and start sgx-aesm-service"));
    service_start(QUESTIONS, HONEST, 0);
    shutdown(service.listener, SHUT_RDWR);
    pthread_join(service.thread, NULL);
    close(service.listener);
    assert_int_equal(quote_aesm_create(service.path, TIMEOUT_MS, &b, error, sizeof(error)), -ECONNREFUSED);
    assert_true(says(error, "systemctl start aesmd"));
    if (getuid() == 0 && chmod(service.path, 0) == 0 && chmod(service.folder, 0755) == 0 && seteuid(65534) == 0) {
        assert_int_equal(quote_aesm_create(service.path, TIMEOUT_MS, &b, error, sizeof(error)), -EACCES);
        assert_true(says(error, "permission"));
        assert_int_equal(seteuid(0), 0);
    }
    unlink(service.path);
    rmdir(service.folder);
    char long_name[300];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    assert_int_equal(quote_aesm_create(long_name, TIMEOUT_MS, &b, error, sizeof(error)), -ENAMETOOLONG);
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
    for (unsigned i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
        struct quote_backend *b;
        char error[512] = "";
        service_start(tricks[i].at, tricks[i].trick, tricks[i].argument);
        int result = quote_aesm_create(service.path, TIMEOUT_MS, &b, error, sizeof(error));
        service_stop();
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
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct quote_backend *b;
        char error[512];
        uint8_t quote[QUOTE_SIZE_MAX] = {0};
        size_t size = 0;
        service_start(QUOTE, cases[i].trick, cases[i].argument);
        assert_int_equal(quote_aesm_create(service.path, TIMEOUT_MS, &b, error, sizeof(error)), 0);
        assert_int_equal(quote_get(b, service.report, quote, sizeof(quote), &size), cases[i].result);
        assert_int_equal(quote[0], 0); /* nothing of it is handed out */
        quote_destroy(b);
        service_stop();
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
