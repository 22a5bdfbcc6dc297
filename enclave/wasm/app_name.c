/* Names of apps (app.h). */
#include "enclave/wasm/app.h"

bool app_name_ok(const char *name, size_t size)
{
    if (size == 0 || size > APP_NAME_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || (c != '-' && c != '_')))
            return false;
    }
    return true;
}
