/* heap.h in a component with a handler, where the host gives memory, too. The seed is the query. */
#include "../common/wasi_http.h"
#include "heap.h"

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text target;
    request_path(request, &target);
    uint32_t seed = 0;
    for (size_t i = 0; i < target.text.size; i++)
        if (target.text.data[i] >= '0' && target.text.data[i] <= '9')
            seed = seed * 10 + (uint32_t)(target.text.data[i] - '0');
    const char *wrong = heap_check(seed);
    free((void *)target.text.data);
    const char *said = wrong ? wrong : "whole";
    respond_text(outparam, 200, (struct text){said, strlen(said)});
}
