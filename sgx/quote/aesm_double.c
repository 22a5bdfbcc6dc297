/* An AESM service of the tests' own; see aesm_double.h. */
#include "sgx/quote/aesm_double.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "aesm.pb-c.h"
#include "common/bytes.h"

#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

struct service service;
unsigned client_timeout_ms = PATIENT_MS;

static void note_wrong(const char *what)
{
    if (!service.wrong[0])
        snprintf(service.wrong, sizeof service.wrong, "%s", what);
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
        if (!r->init_quote_ex->has_timeout || r->init_quote_ex->timeout != client_timeout_ms * 1000)
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
    memset(content, 0x5a, sizeof content);
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
    if (size > sizeof in || recv(fd, in, size, MSG_WAITALL) != (ssize_t)size)
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
        recv(fd, out, 1, 0); /* until the client gives up */
    else if (trick == DRIP)
        for (unsigned i = 0; i < 20 && send(fd, out + i, 1, MSG_NOSIGNAL) == 1; i++)
            nap(client_timeout_ms / 10);
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

void service_start(const char *path, enum question at, enum trick trick, uint64_t argument)
{
    memset(&service, 0, sizeof service);
    service.at = at, service.trick = trick, service.argument = argument;
    for (unsigned i = 0; i < QUOTE_REPORT_SIZE; i++)
        service.report[i] = (uint8_t)(i * 5);
    snprintf(service.folder, sizeof service.folder, "/tmp/aesm_test.XXXXXX");
    MUST(mkdtemp(service.folder));
    if (path)
        snprintf(service.path, sizeof service.path, "%s", path);
    else
        snprintf(service.path, sizeof service.path, "%s/aesm.socket", service.folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", service.path);
    service.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    MUST(bind(service.listener, (struct sockaddr *)&address, sizeof address) == 0);
    MUST(listen(service.listener, 4) == 0);
    MUST(pthread_create(&service.thread, NULL, serve, NULL) == 0);
}

void service_abandon(void)
{
    shutdown(service.listener, SHUT_RDWR);
    pthread_join(service.thread, NULL);
    close(service.listener);
}

void service_stop(void)
{
    service_abandon();
    unlink(service.path);
    rmdir(service.folder);
}
