/* Apps as JSON, for whoever asks; see apps.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/service/apps.h"
#include "enclave/service/generation.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/settings.h"

json_t *apps_settings_json(const struct generation *g, const char *name, int *error)
{
    ENSURE(g && g->site.apps);
    ENSURE(name && error);
    struct app *app = app_table_find(g->site.apps, name, strlen(name));
    *error = -ENOENT;
    if (!app)
        return NULL;
    const struct app_settings *settings = app_settings_of(app);
    char salt[2 * SETTINGS_SALT_SIZE + 1], digest[65];
    hex_text(settings->salt, sizeof settings->salt, salt);
    hex_text(settings->digest, 32, digest);
    json_t *body =
        json_pack("{s:o,s:s,s:s}", "settings", json_loads(settings->json, 0, NULL), "salt", salt, "sha256", digest);
    *error = body ? 0 : -ENOMEM;
    return body;
}

/* What a line of the app's rule says; a JSON null: there is none. */
static json_t *of_rule(const struct app *app, const char *line)
{
    size_t name = strlen(line);
    for (const char *at = app_rule(app); *at; at += strcspn(at, "\n") + 1)
        if (strncmp(at, line, name) == 0)
            return json_stringn(at + name, strcspn(at + name, "\n"));
    return json_null();
}

static json_t *app_json(struct app *app)
{
    char sha[65];
    hex_text(app_sha256(app), 32, sha);
    json_t *version = of_rule(app, "version="), *publisher = of_rule(app, "key=");
    json_t *entry =
        json_pack("{s:s,s:s,s:o,s:o,s:o}", "name", app_name(app), "sha256", sha, "id", of_rule(app, "id="), "rule",
                  of_rule(app, "rule="), "hostnames", app_settings_hostnames_json(app_settings_of(app)));
    int error = 0;
    if (json_is_string(publisher))
        error = json_object_set(entry, "publisher", publisher) |
                json_object_set_new(entry, "version", json_integer(strtoll(json_string_value(version), NULL, 10)));
    json_decref(version);
    json_decref(publisher);
    if (error == 0)
        return entry;
    json_decref(entry);
    return NULL;
}

json_t *apps_list_json(const struct generation *g)
{
    char root[65];
    hex_text(g->root, 32, root);
    return json_pack("{s:o,s:s,s:I}", "apps", app_table_json(g->site.apps, app_json), "merkle_root", root, "generation",
                     (json_int_t)g->site.number);
}
