/* Quotes through AESM; see aesm.h. One exchange for each connection, each with a deadline. */
#include "sgx/quote/aesm.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "aesm.pb-c.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/container.h"
#include "sgx/include/arch.h"

#define MESSAGE_MAX 65536u    /* a quote with its certificates has about 5,000 bytes */
#define KEY_ID_MAX 256u       /* the service's attestation key id */
#define KEY_ID_ALGORITHM 154u /* where its algorithm stands, 32 bits */
#define ALGORITHM_ECDSA_P256 2u
#define PUBLIC_KEY_ID_MAX 1024u
#define QUOTE_BODY 48u /* where the report's body stands in a quote */
#define CODE_KEY_NOT_READY 42u

struct aesm {
    struct quote_backend base;
    struct sockaddr_un address;
    uint32_t timeout_ms;
    uint8_t key_id[KEY_ID_MAX];
    size_t key_id_size;
    uint8_t target_info[QUOTE_TARGET_INFO_SIZE];
    uint32_t quote_size;
    uint32_t code;        /* of the last answer */
    char error[256];      /* the last failure */
    char complained[256]; /* what was printed last */
};

static int fail(struct aesm *a, int result, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct aesm *a, int result, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(a->error, sizeof a->error, format, args);
    va_end(args);
    return result;
}

const char *quote_aesm_error_text(uint32_t code)
{
    static const struct {
        uint32_t code;
        const char *text;
    } texts[] = {
        {2, "no SGX device: is the driver loaded, and may the service's user open it?"},
        {3, "it found a parameter wrong"},
        {12, "it cannot reach the network: check the PCCS in /etc/sgx_default_qcnl.conf"},
        {13, "the network is busy"},
        {15, "it cannot read its own files"},
        {16, "provisioning failed"},
        {17, "the service is stopping"},
        {18, "it is busy"},
        {21, "it is out of memory"},
        {24, "no SGX device"},
        {27, "no such service: install libsgx-aesm-ecdsa-plugin and libsgx-aesm-quote-ex-plugin"},
        {29, "no EPC left"},
        {30, "the service is not available: install libsgx-aesm-ecdsa-plugin and libsgx-aesm-quote-ex-plugin"},
        {31, "the certification service does not know this machine: register the platform"},
        {38, "it does not know this attestation key: install libsgx-aesm-ecdsa-plugin"},
        {40, "an interface is missing: install libsgx-dcap-ql and libsgx-aesm-ecdsa-plugin"},
        {41, "no collateral library: install libsgx-dcap-default-qpl"},
        {42, "the attestation key is not ready"},
        {43, "the platform's certificate is not valid"},
        {44, "no certificate for this platform: check the PCCS in /etc/sgx_default_qcnl.conf, and that the machine is "
             "registered there"},
        {45, "no EPC left"},
        {47, "the quoting enclave was lost: has the machine been suspended?"},
        {48, "the report was not made on this machine for the quoting enclave"},
        {49, "the quoting enclave cannot be loaded: may the service's user open /dev/sgx_provision?"},
        {51, "the attestation key cannot be certified: check the PCCS in /etc/sgx_default_qcnl.conf"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].code == code)
            return texts[i].text;
    return "its log (journalctl -u aesmd) may tell more";
}

/* ---- one exchange ---------------------------------------------------------------------------------------------- */

/* Wait until fd is ready for events or the deadline has passed: 0 or -ETIMEDOUT. */
static int wait_for(int fd, short events, uint64_t deadline_ms)
{
    for (;;) {
        uint64_t now = clock_monotonic_ns() / 1000000u;
        if (now >= deadline_ms)
            return -ETIMEDOUT;
        struct pollfd p = {.fd = fd, .events = events};
        int ready = poll(&p, 1, (int)(deadline_ms - now));
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return -errno;
    }
}

