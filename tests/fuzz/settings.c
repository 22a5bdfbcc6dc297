/* An app's settings: the input as JSON. What is accepted has one text, which is accepted as the same; and its names are
 * such as certificates may have. */
#include <string.h>

#include "common/names.h"
#include "enclave/wasm/settings.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t salt[SETTINGS_SALT_SIZE] = {1};
static char why[400];

static void check_names(const struct app_hostnames *names)
{
    MUST(names->count <= APP_HOSTNAMES_MAX);
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->names[i];
        MUST(name_kind_of(name, strlen(name), NULL) == NAME_DNS);
        MUST(i == 0 || strcmp(names->names[i - 1], name) < 0);
        MUST(strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ,") == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct app_settings *s = app_settings_parse((const char *)data, size, salt, why, sizeof why);
    if (!s) {
        MUST(why[0]);
        return 0;
    }
    struct app_settings *again = app_settings_parse(s->json, strlen(s->json), salt, why, sizeof why);
    MUST(again && memcmp(again->digest, s->digest, sizeof s->digest) == 0);
    check_names(&s->hostnames);
    char *text = app_settings_hostnames_text(s), *same = app_settings_hostnames_text(again);
    MUST(text && same && strcmp(text, same) == 0);
    MUST(!app_settings_egress_beyond(s, again) && !app_settings_egress_beyond(again, s));
    free(text);
    free(same);
    app_settings_unref(again);
    app_settings_unref(s);
    return 0;
}
