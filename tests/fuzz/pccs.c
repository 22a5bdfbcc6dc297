/*
 * What a collateral server answers, and addresses.
 */
#include "tests/fuzz/fuzz.h"
#include "verifier/http_get.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_reply reply;
    struct http_url url;
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, data, size);
    copy[size] = '\0';
    if (verifier__parse_url((char *)copy, &url))
        MUST(url.host[0] && url.port[0] && url.path[0] == '/');
    if (verifier__http_parse(copy, size, &reply) == NULL) {
        MUST(reply.body >= copy && reply.body + reply.body_size <= copy + size);
        char *value = verifier__http_field(&reply, "TCB-Info-Issuer-Chain");
        MUST(!value || (value >= reply.head && strlen(value) <= size));
    }
    free(copy);
    return 0;
}