/* Move all of size bytes, in one direction. */
static int move_all(int fd, uint8_t *data, size_t size, bool out, uint64_t deadline_ms)
{
    while (size > 0) {
        int result = wait_for(fd, out ? POLLOUT : POLLIN, deadline_ms);
        if (result < 0)
            return result;
        ssize_t n = out ? send(fd, data, size, MSG_NOSIGNAL) : recv(fd, data, size, 0);
        if (n == 0)
            return -EPIPE;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return errno == ECONNRESET ? -EPIPE : -errno;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static int open_socket(struct aesm *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(a, -errno, "AESM: socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&a->address, sizeof a->address) == 0)
        return fd;
    int code = errno;
    close(fd);
    const char *path = a->address.sun_path;
    switch (code) {
    case ENOENT:
        return fail(a, -ENOENT, "AESM: %s is not there: install and start sgx-aesm-service (aesmd)", path);
    case ECONNREFUSED:
        return fail(a, -ECONNREFUSED, "AESM: nobody listens on %s: start the service (systemctl start aesmd)", path);
    case EACCES:
        return fail(a, -EACCES, "AESM: %s: permission denied: this user must be able to write to it", path);
    case EAGAIN:
        return fail(a, -EAGAIN, "AESM: %s: too many wait already", path);
    default:
        return fail(a, -code, "AESM: %s: %s", path, strerror(code));
    }
}

static int transfer(int fd, const Aesm__Request *request, uint8_t *message, size_t *size, uint64_t deadline_ms)
{
    size_t request_size = aesm__request__get_packed_size(request);
    if (request_size > MESSAGE_MAX - 4)
        return -EMSGSIZE;
    bytes_put_u32(message, (uint32_t)request_size);
    aesm__request__pack(request, message + 4);
    int result = move_all(fd, message, 4 + request_size, true, deadline_ms);
    if (result == 0)
        result = move_all(fd, message, 4, false, deadline_ms);
    if (result < 0)
        return result;
    uint32_t answer_size = bytes_u32(message);
    if (answer_size == 0 || answer_size > MESSAGE_MAX)
        return -EBADMSG;
    *size = answer_size;
    return move_all(fd, message, answer_size, false, deadline_ms);
}

/* Ask, and parse the answer, which the caller frees. */
static int ask(struct aesm *a, const Aesm__Request *request, Aesm__Response **out)
{
    uint64_t deadline_ms = clock_monotonic_ns() / 1000000u + a->timeout_ms;
    size_t size = 0;
    uint8_t *message = malloc(MESSAGE_MAX);
    int fd = message ? open_socket(a) : fail(a, -ENOMEM, "AESM: out of memory");
    int result = fd < 0 ? fd : transfer(fd, request, message, &size, deadline_ms);
    if (fd >= 0)
        close(fd);
    if (result == 0) {
        *out = aesm__response__unpack(NULL, size, message);
        result = *out ? 0 : -EBADMSG;
    }
    free(message);
    if (fd < 0 || result == 0)
        return result;
    if (result == -ETIMEDOUT)
        return fail(a, result, "AESM: no answer within %u ms", a->timeout_ms);
    if (result == -EPIPE)
        return fail(a, result, "AESM: the service hung up");
    if (result == -EBADMSG)
        return fail(a, result, "AESM: the answer is not one");
    return fail(a, result, "AESM: %s", strerror(-result));
}

/* Is the part that answers our question there, and does it say success? */
static int check_code(struct aesm *a, const Aesm__Response *response, const char *what, bool present, uint32_t code)
{
    a->code = present ? code : 0;
    if (response->unsupported && !present)
        return fail(a, -EPROTONOSUPPORT,
                    "AESM: %s: the service cannot: install libsgx-aesm-ecdsa-plugin and "
                    "libsgx-aesm-quote-ex-plugin",
                    what);
    if (!present)
        return fail(a, -EBADMSG, "AESM: %s: the answer is to another question", what);
    if (code != 0)
        return fail(a, code == 27 || code == 30 || code == 38 ? -EPROTONOSUPPORT : -EREMOTEIO, "AESM: %s: error %u: %s",
                    what, code, quote_aesm_error_text(code));
    return 0;
}

/* ---- the questions --------------------------------------------------------------------------------------------- */

static uint32_t service_timeout_us(const struct aesm *a)
{
    return a->timeout_ms < UINT32_MAX / 1000u ? a->timeout_ms * 1000u : UINT32_MAX;
}

static ProtobufCBinaryData key_id(struct aesm *a)
{
    return (ProtobufCBinaryData){.len = a->key_id_size, .data = a->key_id};
}

static int select_key(struct aesm *a)
{
    Aesm__Request request = AESM__REQUEST__INIT;
    Aesm__Request__SelectAttKeyID select = AESM__REQUEST__SELECT_ATT_KEY_ID__INIT;
    Aesm__Response *response = NULL;
    select.has_timeout = true;
    select.timeout = service_timeout_us(a);
    request.select_att_key_id = &select;
    int result = ask(a, &request, &response);
    if (result < 0)
        return result;
    const Aesm__Response__SelectAttKeyID *r = response->select_att_key_id;
    result = check_code(a, response, "selecting an attestation key", r != NULL, r ? r->error_code : 0);
    if (result == 0 && (!r->has_selected_att_key_id || r->selected_att_key_id.len > KEY_ID_MAX ||
                        r->selected_att_key_id.len < KEY_ID_ALGORITHM + 4))
        result = fail(a, -EBADMSG, "AESM: the attestation key's id has an impossible size");
    if (result == 0) {
        a->key_id_size = r->selected_att_key_id.len;
        memcpy(a->key_id, r->selected_att_key_id.data, a->key_id_size);
        uint32_t algorithm = bytes_u32(a->key_id + KEY_ID_ALGORITHM);
        if (algorithm != ALGORITHM_ECDSA_P256)
            result = fail(a, -EPROTONOSUPPORT,
                          "AESM: it selects an attestation key of kind %u, not ECDSA P-256: set \"default quoting "
                          "type = ecdsa_256\" in /etc/aesmd.conf and install libsgx-aesm-ecdsa-plugin",
                          algorithm);
    }
    aesm__response__free_unpacked(response, NULL);
    return result;
}

/* Twice: the first answer tells how large the second one's buffer must be. */
static int init_quote(struct aesm *a, bool with_public_key, uint64_t *buffer_size)
{
    Aesm__Request request = AESM__REQUEST__INIT;
    Aesm__Request__InitQuoteEx init = AESM__REQUEST__INIT_QUOTE_EX__INIT;
    Aesm__Response *response = NULL;
    init.has_att_key_id = true;
    init.att_key_id = key_id(a);
    init.b_pub_key_id = with_public_key;
    init.has_buf_size = with_public_key;
    init.buf_size = *buffer_size;
    init.has_timeout = true;
    init.timeout = service_timeout_us(a);
    request.init_quote_ex = &init;
    int result = ask(a, &request, &response);
    if (result < 0)
        return result;
    const Aesm__Response__InitQuoteEx *r = response->init_quote_ex;
    result = check_code(a, response, "making the attestation key ready", r != NULL, r ? r->error_code : 0);
    if (result == 0 && !with_public_key) {
        *buffer_size = r->has_pub_key_id_size ? r->pub_key_id_size : 0;
        if (*buffer_size == 0 || *buffer_size > PUBLIC_KEY_ID_MAX)
            result = fail(a, -EBADMSG, "AESM: the public key's id has an impossible size");
    } else if (result == 0) {
        if (!r->has_target_info || r->target_info.len != QUOTE_TARGET_INFO_SIZE)
            result = fail(a, -EBADMSG, "AESM: the quoting enclave's TARGETINFO has an impossible size");
        else
            memcpy(a->target_info, r->target_info.data, QUOTE_TARGET_INFO_SIZE);
    }
    aesm__response__free_unpacked(response, NULL);
    return result;
}

static int ask_quote_size(struct aesm *a)
{
    Aesm__Request request = AESM__REQUEST__INIT;
    Aesm__Request__GetQuoteSizeEx size = AESM__REQUEST__GET_QUOTE_SIZE_EX__INIT;
    Aesm__Response *response = NULL;
    size.has_att_key_id = true;
    size.att_key_id = key_id(a);
    size.has_timeout = true;
    size.timeout = service_timeout_us(a);
    request.get_quote_size_ex = &size;
    int result = ask(a, &request, &response);
    if (result < 0)
        return result;
    const Aesm__Response__GetQuoteSizeEx *r = response->get_quote_size_ex;
    result = check_code(a, response, "asking for a quote's size", r != NULL, r ? r->error_code : 0);
    if (result == 0) {
        a->quote_size = r->has_quote_size ? r->quote_size : 0;
        if (a->quote_size < QUOTE_BODY + sizeof(struct sgx_report_body) || a->quote_size > QUOTE_SIZE_MAX)
            result = fail(a, -EBADMSG, "AESM: quotes of %u bytes cannot be", a->quote_size);
    }
    aesm__response__free_unpacked(response, NULL);
    return result;
}

static int prepare(struct aesm *a)
{
    uint64_t size = 0;
    int result = select_key(a);
    if (result == 0)
        result = init_quote(a, false, &size);
    if (result == 0)
        result = init_quote(a, true, &size);
    return result == 0 ? ask_quote_size(a) : result;
}

/* The quote must be of a known form and carry the report that was given. */
static int take_quote(struct aesm *a, const ProtobufCBinaryData *quote, const uint8_t *report, uint8_t *out,
                      size_t capacity, size_t *size)
{
    const size_t body = sizeof(struct sgx_report_body);
    if (quote->len < QUOTE_BODY + body || quote->len > QUOTE_SIZE_MAX || bytes_u16(quote->data) != 3)
        return fail(a, -EBADMSG, "AESM: what it gave is not a version 3 quote");
    if (memcmp(quote->data + QUOTE_BODY, report, body) != 0)
        return fail(a, -EBADMSG, "AESM: the quote is of another report");
    if (quote->len > capacity)
        return fail(a, -ENOSPC, "AESM: a quote of %zu bytes does not fit", quote->len);
    memcpy(out, quote->data, quote->len);
    *size = quote->len;
    return 0;
}

static int ask_quote(struct aesm *a, const uint8_t *report, uint8_t *out, size_t capacity, size_t *size)
{
    Aesm__Request request = AESM__REQUEST__INIT;
    Aesm__Request__GetQuoteEx get = AESM__REQUEST__GET_QUOTE_EX__INIT;
    Aesm__Response *response = NULL;
    get.report = (ProtobufCBinaryData){.len = QUOTE_REPORT_SIZE, .data = (uint8_t *)report};
    get.has_att_key_id = true;
    get.att_key_id = key_id(a);
    get.buf_size = a->quote_size;
    get.has_timeout = true;
    get.timeout = service_timeout_us(a);
    request.get_quote_ex = &get;
    int result = ask(a, &request, &response);
    if (result < 0)
        return result;
    const Aesm__Response__GetQuoteEx *r = response->get_quote_ex;
    result = check_code(a, response, "quoting", r != NULL, r ? r->error_code : 0);
    if (result == 0)
        result = r->has_quote ? take_quote(a, &r->quote, report, out, capacity, size)
                              : fail(a, -EBADMSG, "AESM: success, and no quote");
    aesm__response__free_unpacked(response, NULL);
    return result;
}

/* ---- the backend ----------------------------------------------------------------------------------------------- */

static int target_info(struct quote_backend *b, uint8_t out[QUOTE_TARGET_INFO_SIZE])
{
    memcpy(out, CONTAINER_OF(b, struct aesm, base)->target_info, QUOTE_TARGET_INFO_SIZE);
    return 0;
}

static int get(struct quote_backend *b, const uint8_t report[QUOTE_REPORT_SIZE], uint8_t *out, size_t capacity,
               size_t *size)
{
    struct aesm *a = CONTAINER_OF(b, struct aesm, base);
    int result = ask_quote(a, report, out, capacity, size);
    if (result == -EREMOTEIO && a->code == CODE_KEY_NOT_READY) { /* the service has started anew */
        result = prepare(a);
        if (result == 0)
            result = ask_quote(a, report, out, capacity, size);
    }
    if (result < 0 && strcmp(a->error, a->complained) != 0) {
        fprintf(stderr, "enclave-os: %s\n", a->error);
        memcpy(a->complained, a->error, sizeof a->complained);
    }
    return result;
}

static void destroy(struct quote_backend *b)
{
    free(b);
}

static const struct quote_backend_ops aesm_ops = {
    .name = "aesm",
    .target_info = target_info,
    .get = get,
    .destroy = destroy,
};

int quote_aesm_create(const char *socket_path, uint32_t timeout_ms, struct quote_backend **out, char *error,
                      size_t error_size)
{
    struct aesm *a = calloc(1, sizeof *a);
    if (!a) {
        snprintf(error, error_size, "AESM: out of memory");
        return -ENOMEM;
    }
    a->base.ops = &aesm_ops;
    a->timeout_ms = timeout_ms;
    a->address.sun_family = AF_UNIX;
    int result = 0;
    if ((size_t)snprintf(a->address.sun_path, sizeof a->address.sun_path, "%s", socket_path) >=
        sizeof a->address.sun_path)
        result = fail(a, -ENAMETOOLONG, "AESM: the socket's name is too long");
    if (result == 0)
        result = prepare(a);
    if (result < 0) {
        snprintf(error, error_size, "%s", a->error);
        free(a);
        return result;
    }
    *out = &a->base;
    return 0;
}
