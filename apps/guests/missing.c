/*
 * Test guest that imports a function which nobody serves: it must be refused when it is deployed.
 */
#include "../common/wasi_http.h"

IMPORT("apps:absent/nowhere@1.0.0", "nothing") void nothing(void);

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    nothing();
}
