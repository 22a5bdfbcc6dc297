/* Interim responses (103) of 60 KB each, then a response: /N of them. */
#include "../common/wasi_http.h"

struct inform_result {
    uint8_t error;
    uint64_t rest[5];
};
IMPORT(TYPES, "[method]response-outparam.send-informational")
void send_informational(uint32_t outparam, uint32_t status, uint32_t headers, struct inform_result *result);

static char big[60000];

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    struct inform_result result = {0};
    uint8_t ignored[8];
    uint32_t count = 0;
    request_path(request, &path);
    for (size_t i = 1; i < path.text.size && path.text.data[i] >= '0' && path.text.data[i] <= '9'; i++)
        count = count * 10 + (uint32_t)(path.text.data[i] - '0');
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = 'z';
    for (; count > 0 && !result.error; count--) {
        uint32_t fields = fields_new();
        fields_append(fields, "x-big", 5, big, sizeof big, ignored);
        send_informational(outparam, 103, fields, &result);
    }
    respond_text(outparam, 200, TEXT("done\n"));
}
