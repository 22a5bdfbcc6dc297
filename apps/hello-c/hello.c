/*
 * The smallest app: a fixed answer.
 */
#include "../common/wasi_http.h"

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    respond_text(outparam, 200, TEXT("Hello from C inside the enclave\n"));
}
