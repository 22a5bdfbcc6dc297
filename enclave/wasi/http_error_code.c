/* wasi:http/types@0.2.x: the variant error-code, in replies. See http_error_code.h. */
#include "enclave/wasi/http_error_code.h"

void reply_error_code(struct guest *g, enum http_error code)
{
    /* An option is one word when it is none; a record is its fields. */
    static const uint8_t words[] = {
        [ERROR_DNS] = 2,
        [ERROR_TLS_ALERT] = 2,
        [ERROR_REQUEST_BODY_SIZE] = 1,
        [ERROR_RESPONSE_HEAD_SIZE] = 1,
        [ERROR_RESPONSE_BODY_SIZE] = 1,
        [ERROR_RESPONSE_CODING] = 1,
        [ERROR_INTERNAL] = 1,
    };
    reply_word(g, code);
    for (int i = 0; i < words[code]; i++)
        reply_word(g, 0);
}

enum http_error http_error_of(enum http_call_failure failure)
{
    static const uint8_t codes[] = {
        [CALL_OK] = ERROR_INTERNAL,
        [CALL_NO_TRUST] = ERROR_CONFIGURATION,
        [CALL_NO_NAME] = ERROR_DNS,
        [CALL_REFUSED] = ERROR_CONNECTION_REFUSED,
        [CALL_LIMIT] = ERROR_CONNECTION_LIMIT,
        [CALL_UNREACHABLE] = ERROR_DESTINATION_UNAVAILABLE,
        [CALL_CONNECT_TIMEOUT] = ERROR_CONNECTION_TIMEOUT,
        [CALL_TERMINATED] = ERROR_CONNECTION_TERMINATED,
        [CALL_TLS_PROTOCOL] = ERROR_TLS_PROTOCOL,
        [CALL_TLS_CERTIFICATE] = ERROR_TLS_CERTIFICATE,
        [CALL_TLS_ALERT] = ERROR_TLS_ALERT,
        [CALL_RESPONSE_TIMEOUT] = ERROR_RESPONSE_TIMEOUT,
        [CALL_READ_TIMEOUT] = ERROR_READ_TIMEOUT,
        [CALL_INCOMPLETE] = ERROR_RESPONSE_INCOMPLETE,
        [CALL_HEAD_SIZE] = ERROR_RESPONSE_HEAD_SIZE,
        [CALL_CODING] = ERROR_RESPONSE_CODING,
        [CALL_PROTOCOL] = ERROR_HTTP_PROTOCOL,
        [CALL_NO_MEMORY] = ERROR_INTERNAL,
    };
    return codes[failure];
}

void reply_call_failure(struct guest *g, const struct http_call *call)
{
    enum http_call_failure failure = http_call_failure(call);
    if (failure != CALL_TLS_ALERT) {
        reply_error_code(g, http_error_of(failure));
        return;
    }
    reply_word(g, ERROR_TLS_ALERT);
    reply_word(g, 1); /* its number, and no text */
    reply_word(g, http_call_alert(call));
    reply_word(g, 0);
}

int http_error_status(uint64_t code)
{
    switch (code) {
    case ERROR_REQUEST_DENIED:
        return 403;
    case ERROR_REQUEST_BODY_SIZE:
        return 413;
    case ERROR_RESPONSE_TIMEOUT:
    case ERROR_READ_TIMEOUT:
    case ERROR_CONNECTION_TIMEOUT:
        return 504;
    case ERROR_DNS:
    case ERROR_CONNECTION_REFUSED:
    case ERROR_CONNECTION_TERMINATED:
    case ERROR_TLS_PROTOCOL:
    case ERROR_TLS_CERTIFICATE:
    case ERROR_TLS_ALERT:
    case ERROR_RESPONSE_INCOMPLETE:
        return 502;
    default:
        return 500;
    }
}
