/*
 * wasi:config/store@0.2.0-rc.1, the same as @0.2.0-draft, and under its former name wasi:config/runtime@0.2.0-draft:
 * what the operator set for the app (settings.h).
 */
#include "enclave/wasi/internal.h"

#define CONFIG_ERROR "variant{upstream:string,io:string}"

static HOST_FUNC(get)
{
    const char *value = setting_find(&g->app->settings->config, slot_text(&args[0]), args[0].size);
    reply_word(g, 0);
    reply_word(g, value != NULL);
    if (value)
        reply_text(g, value, strlen(value));
    return HOST_DONE;
}

static HOST_FUNC(get_all)
{
    const struct setting_list *all = &g->app->settings->config;
    reply_word(g, 0);
    reply_word(g, all->count);
    for (size_t i = 0; i < all->count; i++) {
        reply_text(g, all->items[i].name, strlen(all->items[i].name));
        reply_text(g, all->items[i].value, strlen(all->items[i].value));
    }
    return HOST_DONE;
}

static const struct host_func funcs[] = {
    {"get", "(string)->(result<option<string>," CONFIG_ERROR ">)", get, SHAPE_ANY, false},
    {"get-all", "()->(result<list<tuple<string,string>>," CONFIG_ERROR ">)", get_all, SHAPE_ANY, false},
};

const struct host_interface wasi_config[3] = {
    INTERFACE("wasi:config/store", "0.2.0-rc.1", funcs),
    INTERFACE("wasi:config/store", "0.2.0-draft", funcs),
    INTERFACE("wasi:config/runtime", "0.2.0-draft", funcs),
};
